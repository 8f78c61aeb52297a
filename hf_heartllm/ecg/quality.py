"""Whether a lead can be measured: missing, flat and clipped samples, muscle noise, mains hum, baseline wander."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..models.ecg_record import ECGRecord
from ..models.ecg_stretches import MAX_CLIPPED, MAX_FLAT, clipped_shares, flat_shares, unchanging

NOISE_BAND = (25.0, 45.0)  # Hz; what a recording at 100 Hz still holds. The QRS is too short to move a median
MAX_NOISE = 0.05  # mV, root mean square within the band: above this waves of 0.1 mV drown
MAX_NOISE_SHARE = 0.15  # of the lead's range, for signals that are not in mV
MAX_MAINS = 0.1  # mV, amplitude at 50 or 60 Hz
MAX_WANDER = 1.5  # mV, range below 0.5 Hz
MIN_RANGE = 0.02  # mV; less is no ECG


@dataclass(frozen=True)
class LeadQuality:
    """What was found about one lead.

    Attributes:
        lead: its name.
        missing: share of the samples that are missing (NaN or infinite).
        flat: share of the recording in stretches of at least 0.5 s without any change.
        clipped: share of the samples that stay at the lead's highest or lowest value for 20 ms or more.
        noise: muscle noise between 25 and 45 Hz (robust root mean square), in the record's units; None where it could
            not be told, as are the following.
        mains: amplitude of the hum at 50 or 60 Hz, the larger one; None at rates of 120 Hz and below for 60 Hz only, of
            100 Hz and below altogether.
        wander: range (2nd to 98th percentile) below 0.5 Hz.
        amplitude: range of the lead (0.5th to 99.5th percentile) above 0.5 Hz.
        problems: words for what is wrong, in the order of severity; empty for a good lead.
        usable: whether the lead can be measured at all. A wandering or humming lead can: both are filtered.
    """

    lead: str
    missing: float
    flat: float
    clipped: float
    noise: float | None
    mains: float | None
    wander: float | None
    amplitude: float | None
    problems: tuple[str, ...]
    usable: bool


def lead_quality(record: ECGRecord) -> tuple[LeadQuality, ...]:
    """Judge every lead of a recording.

    Args:
        record: any recording; thresholds on noise and hum hold for mV, others are judged by their share of the range.

    Returns:
        One per lead, in the record's order.
    """
    rate, signal = record.sampling_rate, record.signal.astype(np.float64)
    finite = np.isfinite(signal)
    whole = finite.all(axis=1)
    found = {
        row: _incomplete(record.leads[row], float(1 - finite[row].mean())) for row in np.flatnonzero(~whole).tolist()
    }
    rows = np.flatnonzero(whole).tolist()
    if rows:
        measured = _measured(signal[rows], rate)
        flat, clipped = flat_shares(unchanging(signal[rows]), rate), clipped_shares(signal[rows], rate)
        for place, row in enumerate(rows):
            values = None if measured is None else tuple(float(value) for value in measured[:, place])
            found[row] = _judge(
                record.leads[row], float(flat[place]), float(clipped[place]), values, record.units == "mV"
            )
    return tuple(found[row] for row in range(len(signal)))


def _incomplete(lead: str, missing: float) -> LeadQuality:
    words = "missing samples" if missing < 1 else "no samples"
    return LeadQuality(lead, missing, 0.0, 0.0, None, None, None, None, (words,), False)


def _judge(lead: str, flat: float, clipped: float, measured: tuple[float, ...] | None, millivolts: bool) -> LeadQuality:
    if measured is None:
        problems = ["flat"] if flat > MAX_FLAT else []
        return LeadQuality(lead, 0.0, flat, clipped, None, None, None, None, tuple(problems), not problems)
    noise, mains, wander, amplitude = measured
    unit = 1.0 if millivolts else max(amplitude, 1e-12) / 3  # an ordinary lead ranges over some 3 mV
    problems = []
    if flat > MAX_FLAT or amplitude < MIN_RANGE * unit:
        problems.append("flat")
    if noise > MAX_NOISE * unit or noise > MAX_NOISE_SHARE * amplitude > 0:
        problems.append("muscle noise")
    if clipped > MAX_CLIPPED and "flat" not in problems:
        problems.append("clipped")
    usable = not problems
    if mains > MAX_MAINS * unit:  # never true of NaN: a rate that holds no mains hum
        problems.append("mains hum")
    if wander > MAX_WANDER * unit:
        problems.append("baseline wander")
    hum = None if np.isnan(mains) else mains
    return LeadQuality(lead, 0.0, flat, clipped, noise, hum, wander, amplitude, tuple(problems), usable)


def _measured(signal: np.ndarray, rate: float) -> np.ndarray | None:
    """Noise, mains, wander and amplitude, float64 (4, leads); None for a second or less, or too low a rate."""
    from scipy.signal import butter, sosfiltfilt

    if signal.shape[1] <= rate or rate < 2.2 * NOISE_BAND[0]:
        return None
    slow = sosfiltfilt(butter(2, 0.5, fs=rate, output="sos"), signal, axis=1)
    fast = signal - slow
    wander = np.subtract(*np.percentile(slow, [98, 2], axis=1))
    amplitude = np.subtract(*np.percentile(fast, [99.5, 0.5], axis=1))
    band = (NOISE_BAND[0], min(NOISE_BAND[1], 0.46 * rate))
    filtered = sosfiltfilt(butter(2, band, "bandpass", fs=rate, output="sos"), signal, axis=1)
    size = max(1, round(0.1 * rate))
    pieces = filtered[:, : filtered.shape[1] // size * size].reshape(len(signal), -1, size)
    noise = np.median(np.sqrt((pieces**2).mean(axis=2)), axis=1)  # QRS fills fewer than half of the pieces
    return np.stack([noise, _mains(fast, rate), wander, amplitude])


def _mains(signal: np.ndarray, rate: float) -> np.ndarray:
    """Amplitude of the larger line at 50 or 60 Hz above its neighbourhood; NaN if the rate holds neither."""
    times = np.arange(signal.shape[1]) / rate
    window = np.hanning(signal.shape[1])
    lines = [line for line in (50.0, 60.0) if line < 0.49 * rate]
    if not lines:
        return np.full(len(signal), np.nan)

    def size(frequency: float) -> np.ndarray:
        return np.asarray(2 * np.abs(signal @ (window * np.exp(-2j * np.pi * frequency * times))) / window.sum())

    above = [size(line) - (size(line - 2) + size(line + 2)) / 2 for line in lines]
    largest: np.ndarray = np.maximum(0.0, np.max(above, axis=0))
    return largest
