"""What can be answered without any ECG: the majority answer of the training rows, scored on the test rows.

A model that reads ECGs must beat this. The majority is taken per question text ("does this ECG show AFIB?" → no) or per
template ("does this ECG show {attribute}?" → no).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.ecg_qa_files import (
    QUESTION_TYPES,
    Completeness,
    ECGQARow,
    Version,
    completeness,
    read_answer_sets,
    read_ecg_qa,
)
from ..data.record import Record
from ..data.sources import PTB_XL, open_records
from .answers import EXACT, MACRO_F1, AnsweredQuestion, Answers
from .intervals import Bootstrap, Interval

Key = Callable[[ECGQARow], Hashable]
PRIORS: dict[str, Key] = {
    "question text": lambda row: row.question,
    "template": lambda row: row.template_id,
}
"""What the majority answer is taken of."""


@dataclass(frozen=True)
class ECGQACopy:
    """A copy of ECG-QA over PTB-XL.

    Attributes:
        rows: of one version.
        closed_sets: answers of each template; empty where the copy does not list them.
        complete: how many of the paper's rows are here.
        records: PTB-XL's records whose patient is named, by `record_id`; None where its folder was not given.
    """

    rows: list[ECGQARow]
    closed_sets: Mapping[int, tuple[str, ...]]
    complete: Completeness
    records: Mapping[str, Record] | None = None


def read_copy(folder: Path, ptbxl: Path | None = None, version: Version = "template") -> ECGQACopy:
    """Read a copy of ECG-QA and, where it is given, PTB-XL's table.

    Raises:
        FileNotFoundError: if the version is not there, or has no files.
        ValueError: if a file cannot be read; names the file.
    """
    rows = list(read_ecg_qa(folder, version))
    if not rows:
        raise FileNotFoundError(f"{folder}: holds no question files of the version {version}")
    try:
        closed_sets = read_answer_sets(folder)
    except FileNotFoundError:
        closed_sets = {}
    complete = completeness(Counter((row.split, row.question_type) for row in rows))
    source = None if ptbxl is None else open_records(ptbxl)
    if source is not None and source.layout != PTB_XL:
        raise ValueError(f"{ptbxl}: not PTB-XL's folder, whose records ECG-QA asks about")
    records = None if source is None else {one.record_id: one for one in source if one.patient_id}
    return ECGQACopy(rows, closed_sets, complete, records)


def owners(row: ECGQARow, records: Mapping[str, Record]) -> list[Record | None]:
    """The recordings that a row is about; None for those that are not among the records."""
    return [records.get(str(ecg_id)) for ecg_id in row.ecg_id]


def majority_answers(rows: Sequence[ECGQARow], key: Key) -> dict[Hashable, tuple[str, ...]]:
    """The commonest set of answers of each key; between equals the first in alphabetical order."""
    counts: dict[Hashable, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for row in rows:
        counts[key(row)][tuple(sorted(set(row.answer)))] += 1
    return {name: min(found, key=lambda answer: (-found[answer], answer)) for name, found in counts.items()}


def prior_predictions(train: Sequence[ECGQARow], test: Sequence[ECGQARow], prior: str) -> list[tuple[str, ...] | None]:
    """The majority answer for each test row.

    A question text that training does not have gets the answer of its template; what training has not even the template
    of is left unanswered (None), which counts as wrong.
    """
    of_key, of_template = majority_answers(train, PRIORS[prior]), majority_answers(train, PRIORS["template"])
    return [of_key.get(PRIORS[prior](row), of_template.get(row.template_id)) for row in test]


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
    train: Sequence[ECGQARow],
    test: Sequence[ECGQARow],
    *,
    records: Mapping[str, Record] | None = None,
    closed_sets: Mapping[int, tuple[str, ...]] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> list[PriorScores]:
    """Both priors on every question type.

    Args:
        train: rows that the majorities are taken from.
        test: rows that are scored.
        records: by `record_id`; without them intervals are by recording. A pair goes with its first recording.
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
                    patient=_unit(row, records),
                    allowed=(closed_sets or {}).get(row.template_id, ()),
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


def _unit(row: ECGQARow, records: Mapping[str, Record] | None) -> str:
    owner = next(iter(owners(row, records or {})), None)
    return owner.patient if owner else f"recording {row.ecg_id[0] if row.ecg_id else -1}"


def shared_patients(
    train: Sequence[ECGQARow], test: Sequence[ECGQARow], records: Mapping[str, Record]
) -> tuple[int, int]:
    """How many test rows are about a patient that training rows are about too, and how many about one not known.

    Args:
        train: rows that the majorities are taken from.
        test: rows that are scored.
        records: by `record_id`.
    """
    trained = {one.patient for row in train for one in owners(row, records) if one}
    of_rows = [[one and one.patient for one in owners(row, records)] for row in test]
    return sum(bool(trained & set(found)) for found in of_rows), sum(None in found or not found for found in of_rows)


def split_by_fold(
    rows: Sequence[ECGQARow], records: Mapping[str, Record], train_folds: Collection[int], test_folds: Collection[int]
) -> tuple[list[ECGQARow], list[ECGQARow]]:
    """Train and test rows by PTB-XL's folds, which are by patient; rows with recordings of both parts are left out."""
    train, test = [], []
    for row in rows:
        folds = {one and one.fold for one in owners(row, records)}
        if folds <= set(train_folds):
            train.append(row)
        elif folds <= set(test_folds):
            test.append(row)
    return train, test
