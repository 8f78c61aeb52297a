"""What the builders write, as training reads it: codes of `ecg_tokens`, rows of it or of `training_rows`."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..labels.record_ids import record_text
from ..models.report_text import clean_report_text
from .question_rows import read_question
from .row_files import check_row_file

ID_COLUMNS = ("record_id", "ecg_id")
"""Columns that may name a row's record, in the order in which they are looked for; PTB-XL's files have the second."""

ROW_COLUMNS = ("record_id", "strat_fold", "split", "questions", "report", "report_original_english")


def load_codes(path: str | os.PathLike[str], codec_identity: str | None = None) -> dict[str, np.ndarray]:
    """Codes by record_id, each uint16 (tokens,).

    Args:
        path: a folder of `dataset_builders.ecg_tokens`; older ones name their records by `ecg_id`.
        codec_identity: `ECGCodec.fingerprint()` of the codec that the codes must come from; None: any, but one.

    Rows without an id, or without codes, are left out with a warning that counts them.

    Raises:
        ValueError: if they were made by another codec, or by several, or none is left.
    """
    if not Path(path).is_dir():
        raise ValueError(f"{path}: no folder of codes, as dataset_builders.ecg_tokens writes it")
    rows = _load(path)
    name = _id_column(path, rows.column_names)
    _check_columns(path, rows.column_names, ("codes", "codec"))
    rows = rows.select_columns([name, "codes", "codec"])
    _check_codec(path, {one for one in rows.unique("codec") if one is not None}, codec_identity)
    pairs: list[tuple[Any, np.ndarray | None]] = []
    for batch in rows.with_format("arrow").iter(batch_size=1024):
        codes = batch["codes"].combine_chunks()
        for index, value in enumerate(batch[name].to_pylist()):
            found = codes[index].values
            pairs.append((value, None if found is None else found.to_numpy(zero_copy_only=False)))
    return _by_id(path, pairs)


def _by_id(path: str | os.PathLike[str], pairs: Sequence[tuple[Any, np.ndarray | None]]) -> dict[str, np.ndarray]:
    """The codes that have an id; warns of those that have not, of empty ones, and of ids that occur again."""
    found: dict[str, np.ndarray] = {}
    lost: Counter[str] = Counter()
    for value, codes in pairs:
        record_id = record_text(value)
        if record_id is None:
            lost[_NO_ID] += 1
        elif codes is None or not len(codes):
            lost["no codes"] += 1
        else:
            lost["a record_id that a later one has, which is taken"] += record_id in found
            found[record_id] = codes.astype(np.uint16)
    _warn(path, "recordings", len(pairs), lost)
    if not found:
        raise ValueError(
            f"{path}: holds no codes with a record_id ({len(pairs)} rows); see dataset_builders.ecg_tokens"
        )
    return found


def load_all_codes(paths: Iterable[str | os.PathLike[str]], codec_identity: str | None = None) -> dict[str, np.ndarray]:
    """Codes of several data sets, as `load_codes` gives them.

    Raises:
        ValueError: if they were made by another codec, or two data sets have a record of the same id.
    """
    found: dict[str, np.ndarray] = {}
    for path in paths:
        more = load_codes(path, codec_identity)
        if both := found.keys() & more.keys():
            raise ValueError(f"{path}: record {min(both)} is also in another of the data sets ({len(both)} such)")
        found |= more
    return found


def load_rows(path: str | os.PathLike[str], columns: tuple[str, ...] = ROW_COLUMNS) -> list[dict[str, Any]]:
    """`Question`s and reports of each record, as `QuestionDataset` takes them.

    Each row is named by `record_id`, as text, also where its file has PTB-XL's `ecg_id`; rows without an id are left
    out with a warning that counts them, and so is a question that compares two records, since a row has one ECG.
    Rows of a folder carry their `split`. What a device prints round the findings of a report
    (`models.report_text`) is no part of it.

    Args:
        path: a Parquet file of `dataset_builders.training_rows`, or a folder of `dataset_builders.ecg_tokens`.
        columns: those to read; absent ones are left out.

    Raises:
        ValueError: if an id is wanted and there is no such column, or neither fold nor split.
    """
    rows: list[dict[str, Any]]
    if Path(path).is_dir():
        rows, there = [], []
        for split, part in _splits(path).items():
            there = [*part.column_names, "split"]
            read = part.select_columns(_wanted(path, columns, part.column_names)).to_list()
            rows += [row | {"split": split} for row in read] if "split" in columns else read
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            there = pq.read_schema(path).names
        except pa.ArrowInvalid:
            raise ValueError(f"{path}: no Parquet file of rows, as dataset_builders writes it") from None
        rows = pq.read_table(path, columns=_wanted(path, columns, there)).to_pylist()
    if "strat_fold" in columns and "split" not in there:
        _check_columns(path, there, ["strat_fold"])
    count, lost = len(rows), Counter[str]()
    if "record_id" in columns:
        name = _id_column(path, there)
        rows = [{"record_id": record_text(row.pop(name)), **row} for row in rows]
        rows = [row for row in rows if row["record_id"] is not None]
        lost[_NO_ID] = count - len(rows)
    comparing = 0
    for row in rows:
        if "questions" in columns:
            asked = row.get("questions") or []
            about_one = [one for one in asked if len(one.get("record_ids") or [None]) == 1]
            row["questions"] = [read_question(one, [row.get("record_id") or ""]) for one in about_one]
            comparing += len(asked) - len(row["questions"])
        for name in {"report", "report_original_english"} & row.keys():
            row[name] = clean_report_text(row[name] or "") or None
    _warn(path, "rows", count, lost)
    if comparing:
        warnings.warn(f"{path}: {comparing} questions compare two records and are left out", stacklevel=2)
    return rows


_NO_ID = "no record_id, by which training joins them"


def _id_column(path: str | os.PathLike[str], there: Sequence[str]) -> str:
    name = next((name for name in ID_COLUMNS if name in there), None)
    if name is None:
        raise ValueError(f"{path}: no column record_id (or ecg_id); give what dataset_builders has written")
    return name


def _wanted(path: str | os.PathLike[str], columns: Sequence[str], there: Sequence[str]) -> list[str]:
    """Those of the columns that are there; the id under the name that it has."""
    names = [_id_column(path, there) if name == "record_id" else name for name in columns]
    return [name for name in names if name in there]


def _warn(path: str | os.PathLike[str], what: str, count: int, lost: Counter[str]) -> None:
    for reason, number in lost.items():
        if number:
            warnings.warn(f"{path}: {number} of {count} {what} are left out for {reason}", stacklevel=3)


def _check_columns(path: str | os.PathLike[str], there: Iterable[str], wanted: Iterable[str]) -> None:
    if absent := [name for name in wanted if name not in set(there)]:
        raise ValueError(f"{path}: no column {', '.join(absent)}; give what dataset_builders has written")


def _load(path: str | os.PathLike[str]) -> Any:
    """All splits of the folder's default configuration; the folds choose among the records."""
    import datasets

    return datasets.concatenate_datasets(list(_splits(path).values()))


