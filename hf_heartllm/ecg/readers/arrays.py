"""NPY files, and arrays of numbers in general: which axis is time, and which rows are no leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...models.ecg_record import ECGError, ECGRecord
from ...models.record_from_array import in_millivolts, leads_first
from .channels import is_other_signal, is_time_name, lead_name, require_names
from .lead_choice import Leads
from .messages import MOST_SAMPLES, listed, warn
from .statements import Statements, require_file, statements
from .time_columns import compare_named, compare_rate, counts, is_index

_MOST_COUNTING = 3  # rows or columns beside the named ones: an index, the time, a date


def read_npy(
    path: str | Path,
    *,
    sampling_rate: float | str | None = None,
    units: str | None = None,
    leads: Leads | None = None,
) -> ECGRecord:
    """Read a NumPy file of numbers, (leads, samples) or (samples, leads).

    Args:
        path: an `.npy` file; one that holds pickled objects is refused.
        sampling_rate: Hz.
        units: mV, uV, nV or V.
        leads: names in the file's order, a sequence or one string with commas. Their number tells which axis is which.
            A further row that counts (the time, an index) needs no name and is left out with a warning, as is a row
            named as no lead (`RESP`, `time`).

    Raises:
        ECGError: if an argument is missing or the file does not fit it.
    """
    path = Path(path)
    require_file(path)
    stated = statements(path, sampling_rate, units, leads)
    stated.required_units(path)
    stated.names(path)
    return unnamed_record(path, _array(path), stated)


def _array(path: Path) -> np.ndarray:
    """The array of a file, after comparing the size that its header states with what lies on the disk."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if size == 0:
            raise ECGError(f"{path}: not a NumPy file of numbers: the file is empty")
        if file.read(2) == b"PK":
            raise ECGError(f"{path}: the file must hold one array of real numbers, it is a ZIP archive (.npz)")
        file.seek(0)
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
        except Exception as error:  # the header is a text in Python, and NumPy's reading of it fails in many ways
            raise ECGError(f"{path}: not a NumPy file of numbers: {error}") from None
        there = size - file.tell()
    if dtype.kind not in "iuf":
        raise ECGError(f"{path}: the file must hold one array of real numbers, it holds {str(dtype)[:40]}")
    if any(type(length) is not int or length < 0 for length in shape):
        raise ECGError(f"{path}: not a NumPy file of numbers: the shape {str(shape)[:60]} is none")
    if math.prod(shape) * dtype.itemsize != there:
        raise ECGError(
            f"{path}: the header states numbers of {math.prod(shape) * dtype.itemsize} bytes, {there} are there"
        )
    if math.prod(shape) > MOST_SAMPLES:
        raise ECGError(f"{path}: {math.prod(shape):,} numbers, more than are read at once ({MOST_SAMPLES:,})")
    try:
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # long doubles hold what float64 does not: said of the samples
            return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise ECGError(f"{path}: not a NumPy file of numbers: {error}") from None


def unnamed_record(path: object, values: np.ndarray, stated: Statements) -> ECGRecord:
    """A record from numbers whose names the caller gives in the file's order.

    Args:
        path: for messages.
        values: (names, samples) or (samples, names), or one axis for one name; perhaps with an index or time besides.
        stated: sampling rate, units, and names of the rows or columns that neither count the samples nor hold the time.
    """
    names, units = stated.names(path), stated.required_units(path)
    values = _by_name(path, values, len(names), stated.rate)
    kept = [row for row, name in enumerate(names) if not (is_other_signal(name) or is_time_name(name))]
    left = [name for row, name in enumerate(names) if row not in kept]
    for row, name in enumerate(names):
        if is_time_name(name):
            compare_named(path, name, [], np.asarray(values[row], dtype=np.float64), stated.rate)
        elif row in kept and counts(np.asarray(values[row], dtype=np.float64), certain=True):
            raise ECGError(f"{path}: what is named {name[:40]} rises all the time: an index or the time, and no lead")
    if not kept:
        raise ECGError(f"{path}: no name is one of an ECG lead: {listed(names)}")
    if left:
        warn(f"{path}: left out, since they are no ECG leads: {listed(left)}")
    return make_record(path, values[kept], [names[row] for row in kept], units, stated.rate)


def make_record(path: object, values: np.ndarray, names: Sequence[str], units: str, rate: float) -> ECGRecord:
    """A record in mV from numbers (leads, samples)."""
    names = [lead_name(name) for name in names]
    require_names(path, names)
    return ECGRecord(in_millivolts(values, units, str(path)), rate, tuple(names), source=str(path))


def _by_name(path: object, values: np.ndarray, count: int, rate: float) -> np.ndarray:
    """`values` as (names, samples), by the number of names."""
    turned = leads_first(values, count, str(path))
    if turned is not None:
        return turned
    rows, columns = values.shape
    for view, kind in ((values, "row"), (values.T, "column")):
        if not 0 < len(view) - count <= _MOST_COUNTING:
            continue
        view = np.asarray(view, dtype=np.float64)
        counting = [place for place, row in enumerate(view) if is_index(row) or counts(row)]
        if len(view) - len(counting) == count:
            shown = listed(str(place + 1) for place in counting)
            warn(f"{path}: left out, since it rises as an index or the time does: {kind} {shown}")
            for place in counting:
                if not is_index(view[place]):
                    compare_rate(path, f"{kind} {place + 1}", view[place], None, rate)
            return np.delete(view, counting, axis=0)
    raise ECGError(f"{path}: {count} lead names for {rows} × {columns} numbers")
