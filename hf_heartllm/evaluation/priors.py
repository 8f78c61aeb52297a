"""What can be answered without any ECG: the majority answer of the training rows, scored on the test rows.

A model that reads ECGs must beat this. The majority is taken per question text ("does this ECG show AFIB?" → no) or per
template ("does this ECG show {attribute}?" → no).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from .answers import EXACT, MACRO_F1, AnsweredQuestion, Answers
from .ecg_qa_rows import QUESTION_TYPES, QuestionRow
from .intervals import Bootstrap, Interval

Key = Callable[[QuestionRow], str]
PRIORS: dict[str, Key] = {
    "question text": lambda row: row.question,
    "template": lambda row: row.template,
}
"""What the majority answer is taken of."""


def majority_answers(rows: Sequence[QuestionRow], key: Key) -> dict[str, tuple[str, ...]]:
    """The commonest set of answers of each key; between equals the first in alphabetical order."""
    counts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for row in rows:
        counts[key(row)][tuple(sorted(set(row.answer)))] += 1
    return {name: min(found, key=lambda answer: (-found[answer], answer)) for name, found in counts.items()}


def prior_predictions(
    train: Sequence[QuestionRow], test: Sequence[QuestionRow], prior: str
) -> list[tuple[str, ...] | None]:
    """The majority answer for each test row.

    A question text that training does not have gets the answer of its template; what training has not even the template
    of is left unanswered (None), which counts as wrong.
    """
    of_key, of_template = majority_answers(train, PRIORS[prior]), majority_answers(train, PRIORS["template"])
    return [of_key.get(PRIORS[prior](row), of_template.get(row.template)) for row in test]


@dataclass(frozen=True)
class PriorScores:
    """A prior on the test rows of one question type.

    Attributes:
        prior: a name of `PRIORS`.
        question_type: one of ECG-QA's seven.
        train_rows: training rows of this type.
        test_rows: test rows of this type.
        unseen: test rows whose question text is in no training row.
        unanswered: test rows that it has no answer to.
        figures: exact match and macro-F1 by the metric's name; None where there are no test rows of this type, or no
            training rows to take a majority from.
    """

    prior: str
    question_type: str
    train_rows: int
    test_rows: int
    unseen: int
    unanswered: int
    figures: Mapping[str, Interval] | None


def score_priors(
    train: Sequence[QuestionRow],
    test: Sequence[QuestionRow],
    *,
    patients: Mapping[int, tuple[str, int]] | None = None,
    closed_sets: Mapping[str, tuple[str, ...]] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> list[PriorScores]:
    """Both priors on every question type.

    Args:
        train: rows that the majorities are taken from.
        test: rows that are scored.
        patients: ecg_id → (patient, fold); without it intervals are by recording. A pair goes with its first recording.
        closed_sets: answers of each template.
        resamples: number of bootstrap samples.
        seed: of the draws.
    """
    texts = {row.question for row in train}
    found = []
    for prior in PRIORS:
        predictions = prior_predictions(train, test, prior)
        for question_type in QUESTION_TYPES:
            train_rows = sum(row.question_type == question_type for row in train)
            rows = [
                (row, one) for row, one in zip(test, predictions, strict=True) if row.question_type == question_type
            ]
            questions = [
                AnsweredQuestion(
                    answer=row.answer,
                    prediction=prediction,
                    patient=_unit(row, patients),
                    allowed=(closed_sets or {}).get(row.template, ()),
                )
                for row, prediction in rows
            ]
            found.append(
                PriorScores(
                    prior=prior,
                    question_type=question_type,
                    train_rows=train_rows,
                    test_rows=len(rows),
                    unseen=sum(row.question not in texts for row, _ in rows),
                    unanswered=sum(prediction is None for _, prediction in rows),
                    figures=_figures(questions, resamples, seed) if questions and train_rows else None,
                )
            )
    return found


def _figures(questions: Sequence[AnsweredQuestion], resamples: int, seed: int) -> dict[str, Interval]:
    bootstrap = Bootstrap([question.patient for question in questions], resamples=resamples, seed=seed)
    answers = Answers(questions)
    return {one.name: one.measure(answers, bootstrap).interval(centred=one.centred) for one in (EXACT, MACRO_F1)}


def _unit(row: QuestionRow, patients: Mapping[int, tuple[str, int]] | None) -> str:
    ecg_id = row.ecg_ids[0] if row.ecg_ids else -1
    return patients[ecg_id][0] if patients and ecg_id in patients else f"recording {ecg_id}"


def shared_patients(
    train: Sequence[QuestionRow], test: Sequence[QuestionRow], patients: Mapping[int, tuple[str, int]]
) -> tuple[int, int]:
    """How many test rows are about a patient that training rows are about too, and how many about one not known.

    Args:
        train: rows that the majorities are taken from.
        test: rows that are scored.
        patients: ecg_id → (patient, fold).
    """
    trained = {patients[ecg_id][0] for row in train for ecg_id in row.ecg_ids if ecg_id in patients}
    of_rows = [[patients[one][0] if one in patients else None for one in row.ecg_ids] for row in test]
    return sum(bool(trained & set(found)) for found in of_rows), sum(None in found or not found for found in of_rows)


def split_by_fold(
    rows: Sequence[QuestionRow],
    records: Mapping[int, tuple[str, int]],
    train_folds: Collection[int],
    test_folds: Collection[int],
) -> tuple[list[QuestionRow], list[QuestionRow]]:
    """Train and test rows by PTB-XL's folds, which are by patient; rows with recordings of both parts are left out."""
    train, test = [], []
    for row in rows:
        folds = {records[ecg_id][1] for ecg_id in row.ecg_ids if ecg_id in records}
        if any(ecg_id not in records for ecg_id in row.ecg_ids):
            continue
        if folds <= set(train_folds):
            train.append(row)
        elif folds <= set(test_folds):
            test.append(row)
    return train, test