def _splits(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables of a built folder by split, in their order."""
    import datasets

    _check_shards(Path(path))
    try:
        found: dict[str, Any] = datasets.load_dataset(str(path))
    except (datasets.exceptions.DatasetsError, FileNotFoundError, ValueError):
        raise ValueError(f"{path}: no folder of rows, as dataset_builders writes it, or one without any") from None
    return found


def _check_shards(folder: Path) -> None:
    """Refuses a folder from which a file is gone that the names of the others count: `train-00000-of-00035.parquet`.

    And one with a file of a newer layout.
    """
    there: dict[tuple[Path, str, int], set[int]] = {}
    for file in folder.rglob("*.parquet"):
        check_row_file(file)
        if match := re.fullmatch(r"(.+)-(\d+)-of-(\d+)(-.*)?\.parquet", file.name):
            there.setdefault((file.parent, match[1], int(match[3])), set()).add(int(match[2]))
    for (parent, split, count), numbers in there.items():
        if absent := sorted(set(range(count)) - numbers):
            first = (parent / f"{split}-{absent[0]:05d}-of-{count:05d}").relative_to(folder)
            raise ValueError(
                f"{folder}: {len(absent)} of {count} files of {split} are missing, {first}….parquet the first; "
                "build or copy them again"
            )


def _check_codec(path: str | os.PathLike[str], found: set[str], wanted: str | None) -> None:
    if len(found) > 1:
        raise ValueError(f"{path}: encoded by several codecs: {', '.join(sorted(found))}")
    if wanted is not None and found - {wanted}:
        raise ValueError(f"{path}: encoded by codec {found.pop()}, but the model's codec is {wanted}")
