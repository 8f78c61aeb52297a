"""What every evaluation of a checkpoint starts from: the test records apart from the training's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.record import Record
from ..data.sources import PTB_XL, RecordSource, open_records
from ..inference import Answerer
from .answering import Ecgs, ecg_source
from .people import Person, people
from .provenance import file_facts, model_facts
from .question_file import AskedRecord, evenly_spaced, read_questions
from .results import MODEL_LIBRARIES, library_versions
from .settings import CheckpointSettings

OTHER_RECORDS = "records of a folder at their own rates"
"""What is read where it is not PTB-XL's."""


@dataclass(frozen=True)
class Checkpoint:
    """A model that is asked.

    Attributes:
        answerer: the model.
        name: of the checkpoint, for the page.
    """

    answerer: Answerer
    name: str

    def facts(self) -> dict[str, Any]:
        """What names it."""
        return model_facts(self.answerer, self.name)


def trained_on(record: Record, folds: Sequence[int]) -> bool:
    """Whether a record is of these folds or, without a fold, of the split "train"; none is for no folds."""
    return bool(folds) and (record.split == "train" if record.fold is None else record.fold in folds)


def part_of(record: Record) -> int | str:
    """Its fold, or its split where it has none."""
    return record.split if record.fold is None else record.fold


@dataclass(frozen=True)
class HeldOutSet:
    """The records to evaluate on.

    Attributes:
        source: the whole collection.
        training: its records that the checkpoint was trained on.
        whole: all records that the question file asks about, of the wanted devices.
        asked: those that are evaluated.
        left_out: what of the question file is not asked, each a sentence.
        settings: of the evaluation.
    """

    source: RecordSource
    training: list[Record]
    whole: list[AskedRecord]
    asked: list[AskedRecord]
    left_out: tuple[str, ...]
    settings: CheckpointSettings

    @property
    def parts(self) -> str:
        """What was trained on, in words."""
        return parts_words(self.training, self.settings.training_folds)

    def persons(self) -> dict[str, Person]:
        """Who the evaluated records are of, by `record_id`."""
        return people(one.record for one in self.asked)

    def ecgs(self, answerer: Answerer, tokens: Path | None = None) -> tuple[Ecgs, str]:
        """`answering.ecg_source` of this collection."""
        return ecg_source(answerer, tokens, reading_words(self.source, self.settings.sampling_rate))

    def document(self, subject: str, names: dict[str, Any], **found: Any) -> dict[str, Any]:
        """What every evaluation writes, and what this one found."""
        return {
            "format": f"heartllm evaluate {subject}",
            "format_version": 2,
            "settings": self.settings.plain(),
            "versions": library_versions(MODEL_LIBRARIES),
            "model": names,
            "data": data_words(self.source, self.settings.records),
            "tables_read": [file_facts(path) for path in self.source.files],
            **found,
        }

    def notes(self, of_questions: bool = True) -> list[str]:
        """What could not be looked up, and (`of_questions`) what is counted more than once."""
        found = [*self.left_out, *(self.source.notes if self.source.layout != PTB_XL else ())]
        if unknown := sum(record.patient_id is None for record in self.training):
            found.append(
                f"{unknown} training records name no patient, so patients of the test were not compared with theirs."
            )
        if unknown := sum(one.record.patient_id is None for one in self.asked):
            found.append(
                f"{unknown} test records name no patient: each counts as a patient of its own, so intervals are too "
                "narrow where a patient has several, and they were not compared with the training's."
            )
        repeated = sum(len(one.questions) - len(set(one.questions)) for one in self.asked)
        if of_questions and repeated:
            found.append(f"{repeated} questions are asked twice of the same record, and count twice.")
        devices, count = self.settings.devices, self.settings.max_records
        if devices is not None:
            found.append(f"Only records whose device begins with {devices}; those of unknown devices are left out too.")
        if count is not None:
            found.append(f"Only {count} records, evenly spaced over the file: not the whole question set.")
        return found


def read_held_out(settings: CheckpointSettings) -> HeldOutSet:
    """Open the collection and join the question file to it.

    Raises:
        ValueError: if no question is about a record of the wanted devices, or the file's patients are not the records'.
    """
    source = open_records(settings.records, sampling_rate=settings.sampling_rate)
    found = read_questions(settings.questions, source)
    whole = found.asked
    if settings.devices is not None:
        wanted = settings.devices.strip().upper()
        whole = [one for one in whole if wanted and (one.record.device or "").strip().upper().startswith(wanted)]
        if not whole:
            raise ValueError(
                f"{settings.questions}: devices {settings.devices!r}: no record of a device whose name begins so"
            )
    training = [record for record in source if trained_on(record, settings.training_folds)]
    asked = evenly_spaced(whole, settings.max_records)
    return HeldOutSet(source, training, whole, asked, found.notes, settings)


def check_some_balanced(asked: Sequence[AskedRecord], path: Path) -> None:
    """Refuse records without any question that exact match is over.

    Raises:
        ValueError: if every question is one that every record is asked, or there is none.
    """
    if all(question.every_record for one in asked for question in one.questions):
        raise ValueError(f"{path}: no question but those asked of every record (set every-record): nothing to score")


def parts_words(records: Iterable[Record], folds: Sequence[int]) -> str:
    """Of what the training records are: folds, or a split; empty for nothing of the collection."""
    if not folds:
        return ""
    without = Counter(record.split for record in records if record.fold is None)
    return f"split {', '.join(sorted(without))}" if without else f"folds {', '.join(map(str, folds))}"


def reading_words(source: RecordSource, rate: int) -> str:
    """How recordings are read, in words."""
    return f"records at {rate} Hz" if source.layout == PTB_XL else OTHER_RECORDS


def data_words(source: RecordSource, path: Path) -> str:
    """The collection, in words."""
    return "PTB-XL 1.0.3" if source.layout == PTB_XL else f"{source.layout} {path.resolve().name}"
