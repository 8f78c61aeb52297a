"""Files and folders that appear whole or not at all: written under a temporary name beside them, then renamed."""

from __future__ import annotations

import os
import secrets
import tempfile
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


def in_the_way(folder: Path, *, force: bool = False) -> str | None:
    """What speaks against writing a folder, in one line; None where nothing does.

    Args:
        folder: to be written.
        force: what lies in it may go.
    """
    if folder.exists() and not folder.is_dir():
        return f"{folder}: a file is in the way"
    if Path.cwd().is_relative_to(folder.resolve()):
        return f"{folder}: the working folder cannot be replaced; name one in it"
    if folder.is_dir() and any(folder.iterdir()) and not force:
        return f"{folder}: the folder is not empty; choose another one or add --force"
    return None


@contextmanager
def folder_written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder's name, beside the folder that it becomes when the block ends.

    Where the block fails, or is interrupted, what was written is removed and the folder that was there stays. A link
    stays one: the folder that it leads to is replaced.

    Args:
        path: of the folder; those above it are made. Nothing is there yet under the temporary name.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:40]}.") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        yield new
        try:
            if target.exists():
                os.replace(target, old)
            os.replace(new, target)
        except BaseException:
            if old.exists() and not target.exists():
                os.replace(old, target)
            raise


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file; a text is written as UTF-8.

    Args:
        path: of the file; folders above it are made.
        content: all of it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
