"""Accuracy, precision, recall, F1 and AUROC of classifications, each with its controls.

Definitions that count where something is absent:

* a class that no record has is left out of every mean over classes (n/a), in each resample of the bootstrap too;
* a class that records have but that was never chosen has precision 0 and F1 0 (the usual convention);
* without any record of a class on one side there is no AUROC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..checkpoint.figures import NO_PROBABILITIES, Settings
from ..checkpoint.people import UNKNOWN, Person, subgroups
from ..checkpoint.rows import COLUMNS, MAJORITY, MAJORITY_AGE_SEX, ControlledRow
from ..conditions import CONDITIONS, REAL
from ..heldout import Answered
from ..intervals import (
    Interval,
    bootstrap_auroc,
    bootstrap_macro_auroc,
    bootstrap_mean,
    paired_bootstrap,
    resample_sums,
)
from .tasks import LETTERS, YES_NO, Task

ACCURACY, PRECISION, RECALL, F1, F1_OF_MEANS, MACRO_AUROC = (
    "accuracy",
    "macro precision",
    "macro recall",
    "macro-F1",
    "F1 of macro precision and macro recall",
    "macro-AUROC",
)
"""ECG-LM's own F1 is the harmonic mean of its macro precision and recall, not the mean of the classes' F1."""

MIN_OF_CLASS = 5
"""A class with fewer records with it, or without it, has no row of its own: the bootstrap says nothing there."""

ONE_CLASS, EVERY = "records with one class", "every record"


@dataclass(frozen=True)
class Classified:
    """One task in one format, on one set of records.

    Attributes:
        task: the task.
        prompt_format: `LETTERS` or `YES_NO`.
        records: `ONE_CLASS` or `EVERY`.
        ecg_ids: int64 (records,).
        patients: int64 (records,).
        truth: float64 (records, classes), 1, 0, or NaN where it is not known.
        scores: condition → float64 (records, classes), higher is likelier; NaN where it was not asked.
        chosen: condition → bool (records, classes).
    """

    task: Task
    prompt_format: str
    records: str
    ecg_ids: np.ndarray
    patients: np.ndarray
    truth: np.ndarray
    scores: Mapping[str, np.ndarray]
    chosen: Mapping[str, np.ndarray]

    @property
    def present(self) -> list[str]:
        """The classes that at least one record has."""
        return [name for name, any_has in zip(self.task.classes, (self.truth == 1).any(axis=0), strict=True) if any_has]

    @property
    def words(self) -> str:
        """Task, format and records."""
        return f"{self.task.name}, {self.prompt_format}, {self.records}"


def classified(answered: Answered, task: Task, unstated: frozenset[str] = frozenset()) -> list[Classified]:
    """The task as it was answered: letters, yes/no on the same records, yes/no on every record; without empty ones.

    Args:
        answered: all questions under all of `CONDITIONS`.
        task: the task.
        unstated: classes of which "no" is not known on every record, but only where a record has one other class.
    """
    letters: dict[int, int] = {}
    yes_no: dict[int, dict[str, int]] = {}
    patient_of: dict[int, int] = {}
    for row, question in enumerate(answered.questions):
        if question.attribute_type != task.name:
            continue
        ecg_id = int(answered.ecg_ids[row])
        patient_of[ecg_id] = int(answered.patients[row])
        if question.attribute == task.name:
            letters[ecg_id] = row
        else:
            yes_no.setdefault(ecg_id, {})[question.attribute] = row

    def margins(condition: str, ids: Sequence[int]) -> np.ndarray:
        """Log-likelihood of "yes" less that of "no"."""
        found = np.full((len(ids), len(task.classes)), np.nan)
        for place, ecg_id in enumerate(ids):
            for name, row in yes_no.get(ecg_id, {}).items():
                no, yes = answered.scores[condition][row]  # in the order of the answers
                found[place, task.classes.index(name)] = yes - no
        return found

    def patients(ids: Sequence[int]) -> np.ndarray:
        return np.array([patient_of[ecg_id] for ecg_id in ids], dtype=np.int64)

    result = []
    one = sorted(letters)
    if one:
        places = [task.letters.index(answered.questions[letters[ecg_id]].answer) for ecg_id in one]
        truth = np.eye(len(task.classes))[places]
        shares = {c: np.array([answered.probabilities[c][letters[i]] for i in one]) for c in CONDITIONS}
        asked = {condition: margins(condition, one) for condition in CONDITIONS}
        for prompt_format, scores in ((LETTERS, shares), (YES_NO, asked)):
            chosen = {condition: likeliest(found) for condition, found in scores.items()}
            result.append(
                Classified(task, prompt_format, ONE_CLASS, np.array(one), patients(one), truth, scores, chosen)
            )
    every = sorted(ecg_id for ecg_id, asked_of in yes_no.items() if set(asked_of) - unstated)
    if every:
        truth = np.full((len(every), len(task.classes)), np.nan)
        for place, ecg_id in enumerate(every):
            for name, row in yes_no[ecg_id].items():
                if name not in unstated:
                    truth[place, task.classes.index(name)] = answered.questions[row].answer == "yes"
        scores = {condition: margins(condition, every) for condition in CONDITIONS}
        chosen = {condition: np.nan_to_num(found, nan=-1.0) > 0 for condition, found in scores.items()}
        result.append(Classified(task, YES_NO, EVERY, np.array(every), patients(every), truth, scores, chosen))
    return result


def likeliest(scores: np.ndarray) -> np.ndarray:
    """The class of the highest score, bool (records, classes); the first of equal ones, none where all are NaN."""
    places = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1)
    result: np.ndarray = np.eye(scores.shape[1], dtype=bool)[places]
    return result & ~np.isnan(scores).all(axis=1, keepdims=True)


def choice_figures(
    truth: np.ndarray, chosen: np.ndarray, patients: np.ndarray, settings: Settings
) -> dict[str, Interval]:
    """Accuracy and the means over classes, with intervals by patient.

    Args:
        truth: float (records, classes), NaN where it is not known.
        chosen: bool (records, classes).
        patients: (records,).
        settings: of the bootstrap.
    """
    known = ~np.isnan(truth)
    has, took = truth == 1, chosen & known
    classes = truth.shape[1]
    columns = np.column_stack([right_sets(truth, chosen), np.ones(len(truth)), has & took, took, has])

    def statistic(sums: np.ndarray) -> np.ndarray:
        hits, chosen_count, held = (sums[:, 2 + part * classes : 2 + (part + 1) * classes] for part in range(3))
        missing = held == 0
        parts = (
            np.divide(hits, chosen_count, out=np.zeros_like(hits), where=chosen_count > 0),
            np.divide(hits, held, out=np.zeros_like(hits), where=held > 0),
            np.divide(2 * hits, chosen_count + held, out=np.zeros_like(hits), where=chosen_count + held > 0),
        )
        count = (~missing).sum(axis=1)
        none = np.full(len(sums), np.nan)
        precision, recall, f1 = (
            np.divide(np.where(missing, 0, part).sum(axis=1), count, out=none.copy(), where=count > 0) for part in parts
        )
        both = precision + recall
        of_means = np.where(both > 0, 2 * precision * recall / np.where(both > 0, both, 1), both)
        return np.column_stack([sums[:, 0] / sums[:, 1], precision, recall, f1, of_means])

    names = (ACCURACY, PRECISION, RECALL, F1, F1_OF_MEANS)
    found = dict(zip(names, resample_sums(columns, patients, statistic, **settings), strict=True))
    return {name: one.centred_interval() if name == F1 else one.interval() for name, one in found.items()}


def right_sets(truth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Whether exactly the record's classes were chosen, among those that are known; bool (records,)."""
    right = ((truth == 1) == chosen) | np.isnan(truth)
    return np.asarray(right.all(axis=1))


