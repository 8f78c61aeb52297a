"""Every source of recordings, opened the same way: PTB-XL's folder, a label file, a folder of WFDB records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..labels.ptbxl import ROW_SOURCE_NAME, TABLE_NAME, notes_on_rows, read_ptbxl_table
from ..models.ecg_record import ECGError
from .label_file import read_label_file
from .label_names import PTBXL_VOCABULARY, Vocabulary, vocabulary_of
from .label_terms import Stated, labels_of, leave_open
from .ptbxl_records import records_of
from .record import Record
from .splits import SPLITS, with_drawn_splits

PTB_XL, LABEL_FILE, WFDB_HEADERS = "PTB-XL", "label file", "WFDB headers"
LABEL_FILE_NAME = "labels.csv"
FOLD_SPLITS: Mapping[int, str] = {**dict.fromkeys(range(1, 9), "train"), 9: "validation", 10: "test"}
"""The split of each of PTB-XL's folds."""


@dataclass(frozen=True)
class RecordSource(Sequence[Record]):
    """The records of a collection, in its order; a sequence of them.

    Attributes:
        layout: `PTB_XL`, `LABEL_FILE` or `WFDB_HEADERS`.
        records: all of them.
        notes: what was decided or left out, each a sentence with its number.
        files: tables that decide the records.
    """

    layout: str
    records: tuple[Record, ...]
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        return self.records[place]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @property
    def vocabulary(self) -> Vocabulary:
        """All that the labels can name: PTB-XL's, or what the records of another collection state."""
        return PTBXL_VOCABULARY if self.layout == PTB_XL else vocabulary_of(self.records)

    def splits(self) -> dict[str, list[Record]]:
        """The records by split: train, validation, test, then others by name."""
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.split, []).append(record)
        return {name: found[name] for name in (*SPLITS, *sorted(found.keys() - set(SPLITS))) if name in found}


def is_record_source(path: str | Path) -> bool:
    """Whether `open_records` knows what a path is; a folder that a builder wrote is none.

    >>> is_record_source("no such folder")
    False
    """
    return _layout(Path(path)) is not None


def open_records(
    path: str | Path,
    *,
    root: str | Path | None = None,
    sampling_rate: int = 100,
    splits: Mapping[int, str] = FOLD_SPLITS,
) -> RecordSource:
    """The records of a collection.

    Args:
        path: PTB-XL's folder (or a simulated one in its layout); a CSV file of labels (`hf_heartllm.data.label_file`),
            or a folder that holds one as `labels.csv`; a folder of WFDB records whose headers say what they show
            (PhysioNet/CinC Challenges, LUDB).
        root: where the paths of a label file begin; the file's own folder when None.
        sampling_rate: 100 or 500, of PTB-XL's recordings.
        splits: the split of each of PTB-XL's folds; records of others are left out.

    Raises:
        FileNotFoundError: if there is nothing.
        ValueError: one line, if it is none of them or cannot be read.
    """
    path = Path(path)
    layout = _layout(path)
    if layout == PTB_XL:
        table = read_ptbxl_table(path)
        records = tuple(records_of(table, splits, sampling_rate, path))
        files = tuple(path / name for name in (TABLE_NAME, ROW_SOURCE_NAME) if (path / name).is_file())
        unknown = int(table["strat_fold"].isna().sum())
        notes = [f"{unknown:,} rows of the table have no strat_fold: left out."] if unknown else []
        notes += notes_on_rows(table[table["strat_fold"].isin(list(splits))])
        return RecordSource(PTB_XL, records, tuple(notes), files)
    if layout == LABEL_FILE:
        file = path / LABEL_FILE_NAME if path.is_dir() else path
        found = read_label_file(file, root)
        return RecordSource(LABEL_FILE, tuple(found.records), tuple(found.notes), (file,))
    if layout == WFDB_HEADERS:
        return _labelled_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    raise ECGError(
        f"{path}: no collection of recordings: give PTB-XL's folder, a CSV file of labels, or a folder of WFDB records"
    )


def _layout(path: Path) -> str | None:
    if path.is_dir():
        if (path / TABLE_NAME).is_file():
            return PTB_XL
        if (path / LABEL_FILE_NAME).is_file():
            return LABEL_FILE
        return WFDB_HEADERS if next(path.rglob("*.hea"), None) is not None else None
    return LABEL_FILE if path.suffix.lower() in (".csv", ".tsv", ".txt") and path.exists() else None


def _labelled_folder(folder: Path) -> RecordSource:
    """The records of a folder whose WFDB headers say what they show."""
    from ..labels.wfdb_headers import read_labelled_folder

    found = read_labelled_folder(folder)
    stated = {
        name: Stated(labels.codes, labels.classes, labels.unclear, labels.unknown)
        for name, labels in found.labels.items()
    }
    records = [
        Record(
            record_id=name,
            labels=labels_of(stated[name]) if labels.codes or labels.classes or not labels.unknown else {},
            path=name,
            root=folder,
            age=labels.age,
            sex=labels.sex,
        )
        for name, labels in found.labels.items()
    ]
    records, drawn = with_drawn_splits(records)
    notes = [f"The headers name no patients: each of {len(records)} recordings counts as a patient of its own.", drawn]
    if found.without:
        notes.append(f"{len(found.without)} records whose headers state no diagnosis are left out.")
    if found.unknown:
        terms = ", ".join(f"{term!r} ({number})" for term, number in found.unknown.most_common(10))
        notes.append(f"Labels that are in no table: {terms}; what is not stated beside them counts as unknown.")
    return RecordSource(WFDB_HEADERS, tuple(leave_open(records, stated)), tuple(notes), ())
