"""CSV files: which row is a header, which a row of units. `columns` says what the columns are.

A table states neither sampling rate nor (mostly) units, so the caller does.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from ...models.ecg_record import ECGError, ECGRecord
from .arrays import unnamed_record
from .channels import is_lead_name, is_other_signal, is_time_name
from .columns import Column, compare_time, named_record
from .lead_choice import Leads
from .messages import warn
from .statements import Statements, require_file, statements
from .table_text import MISSING, Grid, read_grid, read_text
from .time_columns import is_index, stated_rate
from .units import is_unit, name_and_unit
from .watch_table import read_watch_table

_FEWEST_NUMBERED = 4  # columns from which a first row 0, 1, 2, … is no sample
_CLOCK_WORDS = re.compile(r"[hmsfHMSF:.,/ydYD\s-]+|sec(ond)?s?|sample #|msec|index", re.IGNORECASE)  # hh:mm:ss.mmm


def read_csv(
    path: str | Path,
    *,
    sampling_rate: float | str | None = None,
    units: str | None = None,
    leads: Leads | None = None,
) -> ECGRecord:
    """Read a text table; columns are separated by commas, semicolons, tabs or blanks.

    Empty cells and `nan` are missing samples; decimal commas are read where they have one meaning. Lines that begin
    with `#` are comments.

    Args:
        path: a `.csv` file. With a row of lead names on top, every column is a lead but those whose name or content
            says that they hold the time, an index or another signal. Without one, columns or rows are leads.
        sampling_rate: Hz; a time column that states its unit must agree, and may stand in for it (None).
        units: mV, uV, nV or V; units in the names (`I (mV)`) or below them must agree. None where all columns state
            theirs, each converted by its own.
        leads: lead names. With a header row: the columns to read (all when None), or pairs of column and lead. Without
            one, or where it only numbers the columns: required, in the file's order.

    Raises:
        ECGError: if an argument is missing or the file does not fit it.
    """
    path = Path(path)
    require_file(path)
    text = read_text(path)
    exported = read_watch_table(path, text)
    grid, said = exported if exported is not None else (read_grid(path, text), None)
    rate = said if sampling_rate is None else sampling_rate
    _stand_up(grid)
    header = _take_header(path, grid)
    if header is None:
        return _without_names(path, grid, statements(path, rate, units, leads))
    if not grid.rows:
        raise ECGError(f"{path}: a header row and no samples")
    header = _fit_widths(path, grid, header)
    columns = [Column(place, title, *name_and_unit(title)) for place, title in enumerate(header)]
    _take_units_row(path, grid, columns)
    if rate is None:
        rate = stated_rate(path, [column.title for column in columns], grid)
    stated = statements(path, rate, units, leads)
    if said is not None and not math.isclose(stated.rate, said, rel_tol=0.001):
        raise ECGError(f"{path}: the file says {said:g} Hz, not {stated.rate:g} Hz (sampling_rate=…, --sampling-rate)")
    if _is_numbered(header):
        shown = f"{header[-2]}, {header[-1]}" if len(header) > 2 else header[-1]
        warn(f"{path}: the first row numbers the columns (… {shown}) and is no sample: left out")
        return _without_names(path, grid, stated, index=columns[0] if is_time_name(header[0]) else None)
    return named_record(path, grid, columns, stated)


def _stand_up(grid: Grid) -> None:
    """Turn a table whose first column holds the names of the leads."""
    names = [row[0] for row in grid.rows]
    if is_time_name(names[0]):  # the first row holds the time or numbers the samples
        names = names[1:]
    if not names or len(grid.rows[0]) < 3 or len({len(row) for row in grid.rows}) != 1:
        return
    named = all(not grid.is_number(name) and is_lead_name(name_and_unit(name)[0]) for name in names)
    if named and all(grid.is_number(cell) for row in grid.rows for cell in row[1:]):
        grid.rows = [list(row) for row in zip(*grid.rows)]
        grid.lines = list(range(1, len(grid.rows) + 1))


def _take_header(path: Path, grid: Grid) -> list[str] | None:
    """The header row, taken off the table; None where the first row is a sample."""
    first = grid.rows[0]
    named = any(not grid.is_number(cell) for cell in first)
    if named or (_is_numbered(first) and (not first[0] or _numbers_columns(path, grid))):
        grid.drop_first()
        return first
    comments = grid.comments
    if comments and len(comments) == len(first) and all(_is_known(name) for name in comments):
        return comments  # `# I,II,III`, as numpy.savetxt writes a header
    return None


def _is_known(name: str) -> bool:
    bare = name_and_unit(name)[0]
    return is_lead_name(bare) or is_other_signal(bare) or is_time_name(bare)


def _is_numbered(cells: list[str]) -> bool:
    """Whether cells are 0, 1, 2, … or 1, 2, 3, …, perhaps behind the name of an index or time column."""
    body = cells[1:] if len(cells) > 1 and is_time_name(cells[0]) else cells
    try:
        return is_index(np.array(body, dtype=np.float64)) or [float(cell) for cell in body] == [0.0]
    except ValueError:
        return False


def _numbers_columns(path: Path, grid: Grid) -> bool:
    """Whether a first row of 0, 1, 2, … or 1, 2, 3, … numbers the columns, as pandas writes it, and is no sample."""
    first, rest = grid.rows[0], grid.rows[1:]
    if not rest:
        return False
    below = [grid.value(cell) for cell in rest[0]]
    for step in (1, len(first)):
        if len(first) > 1 and below == [float(cell) + step for cell in first]:  # a table that counts on
            return False
    if len(first) >= _FEWEST_NUMBERED:
        return True
    if not all(cell.isdecimal() for cell in first):
        return False
    whole = all(re.fullmatch(r"[-+]?\d+", cell) for row in rest for cell in row if cell.casefold() not in MISSING)
    if whole and len(first) > 1:
        raise ECGError(
            f"{path}: the first row ({', '.join(first)}) is a numbered header or a sample: "
            "name the columns in a header row"
        )
    return not whole


def _fit_widths(path: Path, grid: Grid, header: list[str]) -> list[str]:
    """The header with as many names as the rows have cells; separators at the end of lines are taken off."""
    if all(len(row) == len(header) + 1 for row in grid.rows):
        if not any(row[-1] for row in grid.rows):
            grid.rows = [row[:-1] for row in grid.rows]
        elif _counts_rows(grid):  # R does not name the column of row names
            header = ["", *header]
    elif not header[-1] and all(len(row) == len(header) - 1 for row in grid.rows):
        header = header[:-1]
    for line, row in zip(grid.lines, grid.rows):
        if len(row) != len(header):
            halves = len(row) == 2 * len(header) and all(cell.lstrip("+-").isdecimal() for cell in row)
            hint = "; are there decimal commas?" if halves else ""
            raise ECGError(f"{path}: row {line} has {len(row)} cells, the header row {len(header)}{hint}")
    while len(header) > 1 and not header[-1] and not any(row[-1] for row in grid.rows):
        header = header[:-1]
        grid.rows = [row[:-1] for row in grid.rows]
    return header


def _counts_rows(grid: Grid) -> bool:
    cells = [row[0] for row in grid.rows]
    return all(cell.isdecimal() for cell in cells) and is_index(np.array(cells, dtype=np.float64))


def _take_units_row(path: Path, grid: Grid, columns: list[Column]) -> None:
    """Take the row of units below the header off the table."""
    cells = [cell.strip("()[] ") for cell in grid.rows[0]]
    texts = [cell for cell in cells if not grid.is_number(cell)]
    if not any(is_unit(text) for text in texts) or len(texts) < len([cell for cell in cells if cell]):
        return
    if not all(is_unit(text) or _CLOCK_WORDS.fullmatch(text) for text in texts):
        return
    for column, cell in zip(columns, cells):
        if column.is_time:
            column.title = f"{column.title} ({cell})" if is_unit(cell) or cell.startswith("sec") else column.title
        elif cell and column.unit is None:
            column.unit = cell
    grid.drop_first()
    if not grid.rows:
        raise ECGError(f"{path}: a header row and no samples")


def _without_names(path: Path, grid: Grid, stated: Statements, index: Column | None = None) -> ECGRecord:
    """A table that does not name its leads: columns or rows in the order of the caller's names."""
    names = stated.names(path)
    stated.required_units(path)
    width = len(grid.rows[0])
    for line, row in zip(grid.lines, grid.rows):
        if len(row) != width:
            raise ECGError(f"{path}: row {line} has {len(row)} cells, the rows above {width}")
    if len(names) != width > 1 and not any(row[-1] for row in grid.rows):
        width -= 1  # a separator at the end of each line
    if index is not None:
        compare_time(path, grid, index, stated.rate)
    values = grid.numbers(path, list(range(0 if index is None else 1, width)))
    return unnamed_record(path, values, stated)
