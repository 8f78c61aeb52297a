"""What `dataset_builders.ecg_tokens` writes, as training reads it: a folder, or one file."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..labels.record_ids import whole_number
from ..models.report_text import clean_report_text

ROW_COLUMNS = ("ecg_id", "strat_fold", "questions", "report", "report_original_english")


def load_codes(path: str | os.PathLike[str], codec_identity: str | None = None) -> dict[int, np.ndarray]:
    """Codes by ecg_id, each uint16 (tokens,).

    Args:
        path: a folder of `dataset_builders.ecg_tokens`, or an `.npz` file of `dataset_builders.token_archive` with
            `ecg_id` (records,), `codes` (records, tokens) and `codec`.
        codec_identity: `ECGCodec.fingerprint()` of the codec that the codes must come from; None: any, but one.

    Rows without an id that is a whole number, or without codes, are left out with a warning that counts them.

    Raises:
        ValueError: if they were made by another codec, or by several, or none is left.
    """
    if Path(path).is_dir():
        rows = _load(path)
        _check_columns(path, rows.column_names, ("ecg_id", "codes", "codec"))
        rows = rows.select_columns(["ecg_id", "codes", "codec"])
        _check_codec(path, {one for one in rows.unique("codec") if one is not None}, codec_identity)
        pairs: list[tuple[Any, np.ndarray | None]] = []
        for batch in rows.with_format("arrow").iter(batch_size=1024):
            codes = batch["codes"].combine_chunks()
            for index, ecg_id in enumerate(batch["ecg_id"].to_pylist()):
                found = codes[index].values
                pairs.append((ecg_id, None if found is None else found.to_numpy(zero_copy_only=False)))
    else:
        try:
            stored = dict(np.load(path, allow_pickle=False))
        except (ValueError, TypeError, EOFError, BadZipFile):
            raise ValueError(f"{path}: no .npz file of codes, which dataset_builders.ecg_tokens writes") from None
        _check_columns(path, stored, ("ecg_id", "codes", "codec"))
        _check_codec(path, {str(stored["codec"])}, codec_identity)
        pairs = list(zip(stored["ecg_id"].tolist(), stored["codes"], strict=True))
    return _by_id(path, pairs)


def _by_id(path: str | os.PathLike[str], pairs: Sequence[tuple[Any, np.ndarray | None]]) -> dict[int, np.ndarray]:
    """The codes that have an id; warns of those that have not, of empty ones, and of ids that occur again."""
    found: dict[int, np.ndarray] = {}
    lost: Counter[str] = Counter()
    for value, codes in pairs:
        ecg_id = whole_number(value)
        if ecg_id is None:
            lost["no ecg_id that is a whole number, by which training joins them"] += 1
        elif codes is None or not len(codes):
            lost["no codes"] += 1
        else:
            lost["an ecg_id that a later one has, which is taken"] += ecg_id in found
            found[ecg_id] = codes.astype(np.uint16)
    _warn(path, "recordings", len(pairs), lost)
    if not found:
        raise ValueError(f"{path}: holds no codes with an ecg_id ({len(pairs)} rows); see dataset_builders.ecg_tokens")
    return found


def load_all_codes(paths: Iterable[str | os.PathLike[str]], codec_identity: str | None = None) -> dict[int, np.ndarray]:
    """Codes of several data sets, as `load_codes` gives them.

    Raises:
        ValueError: if they were made by another codec, or two data sets have a record of the same ecg_id.
    """
    found: dict[int, np.ndarray] = {}
    for path in paths:
        more = load_codes(path, codec_identity)
        if both := found.keys() & more.keys():
            raise ValueError(f"{path}: ecg_id {min(both)} is also in another of the data sets ({len(both)} such)")
        found |= more
    return found


def load_rows(path: str | os.PathLike[str], columns: tuple[str, ...] = ROW_COLUMNS) -> list[dict[str, Any]]:
    """Questions and reports of each record, as `QuestionDataset` takes them.

    Rows without an id that is a whole number are left out with a warning that counts them, and so is a question that
    compares two records, since a row of training has one ECG. What a device prints round the findings of a report
    (`models.report_text`) is no part of it.

    Args:
        path: a Parquet file of `dataset_builders.training_rows`, or a folder of `dataset_builders.ecg_tokens`.
        columns: those to read; absent ones are left out.

    Raises:
        ValueError: if an id is wanted and there is no such column.
    """
    rows: list[dict[str, Any]]
    if Path(path).is_dir():
        table = _load(path)
        there = table.column_names
        rows = table.select_columns([name for name in columns if name in there]).to_list()
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            there = pq.read_schema(path).names
        except pa.ArrowInvalid:
            raise ValueError(f"{path}: no Parquet file of rows, as dataset_builders writes it") from None
        rows = pq.read_table(path, columns=[name for name in columns if name in there]).to_pylist()
    _check_columns(path, there, [name for name in columns if name in ("ecg_id", "strat_fold")])
    count, lost = len(rows), Counter[str]()
    if "ecg_id" in columns:
        for row in rows:
            row["ecg_id"] = whole_number(row["ecg_id"])
        rows = [row for row in rows if row["ecg_id"] is not None]
        lost["no ecg_id that is a whole number, by which training joins them"] = count - len(rows)
    comparing = 0
    for row in rows:
        if "questions" in columns:
            asked = row.get("questions") or []
            row["questions"] = [one for one in asked if len(one.get("record_ids") or [None]) == 1]
            comparing += len(asked) - len(row["questions"])
        for name in {"report", "report_original_english"} & row.keys():
            row[name] = clean_report_text(row[name] or "") or None
    _warn(path, "rows", count, lost)
    if comparing:
        warnings.warn(f"{path}: {comparing} questions compare two records and are left out", stacklevel=2)
    return rows


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

    return datasets.concatenate_datasets(list(datasets.load_dataset(str(path)).values()))


def _check_codec(path: str | os.PathLike[str], found: set[str], wanted: str | None) -> None:
    if len(found) > 1:
        raise ValueError(f"{path}: encoded by several codecs: {', '.join(sorted(found))}")
    if wanted is not None and found - {wanted}:
        raise ValueError(f"{path}: encoded by codec {found.pop()}, but the model's codec is {wanted}")
