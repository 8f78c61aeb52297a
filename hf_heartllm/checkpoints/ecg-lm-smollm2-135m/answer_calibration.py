"""What makes a checkpoint's probabilities believable: temperatures and prevalences, `calibration.json` in its folder.

The file is fitted on questions about patients whose answers are known (`heartllm evaluate qa --write-calibration`).
Questions are balanced, patients are not, so a yes/no question is answered for a prevalence: with margin m, the
log-likelihood of "yes" less that of "no",

    logit p("yes") = m / T + logit(prevalence) − logit(share of "yes" among the questions that T was fitted on),

which holds where only the prevalence differs (Saerens et al., Neural Computation 14, 21-41, 2002). A statement that
enough patients were asked about has a line of its own, logit p("yes") = slope · m + intercept at its prevalence in
PTB-XL, which another prevalence moves in the same way, and an operating point (`operating_points`).
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .checkpoint_files import file_beside
from .format_versions import FormatVersionError, check_format_version
from .operating_points import Decision, OperatingPoint, decide, decide_one_of, logit

CALIBRATION_FILE = "calibration.json"
FORMAT, FORMAT_VERSION = "heartllm calibration", 2  # 1 has neither operating points nor lines of statements
YES_NO_SET = frozenset({"yes", "no"})

NOT_CALIBRATED = f"not calibrated: the model comes without {CALIBRATION_FILE}"
FREE_TEXT = "not calibrated: the answer is free text, not one of a closed set"

# Words that may stand around the name of a finding without changing what is asked. "no", "new" or "old" would.
_AROUND = frozenset(
    [
        "a",
        "an",
        "any",
        "are",
        "be",
        "call",
        "can",
        "could",
        "do",
        "does",
        "ecg",
        "ekg",
        "electrocardiogram",
        "evidence",
        "has",
        "have",
        "here",
        "in",
        "is",
        "it",
        "of",
        "on",
        "present",
        "recording",
        "record",
        "see",
        "seen",
        "show",
        "showing",
        "shows",
        "sign",
        "signs",
        "suggest",
        "the",
        "there",
        "this",
        "trace",
        "tracing",
        "visible",
        "we",
        "would",
        "you",
    ]
)


class CalibrationError(ValueError):
    """A calibration, or a prevalence asked of one, cannot be used; the message is one line."""


@dataclass(frozen=True)
class AskedStatement:
    """A statement that a yes/no question may ask for.

    Attributes:
        attribute_type: `"rhythm"`, `"form"`, `"diagnosis"` or `"superclass"`.
        attribute: its SCP code or superclass.
        phrases: what it is called in questions, lower case.
        prevalence: share of PTB-XL's records that state it, strictly between 0 and 1.
        slope: of the line from the margin to the log-odds at that prevalence; None: the temperature stands in.
        intercept: of the same line.
        point: where its answer turns; None: at even odds of the probability.
    """

    attribute_type: str
    attribute: str
    phrases: tuple[str, ...]
    prevalence: float
    slope: float | None = None
    intercept: float | None = None
    point: OperatingPoint | None = None

    @property
    def question(self) -> str:
        """The question that its line and its operating point were measured with."""
        return f"Does this ECG show {self.phrases[0]}?"

    def document(self) -> dict[str, Any]:
        """For JSON, without what it has not."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AskedStatement:
        """What `document` gave."""
        point = document.get("point")
        return cls(
            str(document["attribute_type"]),
            str(document["attribute"]),
            tuple(map(str, document["phrases"])),
            float(document["prevalence"]),
            None if document.get("slope") is None else float(document["slope"]),
            None if document.get("intercept") is None else float(document["intercept"]),
            None if point is None else OperatingPoint(**point),
        )


@dataclass(frozen=True)
class CalibratedAnswers:
    """Probabilities of a closed answer set, and what they assume.

    Attributes:
        ranked: answer and probability, the most likely first.
        prevalence: of "yes", that the probabilities stand for; None where answers are not yes and no.
        basis: in words, for whoever reads the figure.
    """

    ranked: tuple[tuple[str, float], ...]
    prevalence: float | None
    basis: str


