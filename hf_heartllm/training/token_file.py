"""What `dataset_builders.ecg_tokens` writes, as training reads it: a folder, or one file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

ROW_COLUMNS = ("ecg_id", "strat_fold", "questions", "report", "report_original_english")


def load_codes(path: str | os.PathLike[str], codec_identity: str | None = None) -> dict[int, np.ndarray]:
    """Codes by ecg_id, each uint16 (tokens,).

    Args:
        path: a folder of `dataset_builders.ecg_tokens`, or an `.npz` file of `dataset_builders.token_archive` with
            `ecg_id` (records,), `codes` (records, tokens) and `codec`.
        codec_identity: `ECGCodecModel.identity()` of the codec that the codes must come from; None: any, but one.

    Raises:
        ValueError: if they were made by another codec, or by several.
    """
    if Path(path).is_dir():
        rows = _load(path).select_columns(["ecg_id", "codes", "codec"])
        _check_codec(path, set(rows.unique("codec")), codec_identity)
        table = rows.with_format("arrow")
        found: dict[int, np.ndarray] = {}
        for batch in table.iter(batch_size=1024):
            codes = batch["codes"].combine_chunks()
            for index, ecg_id in enumerate(batch["ecg_id"].to_pylist()):
                if ecg_id is not None:
                    found[ecg_id] = codes[index].values.to_numpy(zero_copy_only=False).astype(np.uint16)
        return found
    with np.load(path, allow_pickle=False) as stored:
        _check_codec(path, {str(stored["codec"])}, codec_identity)
        return dict(zip(stored["ecg_id"].tolist(), stored["codes"], strict=True))


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

    Args:
        path: a Parquet file of `dataset_builders.training_rows`, or a folder of `dataset_builders.ecg_tokens`; of its
            questions those that compare two records are left out, since a row of training has one ECG.
        columns: those to read; absent ones are left out.
    """
    if not Path(path).is_dir():
        import pyarrow.parquet as pq

        there = pq.read_schema(path).names
        return pq.read_table(path, columns=[name for name in columns if name in there]).to_pylist()
    rows = _load(path).select_columns(list(columns)).to_list()
    for row in rows:
        if "questions" in row:
            row["questions"] = [one for one in row["questions"] if len(one["record_ids"]) == 1]
    return rows


def _load(path: str | os.PathLike[str]) -> Any:
    """All splits of the folder's default configuration; the folds choose among the records."""
    import datasets

    return datasets.concatenate_datasets(list(datasets.load_dataset(str(path)).values()))


def _check_codec(path: str | os.PathLike[str], found: set[str], wanted: str | None) -> None:
    if len(found) > 1:
        raise ValueError(f"{path}: encoded by several codecs: {', '.join(sorted(found))}")
    if wanted is not None and found - {wanted}:
        raise ValueError(f"{path}: encoded by codec {found.pop()}, but the model's codec is {wanted}")