def task_rows(
    found: Classified,
    majority: Mapping[str, np.ndarray] | None,
    no_majority: str,
    seen: str,
    settings: Settings,
) -> list[ControlledRow]:
    """The rows of one task in one format.

    Args:
        found: what was classified.
        majority: column → what it chooses, bool (records, classes); None without training records.
        no_majority: why there is none.
        seen: words of what was seen in training.
        settings: of the bootstrap.
    """
    chosen = {**found.chosen, **(majority or {})}
    absent = {} if majority else dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), no_majority)
    group = f"{found.words} ({len(found.present)} of {len(found.task.classes)} classes occur); {seen}"
    values: dict[str, dict[str, Interval | None]] = {}
    for column in COLUMNS:
        if column in chosen:
            for figure, interval in choice_figures(found.truth, chosen[column], found.patients, settings).items():
                values.setdefault(figure, {})[column] = interval
    right = {column: right_sets(found.truth, one) for column, one in chosen.items()}
    margins = {
        column: paired_bootstrap(right[REAL], one, found.patients, **settings)
        for column, one in right.items()
        if column != REAL
    }
    rows = [
        ControlledRow(figure, group, intervals, margins if figure == ACCURACY else {}, absent)
        for figure, intervals in values.items()
    ]
    areas: dict[str, Interval | None] = {
        condition: bootstrap_macro_auroc(found.truth, scores, found.patients, **settings)
        for condition, scores in found.scores.items()
    }
    unranked = dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), NO_PROBABILITIES)
    return [*rows, ControlledRow(MACRO_AUROC, group, areas, absent=unranked)]


def subgroup_rows(
    found: Classified,
    persons: Mapping[int, Person],
    majority: Mapping[str, np.ndarray] | None,
    no_majority: str,
    seen: str,
    settings: Settings,
) -> list[ControlledRow]:
    """Accuracy by sex, age band and device family. Arguments are those of `task_rows`, and whose each record is."""
    absent = {} if majority else dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), no_majority)
    right = {column: right_sets(found.truth, one) for column, one in {**found.chosen, **(majority or {})}.items()}
    rows = []
    for title, members in subgroups(persons[int(ecg_id)] for ecg_id in found.ecg_ids).items():
        if len(members) == len(found.ecg_ids) and title.endswith(UNKNOWN):
            continue  # nothing is known of anyone: the rows of all records say the same
        patients = found.patients[members]
        values: dict[str, Interval | None] = {
            column: bootstrap_mean(one[members], patients, **settings) for column, one in right.items()
        }
        margins = {
            column: paired_bootstrap(right[REAL][members], one[members], patients, **settings)
            for column, one in right.items()
            if column != REAL
        }
        rows.append(ControlledRow(ACCURACY, f"{title}, {found.words}; {seen}", values, margins, absent))
    return rows


def class_rows(found: Classified, seen: str, settings: Settings) -> list[ControlledRow]:
    """The AUROC of each class that has `MIN_OF_CLASS` records on both sides, one against the rest."""
    unranked = dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), NO_PROBABILITIES)
    rows = []
    for place, name in enumerate(found.task.classes):
        known = ~np.isnan(found.truth[:, place])
        labels = found.truth[known, place] == 1
        if min(labels.sum(), (~labels).sum()) < MIN_OF_CLASS:
            continue
        values: dict[str, Interval | None] = {
            condition: bootstrap_auroc(labels, scores[known, place], found.patients[known], **settings)
            for condition, scores in found.scores.items()
        }
        group = f"{name}, {int(labels.sum())} positive, {found.words}; {seen}"
        rows.append(ControlledRow("AUROC", group, values, absent=unranked))
    return rows
