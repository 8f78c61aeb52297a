"""The records to classify, with what their labels say: folds of PTB-XL, or any WFDB folder with labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...labels.scp import superclasses
from ...labels.wfdb_headers import read_labelled_folder
from ...models.ecg_record import ECGError
from ...models.prompts import background_text
from ..people import UNKNOWN, Person, age_band, people
from ..question_file import HeldOutRecord
from .tasks import Task, Truth, task_questions

if TYPE_CHECKING:
    import pandas as pd

ROOM_FOR_WORDS = 256
"""Tokens of a prompt and its answer beside the ECG, at most."""


@dataclass(frozen=True)
class LabelledSet:
    """Records with questions.

    Attributes:
        title: what they are, such as `"PTB-XL, folds 9"`.
        records: of which each has at least one question.
        names: each record's name, by `ecg_id`.
        persons: whose they are, by `ecg_id`.
        unstated: classes that no record of a collection states, whose labels may have no word for them: absent there
            says nothing.
        facts: for the document and the notes.
    """

    title: str
    records: list[HeldOutRecord]
    names: dict[int, str]
    persons: dict[int, Person]
    unstated: frozenset[str] = frozenset()
    facts: dict[str, Any] = field(default_factory=dict)


def label_truth(codes: Mapping[str, float]) -> Truth:
    """What PTB-XL's statements say of a class: all are known."""
    held = set(codes) | set(superclasses(codes))
    return lambda name: name in held


def ptbxl_set(table: pd.DataFrame, folds: Sequence[int], tasks: Sequence[Task]) -> LabelledSet:
    """The records of some folds.

    Args:
        table: from `labels.ptbxl.read_ptbxl_table`.
        folds: of the records.
        tasks: to ask.

    Raises:
        ValueError: if the table has no record of these folds whose patient it names.
    """
    of_folds = table[table["strat_fold"].isin(folds)]
    chosen = of_folds[of_folds["patient_id"].notna()]
    words = ", ".join(map(str, folds))
    if not len(of_folds):
        raise ValueError(f"PTB-XL's table has no record of fold {words}")
    if not len(chosen):
        raise ValueError(
            f"PTB-XL's table names no patient of its {len(of_folds)} records of fold {words}: patients cannot be kept "
            "apart from the training's; fill in patient_id"
        )
    records = []
    for row in chosen.to_dict("records"):
        truth = label_truth(row["scp_codes"])
        questions = tuple(question for task in tasks for question in task_questions(task, truth))
        files = (str(row["filename_lr"]), str(row["filename_hr"]))
        records.append(HeldOutRecord(int(row["ecg_id"]), int(row["patient_id"]), *files, questions))
    names = {record.ecg_id: str(record.ecg_id) for record in records}
    facts = {"folds": list(folds), "records_without_patient": len(of_folds) - len(chosen)}
    return LabelledSet(f"PTB-XL, fold {words}", records, names, people(chosen), facts=facts)


def folder_set(folder: Path, tasks: Sequence[Task]) -> LabelledSet:
    """The records of a WFDB folder (`labels.wfdb_headers`); each counts as a patient of its own.

    Raises:
        ECGError: if the folder holds no labels, or none that a task asks for.
    """
    found = read_labelled_folder(folder)
    stated = frozenset[str]().union(*(one.codes | one.classes for one in found.labels.values()))
    records, names, persons, unasked = [], {}, {}, []
    for number, (name, labels) in enumerate(found.labels.items(), 1):
        asked = [question for task in tasks for question in task_questions(task, labels.has)]
        if not asked:
            unasked.append(name)
            continue
        records.append(HeldOutRecord(number, number, name, name, tuple(asked)))
        names[number] = name
        told = background_text(age=labels.age, sex=labels.sex)
        years = float("nan") if labels.age is None else labels.age
        persons[number] = Person(labels.sex or UNKNOWN, age_band(years), UNKNOWN, told)
    if not records:
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
    return LabelledSet(f"folder {folder.resolve().name}", records, names, persons, unstated, facts)


def taken_by_codec(
    records: Sequence[HeldOutRecord],
    ecg_ids: Callable[[HeldOutRecord], Sequence[int]],
    context: int | None,
    progress: bool = True,
) -> tuple[list[HeldOutRecord], dict[int, str]]:
    """The records that become tokens, and why the others do not, by `ecg_id`.

    Args:
        records: to try.
        ecg_ids: token ids of a record's ECG.
        context: tokens that the model reads at most.
        progress: show a bar on stderr.
    """
    from tqdm.auto import tqdm

    taken, refused = [], {}
    for record in tqdm(records, desc="recordings", unit="record", disable=not progress):
        try:
            count = len(ecg_ids(record))
        except ECGError as error:
            refused[record.ecg_id] = str(error).rpartition(": ")[2]  # without the record's place on this machine
            continue
        if context is not None and count + ROOM_FOR_WORDS > context:
            refused[record.ecg_id] = f"its {count} tokens do not fit into the model's {context}"
            continue
        taken.append(record)
    return taken, refused
