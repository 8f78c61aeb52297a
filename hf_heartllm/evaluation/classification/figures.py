"""Accuracy, precision, recall, F1 and AUROC of classifications, each with its controls.

Definitions that count where something is absent:

* a class that no record has is left out of every mean over classes (n/a), in each resample of the bootstrap too;
* a class that records have but that was never chosen has precision 0 and F1 0 (the usual convention);
* without any record of a class on one side there is no AUROC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...data.record import id_order
from ..answered import Answered
from ..conditions import CONDITIONS
from ..controlled import MAJORITIES, RANKS_NOTHING, ControlledResult
from ..intervals import Bootstrap, Resampled, Settings, ratio
from ..metrics import AUROC, MACRO_AUROC, Measured, Metric, Ranked, controlled
from ..people import UNKNOWN, Person, subgroups
from .tasks import LETTERS, YES_NO, Task

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
        record_ids: of each record.
        patients: int64 (records,).
        truth: float64 (records, classes), 1, 0, or NaN where it is not known.
        scores: condition → float64 (records, classes), higher is likelier; NaN where it was not asked.
        chosen: condition → bool (records, classes).
    """

    task: Task
    prompt_format: str
    records: str
    record_ids: list[str]
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
    letters: dict[str, int] = {}
    yes_no: dict[str, dict[str, int]] = {}
    patient_of: dict[str, int] = {}
    for row, question in enumerate(answered.questions):
        if question.attribute_type != task.name:
            continue
        record_id = answered.record_ids[row]
        patient_of[record_id] = int(answered.patients[row])
        if question.attribute == task.name:
            letters[record_id] = row
        else:
            yes_no.setdefault(record_id, {})[question.attribute] = row

    def margins(condition: str, ids: Sequence[str]) -> np.ndarray:
        """Log-likelihood of "yes" less that of "no"."""
        found = np.full((len(ids), len(task.classes)), np.nan)
        for place, record_id in enumerate(ids):
            for name, row in yes_no.get(record_id, {}).items():
                no, yes = answered.scores[condition][row]  # in the order of the answers
                found[place, task.classes.index(name)] = yes - no
        return found

    def patients(ids: Sequence[str]) -> np.ndarray:
        return np.array([patient_of[one] for one in ids], dtype=np.int64)

    result = []
    one = sorted(letters, key=id_order)
    if one:
        places = [task.letters.index(answered.questions[letters[record_id]].answer) for record_id in one]
        truth = np.eye(len(task.classes))[places]
        shares = {c: np.array([answered.probabilities[c][letters[i]] for i in one]) for c in CONDITIONS}
        asked = {condition: margins(condition, one) for condition in CONDITIONS}
        for prompt_format, scores in ((LETTERS, shares), (YES_NO, asked)):
            chosen = {condition: likeliest(found) for condition, found in scores.items()}
            result.append(Classified(task, prompt_format, ONE_CLASS, one, patients(one), truth, scores, chosen))
    every = sorted((record_id for record_id, asked_of in yes_no.items() if set(asked_of) - unstated), key=id_order)
    if every:
        truth = np.full((len(every), len(task.classes)), np.nan)
        for place, record_id in enumerate(every):
            for name, row in yes_no[record_id].items():
                if name not in unstated:
                    truth[place, task.classes.index(name)] = answered.questions[row].answer == "yes"
        scores = {condition: margins(condition, every) for condition in CONDITIONS}
        chosen = {condition: np.nan_to_num(found, nan=-1.0) > 0 for condition, found in scores.items()}
        result.append(Classified(task, YES_NO, EVERY, every, patients(every), truth, scores, chosen))
    return result


def likeliest(scores: np.ndarray) -> np.ndarray:
    """The class of the highest score, bool (records, classes); the first of equal ones, none where all are NaN."""
    places = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1)
    result: np.ndarray = np.eye(scores.shape[1], dtype=bool)[places] & ~np.isnan(scores).all(axis=1, keepdims=True)
    return result


