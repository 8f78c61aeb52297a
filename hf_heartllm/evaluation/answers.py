"""Scores of answers in words: exact match, macro-F1 over answers, answers outside the closed set, abstentions.

An answer is a set: ECG-QA's questions can have several answers, and their order does not count (Oh et al., NeurIPS
2023). Two ways of reading a set out of generated text are kept apart by name, because they give different figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from .groups import groups_of
from .intervals import Bootstrap, Resampled, ratio
from .metrics import Metric

_SEPARATORS = re.compile(r"[.;\n]|,(?![^()]*\))")  # "(unknown origin, supraventricular, or ventricular)" stays whole


@dataclass(frozen=True)
class AnsweredQuestion:
    """One question with what a model answered.

    Attributes:
        answer: the true answers, at least one.
        prediction: the model's text, or its answers as a list; None where it abstained.
        patient: whose ECG it is; the rows of one patient are resampled together.
        allowed: the closed set of answers; empty where none is known.
        question_type: such as `"single-verify"`.
        attribute_type: such as `"scp_code"`.
        template: of the question.
        subgroups: further groups that the row belongs to, such as `(("sex", "female"),)`.
    """

    answer: tuple[str, ...]
    prediction: str | tuple[str, ...] | None
    patient: str = ""
    allowed: tuple[str, ...] = ()
    question_type: str = ""
    attribute_type: str = ""
    template: str = ""
    subgroups: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.true_set:
            raise ValueError("a question has no true answer")

    @cached_property
    def true_set(self) -> frozenset[str]:
        """The true answers as `answer_set` reads them."""
        return answer_set(self.answer)

    @cached_property
    def predicted_set(self) -> frozenset[str]:
        """The predicted answers as `answer_set` reads them."""
        return answer_set(self.prediction, (*self.allowed, *self.answer))

    @property
    def given(self) -> bool:
        """Whether there is a prediction."""
        return self.prediction is not None

    @property
    def right(self) -> bool:
        """Exact match: whether the set of predicted answers is the set of true ones."""
        return self.predicted_set == self.true_set

    @property
    def right_by_public_code(self) -> bool:
        """Exact match as the public HeartLLM code computes it: case, blanks and a final full stop count."""
        if self.prediction is None:
            return False
        text = self.prediction
        return set(split_at_full_stops(text) if isinstance(text, str) else text) == set(self.answer)

    @property
    def outside(self) -> bool:
        """Whether an answer is outside the closed set, or there is none; False where no closed set is known."""
        found = answer_set(self.prediction, self.allowed)
        return bool(self.allowed) and (not found or not found <= _closed_set(self.allowed))


def split_at_full_stops(text: str) -> list[str]:
    """The public HeartLLM code's reading: ends stripped, split at "."; case, blanks and empty parts are kept."""
    return text.strip().split(".")


def answer_set(prediction: str | Sequence[str] | None, allowed: Iterable[str] = ()) -> frozenset[str]:
    """The answers that a prediction holds: lower case, single blanks, no full stop at the end, empty parts dropped.

    Text is split at full stops, semicolons, line ends, and commas outside brackets, unless the whole of it is one of
    `allowed`. The parts of a list are not split further. Empty for None.
    """
    if prediction is None:
        return frozenset()
    if isinstance(prediction, str):
        whole = _normal(prediction)
        if whole in _closed_set(tuple(allowed)):
            return frozenset({whole})
        parts: Iterable[str] = _SEPARATORS.split(prediction)
    else:
        parts = prediction
    return frozenset(part for part in map(_normal, parts) if part)


@lru_cache
def _closed_set(allowed: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(_normal, allowed))


def _normal(answer: str) -> str:
    return " ".join(answer.lower().split()).strip(" .")


class Answers:
    """Some questions as they were answered, at least one; `EXACT`, `MACRO_F1` and so on measure them."""

    def __init__(self, questions: Sequence[AnsweredQuestion]) -> None:
        self.questions = list(questions)

    def __getitem__(self, rows: Iterable[int]) -> Answers:
        return Answers([self.questions[row] for row in rows])

    def column(self, name: str) -> list[Any]:
        """An attribute of each question."""
        return [getattr(question, name) for question in self.questions]

    def counts(self) -> dict[str, int | None]:
        """What is counted rather than measured: distinct true answers, questions without a prediction, with one that
        holds no answer ("", "."), with an answer outside the closed set (None where no question has a closed set)."""
        closed = [one for one in self.questions if one.allowed]
        return {
            "classes": len(frozenset().union(*self.column("true_set"))),
            "abstained": self.column("prediction").count(None),
            "empty": sum(one.given and not one.predicted_set for one in self.questions),
            "outside": sum(not one.predicted_set <= _closed_set(one.allowed) for one in closed) if closed else None,
        }


def macro_f1(answers: Answers, bootstrap: Bootstrap) -> Resampled:
    """Mean over the answers that occur as true ones of 2 TP / (2 TP + FP + FN).

    Answers never true add no class, but each is a miss of the true one. A class without a row in a resample has no F1
    there.
    """
    truth, found = answers.column("true_set"), answers.column("predicted_set")
    classes = {answer: column for column, answer in enumerate(sorted(frozenset().union(*truth)))}
    true, predicted = (_indicators(sets, classes) for sets in (truth, found))

    def mean(sums: np.ndarray) -> np.ndarray:
        both, either = np.hsplit(sums, 2)
        f1 = ratio(2 * both, either)
        over_classes: np.ndarray = np.nansum(f1, axis=1) / np.maximum(1, (~np.isnan(f1)).sum(axis=1))
        return over_classes[:, None]

    return bootstrap.sums(np.hstack([true * predicted, true + predicted]), mean)[0]


def _indicators(sets: Sequence[frozenset[str]], classes: dict[str, int]) -> np.ndarray:
    """1.0 where a row holds an answer, float64 (rows, classes)."""
    held = np.zeros((len(sets), len(classes)))
    for row, answers in enumerate(sets):
        held[row, [classes[answer] for answer in answers if answer in classes]] = 1
    return held


def _share(column: str) -> Callable[[Answers, Bootstrap], Resampled]:
    return lambda answers, bootstrap: bootstrap.mean(answers.column(column))


EXACT = Metric("exact match", _share("right"), margins=True)
MACRO_F1 = Metric("macro-F1 over answers", macro_f1, centred=True)
PUBLIC_CODE = Metric("exact match, public code", _share("right_by_public_code"))
OF_ANSWERED = Metric[Answers](
    "exact match of answered",
    lambda answers, bootstrap: bootstrap.mean(answers.column("right"), answers.column("given")),
)
OUTSIDE = Metric("answers outside the closed set", _share("outside"))


GROUPINGS = {"question_type": "question type", "attribute_type": "attribute type", "template": "template"}
"""The attributes by which `grouped` groups, with their words."""


def grouped(questions: Sequence[AnsweredQuestion]) -> dict[str, list[int]]:
    """Rows of all questions, then of each known question type, attribute type, template and subgroup, by name."""
    columns = {words: [getattr(question, name) or None for question in questions] for name, words in GROUPINGS.items()}
    for name in dict.fromkeys(name for question in questions for name, _ in question.subgroups):
        columns[name] = [dict(question.subgroups).get(name) or None for question in questions]
    return {"all": list(range(len(questions))), **groups_of(columns)}
