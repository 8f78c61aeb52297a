"""Where the recordings come from that become tokens: a collection's records, or rows that a builder has written."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hf_heartllm.data.record import Record
from hf_heartllm.data.reports import english_report, report_of_labels
from hf_heartllm.data.sources import PTB_XL, RecordSource
from hf_heartllm.ecg import read_ecg
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGError, ECGRecord

from .built_rows import ID_COLUMNS, count_rows, first_ids, id_text, read_rows, row_splits
from .engine import Shard, split_shards

_RECORDS_PER_SHARD = 512


@dataclass(frozen=True)
class Recorded:
    """One recording to encode, with what its source says beside the signal.

    Attributes:
        record_id: joins questions and reports.
        read: gives the signal.
        strat_fold: PTB-XL's; the folds of another collection are none of it.
        report: in English, made from statements.
        original: the original report in English.
        unread_leads: leads that the source has left out already.
        row: of a builder, with questions in it.
    """

    record_id: str
    read: Callable[[], ECGRecord]
    strat_fold: int | None = None
    report: str | None = None
    original: str | None = None
    unread_leads: tuple[str, ...] = ()
    row: Mapping[str, Any] = field(default_factory=dict)


class CollectionRecords:
    """The records of a collection (`hf_heartllm.data.open_records`) that are on disk.

    Args:
        source: the collection.
        where: its name in messages.
    """

    def __init__(self, source: RecordSource, where: str) -> None:
        self.source, self.where = source, where
        self.by_id = {record.record_id: record for record in source}

    @functools.cached_property
    def present(self) -> dict[str, list[str]]:
        """The ids of the records that are on disk, by split."""
        return {name: [one.record_id for one in of if one.files] for name, of in self.source.splits().items()}

    def plan(self) -> list[Shard]:
        """Records in the order of the collection, split by split."""
        shards = [one for name, ids in self.present.items() for one in split_shards(name, ids, _RECORDS_PER_SHARD)]
        if not shards:
            if not len(self.source):
                raise ValueError(f"{self.where}: has no record of these splits")
            first = next((one for one in self.source if one.path), None)
            if first is None:
                raise ValueError(f"{self.where}: names no paths of recordings (column `path`)")
            such = f"{first.root or ''}/{first.path}"
            raise FileNotFoundError(f"{self.where}: none of its {len(self.source)} recordings is there, such as {such}")
        return shards

    def ids(self) -> list[str | None]:
        """The ids of all that are present."""
        return [one for ids in self.present.values() for one in ids]

    def ids_of(self, shard: Shard) -> list[str]:
        """The ids of a shard."""
        return list(shard.keys)

    def index_files(self) -> Iterator[Path]:
        """The collection's tables."""
        yield from self.source.files

    def shard_files(self, shard: Shard) -> Iterator[Path]:
        """The recordings of a shard."""
        for record_id in shard.keys:
            yield from self.by_id[record_id].files

    def recorded(self, shard: Shard) -> Iterator[Recorded]:
        """The recordings of a shard."""
        for record_id in shard.keys:
            record = self.by_id[record_id]
            fold = record.fold if self.source.layout == PTB_XL else None
            yield Recorded(record_id, record.read, fold, *_reports(record))

    def notes(self) -> list[str]:
        """What the collection says of itself, what is absent, and which reports are not read."""
        lines = list(self.source.notes)
        present = set(self.ids())
        if absent := [record.record_id for record in self.source if record.record_id not in present]:
            lines.append(
                f"{len(absent):,} of {len(self.source):,} records of the table are not in the folder, such as "
                f"{absent[0]}: left out."
            )
        return lines + _on_reports(self.source)


