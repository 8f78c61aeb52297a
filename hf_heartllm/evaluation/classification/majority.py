"""What the training folds give without any ECG: their commonest class, and that of the same age band and sex."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from ...data.record import Record
from ..controlled import MAJORITY, MAJORITY_AGE_SEX
from ..people import MIN_SUPPORT, Person, people
from .figures import EVERY, Classified
from .records import label_truth
from .tasks import Task, Truth, only_class


class TrainingClasses:
    """The classes of the training records.

    Args:
        training: the records.
        all_known: what is not stated is absent, as in PTB-XL; else the labels may leave it open.
    """

    def __init__(self, training: Sequence[Record], all_known: bool = True) -> None:
        persons = people(training)
        self._records = [(persons[record.record_id].group, record) for record in training]
        self._all_known = all_known

    def _truth(self, record: Record, task: Task) -> Truth:
        return label_truth(record, None if self._all_known else task)

    def choices(self, found: Classified, persons: Mapping[str, Person]) -> dict[str, np.ndarray] | None:
        """What the majority chooses for each record, by column, bool (records, classes).

        None where there is no training record, or none with one class of the task, to take it from.

        Where a record has one class: the commonest among training records with one class (the first of the task where
        two are equal). On every record: each class that more than half of the training records have. A group of age
        band and sex with fewer than `MIN_SUPPORT` training records falls back to all.
        """
        chosen = self._of_every if found.records == EVERY else self._of_one
        usual, of_group = chosen(found.task)
        if usual is None:
            return None
        groups = [persons[record_id].group for record_id in found.record_ids]
        return {
            MAJORITY: np.array([usual for _ in groups]),
            MAJORITY_AGE_SEX: np.array([of_group.get(group, usual) for group in groups]),
        }

    def _of_one(self, task: Task) -> tuple[np.ndarray | None, dict[Hashable, np.ndarray]]:
        counts: dict[Hashable, Counter[str]] = defaultdict(Counter)
        for group, record in self._records:
            name = only_class(task, self._truth(record, task))
            if name is not None:
                counts[group][name] += 1
                counts[None][name] += 1

        def choice(seen: Counter[str]) -> np.ndarray:
            numbers = np.array([seen[name] for name in task.classes])
            return np.eye(len(task.classes), dtype=bool)[numbers.argmax()]

        large = {group: choice(seen) for group, seen in counts.items() if group and seen.total() >= MIN_SUPPORT}
        return (choice(counts[None]) if counts[None] else None), large

    def _of_every(self, task: Task) -> tuple[np.ndarray | None, dict[Hashable, np.ndarray]]:
        rows: dict[Hashable, list[list[float]]] = defaultdict(list)
        for group, record in self._records:
            truth = self._truth(record, task)
            has = [float("nan") if (said := truth(name)) is None else float(said) for name in task.classes]
            rows[group].append(has)
            rows[None].append(has)
        shares = {group: _known_mean(np.array(found)) > 0.5 for group, found in rows.items()}
        large = {group: one for group, one in shares.items() if group and len(rows[group]) >= MIN_SUPPORT}
        return shares.get(None), large


def _known_mean(rows: np.ndarray) -> np.ndarray:
    """The mean of each column over what is known of it, 0 where nothing is; float64 (records, n) → (n,)."""
    known = ~np.isnan(rows)
    found: np.ndarray = np.nansum(rows, axis=0) / np.maximum(known.sum(axis=0), 1)
    return found
