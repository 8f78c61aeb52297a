"""The records to classify, with what their labels say: folds of PTB-XL, or any WFDB folder with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...data.record import Record
from ...data.sources import RecordSource
from ...inference import Prompt
from ...labels.wfdb_headers import read_labelled_folder
from ...models.ecg_record import ECGError
from ..answering import Asker
from ..question_file import AskedRecord
from .tasks import Task, Truth, task_questions


@dataclass(frozen=True)
class LabelledSet:
    """Records with questions.

    Attributes:
        title: what they are, such as `"PTB-XL, folds 9"`.
        asked: records, each with at least one question.
        unstated: classes that no record of a collection states, whose labels may have no word for them: absent there
            says nothing.
        facts: for the document.
        notes: what a reader must know of them, one sentence each.
    """

    title: str
    asked: list[AskedRecord]
    unstated: frozenset[str] = frozenset()
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def label_truth(record: Record, task: Task) -> Truth:
    """What the labels say of a class of a task."""
    return lambda name: record.says(task.name, name)


def _with_questions(
    records: Iterable[Record],
    tasks: Sequence[Task],
    truth: Callable[[Record, Task], Truth] = label_truth,
    unstated: frozenset[str] = frozenset(),
) -> tuple[list[AskedRecord], list[str]]:
    """The records with their questions, and the ids of those without any about a class that is not `unstated`."""
    asked, unasked = [], []
    for record in records:
        questions = tuple(one for task in tasks for one in task_questions(task, truth(record, task)))
        if any(one.attribute not in unstated for one in questions):
            asked.append(AskedRecord(record, questions))
        else:
            unasked.append(record.record_id)
    return asked, unasked


def _unknown_notes(unstated: frozenset[str], unasked: Sequence[str]) -> list[str]:
    notes = []
    if unstated:
        notes.append(
            f"No label of the collection states {', '.join(sorted(unstated))}; it may have no word for them, so that "
            "on every record they are left out."
        )
    if unasked:
        notes.append(f"{len(unasked)} records have no known class of any task.")
    return notes


def ptbxl_set(records: Sequence[Record], folds: Sequence[int], tasks: Sequence[Task]) -> LabelledSet:
    """The records of some folds.

    Args:
        records: of PTB-XL.
        folds: of those wanted.
        tasks: to ask.

    Raises:
        ValueError: if there is no record of these folds whose patient is named.
    """
    of_folds = [record for record in records if record.fold in folds]
    chosen = [record for record in of_folds if record.patient_id is not None]
    words, unknown = ", ".join(map(str, folds)), len(of_folds) - len(chosen)
    if not of_folds:
        raise ValueError(f"PTB-XL's table has no record of fold {words}")
    if not chosen:
        raise ValueError(
            f"PTB-XL's table names no patient of its {len(of_folds)} records of fold {words}: patients cannot be kept "
            "apart from the training's; fill in patient_id"
        )
    asked, _ = _with_questions(chosen, tasks)
    facts = {"folds": list(folds), "records_without_patient": unknown}
    note = f"{unknown} records of these folds name no patient and were left out: theirs cannot be compared."
    return LabelledSet(f"PTB-XL, fold {words}", asked, facts=facts, notes=(note,) if unknown else ())


def label_file_set(source: RecordSource, splits: Sequence[str], tasks: Sequence[Task]) -> LabelledSet:
    """The records of some splits of a label file.

    Raises:
        ValueError: if there is no record of these splits, or none has a known class of a task.
    """
    of_splits = [record for record in source if record.split in splits]
    name, words = source.files[0].name, ", ".join(splits)
    if not of_splits:
        raise ValueError(f"{name}: no record of split {words}; there are {', '.join(source.splits())}")
    # As in a folder: a class that no label of the whole collection states, it may have no word for.
    unstated = frozenset(
        one for task in tasks for one in task.classes if not any(record.says(task.name, one) for record in source)
    )
    asked, unasked = _with_questions(of_splits, tasks, unstated=unstated)
    if not asked:
        tasked = ", ".join(task.name for task in tasks)
        raise ValueError(f"{name}: none of {len(of_splits)} records of split {words} has a known class of {tasked}")
    facts = {
        "splits": list(splits),
        "records_without_question": unasked,
        "records_of_unknown_patients": sum(one.record.patient_id is None for one in asked),
        "classes_not_stated": sorted(unstated),
        "notes": list(source.notes),
    }
    left_open = "What a record's labels leave open is not counted for it."
    notes = (*source.notes, left_open, *_unknown_notes(unstated, unasked))
    return LabelledSet(f"label file {name}, split {words}", asked, unstated, facts, notes)


def folder_set(folder: Path, tasks: Sequence[Task]) -> LabelledSet:
    """The records of a WFDB folder (`labels.wfdb_headers`); each counts as a patient of its own.

    Raises:
        ECGError: if the folder holds no labels, or none that a task asks for.
    """
    found = read_labelled_folder(folder)
    stated = frozenset[str]().union(*(one.codes | one.classes for one in found.labels.values()))
    records = [Record(name, path=name, root=folder, age=one.age, sex=one.sex) for name, one in found.labels.items()]
    asked, unasked = _with_questions(records, tasks, lambda record, task: found.labels[record.record_id].has)
    if not asked:
        unknown = f"; in no table: {', '.join(list(found.unknown)[:5])[:80]}" if found.unknown else ""
        raise ECGError(
            f"{folder}: none of its {len(found.labels)} labelled records has a known class of "
            f"{', '.join(task.name for task in tasks)}{unknown}"
        )
    unstated = frozenset(name for task in tasks for name in task.classes if name not in stated)
    facts = {
        "layouts": dict(sorted(found.layouts.items())),
        "headers_without_labels": len(found.without),
        "unknown_labels": dict(found.unknown.most_common()),
        "records_without_question": unasked,
        "classes_not_stated": sorted(unstated),
    }
    layouts = ", ".join(f"{count} records in the layout of {name}" for name, count in sorted(found.layouts.items()))
    notes = [
        f"{layouts}; {len(found.without)} headers without labels. These layouts name no patients: every "
        "record counts as a patient of its own, so intervals are too narrow where a patient has several.",
        "Labels are read by hf_heartllm.labels.foreign_terms. A label that could mean a class but says something wider "
        "leaves it open, and the record is not counted for it.",
    ]
    if found.unknown:
        named = ", ".join(f"{label} ({count} records)" for label, count in found.unknown.most_common())
        notes.append(f"Labels in no table: {named}. On their records only what other labels state is counted.")
    notes += _unknown_notes(unstated, unasked)
    return LabelledSet(f"folder {folder.resolve().name}", asked, unstated, facts, tuple(notes))


def readable(asker: Asker, asked: Sequence[AskedRecord]) -> tuple[list[AskedRecord], dict[str, str]]:
    """The records that the model can read, and why it cannot read the others, by `record_id`.

    Where the model does not say how long recordings may be, its longest question is tried.
    """
    from tqdm.auto import tqdm

    answerer, taken, refused = asker.checkpoint.answerer, [], {}
    for one in tqdm(asked, desc="recordings", unit="record", disable=not asker.progress):
        try:
            ecg = asker.ecg_of(one.record)
            if answerer.max_duration is None:
                longest = max(one.questions, key=lambda question: len(question.text))
                answerer.score([Prompt(ecg, longest.text)], [longest.answer_set])
        except ECGError as error:
            refused[one.record_id] = str(error).rpartition(": ")[2]  # without the record's place on this machine
        except ValueError as error:
            refused[one.record_id] = f"it is too long ({error})"
        else:
            taken.append(one)
    return taken, refused
