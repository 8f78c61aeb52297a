"""Answered questions as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .answers import AnsweredQuestion, Answers
from .question_file import HeldOutQuestion, HeldOutRecord

Outcomes = dict[tuple[int, str], list[list[float]]]
"""(ecg_id, condition) → for each question the log-likelihoods of its answers, in the order of its set."""


@dataclass(frozen=True)
class Answered:
    """All questions under all conditions, as columns of equal length.

    Attributes:
        questions: the questions, record by record.
        patients: int64 (questions,).
        right: condition → bool (questions,), whether the likeliest answer is the true one.
        yes: condition → float64 (questions,), p("yes"), NaN where the set has no "yes".
        ecg_ids: int64 (questions,).
        chosen: condition → the likeliest answer of each question, the first of the set where two are equal.
        probabilities: condition → float64 (answers,) for each question, in the order of its set.
        scores: condition → log-likelihoods of the same.
    """

    questions: list[HeldOutQuestion]
    patients: np.ndarray
    right: Mapping[str, np.ndarray]
    yes: Mapping[str, np.ndarray]
    ecg_ids: np.ndarray
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
                AnsweredQuestion((one.answer,), None if said is None else (said,), allowed=one.answers)
                for one, said in zip(self.questions, predictions, strict=True)
            ]
        )

    def of_answer(self, condition: str, rows: Iterable[int], answer: str) -> np.ndarray:
        """The probability of one answer that the sets of all these questions hold, float64 (rows,)."""
        shares = self.probabilities[condition]
        return np.array([shares[row][self.questions[row].answers.index(answer)] for row in rows])


def tabulate(records: Iterable[HeldOutRecord], outcomes: Outcomes, conditions: Sequence[str]) -> Answered:
    """Put outcomes into columns, for the tables of figures."""
    records = list(records)
    questions = [question for record in records for question in record.questions]
    owners = [record for record in records for _ in record.questions]
    scores = {
        condition: [np.asarray(one, dtype=np.float64) for r in records for one in outcomes[r.ecg_id, condition]]
        for condition in conditions
    }
    for condition, rows in scores.items():
        if [len(one) for one in rows] != [len(question.answers) for question in questions]:
            raise ValueError(f"the outcomes under {condition!r} do not fit the questions")
    shares = {condition: [_softmax(one) for one in rows] for condition, rows in scores.items()}
    chosen = {
        condition: [q.answers[int(one.argmax())] for q, one in zip(questions, rows, strict=True)]
        for condition, rows in scores.items()
    }
    right = {
        condition: np.array([q.answer == answer for q, answer in zip(questions, answers, strict=True)], dtype=bool)
        for condition, answers in chosen.items()
    }
    yes = {
        condition: np.array(
            [
                one[q.answers.index("yes")] if "yes" in q.answers else np.nan
                for q, one in zip(questions, rows, strict=True)
            ]
        )
        for condition, rows in shares.items()
    }
    patients = np.array([record.patient_id for record in owners], dtype=np.int64)
    ecg_ids = np.array([record.ecg_id for record in owners], dtype=np.int64)
    return Answered(questions, patients, right, yes, ecg_ids, chosen, shares, scores)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()
