"""`ecg_record`: what is in memory already (an array, a tensor, lists, a DataFrame) becomes a recording."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...models.ecg_record import ECGError, ECGRecord
from ...models.record_from_array import numbers
from .arrays import unnamed_record
from .channels import is_lead_name, is_time_name
from .columns import Column, named_record
from .lead_choice import Leads
from .messages import one_line
from .statements import Statements, statements
from .time_columns import compare_named, compare_rate
from .units import name_and_unit

__all__ = ["ecg_record"]

_OPTION = re.compile(r", --[a-z-]+(?=\))")  # what the command line calls an argument


def ecg_record(
    signal: Any,
    *,
    sampling_rate: float | None = None,
    units: str | None = None,
    leads: Leads | None = None,
    age: float | None = None,
    sex: str | None = None,
    height: float | None = None,
    weight: float | None = None,
    source: str | None = None,
) -> ECGRecord:
    """Make a recording of numbers in memory; nothing is guessed.

    Args:
        signal: an array, a tensor or lists, (leads, samples) or (samples, leads); or a pandas DataFrame, a Series, or
            a mapping of name → samples, whose columns are the leads. NaN is a missing sample.
        sampling_rate: Hz. A column or an index that holds the time must agree.
        units: mV, uV (µV), nV or V. Columns may state theirs (`I (mV)`, `II [uV]`, `V1/mV`): then they must agree, and
            where all do, None is enough and each is converted by its own.
        leads: names of the rows or columns of an array, in their order (their number tells which axis is which); the
            columns of a DataFrame to read, all when None; pairs (`{"MLII": "II"}`) select and rename columns. A
            sequence, or one string with commas.
        age: years.
        sex: `"male"` or `"female"`.
        height: cm.
        weight: kg.
        source: how messages and captions call the recording.

    Returns:
        The record in mV, float32 (leads, samples).

    Warns:
        ECGWarning: for columns or rows that are left out, since they hold the time, an index or another signal.

    Raises:
        ECGError: one clear line for whatever is missing or does not fit.
    """
    where = source or ("DataFrame" if _is_table(signal) else "array")
    try:
        if isinstance(signal, ECGRecord):
            raise ECGError(f"{where}: this is a recording already")
        if isinstance(signal, str | bytes) or hasattr(signal, "__fspath__"):
            raise ECGError(f"{where}: {str(signal)[:60]!r} is a text: hl.read_ecg reads a recording by its name")
        stated = statements(where, sampling_rate, units, leads)
        _check_patient(where, sex, age=age, height=height, weight=weight)
        record = _record(where, signal, stated)
        return replace(record, source=source, age=age, sex=sex, height=height, weight=weight)
    except ECGError as error:
        raise ECGError(one_line(_OPTION.sub("", str(error)))) from None


def _check_patient(where: str, sex: Any, **numbers_of: Any) -> None:
    """That what is said of the patient can be."""
    for name, value in numbers_of.items():
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if value is not None and not (number and not value < 0 and value != np.inf):
            raise ECGError(f"{where}: {name} is a number from 0 or None, not {value!r:.40}")
    if sex not in (None, "male", "female"):
        raise ECGError(f"{where}: sex is 'male', 'female' or None, not {sex!r:.40}")


def _is_table(signal: Any) -> bool:
    return isinstance(signal, Mapping) or hasattr(signal, "columns") or hasattr(signal, "to_frame")


def _record(where: str, signal: Any, stated: Statements) -> ECGRecord:
    if hasattr(signal, "to_frame") and not hasattr(signal, "columns"):  # a Series: one lead
        signal = signal.to_frame()
    if hasattr(signal, "columns") and not hasattr(signal, "iloc") and hasattr(signal, "to_pandas"):
        signal = signal.to_pandas()
    if getattr(getattr(signal, "dtype", None), "names", None):  # a structured array
        signal = {name: signal[name] for name in signal.dtype.names}
    if isinstance(signal, Mapping):
        return _with_names(where, [str(name) for name in signal], list(signal.values()), stated)
    if not hasattr(signal, "iloc"):
        return unnamed_record(where, numbers(signal, where), stated)
    return _frame(where, signal, stated)


def _frame(where: str, frame: Any, stated: Statements) -> ECGRecord:
    """A DataFrame of pandas."""
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise ECGError(f"{where}: its columns have several levels: give one with one name each")
    if frame.shape[1] == 0 or frame.shape[0] == 0:
        raise ECGError(f"{where}: the recording is empty")
    rows = [str(name) for name in frame.index] if len(frame) <= 64 else []
    if rows and all(is_lead_name(name_and_unit(name)[0]) for name in rows) and not _named(frame.columns):
        frame = frame.T  # leads as rows
    if not _named(frame.columns):
        columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
        values = np.stack([_numbers(where, str(place), one) for place, one in enumerate(columns)])
        return unnamed_record(where, values, stated)
    _compare_index(where, frame.index, stated.rate)
    names = [str(name) for name in frame.columns]
    return _with_names(where, names, [frame.iloc[:, place] for place in range(len(names))], stated)


def _named(columns: Any) -> bool:
    """Whether columns have names and no numbers alone."""
    return any(isinstance(name, str) and not name.strip().isdecimal() for name in columns)


def _compare_index(where: str, index: Any, rate: float) -> None:
    """Compare an index that holds the time with the sampling rate."""
    values = np.asarray(index)
    name = str(index.name) if index.name is not None else ""
    if values.dtype.kind in "mM":
        seconds = (values - values[0]) / np.timedelta64(1, "ns") * 1e-9
        compare_rate(where, "the index", seconds, 1.0, rate)
    elif values.dtype.kind == "f" and name:
        compare_named(where, name, [], values, rate)
    elif values.dtype.kind == "f":  # one of whole numbers counts the samples
        compare_rate(where, "the index", values, None, rate)
    elif values.dtype.kind in "iu" and name and is_time_name(name):
        compare_named(where, name, [], values.astype(np.float64), rate)


def _with_names(where: str, names: list[str], columns: list[Any], stated: Statements) -> ECGRecord:
    table = _Columns(where, names, columns)
    if len({len(column) for column in table.columns}) > 1:
        raise ECGError(f"{where}: its columns have different lengths")
    if not names or not len(table.columns[0]):
        raise ECGError(f"{where}: the recording is empty")
    return named_record(where, table, [Column(at, name, *name_and_unit(name)) for at, name in enumerate(names)], stated)


def _numbers(where: str, name: str, column: Any) -> np.ndarray:
    """A column as float64 (rows,), missing ones NaN."""
    if hasattr(column, "to_numpy") and str(getattr(column, "dtype", ""))[:1].isupper():  # pandas' own: Int64, Float64
        try:
            column = column.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            raise ECGError(f"{where}: column {name[:40]!r} holds no numbers") from None
    values = numbers(np.asarray(column) if hasattr(column, "iloc") else column, f"{where}: column {name[:40]!r}")
    if values.ndim != 1:
        raise ECGError(f"{where}: column {name[:40]!r} has the shape {values.shape}, not one axis")
    return values.astype(np.float64)


@dataclass
class _Columns:
    """Named columns in memory, as `columns.Table`."""

    where: str
    names: list[str]
    columns: list[Any]

    def cells(self, column: int) -> list[str]:
        return [str(cell) for cell in self.columns[column]]

    def column(self, column: int) -> np.ndarray | None:
        try:
            return _numbers(self.where, self.names[column], self.columns[column])
        except ECGError:
            return None

    def numbers(self, path: object, columns: list[int]) -> np.ndarray:
        return np.stack([_numbers(str(path), self.names[at], self.columns[at]) for at in columns], axis=1)
