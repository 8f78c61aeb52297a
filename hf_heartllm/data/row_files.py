"""Which version of their layout the files of a built data set have: it stands in the footer of each."""

from __future__ import annotations

import json
from pathlib import Path

from ..models.format_versions import check_format_version

FOOTER_KEY = b"dataset_builders"
"""Under which a Parquet file's footer says how it was built."""

FORMAT_VERSION = 1


def check_row_file(file: Path) -> None:
    """That a file is of no newer layout than is read here; what a builder did not write is passed over.

    Raises:
        FormatVersionError: if it is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = json.loads((pq.read_metadata(file).metadata or {}).get(FOOTER_KEY, b"{}"))
    except (OSError, ValueError, pa.ArrowException):
        return  # reading its rows says what is wrong with it
    version = footer.get("format_version") if isinstance(footer, dict) else None
    check_format_version(f"data set ({file.name})", version, FORMAT_VERSION, brings_code=False)
