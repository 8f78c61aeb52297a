"""What every evaluation of a checkpoint starts from: its settings, and the test records apart from the training's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..labels.ptbxl import of_devices, read_ptbxl_table
from .people import Person, people
from .question_file import HeldOutRecord, evenly_spaced, read_questions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How to evaluate a checkpoint.

    Attributes:
        max_records: that many of the test records, evenly spaced.
        training_folds: what the checkpoint was trained on.
        rate: 100 or 500 Hz, of PTB-XL's records.
        seed: of the control's choice of patients and of the bootstrap.
        resamples: of the bootstrap.
        progress: show bars on stderr.
    """

    max_records: int | None = None
    training_folds: tuple[int, ...] = tuple(range(1, 9))
    rate: int = 100
    seed: int = 0
    resamples: int = 2000
    progress: bool = True

    @property
    def bootstrap(self) -> dict[str, int]:
        """Arguments of the bootstrap."""
        return {"resamples": self.resamples, "seed": self.seed}


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings(RunSettings):
    """What to evaluate on, and how. Further attributes are those of `RunSettings`.

    Attributes:
        ptbxl: folder of PTB-XL.
        questions: file of the test questions.
        devices: prefix of PTB-XL's device ("CS", "AT"): only the records of such devices; None: all, known or not.
    """

    ptbxl: Path
    questions: Path
    devices: str | None = None


@dataclass(frozen=True)
class HeldOutSet:
    """The records to evaluate on.

    Attributes:
        table: PTB-XL's, all of it.
        training: its rows of the training folds.
        whole: all records of the question file, of the wanted devices.
        records: those that are evaluated.
    """

    table: pd.DataFrame
    training: pd.DataFrame
    whole: list[HeldOutRecord]
    records: list[HeldOutRecord]

    @property
    def training_patients(self) -> set[int]:
        """Patients of the training folds."""
        return {int(patient) for patient in self.training["patient_id"].dropna()}

    def notes(self, of_questions: bool = True) -> list[str]:
        """What could not be looked up, and (`of_questions`) what is counted more than once."""
        found = []
        if unknown := int(self.training["patient_id"].isna().sum()):
            found.append(
                f"{unknown} training records name no patient, so patients of the test were not compared with theirs."
            )
        repeated = sum(len(record.questions) - len(set(record.questions)) for record in self.records)
        if of_questions and repeated:
            found.append(f"{repeated} questions are asked twice of the same record, and count twice.")
        return found


def read_held_out(settings: CheckpointSettings) -> HeldOutSet:
    """Read the question file and PTB-XL's table.

    Raises:
        ValueError: if no question is about a record of the wanted devices, or the file's patients are not the table's.
    """
    table = read_ptbxl_table(settings.ptbxl)
    whole = read_questions(settings.questions)
    if settings.devices is not None:
        recorded = {int(ecg_id) for ecg_id in of_devices(table, settings.devices)["ecg_id"]}
        whole = [record for record in whole if record.ecg_id in recorded]
        if not whole:
            raise ValueError(f"{settings.questions}: no question about a record of devices {settings.devices!r}")
    _check_patients(whole, table, settings.questions)
    training = table[table["strat_fold"].isin(settings.training_folds)]
    return HeldOutSet(table, training, whole, evenly_spaced(whole, settings.max_records))


def _check_patients(records: Sequence[HeldOutRecord], table: pd.DataFrame, path: Path) -> None:
    """Patients of other numbers than the table's would all be found apart from those of training."""
    named = table[table["patient_id"].notna()]
    known = dict(zip(named["ecg_id"].astype(int), named["patient_id"].astype(int), strict=True))
    other = [record for record in records if known.get(record.ecg_id, record.patient_id) != record.patient_id]
    if other:
        raise ValueError(
            f"{path}: ecg_id {other[0].ecg_id} is of patient {other[0].patient_id}, in PTB-XL's table of "
            f"{known[other[0].ecg_id]} ({len(other)} such records): give the patient_id of the table"
        )


def check_some_balanced(records: Sequence[HeldOutRecord], path: Path) -> None:
    """Refuse records without any question that exact match is over.

    Raises:
        ValueError: if every question is one that every record is asked, or there is none.
    """
    if all(question.every_record for record in records for question in record.questions):
        raise ValueError(f"{path}: no question but those asked of every record (set every-record): nothing to score")


def persons_of(table: pd.DataFrame, records: Sequence[HeldOutRecord]) -> dict[int, Person]:
    """Who the records are of, by `ecg_id`.

    Raises:
        ValueError: if the table has not all of them.
    """
    found = people(table[table["ecg_id"].isin([record.ecg_id for record in records])])
    if absent := [record.ecg_id for record in records if record.ecg_id not in found]:
        raise ValueError(f"PTB-XL's table has no ecg_id {absent[0]}, which a question is about")
    return found
