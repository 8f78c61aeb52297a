"""Columns that have names → a recording: which are leads, and which hold the time, an index or another signal.

What is left out is said by a warning; what may be one thing or another is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...models.ecg_record import ECGError, ECGRecord
from .arrays import make_record
from .channels import MOST_CHANNELS, is_lead_name, is_other_signal, is_time_name, lead_name, time_unit
from .lead_choice import LeadChoice
from .messages import listed, warn
from .statements import Statements
from .time_columns import compare_named, counts, is_index, seconds_of_day
from .units import is_voltage, millivolts_per_unit

_MOST_CHEST_LEADS = 9  # V1 to V9; a table of V1 … V12 has the names that R gives to columns without one


class Table(Protocol):
    """Columns of equal length, by their places."""

    def cells(self, column: int) -> list[str]:
        """A column as texts."""

    def column(self, column: int) -> np.ndarray | None:
        """A column as float64 (rows,), missing ones NaN; None if something in it is no number."""

    def numbers(self, path: object, columns: list[int]) -> np.ndarray:
        """Columns as float64 (rows, columns), or an ECGError that names what is no number."""


@dataclass
class Column:
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


def named_record(path: object, table: Table, columns: list[Column], stated: Statements) -> ECGRecord:
    """A table with a header row."""
    if len(columns) > MOST_CHANNELS:
        raise ECGError(f"{path}: {len(columns)} columns with names, more than are read ({MOST_CHANNELS:,})")
    for column in columns:
        if column.name.casefold() in ("sample", "samples"):
            numbers = table.column(column.place)
            column.is_sample = numbers is not None and bool((np.diff(numbers) < 0).any())
        if column.is_time:
            compare_time(path, table, column, stated.rate)
    leads = [column for column in columns if not (column.is_time or column.is_other)]
    counting = [column for column in leads if not is_lead_name(column.name) and _holds_time(table, column)]
    places = {column.place for column in leads} - {column.place for column in counting}
    leads = [column for column in leads if column.place in places]
    if stated.leads is None:
        left = [column.shown for column in columns if column.place not in places]
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
        leads, names = _chosen(path, columns, leads, stated.leads)
    units = [_unit(path, column, stated) for column in leads]
    values = table.numbers(path, [column.place for column in leads])
    for column, samples in zip(leads, values.T):
        if counts(samples, certain=True):
            raise ECGError(
                f"{path}: column {column.title[:40]!r} rises all the time: an index or the time, and no lead"
            )
    scales = [millivolts_per_unit(unit, str(path)) for unit in units]
    return make_record(path, values.T * np.array(scales)[:, None], names, "mV", stated.rate)


def _unit(path: object, column: Column, stated: Statements) -> str:
    """The unit of a lead: its column's, which may not contradict the one given."""
    if column.unit is None:
        if stated.units is None:
            raise ECGError(f"{path}: column {column.title[:40]!r} states no unit: mV, uV, nV or V (units=…, --units)")
        return stated.units
    scale = millivolts_per_unit(column.unit, f"{path}: column {column.name[:40]!r}")
    if stated.units is not None and scale != millivolts_per_unit(stated.units, str(path)):
        raise ECGError(f"{path}: column {column.title[:40]!r} is in {column.unit}, the units given are {stated.units}")
    return column.unit


def _chosen(
    path: object, columns: list[Column], leads: list[Column], choice: LeadChoice
) -> tuple[list[Column], list[str]]:
    """The columns that the caller names, and what their leads are called."""
    names = list(choice.names)
    in_order = not choice.renamed and len(leads) == len(names)
    if in_order and _only_numbers(leads):
        warn(f"{path}: the header numbers its columns; they are named in the order of the leads given")
        return leads, names
    chosen = []
    for name in names:
        found = [column for column in columns if name in (column.title, column.name)] or [
            column for column in columns if column.name and lead_name(column.name) == lead_name(name)
        ]
        if len(found) > 1:
            raise ECGError(f"{path}: column names repeat: {listed(column.title for column in found)}")
        if not found:
            if in_order and _numbered_with_a_word(leads):
                shown = listed(column.title for column in leads)
                warn(f"{path}: the columns {shown} are named in the order of the leads given")
                return leads, names
            raise ECGError(f"{path}: no column {name[:40]!r}; there are {listed(column.title for column in columns)}")
        if found[0].is_time or found[0].is_other:
            raise ECGError(f"{path}: column {name[:40]!r} is no ECG lead: leave it out (leads=…, --leads)")
        chosen.append(found[0])
    called = [
        choice.renamed.get(name, column.name if name == column.title else name) for column, name in zip(chosen, names)
    ]
    return chosen, called


def _states_all(columns: list[Column]) -> bool:
    """Whether a table states units and rate itself: the time in a unit of time first, then leads with their units."""
    first, *rest = columns
    return first.is_time and time_unit(first.title) is not None and all(column.unit is not None for column in rest)


def _only_numbers(columns: list[Column]) -> bool:
    """Whether names are numbers alone, or R's V1, V2, … beyond the chest leads."""
    names = [column.name for column in columns]
    if all(name.isdecimal() for name in names):
        return True
    return len(names) > _MOST_CHEST_LEADS and names == [f"V{number}" for number in range(1, len(names) + 1)]


def _numbered_with_a_word(columns: list[Column]) -> bool:
    """Whether names are one word with a number each: Var1, Var2, … or lead_0, lead_1, …"""
    parts = [re.fullmatch(r"(\D+)(\d+)", column.name) for column in columns]
    if not all(parts) or len({part[1] for part in parts if part}) != 1:
        return False
    return is_index(np.array([part[2] for part in parts if part], dtype=np.float64))


def _holds_time(table: Table, column: Column) -> bool:
    """Whether a column whose name says nothing holds the time or an index."""
    numbers = table.column(column.place)
    if numbers is not None:
        return counts(numbers)
    return seconds_of_day(table.cells(column.place)[:1]) is not None


def compare_time(path: object, table: Table, column: Column, rate: float) -> None:
    """Compare a time column with the sampling rate; see `compare_named`."""
    compare_named(path, column.title, table.cells(column.place), table.column(column.place), rate)
