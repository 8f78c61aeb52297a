"""Numbers in memory → a recording: which axis is time, and what unit they are in. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .ecg_record import ECGError, ECGRecord

# Millivolts in one unit. Both Unicode micro signs are in use (U+00B5 and U+03BC). "mv" and "uv" are frequent
# misspellings that have no second meaning; "MV" has one (megavolt) and is not accepted.
MILLIVOLTS = {"mV": 1.0, "mv": 1.0, "uV": 1e-3, "uv": 1e-3, "µV": 1e-3, "μV": 1e-3, "nV": 1e-6, "V": 1e3}

LARGEST = 1e12  # mV; whole numbers of 32 bits stay below it, whatever they are called, and their squares can be summed


def millivolts_per_unit(units: Any, where: str) -> float:
    """How many millivolts one `units` is.

    Args:
        units: mV, uV (also written µV), nV or V.
        where: the recording and signal, for the message.

    Raises:
        ECGError: for any other unit.
    """
    scale = MILLIVOLTS.get(units.strip()) if isinstance(units, str) else None
    if scale is None:
        raise ECGError(f"{where}: units must be mV, uV, nV or V, got {str(units)[:40]!r}")
    return scale


def numbers(values: Any, where: str) -> np.ndarray:
    """Numbers of any library as an array of real ones; what is masked or None becomes NaN.

    Args:
        values: an array, a tensor of torch (on any device), or lists.
        where: for the message.

    Raises:
        ECGError: if it holds anything but real numbers, or rows of different lengths.
    """
    if values is None:
        raise ECGError(f"{where}: None is no array of numbers")
    if hasattr(values, "detach") and hasattr(values, "dtype"):  # torch's, without importing it; NumPy has no bfloat16
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()
    try:
        masked = isinstance(values, np.ma.MaskedArray)
        array = np.ma.filled(values.astype(np.float64), np.nan) if masked else np.asarray(values)
        if array.dtype.kind == "O" and not any(isinstance(one, str | bytes | bool) for one in array.flat):
            array = array.astype(np.float64)  # lists in which None stands for a missing sample
    except (TypeError, ValueError, OverflowError):
        raise ECGError(f"{where}: not an array of numbers: rows of different lengths, or something else") from None
    if array.dtype.kind not in "iuf":
        raise ECGError(f"{where}: a recording is an array of real numbers, this one holds {str(array.dtype)[:40]}")
    return array


def leads_first(values: np.ndarray, count: int, where: str) -> np.ndarray | None:
    """`values` as (leads, samples), by the number of lead names; None where neither axis has that length.

    Args:
        values: (leads, samples) or (samples, leads), or one axis for one lead.
        count: of the lead names.
        where: for the messages.

    Raises:
        ECGError: if both axes could be the leads, or there are other than two.
    """
    if values.ndim == 1 and count == 1:
        return values[None, :]
    if values.ndim != 2:
        raise ECGError(f"{where}: the array must be (leads, samples) or (samples, leads), its shape is {values.shape}")
    rows, columns = values.shape
    if rows == columns == count:
        raise ECGError(f"{where}: {rows} × {columns} numbers and {count} leads: which axis is time cannot be told")
    return values if rows == count else values.T if columns == count else None


def in_millivolts(values: np.ndarray, units: Any, where: str) -> np.ndarray:
    """Numbers in some unit as float64 in mV.

    Raises:
        ECGError: if the unit is none of a voltage, or a sample is infinite or no voltage of a body.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.asarray(values, dtype=np.float64) * millivolts_per_unit(units, where)
    in_range(scaled, where)
    return scaled


def in_range(millivolts: np.ndarray, where: str) -> None:
    """That samples are finite, and of a size that can be calculated with.

    Raises:
        ECGError: if one is not. NaN, a missing sample, is passed over.
    """
    largest = max(np.nanmax(millivolts, initial=0.0), -np.nanmin(millivolts, initial=0.0))
    if largest > np.finfo(np.float32).max:
        raise ECGError(f"{where}: the recording holds infinite samples")
    if largest > LARGEST:
        raise ECGError(f"{where}: samples of {largest:.0e} mV are no voltages of a body: are the units and gain right?")


def record_from_array(
    signal: Any,
    *,
    sampling_rate: float | None = None,
    units: str | None = None,
    leads: Sequence[str] | str | None = None,
    source: str | None = None,
    **about: Any,
) -> ECGRecord:
    """A recording from numbers in memory.

    Args:
        signal: (leads, samples) or (samples, leads), in an array, a tensor or lists; one axis for one lead. NaN is a
            missing sample.
        sampling_rate: Hz.
        units: mV, uV (µV), nV or V.
        leads: names in the order of the rows or columns, a sequence or one string with commas. Their number tells which
            axis is which.
        source: how messages call the recording.
        **about: `age`, `sex`, `height`, `weight`.

    Raises:
        ECGError: if something is missing, or does not fit.
    """
    where = source or "array"
    for name, value in (("sampling_rate", sampling_rate), ("units", units), ("leads", leads)):
        if value is None:
            raise ECGError(f"{where}: numbers do not say their {name.replace('_', ' ')}: give {name}=…")
    assert sampling_rate is not None
    assert leads is not None
    names = [name.strip() for name in (leads.split(",") if isinstance(leads, str) else leads)]
    values = numbers(signal, where)
    turned = leads_first(values, len(names), where)
    if turned is None:
        raise ECGError(f"{where}: {len(names)} lead names for {' × '.join(map(str, values.shape))} numbers")
    return ECGRecord(in_millivolts(turned, units, where), sampling_rate, tuple(names), source=source, **about)
