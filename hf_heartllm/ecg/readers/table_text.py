"""Text of a table → rows of cells: separators, decimal commas, comments and blank lines.

Columns may be separated by semicolons, tabs, bars, commas or blanks. Whatever has two meanings is refused.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...models.ecg_record import ECGError

_LONGEST_COMMENT = 10_000  # characters; loggers write settings into comments
MISSING = {"", "nan", "na", "null", "-nan", "none", "n/a", "#n/a", "-"}
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+")
_PADDED = re.compile(r"[-+]?0\d+")  # a whole number as no program writes it, but as digits behind a decimal comma
_TIME = re.compile(r"['\"\[]*\d+[:/.-]\d+[:/.-]\d.*|['\"\[]*\d+:\d.*")


@dataclass
class Grid:
    """The cells of a table.

    Attributes:
        rows: cells without blanks and quotes around them.
        lines: number in the file of each row, from 1.
        comments: cells of the comment line above the first row, or None.
        decimal_comma: whether numbers have a comma where others have a point.
    """

    rows: list[list[str]]
    lines: list[int]
    comments: list[str] | None
    decimal_comma: bool

    def drop_first(self, count: int = 1) -> None:
        """Take rows off the top."""
        del self.rows[:count], self.lines[:count]

    def value(self, cell: str) -> float | None:
        """A cell's number, NaN for a mark of a missing one; None for anything else."""
        try:
            value = float(cell.replace(",", ".") if self.decimal_comma else cell)
            return None if "_" in cell else value  # 1_000 is a number to Python alone
        except ValueError:
            return np.nan if cell.casefold() in MISSING else None

    def is_number(self, cell: str) -> bool:
        """Whether a cell is a number or a mark for a missing one."""
        return self.value(cell) is not None

    def cells(self, column: int) -> list[str]:
        """A column's cells."""
        return [row[column] for row in self.rows]

    def column(self, column: int) -> np.ndarray | None:
        """A column as float64 (rows,); None if a cell is no number."""
        values = [self.value(cell) for cell in self.cells(column)]
        return None if None in values else np.array(values, dtype=np.float64)

    def numbers(self, path: object, columns: list[int]) -> np.ndarray:
        """Columns as float64 (rows, columns); missing cells are NaN.

        Raises:
            ECGError: for a cell that is neither, with its row.
        """
        rows = [[self.value(row[column]) for column in columns] for row in self.rows]
        for place, row in enumerate(rows):
            if None in row:
                bad = self.rows[place][columns[row.index(None)]]
                raise ECGError(f"{path}: row {self.lines[place]}: {bad[:40]!r} is not a number")
        return np.array(rows, dtype=np.float64)


