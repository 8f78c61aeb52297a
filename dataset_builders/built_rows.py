"""Reading what the builders wrote: rows of a built folder (or of single Parquet files) in bounded pieces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from hf_heartllm.labels.record_ids import whole_number

ID_COLUMNS = ("record_ids", "record_id", "ecg_id")
"""Columns that may name a row's records, in the order in which they are looked for."""


def built_files(path: Path, config_name: str | None = None) -> dict[str, list[Path]]:
    """The Parquet files of a built folder by split, from its README.md; a single Parquet file is the split "train".

    Args:
        path: folder or file.
        config_name: of several configurations, which; the default one when None.

    Raises:
        FileNotFoundError: If it is neither.
        ValueError: If the folder has no such configuration, or several and none was named.
    """
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    if path.is_file():
        return {"train": [path]}
    readme = path / "README.md"
    if not readme.is_file():
        raise FileNotFoundError(
            f"{path}: neither a Parquet file nor a folder that a builder has finished (no README.md)"
        )
    configs = MetadataConfigs.from_dataset_card_data(DatasetCard.load(readme).data)
    name = config_name or configs.get_default_config_name()
    if name not in configs:
        raise ValueError(f"{path}: name one of its configurations: {', '.join(configs)}")
    return {entry["split"]: [path / file for file in entry["path"]] for entry in configs[name]["data_files"]}


def count_rows(file: Path) -> int:
    """Rows of a Parquet file, from its footer."""
    import pyarrow.parquet as pq

    rows: int = pq.read_metadata(file).num_rows
    return rows


def row_splits(file: Path, default: str) -> list[str]:
    """The split of each row of a Parquet file: what its column `split` says, and `default` where that is silent."""
    import pyarrow.parquet as pq

    if "split" not in pq.read_schema(file).names:
        return [default] * count_rows(file)
    return [value or default for value in pq.read_table(file, columns=["split"])["split"].to_pylist()]


def read_rows(file: Path, first: int, last: int, batch: int = 32) -> Iterator[dict[str, Any]]:
    """Rows `first` to `last` (not included) of a Parquet file, a few in memory at a time; arrays as numpy.

    Nested lists of numbers (signals) become float32 arrays.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = pq.ParquetFile(file, memory_map=True)
    start = 0
    for group in range(source.num_row_groups):
        size = source.metadata.row_group(group).num_rows
        low, high = max(first, start), min(last, start + size)
        if low < high:
            table = source.read_row_group(group, use_threads=False).slice(low - start, high - low)
            is_signal = [_is_signal(field.type) for field in table.schema]
            for part in table.to_batches(max_chunksize=batch):
                plain = part.select([i for i, signal in enumerate(is_signal) if not signal]).to_pylist()
                for index, row in enumerate(plain):
                    for i, signal in enumerate(is_signal):
                        if signal:
                            column = part.column(i)
                            storage = column.storage if isinstance(column, pa.ExtensionArray) else column
                            value = storage[index].values
                            row[part.schema.names[i]] = (
                                None
                                if value is None
                                else np.asarray(value.flatten(), np.float32).reshape(len(value), -1)
                            )
                    yield row
        start += size


def _is_signal(kind: Any) -> bool:
    import pyarrow as pa

    storage = kind.storage_type if isinstance(kind, pa.ExtensionType) else kind
    return bool(
        pa.types.is_list(storage)
        and pa.types.is_list(storage.value_type)
        and pa.types.is_floating(storage.value_type.value_type)
    )


def rows_about(files: Collection[Path], record_ids: Collection[Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows whose first record is among some, by that record's id as text; one pass over the files.

    Args:
        files: Parquet files with a column of `ID_COLUMNS`: an id, or a list of ids.
        record_ids: ids, in the column's type or as text.

    Raises:
        ValueError: If the files have no such column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as pads

    source = pads.dataset([str(file) for file in files], format="parquet")
    name = _id_column(files, source.schema.names)
    kind, field = source.schema.field(name).type, pads.field(name)
    if pa.types.is_list(kind):
        kind, field = kind.value_type, pc.list_element(field, 0)
    ids = _in_type(record_ids, kind)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    scanner = source.scanner(filter=field.isin(pa.array(ids, kind)), use_threads=False, batch_size=4096)
    for batch in scanner.to_batches():
        for row in batch.to_pylist():
            row_ids = row[name] if isinstance(row[name], list) else [row[name]]
            row["record_ids"] = [id_text(one) or "" for one in row_ids]
            found[row["record_ids"][0]].append(row)
    return found


def first_ids(files: Collection[Path]) -> Iterator[str | None]:
    """Of each row the id of its first record as text; None where it has none.

    Args:
        files: Parquet files with a column of `ID_COLUMNS`.

    Raises:
        ValueError: If the files have no such column.
    """
    import pyarrow.dataset as pads

    source = pads.dataset([str(file) for file in files], format="parquet")
    name = _id_column(files, source.schema.names)
    for batch in source.scanner(columns=[name], use_threads=False).to_batches():
        for value in batch.column(0).to_pylist():
            yield id_text((value or [None])[0] if isinstance(value, list) else value)


def id_text(value: Any) -> str | None:
    """An id as text, 2.0 as "2"; None for what is none: null, not-a-number, blank."""
    if value is None or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def _id_column(files: Collection[Path], names: Collection[str]) -> str:
    name = next((name for name in ID_COLUMNS if name in names), None)
    if name is None:
        raise ValueError(f"{next(iter(files))}: has none of the columns {', '.join(ID_COLUMNS)}")
    return name


def _in_type(record_ids: Collection[Any], kind: Any) -> list[Any]:
    """The ids that a column of a type can hold; pandas makes numbers with gaps to floats."""
    import pyarrow as pa

    if not pa.types.is_integer(kind) and not pa.types.is_floating(kind):
        return [str(one) for one in record_ids]
    numbers = [number for one in record_ids if (number := whole_number(one)) is not None]
    return [float(one) for one in numbers] if pa.types.is_floating(kind) else numbers