@dataclass(frozen=True)
class AnswerCalibration:
    """What was fitted, and on what.

    Attributes:
        balanced_temperature: for closed answer sets as they were asked.
        natural_temperature: for yes/no questions at a prevalence; None: `balanced_temperature` stands in.
        yes_share: share of "yes" among the yes/no questions that the temperatures were fitted on; None without them,
            and then no prevalence can be assumed.
        statements: those whose prevalence is known.
        one_of: attributes (rhythms) of which a recording has one: the answer is "yes" to exactly one of them. All of
            them are among `statements`, with operating points.
        at_edge: names of temperatures that ended at an edge of what was sought: they are no fit.
        fitted_on: data, folds and hashes; `folds_in_training` lists the folds that the model was trained on too.
            `collection` names the collection; without it PTB-XL.

    Raises:
        CalibrationError: if a temperature is not above 0, or a share is not strictly between 0 and 1.
    """

    balanced_temperature: float
    natural_temperature: float | None
    yes_share: float | None
    statements: tuple[AskedStatement, ...] = ()
    one_of: tuple[str, ...] = ()
    at_edge: tuple[str, ...] = ()
    fitted_on: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for temperature in (self.balanced_temperature, self.natural_temperature):
            if temperature is not None and not 0 < temperature < math.inf:
                raise CalibrationError(f"a temperature is above 0, not {temperature}")
        for share in (self.yes_share, *(one.prevalence for one in self.statements)):
            if share is not None:
                check_share(share)
        pointed = {one.attribute for one in self.statements if one.point is not None}
        if self.one_of and (len(self.one_of) < 2 or not pointed.issuperset(self.one_of)):
            raise CalibrationError("the statements of which a recording has one need operating points, two at least")

    @property
    def measured_folds(self) -> tuple[int | str, ...]:
        """Folds of PTB-XL that the operating points' sensitivity and specificity were measured on; of a collection
        without folds the names of its splits."""
        parts = self.fitted_on.get("measured_folds", self.fitted_on.get("folds", ()))
        return tuple(part if isinstance(part, str) else int(part) for part in parts)

    @property
    def collection(self) -> str:
        """The collection that the prevalences are of."""
        return str(self.fitted_on.get("collection", "PTB-XL"))

    def document(self) -> dict[str, Any]:
        """For JSON."""
        found = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}
        return {**found, "statements": [one.document() for one in self.statements]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AnswerCalibration:
        """What `document` gave.

        Raises:
            CalibrationError: if it is no such document.
        """
        if document.get("format") != FORMAT:
            raise CalibrationError(f"not of the format {FORMAT!r}, version {FORMAT_VERSION} or older")
        try:
            check_format_version("calibration", document.get("format_version"), FORMAT_VERSION, __name__)
        except FormatVersionError as error:
            raise CalibrationError(str(error)) from None
        try:
            natural, share = document["natural_temperature"], document["yes_share"]
            return cls(
                float(document["balanced_temperature"]),
                None if natural is None else float(natural),
                None if share is None else float(share),
                tuple(AskedStatement.from_document(one) for one in document["statements"]),
                tuple(map(str, document.get("one_of", ()))),
                tuple(document["at_edge"]),
                dict(document["fitted_on"]),
            )
        except (KeyError, TypeError) as error:
            raise CalibrationError(f"not a whole calibration: {error}") from None

    def statement(self, attribute_type: str | None, attribute: str | None) -> AskedStatement | None:
        """The statement of an attribute; one that is a diagnosis and a finding of form stands under either type."""
        named = [one for one in self.statements if one.attribute == attribute]
        same = [one for one in named if one.attribute_type == attribute_type]
        return next(iter(same or named), None)

    def rivals(self, statement: AskedStatement) -> tuple[AskedStatement, ...]:
        """The other statements whose margins `decide` needs: the other rhythms where the statement is a rhythm."""
        if statement.attribute not in self.one_of:
            return ()
        return tuple(
            one for name in self.one_of if name != statement.attribute and (one := self.statement("rhythm", name))
        )

    def decide(self, statement: AskedStatement, margins: Mapping[str, float]) -> Decision | None:
        """The answer at the operating point; None for a statement without one.

        Args:
            statement: the one asked for.
            margins: of it and of its rivals, by attribute.
        """
        if statement.point is None:
            return None
        if statement.attribute not in self.one_of:
            return decide(margins[statement.attribute], statement.point)
        points = {one.attribute: one.point for one in (statement, *self.rivals(statement)) if one.point is not None}
        return decide_one_of(statement.attribute, margins, {name: points[name] for name in self.one_of})

    def slope(self, statement: AskedStatement) -> float:
        """By what a margin is multiplied to be log-odds."""
        return statement.slope or 1 / (self.natural_temperature or self.balanced_temperature)

    def statement_in(self, question: str) -> AskedStatement | None:
        """The statement that a question asks for: its phrase, and around it nothing that could change the meaning.

        None where that is not certain: another word ("no sign of …", "new …"), two findings, an unknown one.
        """
        text = f" {_words(question)} "
        found: tuple[int, AskedStatement] | None = None
        for statement in self.statements:
            for phrase in statement.phrases:
                before, there, after = text.partition(f" {_words(phrase)} ")
                alone = bool(there) and _AROUND.issuperset([*before.split(), *after.split()])
                if alone and (found is None or len(phrase) > found[0]):
                    found = len(phrase), statement
        return None if found is None else found[1]

    def answers(
        self,
        answers: Sequence[str],
        log_likelihoods: Sequence[float],
        question: str,
        prevalence: float | None = None,
        statement: AskedStatement | None = None,
    ) -> CalibratedAnswers:
        """Calibrated probabilities of a closed answer set.

        Args:
            answers: the set.
            log_likelihoods: of each answer, (answers,).
            question: in words.
            prevalence: of "yes" among the patients that the question is asked about; None: the statement's in
                `collection`, where the question asks for a known one, else that of the balanced questions.
            statement: what the question asks for, where that is known; None: `statement_in(question)`.

        Raises:
            CalibrationError: if a prevalence is given that is not strictly between 0 and 1, for answers other than yes
                and no, or where the calibration was fitted without such questions.
        """
        scores = np.asarray(log_likelihoods, dtype=np.float64)
        if frozenset(answers) != YES_NO_SET:
            if prevalence is not None:
                raise CalibrationError("a prevalence belongs to a yes/no question")
            return self._ranked(answers, scores / self.balanced_temperature, None, "for balanced questions")
        if prevalence is not None and self.yes_share is None:
            raise CalibrationError("no prevalence can be assumed: the calibration was fitted without yes/no questions")
        statement = statement or self.statement_in(question)
        if prevalence is not None:
            words = f"for the given prevalence of {check_share(prevalence):.3g}"
        elif statement is not None and self.yes_share is not None:
            prevalence = statement.prevalence
            of = f"{statement.attribute} ({statement.attribute_type})"
            words = f"for the prevalence of {of} in {self.collection}, {prevalence:.3g}"
        else:
            share = "" if self.yes_share is None else f" ({self.yes_share:.3g} of them yes)"
            words = f"for balanced questions{share}, since the question's prevalence is unknown"
            return self._ranked(answers, scores / self.balanced_temperature, self.yes_share, words)
        assert self.yes_share is not None
        yes, no = list(answers).index("yes"), list(answers).index("no")
        margin = float(scores[yes] - scores[no])
        if statement is not None and statement.slope is not None and statement.intercept is not None:
            odds = statement.slope * margin + statement.intercept + logit(prevalence) - logit(statement.prevalence)
        else:
            odds = margin / (self.natural_temperature or self.balanced_temperature)
            odds += logit(prevalence) - logit(self.yes_share)
        raised = np.zeros(2)
        raised[yes] = odds
        return self._ranked(answers, raised, prevalence, words)

    def _ranked(
        self, answers: Sequence[str], raised: np.ndarray, prevalence: float | None, words: str
    ) -> CalibratedAnswers:
        powers = np.exp(raised - raised.max())
        shares = powers / powers.sum()
        order = np.argsort(-raised, kind="stable")
        ranked = tuple((answers[index], float(shares[index])) for index in order)
        return CalibratedAnswers(ranked, prevalence, f"calibrated {words}{self._doubts()}")

    def _doubts(self) -> str:
        doubts = []
        if self.fitted_on.get("folds_in_training"):
            doubts.append("fitted on patients that the model was trained on, so it may be too sure")
        if self.at_edge:
            doubts.append(f"the temperature for {' and '.join(self.at_edge)} questions is no fit")
        return "".join(f"; {doubt}" for doubt in doubts)


def check_share(value: float) -> float:
    """The value, where it is strictly between 0 and 1.

    Raises:
        CalibrationError: where it is not.
    """
    if not 0 < value < 1:
        raise CalibrationError(f"a prevalence is strictly between 0 and 1, not {value}")
    return value


def read_calibration(source: str | os.PathLike[str], revision: str | None = None) -> AnswerCalibration | None:
    """The calibration of a checkpoint; None where it has none.

    Args:
        source: its folder, or its repository on the Hub.
        revision: of the repository.

    Raises:
        CalibrationError: if the file is there and cannot be used.
    """
    path = file_beside(source, CALIBRATION_FILE, revision)
    if path is None:
        return None
    try:
        return AnswerCalibration.from_document(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, AttributeError) as error:
        raise CalibrationError(f"{path}: {error}") from None


def _words(text: str) -> str:
    """Lower case, without the punctuation of sentences."""
    return " ".join(re.findall(r"[\w/'’()-]+", text.lower()))