def read_text(path: Path) -> str:
    """The text of a file, with minus signs as Python reads them.

    Raises:
        ECGError: if the file is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ECGError(f"{path}: cannot read the file: {error.strerror or error}") from None
    if b"\0" in content:
        raise ECGError(f"{path}: not a text file in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # a µ as spreadsheets save it; numbers are the same
    return text.replace("−", "-")  # a minus sign as word processors set it


def read_grid(path: Path, text: str) -> Grid:
    """A text as rows of cells.

    Args:
        path: for messages.
        text: of the file.

    Raises:
        ECGError: if the text is empty, or its separators have two meanings.
    """
    numbered = [(number, line) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()]
    stated = re.fullmatch(r"\s*\"?sep=(.)\"?\s*", numbered[0][1]) if numbered else None
    if stated:  # how a spreadsheet is told the separator
        del numbered[0]
    body = [(number, line) for number, line in numbered if line.lstrip()[0] not in "#%" or _starts_a_header(line)]
    if not body:
        raise ECGError(f"{path}: the file is empty")
    above = [line for number, line in numbered if number < body[0][0] and len(line) < _LONGEST_COMMENT]
    lines = [line for _, line in body]
    separator = stated[1] if stated else _separator(lines)
    if separator == " ":
        separator = None
    rows = _cells(path, lines, separator)
    while rows and not any(rows[-1]):  # rows that a spreadsheet left behind the last sample
        rows.pop()
    if not rows:
        raise ECGError(f"{path}: the file is empty")
    comments = _cells(path, [above[-1].strip().lstrip("#% ")], separator)[0] if above else None
    grid = Grid(rows, [number for number, _ in body], comments, False)
    if separator != ",":
        grid.decimal_comma = _has_decimal_commas(path, rows)
    elif _has_padded_numbers(rows):
        raise ECGError(
            f"{path}: commas seem to stand for decimal points as well as between columns; separate the columns by "
            "semicolons or write decimal points"
        )
    return grid


def _starts_a_header(line: str) -> bool:
    """`#` as the name of the first column, which counts: `#,I,II`."""
    return re.match(r"\s*#\s*[,;\t]", line) is not None


def _cells(path: Path, lines: list[str], separator: str | None) -> list[list[str]]:
    if separator is None:
        return _cells_between_blanks(lines)
    try:
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise ECGError(f"{path}: not a table: {error}") from None
    return [[cell.strip().strip("'").strip() for cell in row] for row in rows]


def _cells_between_blanks(lines: list[str]) -> list[list[str]]:
    """Cells between any number of blanks; names above them may hold single ones (`sample #`, `Lead I`)."""
    rows = [[cell.strip("\"'") for cell in re.findall(r"\"[^\"]*\"|\S+", line)] for line in lines]
    width = len(rows[len(rows) // 2])
    for number, line in enumerate(lines[:3]):  # names and units
        apart = re.split(r"\s{2,}|\t", line.strip())
        if len(rows[number]) != width == len(apart):
            rows[number] = [cell.strip("\"'") for cell in apart]
    return rows


def _separator(lines: list[str]) -> str | None:
    """The mark between columns; None for blanks. A line in the middle decides, where its cells are numbers or times."""
    line = lines[len(lines) // 2].strip()
    present = [mark for mark in (";", "\t", "|", ",") if mark in line]
    blanks = len(line.split()) > 1
    for mark in [*present, None] if blanks else present:
        cells = [cell.strip() for cell in (line.split() if mark is None else line.split(mark))]
        while cells and not cells[-1]:  # a separator at the end of each line
            cells.pop()
        if len(cells) > 1 and all(_is_value(cell, mark) for cell in cells):
            return mark
    if present:
        return present[0]
    first = next((mark for mark in (";", "\t", "|", ",") if mark in lines[0]), None)
    if first is None and blanks and len(lines) > 1:
        return None
    return first or ","


def _is_value(cell: str, separator: str | None) -> bool:
    if cell.casefold() in MISSING or _TIME.fullmatch(cell) or (separator != "," and _DECIMAL_COMMA.fullmatch(cell)):
        return True
    try:
        float(cell.strip("\"'"))
    except ValueError:
        return False
    return True


def _has_decimal_commas(path: Path, rows: list[list[str]]) -> bool:
    with_comma = [cell for row in rows for cell in row if "," in cell and cell[0] in "+-,0123456789"]
    if not with_comma or not any(_DECIMAL_COMMA.fullmatch(cell) for cell in with_comma):
        return False
    with_comma = [cell for cell in with_comma if not _TIME.fullmatch(cell)]
    if all(_THOUSANDS.fullmatch(cell) for cell in with_comma):
        raise ECGError(
            f"{path}: in numbers such as {with_comma[0][:40]!r} a decimal comma and one of thousands look alike"
        )
    if any(re.fullmatch(r"[-+]?\d*\.\d*(?:[eE][-+]?\d+)?", cell) for row in rows for cell in row if "." in cell):
        raise ECGError(f"{path}: numbers with decimal commas and with points, such as {with_comma[0][:40]!r}")
    return True


def _has_padded_numbers(rows: list[list[str]]) -> bool:
    """Whether whole numbers such as `-0` and `012` stand side by side: halves of numbers with decimal commas.

    Rounding writes `-0` too: behind a header with as many names that says nothing.
    """
    width = max(map(len, rows))
    if width < 2:
        return False  # no comma
    whole = [cell for row in rows[1:] or rows for cell in row if cell]
    named = len(rows[0]) == width and not any(re.fullmatch(r"[-+]?\d+", cell) for cell in rows[0])
    halves = any(_PADDED.fullmatch(cell) or (cell == "-0" and not named) for cell in whole)
    return halves and all(re.fullmatch(r"[-+]?\d+", cell) for cell in whole)
