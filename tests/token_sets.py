"""Token sets for tests: folders as `dataset_builders.ecg_tokens` wrote them before its rows named their `record_id`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def write_token_set(
    folder: Path, ids: Sequence[Any], codes: Sequence[Sequence[int]], codec: str = "abc", column: str = "ecg_id"
) -> Path:
    """Write a folder with a row of codes for each id, which `column` names; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        column: pa.array(ids),
        "codes": pa.array([list(map(int, one)) for one in codes], pa.list_(pa.uint16())),
        "codec": pa.array([codec] * len(ids), pa.string()),
    }
    pq.write_table(pa.table(columns), folder / "train.parquet")
    return folder