class BuiltRows:
    """Rows that a builder has written, with signals or paths.

    Args:
        files: Parquet files, each with the split that its folder has it in.
        where: their name in messages.
        root: where the paths of the rows begin.
        labels: the records of a label file: their splits and reports are the rows', and rows that it does not name are
            left out.
    """

    def __init__(
        self, files: list[tuple[str, Path]], where: str, root: Path | None, labels: RecordSource | None
    ) -> None:
        self.files, self.where, self.root, self.labels = files, where, root, labels
        self.by_id = None if labels is None else {record.record_id: record for record in labels}

    def plan(self) -> list[Shard]:
        """(file, row) in their order; the split is the label file's, else that of a column `split`, else the file's."""
        keys: dict[str, list[tuple[int, int]]] = {}
        for number, (of_file, file) in enumerate(self.files):
            ids = self._column(number)
            for row, split in enumerate(row_splits(file, of_file)):
                if self.by_id is None:
                    keys.setdefault(split, []).append((number, row))
                elif (record := self.by_id.get(ids[row] or "")) is not None:
                    keys.setdefault(record.split, []).append((number, row))
        if not keys and self.by_id is not None:
            raise ValueError(f"{self.where}: the label file names none of its records")
        return [shard for split, found in keys.items() for shard in split_shards(split, found, _RECORDS_PER_SHARD)]

    @functools.lru_cache(maxsize=8)  # noqa: B019 - a builder lives as long as its build
    def _column(self, number: int) -> list[str | None]:
        """The id of each row of a file; None for rows without one."""
        file = self.files[number][1]
        try:
            return list(first_ids([file]))
        except ValueError:  # no column of ids
            return [None] * count_rows(file)

    def ids(self) -> list[str | None]:
        """The id of every row that is read."""
        every = [one for number in range(len(self.files)) for one in self._column(number)]
        return [one for one in every if self.by_id is None or one in self.by_id]

    def ids_of(self, shard: Shard) -> list[str]:
        """The ids of a shard, as `recorded` gives them."""
        return [self._column(file)[row] or f"{file}-{row}" for file, row in shard.keys]

    def index_files(self) -> Iterator[Path]:
        """The table of labels; the Parquet files never change under their names."""
        if self.labels is not None:
            yield from self.labels.files

    def shard_files(self, shard: Shard) -> Iterator[Path]:
        """None: a built folder's Parquet files never change under their names."""
        return iter(())

    def recorded(self, shard: Shard) -> Iterator[Recorded]:
        """The recordings of a shard."""
        keys = list(shard.keys)
        while keys:  # a run of rows of one file at a time
            file, first = keys[0]
            run = next((i for i, key in enumerate(keys) if key != (file, first + i)), len(keys))
            for index, row in enumerate(read_rows(self.files[file][1], first, first + run)):
                yield self._one(row, f"{file}-{first + index}")
            keys = keys[run:]

    def _one(self, row: Mapping[str, Any], name: str) -> Recorded:
        found = (id_text(row.get(column)) for column in ID_COLUMNS if not isinstance(row.get(column), list))
        record_id = next((one for one in found if one is not None), name)
        made, original = row.get("report_from_statements") or row.get("report"), None
        if row.get("report_english_source") == "translated":
            original = row["report_english"]
        if self.by_id is not None and (labels := self.by_id.get(record_id)) is not None:
            of_labels = _reports(labels)
            made, original = of_labels[0] or made, of_labels[1] or original
        unread = tuple(row.get("unread_leads") or ())
        read = functools.partial(self._read, row, record_id)
        return Recorded(record_id, read, row.get("strat_fold"), made, original, unread, row)

    def _read(self, row: Mapping[str, Any], record_id: str) -> ECGRecord:
        if row.get("signal") is None:
            if not row.get("path") or self.root is None:
                raise ECGError(
                    f"record {record_id}: its row has no signal; give the folder of the paths (--record-root)"
                )
            return read_ecg(self.root / row["path"])
        leads = tuple(row.get("leads") or STANDARD_LEADS)
        return ECGRecord(np.asarray(row["signal"]).T, row["sampling_rate"], leads, source=f"record {record_id}")

    def notes(self) -> list[str]:
        """What the label file says of itself and does not name, and what rows have no id."""
        every = [one for number in range(len(self.files)) for one in self._column(number)]
        lines = []
        if self.labels is not None and self.by_id is not None:
            lines += [*self.labels.notes, *_on_reports(self.labels)]
            if left := len(every) - len(self.ids()):
                lines.append(f"{left:,} of {len(every):,} recordings are not named in the label file: left out.")
            if absent := len(self.by_id.keys() - set(every)):
                lines.append(f"{absent:,} of {len(self.by_id):,} labelled records have no recording: left out.")
        if unnamed := every.count(None):
            lines.append(
                f"{unnamed:,} of {len(every):,} records have no id and are named by their place in the files: no "
                "question or report can be joined to them."
            )
        return lines


def _reports(record: Record) -> tuple[str | None, str | None]:
    """The report made from statements, and the original one in English."""
    made, own = report_of_labels(record), english_report(record)
    return None if made is None else made.text, None if own is None else own.text


def _on_reports(source: RecordSource) -> list[str]:
    """How many reports are in no language that a model here learns to write."""
    records = [one for one in source if one.reports]
    if source.layout == PTB_XL or not records:
        return []
    foreign = Counter(one.reports[0].language or "not known" for one in records if english_report(one) is None)
    if not foreign:
        return []
    shown = ", ".join(f"{number} {language}" for language, number in foreign.most_common())
    return [
        f"{foreign.total()} of {len(records)} reports are neither English nor translated whole by the glossary "
        f"(language: {shown}): left out."
    ]
