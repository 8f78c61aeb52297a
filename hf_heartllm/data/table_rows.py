"""Rows of a CSV table as spreadsheets write it: commas, semicolons or tabs, any line ends, with or without a mark."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_table(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """The names of the columns, lower case with underscores, and the rows, each with its line and its cells stripped.

    Blank lines are passed over.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such table; one line that names the file and, where there is one, the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {'no file but a folder or pipe' if path.exists() else 'no such file'}")
    text = _text(path)
    lines = text.splitlines()
    skipped = 1 if lines and lines[0].strip().lower().startswith("sep=") else 0  # Excel's own first line
    body = "".join(text.splitlines(keepends=True)[skipped:])
    if not body.strip():
        raise ValueError(f"{path}: holds no table, since it is empty")
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=_delimiter(body), strict=True)
    rows = _rows(path, reader, skipped)
    first, cells = next(rows)
    names = ["_".join(cell.lower().replace("-", " ").split()) for cell in cells]
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"{path}, line {first}: has the column {twice[0]!r} twice")

    def named() -> Iterator[tuple[int, dict[str, str]]]:
        for line, row in rows:
            if len(row) != len(names):
                raise ValueError(
                    f"{path}, line {line}: has {len(row)} cells, and the header has {len(names)}; put a cell that "
                    "holds a separator in quotes"
                )
            yield line, {name: cell for name, cell in zip(names, row, strict=True) if name}

    return [name for name in names if name], named()


def _text(path: Path) -> str:
    data = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: no UTF-8 text; save the table as CSV in UTF-8") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{path}, line {line}: no text but binary data; give a CSV table")
    return text


def _delimiter(text: str) -> str:
    """What parts the cells of the header: of comma, semicolon and tab the one that stands there most often."""
    header = next(line for line in text.splitlines() if line.strip())
    outside = "".join(header.split('"')[::2])
    return max(",;\t", key=outside.count)


def _rows(path: Path, reader: Any, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the line that it ends in."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = reader.line_num + skipped
            raise ValueError(f"{path}, line {line}: no CSV ({error}); is a quotation mark left open?") from None
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield reader.line_num + skipped, cells
