"""Onset and end of the QRS complex on the dominant beat, over all leads together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOW_PASS = 35.0  # Hz; low enough that a recording at 100 Hz and one at 500 Hz agree
ONSET_SHARE = 0.06  # of the way from the baseline of activity to its peak
OFFSET_SHARE = 0.03
QUIET = 0.012  # s that activity must stay below the threshold: a turning point within the QRS is shorter
SEARCH = 0.18  # s on either side of the peak


@dataclass(frozen=True)
class QRSEdges:
    """Onset and end of a QRS complex, in seconds from the reference point of the beat."""

    onset: float
    offset: float

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.offset - self.onset


def activity(beat: np.ndarray, rate: float) -> np.ndarray:
    """Root of the summed squared slopes of the leads, float64 (samples,), mV/s, below 35 Hz."""
    from scipy.signal import butter, sosfiltfilt

    smooth = sosfiltfilt(butter(2, LOW_PASS, fs=rate, output="sos"), beat, axis=1)
    speed: np.ndarray = np.sqrt((np.gradient(smooth, 1 / rate, axis=1) ** 2).sum(axis=0))
    return speed


def qrs_edges(beat: np.ndarray, rate: float, reference: int) -> QRSEdges | None:
    """Find where the QRS complex begins and ends.

    Args:
        beat: float64 (leads, samples), the dominant beat, mV.
        rate: Hz.
        reference: sample of the beat's reference point, within the QRS.

    Returns:
        The edges, between samples; None if activity does not come to rest within 180 ms on either side of its peak.
    """
    from scipy.ndimage import uniform_filter1d

    slopes = activity(beat, rate)
    near = slice(max(0, reference - round(0.1 * rate)), reference + round(0.1 * rate))
    peak = near.start + int(np.argmax(slopes[near]))
    reach, quiet = round(SEARCH * rate), max(1, round(QUIET * rate))
    level = uniform_filter1d(slopes, round(0.03 * rate))
    left, right = max(0, peak - reach), min(len(slopes), peak + reach + 1)
    onset = _walk(slopes[left : peak + 1][::-1], level[left : peak + 1].min(), ONSET_SHARE, quiet)
    offset = _walk(slopes[peak:right], level[peak:right].min(), OFFSET_SHARE, quiet)
    if onset is None or offset is None:
        return None
    return QRSEdges((peak - onset - reference) / rate, (peak + offset - reference) / rate)


def _walk(slopes: np.ndarray, base: float, share: float, quiet: int) -> float | None:
    """Samples from the peak at index 0 to where the slopes stay below the threshold, interpolated."""
    threshold = base + share * (slopes[0] - base)
    below = slopes < threshold
    run = np.convolve(below, np.ones(quiet), "valid") >= quiet - 0.5
    if not run.any():
        return None
    first = int(np.argmax(run))
    if first == 0:
        return 0.0
    high, low = slopes[first - 1], slopes[first]
    return first - (threshold - low) / (high - low) if high > low else float(first)
