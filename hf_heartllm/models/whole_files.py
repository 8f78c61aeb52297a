"""Files that appear whole or not at all: written under a temporary name in their folder, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file's name, beside the file that it becomes when the block ends.

    Where the block fails, or is interrupted, the temporary file is removed and what was there before stays. A link
    stays one: the file that it leads to is replaced. What is there and is no file (a pipe, a terminal) cannot be
    replaced, and is written to.

    Args:
        path: of the file; its folder must exist. The temporary name begins with a dot and ends as it does.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        yield target
        return
    target = Path(os.path.realpath(target))
    temporary = target.with_name(f".{target.stem[:40]}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        if error.filename == os.fspath(temporary):  # nobody knows that name
            error.filename = os.fspath(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file; a text is written as UTF-8.

    Args:
        path: of the file; folders above it are made.
        content: all of it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
