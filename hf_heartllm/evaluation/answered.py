"""Answered questions as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..data.question import Question
from .answers import AnsweredQuestion, Answers
from .people import patient_numbers
from .question_file import AskedRecord

Outcomes = dict[tuple[str, str], list[list[float]]]
"""(record_id, condition) → for each question the log-likelihoods of its answers, in the order of its set."""


@dataclass(frozen=True)
class Answered:
    """All questions under all conditions, as columns of equal length.

    Attributes:
        questions: the questions, record by record.
        patients: int64 (questions,), a number for each patient, in the order of their names.
        right: condition → bool (questions,), whether the likeliest answer is the true one.
        record_ids: of each question.
        chosen: condition → the likeliest answer of each question, the first of the set where two are equal.
        probabilities: condition → float64 (answers,) for each question, in the order of its set.
        scores: condition → log-likelihoods of the same.
    """

    questions: list[Question]
    patients: np.ndarray
    right: Mapping[str, np.ndarray]
    record_ids: list[str]
    chosen: Mapping[str, list[str]]
    probabilities: Mapping[str, list[np.ndarray]]
    scores: Mapping[str, list[np.ndarray]]

    @property
    def set_name(self) -> str:
        """What the tables call the questions that not every record is asked."""
        return "balanced questions" if all(one.balanced or one.every_record for one in self.questions) else "questions"

    @property
    def balanced(self) -> np.ndarray:
        """Rows of the questions that not every record is asked."""
        return np.array([row for row, question in enumerate(self.questions) if not question.every_record], dtype=int)

    def answers(self, predictions: Sequence[str | None]) -> Answers:
        """Predictions beside the true answers, each one answer of its closed set; None where there is none."""
        return Answers(
            [
                AnsweredQuestion((one.answer,), None if said is None else (said,), allowed=one.answer_set)
                for one, said in zip(self.questions, predictions, strict=True)
            ]
        )

    def with_conditions(self, other: Answered) -> Answered:
        """The same questions, under the conditions of `other` as they were answered there."""
        return replace(
            self,
            right={**self.right, **other.right},
            chosen={**self.chosen, **other.chosen},
            probabilities={**self.probabilities, **other.probabilities},
            scores={**self.scores, **other.scores},
        )

    def of_answer(self, condition: str, rows: Iterable[int], answer: str) -> np.ndarray:
        """The probability of one answer that the sets of all these questions hold, float64 (rows,)."""
        shares = self.probabilities[condition]
        return np.array([shares[row][self.questions[row].answer_set.index(answer)] for row in rows])


def tabulate(asked: Iterable[AskedRecord], outcomes: Outcomes, conditions: Sequence[str]) -> Answered:
    """Put outcomes into columns, for the tables of figures."""
    asked = list(asked)
    questions = [question for one in asked for question in one.questions]
    owners = [one.record for one in asked for _ in one.questions]
    scores = {
        condition: [np.asarray(one, dtype=np.float64) for r in asked for one in outcomes[r.record_id, condition]]
        for condition in conditions
    }
    for condition, rows in scores.items():
        if [len(one) for one in rows] != [len(question.answer_set) for question in questions]:
            raise ValueError(f"the outcomes under {condition!r} do not fit the questions")
    shares = {condition: [_softmax(one) for one in rows] for condition, rows in scores.items()}
    chosen = {
        condition: [q.answer_set[int(one.argmax())] for q, one in zip(questions, rows, strict=True)]
        for condition, rows in scores.items()
    }
    right = {
        condition: np.array([q.answer == answer for q, answer in zip(questions, answers, strict=True)], dtype=bool)
        for condition, answers in chosen.items()
    }
    patients = patient_numbers([record.patient for record in owners])
    record_ids = [record.record_id for record in owners]
    return Answered(questions, patients, right, record_ids, chosen, shares, scores)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    shares: np.ndarray = powers / powers.sum()
    return shares
