"""Columns that count: the time or the number of the sample. What they show of the sampling rate is compared with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from ...models.ecg_record import ECGError
from .channels import is_time_name, time_unit
from .messages import warn
from .table_text import Grid

_CLOCK = re.compile(r"\[?(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)\b.*")
_FEW = 10  # values below which a straight rise says little
_MANY = 100  # values that no lead rises through without ever falling
_STEPS = 4  # of a straight staircase; a lead that jumps once has one
_PLACES = 5  # decimals of a stated rate; times are written with some nine digits
_HOLE = 1.5  # steps in one: then a sample is missing
_TOLERANCE = 0.01  # of the sampling rate: clocks of devices drift, by far less


def counts(values: np.ndarray, certain: bool = False) -> bool:
    """Whether values rise from first to last as a time or an index does, and no lead.

    Args:
        values: float64 (samples,). Missing ones are passed over.
        certain: ask for as many values as a lead could not rise through; else a straight rise of ten is enough.
    """
    values = values[np.isfinite(values)]
    if len(values) < (_MANY if certain else _FEW):
        return False
    steps = np.diff(values)
    if steps.min() < 0 or not steps.any():
        return False
    straight = np.linspace(values[0], values[-1], len(values))
    even = np.abs(values - straight).max() <= 1.01 * steps.max() and steps.sum() >= _STEPS * steps.max()
    return bool(even or (len(values) >= _MANY and (steps > 0).mean() > 0.5))


def is_index(values: np.ndarray) -> bool:
    """Whether values are 0, 1, 2, … or 1, 2, 3, …"""
    return len(values) > 1 and values[0] in (0, 1) and bool((values == values[0] + np.arange(len(values))).all())


def seconds_of_day(cells: list[str]) -> np.ndarray | None:
    """Times of day or dates with times, in seconds; None if the first cell is neither."""
    seconds = []
    for cell in cells:
        text = cell.strip().strip("'\"")
        clock = _CLOCK.fullmatch(text)
        if clock:
            hours, minutes, rest = clock.groups()
            seconds.append(3600 * float(hours or 0) + 60 * float(minutes) + float(rest.replace(",", ".")))
            continue
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            if not seconds:
                return None
            seconds.append(np.nan)
            continue
        seconds.append((moment.replace(tzinfo=None) - datetime(2000, 1, 1)).total_seconds())
    return np.array(seconds)


def compare_rate(path: object, column: str, values: np.ndarray, unit: float | None, rate: float) -> None:
    """Compare the steps of a time column with the sampling rate that the caller states.

    Where the time goes back, or leaves out more than a sample, that is a warning: samples have no gaps.

    Args:
        path: for messages.
        column: how messages call it.
        values: float64 (samples,).
        unit: seconds in one unit of `values`; None where the column does not state it.
        rate: Hz.

    Raises:
        ECGError: if the column states its unit, and another rate by it. Without a unit that is a warning.
    """
    values = values[np.isfinite(values)]
    steps = np.diff(values)
    if len(steps) < 2 or not steps.any():
        return
    if steps.min() < 0:
        _warn_of_breaks(path, column, "goes back", steps < 0)
        return
    uneven = steps.max() - steps.min()  # rounding, or samples that came in packets: first and last are off by it
    step = float(np.median(steps)) or float(steps.mean())

    def fits(seconds: float) -> bool:
        due = 1 / rate / seconds
        gap = abs(steps.sum() - due * len(steps))
        return bool(gap <= max(_TOLERANCE * due * len(steps), 1.01 * uneven) or _near(step, due))

    units = (1, 1e-3, 1e-6, 1e-9, 60, 3600) if unit is None else (unit,)
    known = _near(step, 1) or any(_near(step, 1 / rate / seconds) for seconds in units)
    if known and np.median(steps) > 0:  # not rounded to steps longer than a sample, and not in packets
        _warn_of_breaks(path, column, "leaves samples out", steps > _HOLE * step)
    if unit is not None:
        if not fits(unit):
            shown = 1 / (float(steps.mean()) * unit)
            raise ECGError(f"{path}: {column} shows {shown:.6g} Hz, the sampling rate given is {rate:g} Hz")
    elif not (_near(step, 1) or any(map(fits, units))):
        warn(f"{path}: {column} rises by {step:.4g}, which fits {rate:g} Hz in no unit of time")


def _warn_of_breaks(path: object, column: str, what: str, breaks: np.ndarray) -> None:
    """Say where the time does not go on as samples do."""
    places = np.flatnonzero(breaks) + 1
    if len(places):
        more = f" and at {len(places) - 1:,} more places" if len(places) > 1 else ""
        warn(
            f"{path}: {column} {what} behind sample {places[0]:,}{more}; the samples are read as if they followed one "
            "another: cut the recording there"
        )


def compare_named(path: object, name: str, cells: list[str], values: np.ndarray | None, rate: float) -> None:
    """Compare a column that is called a time, whatever it is written in, with the sampling rate."""
    clock = seconds_of_day(cells) if values is None else None
    if clock is not None:
        compare_rate(path, f"column {name[:40]!r}", clock, 1.0, rate)
    elif values is not None:
        compare_rate(path, f"column {name[:40]!r}", values, time_unit(name), rate)


def _near(value: float, due: float) -> bool:
    return abs(value - due) <= _TOLERANCE * due


def stated_rate(path: object, titles: Sequence[str], grid: Grid) -> float | None:
    """The sampling rate in Hz that a table's time column states; None where no column, or several, do.

    `time (s),I (mV),II (mV)` needs no further word. A time column without its unit states nothing.

    Args:
        path: for messages.
        titles: of the columns.
        grid: the samples, without a header.

    Raises:
        ECGError: if the column is not even.
    """
    rates = [
        _rate(path, title, [grid.value(row[place]) for row in grid.rows], seconds)
        for place, title in enumerate(titles)
        if is_time_name(title) and (seconds := time_unit(title)) is not None
    ]
    return rates[0] if len(rates) == 1 else None


def _rate(path: object, title: str, cells: list[float | None], seconds: float) -> float | None:
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