def right_sets(truth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Whether exactly the record's classes were chosen, among those that are known; bool (records,)."""
    right = ((truth == 1) == chosen) | np.isnan(truth)
    return np.asarray(right.all(axis=1))


@dataclass(frozen=True)
class Choices:
    """Chosen classes beside the true ones.

    Attributes:
        truth: float (records, classes), NaN where it is not known.
        chosen: bool (records, classes).
    """

    truth: np.ndarray
    chosen: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Choices:
        return Choices(self.truth[rows], self.chosen[rows])


def _over_classes(statistic: Callable[..., np.ndarray]) -> Callable[[Choices, Bootstrap], Resampled]:
    """A statistic of three shares of each class, (n, classes): of the chosen, of the held, and F1, all NaN where no
    record has the class."""

    def values(sums: np.ndarray) -> np.ndarray:
        hits, chosen, held = np.split(sums, 3, axis=1)
        shares = [ratio(hits, chosen, 0.0), ratio(hits, held), ratio(2 * hits, chosen + held)]
        return statistic(*(_mean(np.where(held > 0, one, np.nan)) for one in shares))[:, None]

    def measure(rows: Choices, bootstrap: Bootstrap) -> Resampled:
        has, took = rows.truth == 1, rows.chosen & ~np.isnan(rows.truth)
        return bootstrap.sums(np.hstack([has & took, took, has]), values)[0]

    return measure


def _mean(shares: np.ndarray) -> np.ndarray:
    return ratio(np.nansum(shares, axis=1), (~np.isnan(shares)).sum(axis=1))


ACCURACY = Metric[Choices](
    "accuracy", lambda rows, bootstrap: bootstrap.mean(right_sets(rows.truth, rows.chosen)), margins=True
)
CHOICE_METRICS = (
    ACCURACY,
    Metric("macro precision", _over_classes(lambda precision, recall, f1: precision)),
    Metric("macro recall", _over_classes(lambda precision, recall, f1: recall)),
    Metric("macro-F1", _over_classes(lambda precision, recall, f1: f1), centred=True),
    Metric(
        "F1 of macro precision and macro recall",
        _over_classes(
            lambda precision, recall, f1: np.where(
                np.isnan(precision), np.nan, ratio(2 * precision * recall, precision + recall, 0.0)
            )
        ),
    ),
)
"""ECG-LM's own F1 is the harmonic mean of its macro precision and recall, not the mean of the classes' F1."""


def measured_choices(
    found: Classified, majority: Mapping[str, np.ndarray] | None, no_majority: str, settings: Settings
) -> Measured[Choices]:
    """What was chosen under every column.

    Args:
        found: what was classified.
        majority: column → what it chooses, bool (records, classes); None without training records.
        no_majority: why there is none.
        settings: of the bootstrap.
    """
    columns = {column: Choices(found.truth, one) for column, one in {**found.chosen, **(majority or {})}.items()}
    return Measured(columns, found.patients, settings, {} if majority else dict.fromkeys(MAJORITIES, no_majority))


def task_results(found: Classified, measured: Measured[Choices], seen: str) -> list[ControlledResult]:
    """The results of one task in one format; `seen`: words of what was seen in training."""
    group = f"{found.words} ({len(found.present)} of {len(found.task.classes)} classes occur); {seen}"
    everyone = np.arange(len(found.patients))
    ranked = {condition: Ranked(found.truth, scores) for condition, scores in found.scores.items()}
    bootstrap = Bootstrap(found.patients, **measured.settings)
    area = controlled(MACRO_AUROC, group, ranked, bootstrap, absent=RANKS_NOTHING)
    return [*measured.results(CHOICE_METRICS, group, everyone), area]


def subgroup_results(
    found: Classified, measured: Measured[Choices], persons: Mapping[str, Person], seen: str
) -> list[ControlledResult]:
    """Accuracy by sex, age band and device family."""
    groups = subgroups(persons[record_id] for record_id in found.record_ids)
    return [
        one
        for title, members in groups.items()
        # Where nothing is known of anyone the results of all records say the same.
        if len(members) < len(found.record_ids) or not title.endswith(UNKNOWN)
        for one in measured.results((ACCURACY,), f"{title}, {found.words}; {seen}", np.array(members))
    ]


def class_results(found: Classified, seen: str, settings: Settings) -> list[ControlledResult]:
    """The AUROC of each class that has `MIN_OF_CLASS` records on both sides, one against the rest."""
    results = []
    for place, name in enumerate(found.task.classes):
        known = ~np.isnan(found.truth[:, place])
        labels = found.truth[known, place] == 1
        if min(labels.sum(), (~labels).sum()) < MIN_OF_CLASS:
            continue
        ranked = {condition: Ranked(labels, scores[known, place]) for condition, scores in found.scores.items()}
        group = f"{name}, {int(labels.sum())} positive, {found.words}; {seen}"
        bootstrap = Bootstrap(found.patients[known], **settings)
        results.append(controlled(AUROC, group, ranked, bootstrap, absent=RANKS_NOTHING))
    return results
