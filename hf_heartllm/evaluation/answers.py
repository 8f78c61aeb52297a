"""Scores of answers in words: exact match, macro-F1 over answers, answers outside the closed set, abstentions.

An answer is a set: ECG-QA's questions can have several answers, and their order does not count (Oh et al., NeurIPS
2023). Two ways of reading a set out of generated text are kept apart by name, because they give different figures.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from .intervals import Interval, resample_sums

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
    patient: str
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


def exact_match(question: AnsweredQuestion) -> bool:
    """Whether the set of predicted answers is the set of true ones."""
    return question.predicted_set == question.true_set


def exact_match_public_code(question: AnsweredQuestion) -> bool:
    """Exact match as the public HeartLLM code computes it: case, blanks and a final full stop count."""
    prediction = question.prediction
    if prediction is None:
        return False
    parts = split_at_full_stops(prediction) if isinstance(prediction, str) else prediction
    return set(parts) == set(question.answer)


@dataclass(frozen=True)
class AnswerFigures:
    """The figures of a group of questions.

    Attributes:
        group: `"all"`, or what the questions share, such as `"question type single-verify"`.
        exact: exact match, as a fraction; an abstention is wrong.
        exact_public_code: the same by the public code's reading of the text.
        exact_answered: exact match among the questions that were answered; NaN if none was.
        macro_f1: mean over the answers that occur as true ones of 2 TP / (2 TP + FP + FN); answers never true add no
            class, but each is a miss of the true one.
        classes: number of these answers.
        abstained: questions without a prediction.
        empty: questions whose prediction holds no answer ("", ".").
        outside: questions with a predicted answer outside the closed set; None where no question has a closed set.
    """

    group: str
    exact: Interval
    exact_public_code: Interval
    exact_answered: Interval
    macro_f1: Interval
    classes: int
    abstained: int
    empty: int
    outside: int | None


def answer_figures(
    questions: Sequence[AnsweredQuestion], group: str = "all", *, resamples: int = 2000, seed: int = 0
) -> AnswerFigures:
    """The figures of one group of questions, with intervals by patient.

    Raises:
        ValueError: if there are no questions.
    """
    if not questions:
        raise ValueError(f"{group}: no questions")
    truth = [question.true_set for question in questions]
    found = [question.predicted_set for question in questions]
    classes = {answer: column for column, answer in enumerate(sorted(frozenset().union(*truth)))}
    true, predicted = (_indicators(sets, classes) for sets in (truth, found))
    right = [a == b for a, b in zip(truth, found, strict=True)]
    answered = [question.prediction is not None for question in questions]
    columns = np.column_stack(
        [
            np.ones(len(questions)),
            right,
            [exact_match_public_code(question) for question in questions],
            answered,
            true * predicted,
            true + predicted,
        ]
    )

    def statistics(sums: np.ndarray) -> np.ndarray:
        rows, exact, public, given = sums[:, :4].T
        both, either = sums[:, 4 : 4 + len(classes)], sums[:, 4 + len(classes) :]
        # A class without a row in a resample has no F1 there.
        f1 = np.divide(2 * both, either, out=np.full(both.shape, np.nan), where=either > 0)
        present = ~np.isnan(f1)
        macro = np.where(present, f1, 0).sum(axis=1) / np.maximum(1, present.sum(axis=1))
        selective = np.divide(exact, given, out=np.full(len(sums), np.nan), where=given > 0)
        return np.column_stack([exact / rows, public / rows, selective, macro])

    patients = [question.patient for question in questions]
    exact, public, selective, macro = resample_sums(columns, patients, statistics, resamples=resamples, seed=seed)
    closed = [(question, answers) for question, answers in zip(questions, found, strict=True) if question.allowed]
    return AnswerFigures(
        group=group,
        exact=exact.interval(),
        exact_public_code=public.interval(),
        exact_answered=selective.interval(),
        macro_f1=macro.centred_interval(),
        classes=len(classes),
        abstained=len(questions) - sum(answered),
        empty=sum(given and not answers for given, answers in zip(answered, found, strict=True)),
        outside=sum(not answers <= _closed_set(question.allowed) for question, answers in closed) if closed else None,
    )


def _indicators(sets: Sequence[frozenset[str]], classes: dict[str, int]) -> np.ndarray:
    """1.0 where a row holds an answer, float64 (rows, classes)."""
    held = np.zeros((len(sets), len(classes)))
    for row, answers in enumerate(sets):
        held[row, [classes[answer] for answer in answers if answer in classes]] = 1
    return held


GROUPINGS = {"question_type": "question type", "attribute_type": "attribute type", "template": "template"}
"""The attributes by which `grouped` groups, with their words."""


def grouped(questions: Sequence[AnsweredQuestion]) -> dict[str, list[int]]:
    """Rows of all questions, then of each known question type, attribute type, template and subgroup, by name."""
    names = {words: [getattr(question, name) for question in questions] for name, words in GROUPINGS.items()}
    for name in dict.fromkeys(name for question in questions for name, _ in question.subgroups):
        names[name] = [dict(question.subgroups).get(name, "") for question in questions]
    groups: dict[str, list[int]] = {"all": list(range(len(questions)))}
    for words, values in names.items():
        rows: dict[str, list[int]] = defaultdict(list)
        for index, value in enumerate(values):
            if value:
                rows[value].append(index)
        # Template 9 before template 10.
        for value in sorted(rows, key=lambda value: (int(value) if value.isdigit() else 0, value)):
            groups[f"{words} {value}"] = rows[value]
    return groups


def answer_tables(
    questions: Sequence[AnsweredQuestion], *, resamples: int = 2000, seed: int = 0
) -> list[AnswerFigures]:
    """The figures of all questions, and of each question type, attribute type and template."""
    return [
        answer_figures([questions[row] for row in rows], name, resamples=resamples, seed=seed)
        for name, rows in grouped(questions).items()
    ]
