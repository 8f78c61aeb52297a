"""What a checkpoint can be asked, one row a finding or a kind of question: from questions.json and calibration.json."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..models.answer_calibration import AnswerCalibration
from ..models.operating_points import OperatingPoint
from ..models.question_names import NAMES, OPEN
from ..models.question_understanding import TrainedQuestions
from ..models.question_words import PHRASES, WORDS
from ..models.trained_wordings import FIRST, SECOND, TrainedGroup, UnderstoodQuestion

_SHORT = 3  # letters
_SPELLED = {"twave": "t wave", "qwave": "q wave", "electrolytesdrugs": "electrolyte disturbance or drugs"}
"""Words that only stand in the tables of names, and what people write."""


@dataclass(frozen=True)
class QuestionRow:
    """One thing that can be asked.

    Attributes:
        kind: `"verify"` (yes or no), `"choose"` (one of two), `"query"` (open) or `"report"`.
        attribute_type: such as `"rhythm"`.
        code: SCP code, superclass or quantity; empty for a choice.
        term: what it is called in the trained question.
        question: the trained wording that others are mapped to.
        wordings: all that were trained.
        also: other words that are understood as this question, each by itself.
        terms: of a choice, what can be chosen from.
        answers: the closed answer set; None: free text, or one of the two of a choice.
        point: where the answer turns, with its sensitivity and specificity; None where it is the likelier one.
        prevalence: share of PTB-XL's recordings that have the finding; None where it is not known.
    """

    kind: str
    attribute_type: str
    code: str
    term: str
    question: str
    wordings: tuple[str, ...]
    also: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    answers: tuple[str, ...] | None = None
    point: OperatingPoint | None = None
    prevalence: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For JSON."""
        point = self.point
        return {
            "kind": self.kind,
            "attribute_type": self.attribute_type,
            "attribute": self.code or None,
            "term": self.term or None,
            "question": self.question,
            "wordings": list(self.wordings),
            "also_understood": list(self.also),
            "choices": list(self.terms) or None,
            "answers": None if self.answers is None else list(self.answers),
            "sensitivity": None if point is None else point.sensitivity,
            "specificity": None if point is None else point.specificity,
            "recordings_with_the_finding": None if point is None else point.positives,
            "recordings_without": None if point is None else point.negatives,
            "own_operating_point": None if point is None else point.own,
            "prevalence": self.prevalence,
        }


def question_rows(questions: TrainedQuestions, calibration: AnswerCalibration | None) -> list[QuestionRow]:
    """All that a checkpoint can be asked, yes/no questions first, in the order of the file.

    Args:
        questions: of the checkpoint.
        calibration: of the checkpoint, for the figures.
    """
    called = _other_words(questions)
    verify: dict[tuple[str, str], list[TrainedGroup]] = {}
    rows = []
    for group in questions.groups:
        kind, of = group.question_type, group.attribute_type
        if kind == "verify":
            for attribute in group.terms:
                verify.setdefault((of, attribute), []).append(group)
        elif kind == "choose":
            places = {FIRST: "…", SECOND: "…"}
            wordings = tuple(_replaced(wording, places) for wording in group.wordings)
            rows.append(QuestionRow(kind, of, "", "", wordings[0], wordings, terms=tuple(group.terms.values())))
        else:
            for attribute, term in group.terms.items():
                wordings = _wordings([group], attribute)
                also = _without(called.get((of, attribute), ()), term, wordings)
                rows.append(QuestionRow(kind, of, attribute, term, wordings[0], wordings, also, answers=group.answers))
    return [
        *(_verify(of, attribute, groups, called, calibration) for (of, attribute), groups in verify.items()),
        *rows,
    ]


def matching(rows: list[QuestionRow], wanted: str, questions: TrainedQuestions) -> list[QuestionRow]:
    """The rows that hold some words, or that a question in these words is understood as.

    Args:
        rows: of `question_rows`.
        wanted: words in any case, or their beginnings; each must stand in a row.
        questions: of the same checkpoint.
    """
    understood = questions.understand(wanted)
    asked = understood.attribute if isinstance(understood, UnderstoodQuestion) else None
    words = re.findall(r"[^\W_]+", wanted.casefold())

    def holds(row: QuestionRow) -> bool:
        text = " ".join([row.code, row.term, row.question, *row.also]).casefold()
        parts = set(re.findall(r"[^\W_]+", text))
        # A word's beginning is enough, but for abbreviations: "af" is not the beginning of "aflutter" here.
        held = all(
            word in parts or (len(word) > _SHORT and any(part.startswith(word) for part in parts)) for word in words
        )
        return held or (row.code != "" and row.code == asked)

    found = [row for row in rows if words and holds(row)]
    return found or [row for row in rows if any(all(word in term for word in words) for term in row.terms)]


def _verify(
    of: str,
    attribute: str,
    groups: list[TrainedGroup],
    called: dict[tuple[str, str], list[str]],
    calibration: AnswerCalibration | None,
) -> QuestionRow:
    own = [group for group in groups if len(group.terms) == 1]  # such as "Is this ECG normal?"
    wordings = _wordings([*own, *(group for group in groups if group not in own)], attribute)
    term = groups[0].terms[attribute]
    if " in lead " in attribute and " in lead " not in term:
        term = attribute
    statement = None if calibration is None else calibration.statement(of, attribute)
    return QuestionRow(
        "verify",
        of,
        attribute if attribute not in (term, term.removesuffix("s")) else "",
        term,
        wordings[0],
        wordings,
        _without(called.get((of, attribute), ()), term, wordings),
        answers=groups[0].answers,
        point=None if statement is None else statement.point,
        prevalence=None if statement is None else statement.prevalence,
    )


def _wordings(groups: list[TrainedGroup], attribute: str) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            group.question(wording, (attribute,), True).text for group in groups for wording in group.wordings
        )
    )


def _replaced(wording: str, places: dict[str, str]) -> str:
    for slot, text in places.items():
        wording = wording.replace(slot, text)
    return wording


def _without(words: list[str] | tuple[()], term: str, wordings: tuple[str, ...]) -> tuple[str, ...]:
    known = {term.casefold(), *(wording.casefold() for wording in wordings)}
    return tuple(word for word in words if word.casefold() not in known)


def _other_words(questions: TrainedQuestions) -> dict[tuple[str, str], list[str]]:
    """(type, attribute) → words that are understood as it, each tried."""
    found: dict[tuple[str, str], list[str]] = {}
    names = (text for patterns in NAMES.values() for pattern in patterns for text in _texts(pattern, {"lead"}))
    open_names = (text for pattern, _, _ in OPEN for text in _texts(pattern, None))
    for text in dict.fromkeys([*WORDS, *PHRASES, *names, *open_names]):
        understood = questions.understand(text)
        if isinstance(understood, UnderstoodQuestion) and not understood.negated and understood.attribute is not None:
            found.setdefault((understood.attribute_type or "", understood.attribute), []).append(text)
    return found


def _texts(pattern: str, left_out: set[str] | None) -> Iterator[str]:
    """What a name in the notation of `question_names` stands for, the words in their order.

    Args:
        pattern: the name.
        left_out: words that are left out where they may be; None: every word that may be.
    """
    choices = []
    for part in pattern.split():
        words = part.split("|")
        if "-" in words and (left_out is None or not left_out.isdisjoint(words)):
            words = ["-"]
        choices.append(words)
    for chosen in itertools.product(*choices):
        yield " ".join(_SPELLED.get(word, word) for word in chosen if word != "-")
