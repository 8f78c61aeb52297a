"""CSV files: which row is a header, which columns are leads, which hold the time, an index or another signal.

A table states neither sampling rate nor (mostly) units, so the caller does. What is left out is said by a warning; what
may be one thing or another is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...models.ecg_record import ECGError, ECGRecord
from .arrays import make_record, unnamed_record
from .channels import is_lead_name, is_other_signal, is_time_name, lead_name, time_unit
from .messages import listed, warn
from .stated_columns import stated_by_columns
from .statements import Statements, statements
from .table_text import MISSING, Grid, read_grid
from .time_columns import compare_named, counts, is_index, seconds_of_day
from .units import is_unit, is_voltage, millivolts_per_unit, name_and_unit

_FEWEST_NUMBERED = 4  # columns from which a first row 0, 1, 2, … is no sample
_MOST_CHEST_LEADS = 9  # V1 to V9; a table of V1 … V12 has the names that R gives to columns without one
_CLOCK_WORDS = re.compile(r"[hmsfHMSF:.,/ydYD\s-]+|sec(ond)?s?|sample #|msec|index", re.IGNORECASE)  # hh:mm:ss.mmm


@dataclass
class _Column:
    """A column of a table with a header row."""

    place: int
    title: str  # as it stands in the file
    name: str  # without its unit
    unit: str | None

    is_sample: bool = False  # called "sample", and its numbers do not count

    @property
    def is_time(self) -> bool:
        return not self.is_sample and (is_time_name(self.name) or is_time_name(self.title))

    @property
    def is_other(self) -> bool:
        if is_other_signal(self.name):
            return True
        return self.unit is not None and not is_voltage(self.unit) and not is_lead_name(self.name)

    @property
    def shown(self) -> str:
        return self.title or f"column {self.place + 1} without a name"


def read_csv(
    path: str | Path,
    *,
    sampling_rate: float | str | None = None,
    units: str | None = None,
    leads: Sequence[str] | str | None = None,
) -> ECGRecord:
    """Read a text table; columns are separated by commas, semicolons, tabs or blanks.

    Empty cells and `nan` are missing samples; decimal commas are read where they have one meaning. Lines that begin
    with `#` are comments.

    Args:
        path: a `.csv` file. With a row of lead names on top, every column is a lead but those whose name or content
            says that they hold the time, an index or another signal. Without one, columns or rows are leads.
        sampling_rate: Hz; a time column that states its unit must agree, and may stand in for it (None).
        units: mV, uV or V; units in the names or below them must agree. Those in the names of all leads may stand in.
        leads: lead names. With a header row: the columns to read (all when None). Without one, or where it only
            numbers the columns: required, in the file's order.

    Raises:
        ECGError: if an argument is missing or the file does not fit it.
    """
    path = Path(path)
    if path.is_file() and (sampling_rate is None or units is None):
        sampling_rate, units = stated_by_columns(path, sampling_rate, units)
    stated = statements(path, sampling_rate, units, leads)
    grid = read_grid(path)
    _stand_up(grid)
    header = _take_header(path, grid)
    if header is None:
        return _without_names(path, grid, stated)
    if not grid.rows:
        raise ECGError(f"{path}: a header row and no samples")
    header = _fit_widths(path, grid, header)
    columns = [_Column(place, title, *name_and_unit(title)) for place, title in enumerate(header)]
    _take_units_row(path, grid, columns)
    if _is_numbered(header):
        shown = f"{header[-2]}, {header[-1]}" if len(header) > 2 else header[-1]
        warn(f"{path}: the first row numbers the columns (… {shown}) and is no sample: left out")
        return _without_names(path, grid, stated, index=columns[0] if is_time_name(header[0]) else None)
    return _with_names(path, grid, columns, stated)


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


def _take_units_row(path: Path, grid: Grid, columns: list[_Column]) -> None:
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


def _without_names(path: Path, grid: Grid, stated: Statements, index: _Column | None = None) -> ECGRecord:
    """A table that does not name its leads: columns or rows in the order of the caller's names."""
    names = stated.names(path)
    width = len(grid.rows[0])
    for line, row in zip(grid.lines, grid.rows):
        if len(row) != width:
            raise ECGError(f"{path}: row {line} has {len(row)} cells, the rows above {width}")
    if len(names) != width > 1 and not any(row[-1] for row in grid.rows):
        width -= 1  # a separator at the end of each line
    if index is not None:
        _compare_time(path, grid, index, stated.rate)
    values = grid.numbers(path, list(range(0 if index is None else 1, width)))
    return unnamed_record(path, values, names, stated)


