"""CSV and NPY files: numbers without sampling rate, units or (mostly) lead names, so the caller states them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...models.ecg_record import ECGError, ECGRecord
from .units import millivolts_per_unit

# A column of these names holds the time, not a lead.
_TIME_COLUMNS = {"", "t", "time", "time_s", "time_ms", "seconds", "timestamp", "sample", "index", "unnamed: 0"}
_MISSING = {"", "nan", "na", "null", "-nan"}


def read_npy(
    path: str | Path,
    *,
    sampling_rate: float | None = None,
    units: str | None = None,
    leads: Sequence[str] | str | None = None,
) -> ECGRecord:
    """Read a NumPy file of numbers, (leads, samples) or (samples, leads).

    Args:
        path: an `.npy` file; one that holds pickled objects is refused.
        sampling_rate: Hz.
        units: mV, uV or V.
        leads: lead names in the file's order, a sequence or one string with commas. Their number tells which axis is
            which.

    Raises:
        ECGError: if an argument is missing or the file does not fit it.
    """
    path = Path(path)
    rate, unit = _required(path, sampling_rate, units)
    names = _lead_names(path, leads)
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = "the file is empty" if path.exists() and path.stat().st_size == 0 else " ".join(str(error).split())
        raise ECGError(f"{path}: not a NumPy file of numbers: {reason}") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        kind = getattr(values, "dtype", type(values).__name__)
        raise ECGError(f"{path}: the file must hold one array of real numbers, it holds {kind}")
    return _record(path, _orient(path, values, len(names)), rate, unit, names)


def read_csv(
    path: str | Path,
    *,
    sampling_rate: float | None = None,
    units: str | None = None,
    leads: Sequence[str] | str | None = None,
) -> ECGRecord:
    """Read a text table separated by commas, semicolons or tabs; empty cells and `nan` are missing samples.

    Args:
        path: a `.csv` file. With a row of lead names on top, every column is a lead; without one, columns or rows are.
        sampling_rate: Hz.
        units: mV, uV or V.
        leads: lead names. With a header row: the columns to read (all when None). Without: required, in the file's
            order.

    Raises:
        ECGError: if an argument is missing or the file does not fit it.
    """
    path = Path(path)
    rate, unit = _required(path, sampling_rate, units)
    rows = _table(path)
    if all(_is_number(cell) for cell in rows[0]):
        names = _lead_names(path, leads)
        values = _orient(path, _numbers(path, rows, first_row=1), len(names))
        return _record(path, values, rate, unit, names)
    header = [cell.strip() for cell in rows[0]]
    if len(rows) == 1:
        raise ECGError(f"{path}: a header row and no samples")
    if leads is None:
        times = [name for name in header if name.casefold() in _TIME_COLUMNS]
        if times:
            raise ECGError(f"{path}: column {times[0]!r} is not a lead: name the lead columns (leads=…, --leads)")
        names = header
    else:
        names = _lead_names(path, leads)
        absent = [name for name in names if name not in header]
        if absent:
            raise ECGError(f"{path}: no column {absent[0]!r}; there are {', '.join(header)}")
    if len(set(header)) != len(header):
        raise ECGError(f"{path}: column names repeat: {', '.join(header)}")
    chosen = [header.index(name) for name in names]
    if any(len(row) != len(header) for row in rows[1:]):
        number = next(index for index, row in enumerate(rows[1:], 2) if len(row) != len(header))
        raise ECGError(f"{path}: row {number} has {len(rows[number - 1])} cells, the header row {len(header)}")
    values = _numbers(path, [[row[column] for column in chosen] for row in rows[1:]], first_row=2)
    return _record(path, values.T, rate, unit, names)


def _required(path: Path, sampling_rate: float | None, units: str | None) -> tuple[float, str]:
    if not path.is_file():
        raise ECGError(f"{path}: {'this is a folder' if path.is_dir() else 'no such file'}")
    kind = path.suffix.lower().lstrip(".").upper()
    if sampling_rate is None:
        raise ECGError(f"{path}: {kind} files do not state the sampling rate in Hz (sampling_rate=…, --sampling-rate)")
    if units is None:
        raise ECGError(f"{path}: {kind} files do not state the units: mV, uV or V (units=…, --units)")
    millivolts_per_unit(units, str(path))
    return sampling_rate, units


def _lead_names(path: Path, leads: Sequence[str] | str | None) -> list[str]:
    if leads is None:
        raise ECGError(f"{path}: the file does not state its lead names: give them in its order (leads=…, --leads)")
    names = [name.strip() for name in (leads.split(",") if isinstance(leads, str) else leads)]
    if not names or not all(names):
        raise ECGError(f"{path}: a lead name is empty (leads=…, --leads)")
    return names


def _table(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ECGError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise ECGError(f"{path}: cannot read the file: {error.strerror or error}") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ECGError(f"{path}: the file is empty")
    delimiter = next((mark for mark in ("\t", ";") if mark in lines[0]), ",")
    try:
        return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise ECGError(f"{path}: not a table: {error}") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in _MISSING
    return True


def _numbers(path: Path, rows: list[list[str]], first_row: int) -> np.ndarray:
    width = len(rows[0])
    for number, row in enumerate(rows, first_row):
        if len(row) != width:
            raise ECGError(f"{path}: row {number} has {len(row)} cells, the rows above {width}")
        for cell in row:
            if not _is_number(cell):
                raise ECGError(f"{path}: row {number}: {cell[:40]!r} is not a number")
    return np.array([[np.nan if cell.strip().lower() in _MISSING else float(cell) for cell in row] for row in rows])


def _orient(path: Path, values: np.ndarray, count: int) -> np.ndarray:
    """`values` as (leads, samples), by the number of lead names."""
    if values.ndim == 1 and count == 1:
        return values[None, :]
    if values.ndim != 2:
        raise ECGError(f"{path}: the array must be (leads, samples) or (samples, leads), its shape is {values.shape}")
    rows, columns = values.shape
    if rows == columns == count:
        raise ECGError(f"{path}: {rows} × {columns} numbers and {count} leads: which axis is time cannot be told")
    if count not in (rows, columns):
        raise ECGError(f"{path}: {count} lead names for {rows} × {columns} numbers")
    return values if rows == count else values.T


def _record(path: Path, values: np.ndarray, rate: float, units: str, names: list[str]) -> ECGRecord:
    signal = np.asarray(values, dtype=np.float64) * millivolts_per_unit(units, str(path))
    if np.isinf(signal).any() or np.nanmax(np.abs(signal), initial=0.0) > np.finfo(np.float32).max:
        raise ECGError(f"{path}: the file holds infinite samples")
    return ECGRecord(signal, rate, tuple(names), source=str(path))
