"""One file instead of a folder: the whole shards of a build, joined to a Parquet file or a CSV table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hf_heartllm.models.whole_files import written_whole

SUFFIXES = (".parquet", ".csv")
"""What a name ends in that asks for one file."""

OTHER_FILES = (".txt", ".tsv", ".json", ".jsonl", ".npz", ".npy", ".arrow", ".pq", ".gz")
"""Ends of names that no folder is likely to be meant by."""


def parts_folder(output: Path) -> Path:
    """The folder, hidden beside the file, whose shards are joined in the end."""
    return output.with_name(f".{output.name}.parts")


def check_single_file(output: Path, features: Any, splits: Iterable[str]) -> None:
    """Raise ValueError, before anything is made, where the rows do not fit into one such file."""
    import datasets

    if output.is_dir():
        raise ValueError(f"{output}: a folder; one file is asked for, since the name ends in {output.suffix}")
    if len(names := list(splits)) > 1:
        raise ValueError(f"{output}: one file holds one split, these rows have {', '.join(names)}; name a folder")
    nested = [name for name, kind in features.items() if not isinstance(kind, datasets.Value)]
    if output.suffix.lower() == ".csv" and nested:
        raise ValueError(f"{output}: a CSV table cannot hold the column {nested[0]}; name a .parquet file or a folder")


def join_shards(shards: Sequence[Path], output: Path, line_end: str = "\n") -> None:
    """Write the rows of shards, in their order, to one file, whole or not at all.

    Args:
        shards: Parquet files of one schema, at least one.
        output: `*.parquet` or `*.csv`.
        line_end: of a CSV table.
    """
    with written_whole(output) as temporary:
        if output.suffix.lower() == ".csv":
            with temporary.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator=line_end).writerows(_lines(shards))
        else:
            _join_parquet(shards, temporary)


def _join_parquet(shards: Sequence[Path], output: Path) -> None:
    import pyarrow.parquet as pq

    schema = pq.read_schema(shards[0]).remove_metadata()
    with pq.ParquetWriter(output, schema) as writer:
        for path in shards:
            writer.write_table(pq.read_table(path).replace_schema_metadata(None))


def _lines(shards: Sequence[Path]) -> Iterator[list[str]]:
    import pyarrow.parquet as pq

    yield pq.read_schema(shards[0]).names
    for path in shards:
        for row in pq.read_table(path).to_pylist():
            yield [_cell(value) for value in row.values()]


def _cell(value: Any) -> str:
    """A value of a table: empty where it is not known, whole numbers without a point, yes and no as 1 and 0."""
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, bool) or float(value).is_integer() else repr(float(value))