def _with_names(path: Path, grid: Grid, columns: list[_Column], stated: Statements) -> ECGRecord:
    """A table with a header row."""
    for column in columns:
        if column.name.casefold() in ("sample", "samples"):
            numbers = _numbers_of(path, grid, column)
            column.is_sample = numbers is not None and bool((np.diff(numbers) < 0).any())
        if column.is_time:
            _compare_time(path, grid, column, stated.rate)
    leads = [column for column in columns if not (column.is_time or column.is_other)]
    counting = [column for column in leads if not is_lead_name(column.name) and _holds_time(path, grid, column)]
    leads = [column for column in leads if column not in counting]
    if stated.leads is None:
        left = [column.shown for column in columns if column not in leads]
        if len(left) == 1 and _states_all(columns):
            left = []  # as `write_ecg` writes it: the time agrees with the rate, so nothing is lost with it
        if not leads:
            raise ECGError(f"{path}: no column is an ECG lead: {listed(left)}")
        if _only_numbers(leads):
            shown = listed(column.title for column in leads)
            raise ECGError(
                f"{path}: the header numbers its columns ({shown}): give their lead names (leads=…, --leads)"
            )
        if left:
            warn(f"{path}: left out, since they are no ECG leads: {listed(left)}")
        names = [column.name for column in leads]
    else:
        names = stated.leads
        leads = _chosen(path, columns, leads, names)
    for column in leads:
        if column.unit is not None and millivolts_per_unit(
            column.unit, f"{path}: column {column.name[:40]!r}"
        ) != millivolts_per_unit(stated.units, str(path)):
            raise ECGError(
                f"{path}: column {column.title[:40]!r} is in {column.unit}, the units given are {stated.units}"
            )
    values = grid.numbers(path, [column.place for column in leads])
    for column, samples in zip(leads, values.T):
        if counts(samples, certain=True):
            raise ECGError(
                f"{path}: column {column.title[:40]!r} rises all the time: an index or the time, and no lead"
            )
    return make_record(path, values.T, names, stated)


def _chosen(path: Path, columns: list[_Column], leads: list[_Column], names: list[str]) -> list[_Column]:
    """The columns that the caller names."""
    if _only_numbers(leads) and len(leads) == len(names):
        warn(f"{path}: the header numbers its columns; they are named in the order of the leads given")
        return leads
    chosen = []
    for name in names:
        found = [column for column in columns if name in (column.title, column.name)] or [
            column for column in columns if column.name and lead_name(column.name) == lead_name(name)
        ]
        if len(found) > 1:
            raise ECGError(f"{path}: column names repeat: {listed(column.title for column in found)}")
        if not found:
            if _numbered_with_a_word(leads) and len(leads) == len(names):
                shown = listed(column.title for column in leads)
                warn(f"{path}: the columns {shown} are named in the order of the leads given")
                return leads
            raise ECGError(f"{path}: no column {name[:40]!r}; there are {listed(column.title for column in columns)}")
        if found[0].is_time or found[0].is_other:
            raise ECGError(f"{path}: column {name[:40]!r} is no ECG lead: leave it out (leads=…, --leads)")
        chosen.append(found[0])
    return chosen


def _states_all(columns: list[_Column]) -> bool:
    """Whether a table states units and rate itself: the time in a unit of time first, then leads with their units."""
    first, *rest = columns
    return first.is_time and time_unit(first.title) is not None and all(column.unit is not None for column in rest)


def _only_numbers(columns: list[_Column]) -> bool:
    """Whether names are numbers alone, or R's V1, V2, … beyond the chest leads."""
    names = [column.name for column in columns]
    if all(name.isdecimal() for name in names):
        return True
    return len(names) > _MOST_CHEST_LEADS and names == [f"V{number}" for number in range(1, len(names) + 1)]


def _numbered_with_a_word(columns: list[_Column]) -> bool:
    """Whether names are one word with a number each: Var1, Var2, … or lead_0, lead_1, …"""
    parts = [re.fullmatch(r"(\D+)(\d+)", column.name) for column in columns]
    if not all(parts) or len({part[1] for part in parts if part}) != 1:
        return False
    return is_index(np.array([part[2] for part in parts if part], dtype=np.float64))


def _holds_time(path: Path, grid: Grid, column: _Column) -> bool:
    """Whether a column whose name says nothing holds the time or an index."""
    cells = [row[column.place] for row in grid.rows]
    if not grid.is_number(cells[0]):
        return seconds_of_day(cells[:1]) is not None
    numbers = _numbers_of(path, grid, column)
    return numbers is not None and counts(numbers)


def _compare_time(path: Path, grid: Grid, column: _Column, rate: float) -> None:
    cells = [row[column.place] for row in grid.rows]
    compare_named(path, column.title, cells, _numbers_of(path, grid, column), rate)


def _numbers_of(path: Path, grid: Grid, column: _Column) -> np.ndarray | None:
    """A column as float64 (rows,); None if a cell is no number."""
    if not all(grid.is_number(row[column.place]) for row in grid.rows):
        return None
    return grid.numbers(path, [column.place])[:, 0]
