"""What the training folds give without any ECG: their commonest class, and that of the same age band and sex."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...data.record import Record
from ..controlled import MAJORITY, MAJORITY_AGE_SEX
from ..majority import MajorityAnswers
from ..people import Person, people
from .figures import EVERY, Classified
from .records import label_truth
from .tasks import Task, task_questions


def training_majority(training: Sequence[Record], tasks: Iterable[Task]) -> MajorityAnswers:
    """The answers that the labels of training records give to the tasks' questions."""
    counted, persons, tasks = MajorityAnswers(), people(training), list(tasks)
    for record in training:
        for task in tasks:
            for question in task_questions(task, label_truth(record, task)):
                counted.add(question, persons[record.record_id].group)
    return counted


def majority_choices(
    counted: MajorityAnswers, found: Classified, persons: Mapping[str, Person]
) -> dict[str, np.ndarray] | None:
    """What the majority chooses for each record, by column, bool (records, classes).

    Where a record has one class, the commonest letter; on every record, each class whose commonest answer is yes. None
    where there is no training record, or none with one class of the task, to take it from.
    """
    task = found.task
    letter, *of_classes = task_questions(task, lambda name: name == task.classes[0])
    chosen_by = [(one, "yes") for one in of_classes]
    if found.records != EVERY:
        chosen_by = [(letter, name) for name in task.letters]
    if counted.answer(chosen_by[0][0]) is None:
        return None
    groups = [persons[record_id].group for record_id in found.record_ids]
    return {
        column: np.array([[counted.answer(asked, one) == answer for asked, answer in chosen_by] for one in of])
        for column, of in ((MAJORITY, [None] * len(groups)), (MAJORITY_AGE_SEX, groups))
    }
