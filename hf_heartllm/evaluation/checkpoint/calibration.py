"""How far a checkpoint's probabilities can be believed: temperature from fold 8, calibration error, predictive value.

Questions are balanced, patients are not. Two temperatures are fitted on the calibration questions, by the likelihood
of the true answers:

* for the balanced questions, over all of them as they are;
* for natural prevalence, over the yes/no questions, each statement's weighted to its prevalence in PTB-XL, with the
  odds of "yes" moved from its share among the questions, which is nearly 1 : 1, to that prevalence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...data.record import Record
from ...models.answer_calibration import AnswerCalibration, AskedStatement
from ..answered import Answered
from ..conditions import REAL
from ..confidence import TEMPERATURES, at_prevalence, fit_temperature, padded_scores, prevalence_weights

Statement = tuple[str, str]
"""Attribute type and attribute, as ("rhythm", "AFIB")."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and on what.

    Attributes:
        balanced_temperature: for questions as they are asked.
        natural_temperature: for yes/no questions at natural prevalence; None without any such question.
        questions: number of balanced questions that the first was fitted on.
        yes_no_questions: number that the second was fitted on.
        patients: number of their patients.
        yes_share: share of "yes" among the yes/no questions; None without any. It is one number for all statements:
            the question generator balances each, and what is left of one in a fold are few questions.
        at_edge: temperatures that ended at an edge of what is sought, by name: they are no fit.
    """

    balanced_temperature: float
    natural_temperature: float | None
    questions: int
    yes_no_questions: int
    patients: int
    yes_share: float | None
    at_edge: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def carried(self, statements: tuple[AskedStatement, ...], facts: Mapping[str, Any]) -> AnswerCalibration:
        """In the form that a checkpoint carries; `facts`: what it was fitted on, beside the numbers of questions."""
        counts = {"questions": self.questions, "yes_no_questions": self.yes_no_questions, "patients": self.patients}
        temperatures = self.balanced_temperature, self.natural_temperature
        fitted_on = {**counts, **facts}
        return AnswerCalibration(*temperatures, self.yes_share, statements, at_edge=self.at_edge, fitted_on=fitted_on)


def prevalences(records: Sequence[Record], statements: set[Statement]) -> dict[Statement, float]:
    """Share of the records that state each of these; without those that nobody states, or everybody.

    Statements and superclasses only: other attributes are not known for every record. Records whose labels leave a
    statement open do not count for it.

    Args:
        records: of the wanted part of a collection.
        statements: those wanted.
    """
    found = {}
    for kind, name in statements:
        if kind not in ("rhythm", "form", "diagnosis", "superclass"):
            continue
        held = [said for record in records if (said := record.says(kind, name)) is not None]
        share = float(np.mean(held)) if held else 0.0
        if 0 < share < 1:
            found[kind, name] = share
    return found


@dataclass(frozen=True)
class YesNoRows:
    """Yes/no questions as columns.

    Attributes:
        rows: their places among all questions, int (n,).
        statements: what each asks for.
        positive: bool (n,), whether "yes" is true.
        margin: condition → float64 (n,), log-likelihood of "yes" less that of "no".
    """

    rows: np.ndarray
    statements: list[Statement]
    positive: np.ndarray
    margin: Mapping[str, np.ndarray]

    def shares(self, of_statement: Mapping[Statement, float]) -> np.ndarray:
        """A statement's number for each row, float64 (n,)."""
        return np.array([of_statement[one] for one in self.statements])

    def probability(
        self,
        condition: str,
        temperature: float = 1.0,
        prevalence: Mapping[Statement, float] | None = None,
        yes_share: float | None = None,
    ) -> np.ndarray:
        """p("yes") at a temperature and, where given, moved from `yes_share` to each statement's prevalence; float64
        (n,)."""
        raised = 1 / (1 + np.exp(-np.clip(self.margin[condition] / temperature, -500, 500)))
        if prevalence is None or yes_share is None or not len(raised):
            return raised
        return at_prevalence(raised, yes_share, self.shares(prevalence))

    def weights(self, prevalence: Mapping[Statement, float]) -> np.ndarray:
        """Weights with which the rows of each statement stand for its prevalence, float64 (n,)."""
        wanted, result = self.shares(prevalence), np.zeros(len(self.rows))
        for statement in set(self.statements):
            here = np.array([one == statement for one in self.statements])
            result[here] = prevalence_weights(self.positive[here], float(wanted[here][0]))
        return result


def yes_no_rows(answered: Answered, *, every_record: bool, known: Mapping[Statement, float] | None = None) -> YesNoRows:
    """The yes/no questions of one set.

    Args:
        answered: all questions.
        every_record: those that every record is asked, else the balanced ones.
        known: statements to keep: those with a prevalence. Of the balanced set only statements with both answers are
            kept, since one answer alone cannot be weighted. None keeps all.
    """
    of_set = [
        (row, (question.attribute_type, question.attribute), question.answer)
        for row, question in enumerate(answered.questions)
        if question.is_yes_no and question.every_record == every_record
    ]
    seen: dict[Statement, set[str]] = defaultdict(set)
    for _, statement, answer in of_set:
        seen[statement].add(answer)
    kept = {one for one in seen if known is None or (one in known and (every_record or len(seen[one]) == 2))}
    rows = [row for row, statement, _ in of_set if statement in kept]
    questions = [answered.questions[row] for row in rows]

    def margins(scores: Sequence[np.ndarray]) -> np.ndarray:
        return np.array(
            [
                scores[row][question.answer_set.index("yes")] - scores[row][question.answer_set.index("no")]
                for row, question in zip(rows, questions, strict=True)
            ]
        )

    return YesNoRows(
        np.array(rows, dtype=int),
        [(question.attribute_type, question.attribute) for question in questions],
        np.array([question.answer == "yes" for question in questions], dtype=bool),
        {condition: margins(scores) for condition, scores in answered.scores.items()},
    )


def fit_calibration(answered: Answered, prevalence: Mapping[Statement, float]) -> Calibration:
    """Fit the temperatures on answered calibration questions, with the real ECG.

    Args:
        answered: questions of fold 8 (or of folds that the model was not trained on).
        prevalence: of each statement in PTB-XL.

    Raises:
        ValueError: if there are no balanced questions.
    """
    balanced = answered.balanced
    if not len(balanced):
        raise ValueError("the calibration file has no balanced questions")
    scores = padded_scores([answered.scores[REAL][row].tolist() for row in balanced])
    truth = [answered.questions[row].answer_set.index(answered.questions[row].answer) for row in balanced]
    found = {"balanced": fit_temperature(scores, truth)}
    yes_no = yes_no_rows(answered, every_record=False, known=prevalence)
    yes_share = None
    if len(yes_no.rows):
        # Every statement kept has both answers, so the share is strictly between 0 and 1.
        yes_share = float(yes_no.positive.mean())
        shares, nothing = yes_no.shares(prevalence), np.zeros(len(yes_no.rows))
        moved = np.log(shares / (1 - shares)) - np.log(yes_share / (1 - yes_share))
        found["natural"] = fit_temperature(
            np.column_stack([nothing, yes_no.margin[REAL]]),
            yes_no.positive,
            weights=yes_no.weights(prevalence),
            prior=np.column_stack([nothing, moved]),
        )
    edges = [name for name, value in found.items() if not TEMPERATURES[0] * 1.01 < value < TEMPERATURES[1] / 1.01]
    return Calibration(
        found["balanced"],
        found.get("natural"),
        len(balanced),
        len(yes_no.rows),
        len(set(answered.patients[balanced].tolist())),
        yes_share,
        tuple(edges),
    )
