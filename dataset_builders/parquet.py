"""Writing rows to one Parquet file, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

QUESTION_FIELDS = ("question", "answer", "answers", "question_type", "attribute_type", "attribute", "source")


def write_parquet(rows: Sequence[dict[str, Any]], path: str | Path, schema: Any) -> None:
    """Write rows to a Parquet file under a temporary name in the same folder, then rename it.

    Args:
        rows: One dictionary per row, with the schema's fields.
        path: The file; its folder is made when absent.
        schema: A ``pyarrow.Schema``.

    Raises:
        pyarrow.ArrowInvalid: If a value does not fit the schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def question_type() -> Any:
    """The Arrow type of one question: its texts, the closed answer set, and where it comes from."""
    import pyarrow as pa

    fields = [pa.field(name, pa.list_(pa.string()) if name == "answers" else pa.string()) for name in QUESTION_FIELDS]
    return pa.struct(fields)
