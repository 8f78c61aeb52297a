"""Small files that a checkpoint may carry beside its weights."""

from __future__ import annotations

import os
from pathlib import Path


def file_beside(source: str | os.PathLike[str], name: str) -> Path | None:
    """Where a checkpoint's file lies; None where it has none of that name, or the Hub cannot be asked.

    Args:
        source: the checkpoint's folder, or its repository on the Hub.
        name: of the file.
    """
    path: str | Path | None = Path(source) / name
    if not Path(source).is_dir():
        from transformers.utils import cached_file

        path = cached_file(
            os.fspath(source),
            name,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    return Path(path) if path is not None and Path(path).is_file() else None
