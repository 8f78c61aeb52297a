"""What the columns of a table state themselves: the sampling rate by a column of the time, the units by their names.

`time (s),I (mV),II (mV)` needs no further word. A time column without its unit, or leads without theirs, state nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...models.ecg_record import ECGError
from .channels import is_lead_name, is_time_name, time_unit
from .table_text import read_grid
from .units import is_voltage, name_and_unit

_PLACES = 5  # decimals of a rate; times are written with some nine digits


def stated_by_columns(path: Path, sampling_rate: float | str | None, units: str | None) -> tuple[Any, str | None]:
    """Sampling rate in Hz and units of a table: as the caller states them, else as its columns do, else None.

    Raises:
        ECGError: if the file is no table, or its time column states a unit and is not even.
    """
    grid = read_grid(path)
    header = grid.rows[0]
    if all(grid.is_number(cell) for cell in header):
        return sampling_rate, units
    parts = [name_and_unit(title) for title in header]
    if units is None:
        of_leads = {unit for name, unit in parts if is_lead_name(name)}
        unit = of_leads.pop() if len(of_leads) == 1 else None
        units = unit if unit is not None and is_voltage(unit) else None
    if sampling_rate is not None:
        return sampling_rate, units
    rates = [
        _rate(path, title, [grid.value(row[place]) for row in grid.rows[1:] if place < len(row)], seconds)
        for place, title in enumerate(header)
        if is_time_name(title) and (seconds := time_unit(title)) is not None
    ]
    return (rates[0] if len(rates) == 1 else None), units


def _rate(path: Path, title: str, cells: list[float | None], seconds: float) -> float | None:
    """The rate by which a time column rises; None where its cells are no numbers."""
    if len(cells) < 2 or any(cell is None for cell in cells):
        return None
    times = np.array(cells, dtype=np.float64) * seconds
    span = times[-1] - times[0]
    steps = np.diff(times)
    if not np.isfinite(times).all() or span <= 0:
        return None
    step = span / len(steps)
    if np.abs(steps - step).max() > 0.01 * step:
        raise ECGError(
            f"{path}: column {title[:40]!r} does not rise evenly, so it states no sampling rate: give it in Hz "
            "(sampling_rate=…, --sampling-rate)"
        )
    return round(float(1 / step), _PLACES)
