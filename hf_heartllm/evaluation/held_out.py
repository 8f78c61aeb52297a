"""What every evaluation of a checkpoint starts from: the test records apart from the training's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.record import Record
from ..data.sources import PTB_XL, RecordSource, open_records
from .answering import asker_of
from .leakage import Leakage, training_leakage, unnamed_notes
from .majority import read_training_rows
from .provenance import Checkpoint, question_facts
from .question_file import AskedRecord, evenly_spaced, read_questions
from .runner import Run
from .settings import CheckpointSettings

OTHER_RECORDS = "records of a folder at their own rates"
"""What is read where it is not PTB-XL's."""


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
        train_rows: the rows that it was trained on; None where they were not given.
        whole: all records that the question file asks about, of the wanted devices.
        asked: those that are evaluated.
        apart: that none of them is the training's.
        left_out: what of the question file is not asked, each a sentence.
        settings: of the evaluation.
    """

    source: RecordSource
    training: list[Record]
    train_rows: Sequence[Mapping[str, Any]] | None
    whole: list[AskedRecord]
    asked: list[AskedRecord]
    apart: Leakage
    left_out: tuple[str, ...]
    settings: CheckpointSettings

    @property
    def parts(self) -> str:
        """What was trained on, in words."""
        return parts_words(self.training, self.settings.training_folds)

    def run(self, subject: str, checkpoint: Checkpoint, parts: Path, tokens: Path | None = None) -> Run:
        """A checkpoint before these records; `tokens` as in `answering.asker_of`."""
        settings, source = self.settings, self.source
        read = reading_words(source, settings.sampling_rate)
        asker = asker_of(checkpoint, tokens, read, parts, **settings.asking)
        facts = question_facts(settings.questions, self.whole, self.asked)
        data = "PTB-XL 1.0.3" if source.layout == PTB_XL else f"{source.layout} {settings.records.resolve().name}"
        return Run(subject, asker, facts, data, source.files, settings)

    def notes(self, of_questions: bool = True) -> list[str]:
        """What was compared, what could not be looked up, and (`of_questions`) what is counted more than once."""
        of_source = () if self.source.layout == PTB_XL else self.source.notes
        found = [self.apart.note(self.parts), *self.left_out, *of_source]
        found += unnamed_notes((one.record for one in self.asked), self.training)
        repeated = sum(len(one.questions) - len(set(one.questions)) for one in self.asked)
        if of_questions and repeated:
            found.append(f"{repeated} questions are asked twice of the same record, and count twice.")
        devices, count = self.settings.devices, self.settings.max_records
        if devices is not None:
            found.append(f"Only records whose device begins with {devices}; those of unknown devices are left out too.")
        if count is not None:
            found.append(f"Only {count} records, evenly spaced over the file: not the whole question set.")
        return found


def read_held_out(
    settings: CheckpointSettings,
    train_rows: Path | None = None,
    *,
    waveforms: Path | None = None,
    wanted: Callable[[Record], bool] | None = None,
) -> HeldOutSet:
    """Open the collection, join the question file to it, and see that nothing of it is the training's.

    Args:
        settings: of the evaluation.
        train_rows: rows that the checkpoint was trained on, which may be of other records.
        waveforms: folder where their comparison is kept, and copies of training records are left out; None: they are
            not compared.
        wanted: the records that can be evaluated; None: all.

    Raises:
        ValueError: if no question is about a record of the wanted devices, the file's patients are not the records',
            or a patient or record of training is in the test set.
    """
    source = open_records(settings.records, sampling_rate=settings.sampling_rate)
    found = read_questions(settings.questions, source)
    whole = found.asked
    if settings.devices is not None:
        device = settings.devices.strip().upper()
        whole = [one for one in whole if device and (one.record.device or "").strip().upper().startswith(device)]
        if not whole:
            raise ValueError(
                f"{settings.questions}: devices {settings.devices!r}: no record of a device whose name begins so"
            )
    training = [record for record in source if trained_on(record, settings.training_folds)]
    asked = evenly_spaced([one for one in whole if wanted is None or wanted(one.record)], settings.max_records)
    rows = None if train_rows is None else read_training_rows(train_rows)
    apart = training_leakage(
        *(asked, training, rows or ()), parts=waveforms, rate=settings.sampling_rate, progress=settings.progress
    )
    copied = {test for test, _ in apart.copies}
    asked = [one for one in asked if one.record_id not in copied]
    return HeldOutSet(source, training, rows, whole, asked, apart, found.notes, settings)


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
