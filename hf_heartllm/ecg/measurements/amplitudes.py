"""Deflections of the dominant beat, lead by lead."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .result import Fiducials, LeadMeasurements

MIN_DEFLECTION = 0.02  # mV; less is level, not a wave
Q_EDGE = 0.1  # share of its depth at which Q begins: a lead may rest on its level while QRS has begun in others
NOTCH = 0.05  # mV, or this share of the deflection, whichever is more: how deep a dip must be to part two peaks
NOTCH_SHARE = 0.05
J_WIDTH = 0.004  # s on either side that levels are averaged over


def measure_lead(beat: np.ndarray, rate: float, reference: int, at: Fiducials, noise: float | None) -> LeadMeasurements:
    """Measure one lead.

    Args:
        beat: float64 (samples,), mV, the dominant beat, level 0 at the onset of QRS.
        rate: Hz.
        reference: sample of the beat's reference point.
        at: where the waves lie; QRS must be known.
        noise: passed on.
    """
    assert at.qrs_onset is not None
    assert at.qrs_offset is not None

    def index(milliseconds: float) -> int:
        return int(np.clip(round(reference + milliseconds / 1e3 * rate), 0, len(beat) - 1))

    def level(milliseconds: float) -> float:
        half = round(J_WIDTH * rate)
        middle = index(milliseconds)
        return float(beat[max(0, middle - half) : middle + half + 1].mean())

    onset, offset = index(at.qrs_onset), index(at.qrs_offset)
    qrs = beat[onset : offset + 1]
    q, r, s, r_prime = _deflections(qrs)
    p = t = None
    if at.p_onset is not None and at.p_offset is not None:
        first, last = index(at.p_onset), index(at.p_offset)
        if last > first + 2:
            p = _largest(beat[first : last + 1] - level(at.p_onset))
    if at.t_offset is not None:
        first, last = offset + round(0.04 * rate), index(at.t_offset)
        if last > first + 2:
            t = _largest(beat[first : last + 1])
    return LeadMeasurements(
        p_mv=_rounded(p),
        q_mv=_rounded(q),
        q_ms=_q_duration(qrs, q, rate),
        r_mv=_rounded(r),
        s_mv=_rounded(s),
        r_prime_mv=_rounded(r_prime),
        t_mv=_rounded(t),
        st_j_mv=_rounded(level(at.qrs_offset)),
        st_j60_mv=_rounded(level(at.qrs_offset + 60)),
        qrs_area_mvms=_rounded(float(qrs.sum()) / rate * 1e3),
        notched=_notched(qrs),
        noise_mv=_rounded(noise),
    )


def _deflections(qrs: np.ndarray) -> tuple[float, float, float, float]:
    """Q, R, S and R' (0 where absent): the runs of one sign, those below the threshold left out."""
    signs = np.sign(qrs)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(signs)) + 1, [len(qrs)]])
    peaks = [_largest(qrs[a:b]) for a, b in pairwise(edges)]
    waves: list[float] = []
    for peak in peaks:
        if abs(peak) < MIN_DEFLECTION:
            continue
        if waves and np.sign(waves[-1]) == np.sign(peak):  # parted by less than a deflection
            waves[-1] = max(waves[-1], peak, key=abs)
        else:
            waves.append(peak)
    positive = [index for index, peak in enumerate(waves) if peak > 0]
    if not positive:
        return (min(waves), 0.0, 0.0, 0.0) if waves else (0.0, 0.0, 0.0, 0.0)
    first = positive[0]
    q = waves[first - 1] if first else 0.0
    s = waves[first + 1] if first + 1 < len(waves) else 0.0
    r_prime = waves[first + 2] if first + 2 < len(waves) else 0.0
    return q, waves[first], s, r_prime


def _q_duration(qrs: np.ndarray, q: float, rate: float) -> float:
    """Whole ms from the onset of Q to where the signal is back at its level; 0 without Q."""
    if not q:
        return 0.0
    lowest = int(np.flatnonzero(qrs == q)[0])
    before = np.flatnonzero(qrs[:lowest] > Q_EDGE * q)
    after = np.flatnonzero(qrs[lowest:] >= 0)
    first = before[-1] + 1 if len(before) else 0
    last = lowest + after[0] if len(after) else len(qrs)
    return round(float(last - first) / rate * 1e3)


def _largest(values: np.ndarray) -> float:
    """The value furthest from zero."""
    return float(values[np.argmax(np.abs(values))])


def _notched(qrs: np.ndarray) -> bool:
    """Whether the QRS has two peaks of one sign with a dip between them that does not reach the baseline."""
    from scipy.signal import find_peaks

    for signal in (qrs, -qrs):
        top = float(signal.max())
        depth = max(NOTCH, NOTCH_SHARE * top)
        if top < 2 * depth:
            continue
        padded = np.concatenate([[0.0], np.maximum(signal, 0.0), [0.0]])
        peaks, _ = find_peaks(padded, prominence=depth, height=2 * depth)
        if any((padded[a : b + 1] > 0).all() for a, b in pairwise(peaks)):
            return True
    return False


def _rounded(value: float | None) -> float | None:
    """To the microvolt; None where the recording does not reach."""
    return None if value is None or not np.isfinite(value) else round(value, 3) + 0.0
