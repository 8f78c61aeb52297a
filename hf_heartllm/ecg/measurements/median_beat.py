"""The dominant beat: beats aligned on their QRS complexes, the largest family of equal ones, its mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HALF_WINDOW = 0.1  # s on either side of a QRS complex's centre that beats are aligned and compared on
MAX_SHIFT = 0.05  # s that alignment may move a beat
SAME = 0.85  # correlation over all leads from which two QRS complexes are of one family
BAND = (1.0, 40.0)  # Hz, of the signal that is aligned and compared
PREMATURE = 0.85  # of the usual RR interval: a beat that follows sooner is premature
BLOCK = 100  # beats that are compared at once, so that memory does not grow with the recording


@dataclass(frozen=True, eq=False)
class AlignedBeats:
    """Beats of a recording, aligned with each other.

    Attributes:
        positions: int64 (beats,), sample of each beat's reference point; the same phase of the QRS in every beat of
            the dominant family.
        dominant: bool (beats,), whether a beat is of the dominant family.
        likeness: float64 (beats,), correlation with the dominant family's mean.
    """

    positions: np.ndarray
    dominant: np.ndarray
    likeness: np.ndarray


def align_beats(signal: np.ndarray, rate: float, times: np.ndarray) -> AlignedBeats:
    """Align beats by cross-correlation with their running mean, and find the dominant family.

    Args:
        signal: float64 (leads, samples), mV, without missing samples.
        rate: Hz.
        times: float64 (beats,), seconds, roughly the centres of the QRS complexes.

    Returns:
        The beats whose alignment window lies within the recording; possibly none.
    """
    from scipy.signal import butter, sosfiltfilt

    half, shift = round(HALF_WINDOW * rate), round(MAX_SHIFT * rate)
    reach = half + shift
    samples = signal.shape[1]
    positions = np.round(np.asarray(times) * rate).astype(np.int64)
    positions = positions[(positions >= reach) & (positions < samples - reach)]
    if not len(positions):
        return AlignedBeats(positions, np.zeros(0, bool), np.zeros(0))
    filtered = sosfiltfilt(butter(2, BAND, "bandpass", fs=rate, output="sos"), signal, axis=1)
    span = np.arange(-reach, reach + 1)
    wide = filtered[:, positions[:, None] + span].transpose(1, 0, 2)  # (beats, leads, window)

    # The family with most members among beats as they were detected gives the first template.
    narrow = wide[:, :, shift : shift + 2 * half + 1]
    best_pairs = _best_correlations(narrow, wide)
    members = (best_pairs >= SAME).sum(axis=1)
    early = _premature(positions)
    # With as many premature beats as others (bigeminy) the others are the dominant ones.
    seed = int(np.lexsort((best_pairs.sum(axis=1), ~early, members - 2 * early))[-1])
    template = narrow[seed]
    for _ in range(3):
        correlations = _correlations(template[None], wide)[0]  # (beats, shifts)
        offsets = correlations.argmax(axis=1)
        likeness = correlations.max(axis=1)
        dominant = likeness >= SAME
        dominant[seed] = True
        moved = np.stack([beat[:, o : o + 2 * half + 1] for beat, o in zip(wide, offsets)])
        template = moved[dominant].mean(axis=0)
    return AlignedBeats(positions + offsets - shift, dominant, likeness)


def _correlations(templates: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Correlation of each template (t, leads, window) with each beat at each shift: (t, beats, shifts)."""
    size = templates.shape[2]
    kernel = templates.reshape(len(templates), -1)
    kernel = kernel / (np.linalg.norm(kernel, axis=1, keepdims=True) + 1e-12)
    blocks = []
    for first in range(0, len(wide), BLOCK):
        windows = np.lib.stride_tricks.sliding_window_view(wide[first : first + BLOCK], size, axis=2)
        flat = windows.transpose(0, 2, 1, 3).reshape(len(windows), windows.shape[2], -1)  # (beats, shifts, values)
        norm = np.sqrt(np.einsum("bsn,bsn->bs", flat, flat)) + 1e-12
        blocks.append(np.einsum("tn,bsn->tbs", kernel, flat, optimize=True) / norm)
    return np.concatenate(blocks, axis=1)


def _best_correlations(narrow: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Highest correlation between each two beats over the shifts, (beats, beats); at most 40 beats as templates."""
    chosen = np.unique(np.linspace(0, len(narrow) - 1, min(40, len(narrow))).astype(int))
    out = np.full((len(narrow), len(narrow)), -1.0)
    step = max(1, wide.shape[2] // 2 - narrow.shape[2] // 2) // 8 or 1
    coarse = np.concatenate(
        [
            _correlations(narrow[chosen], wide[:, :, o : o + narrow.shape[2]])
            for o in range(0, _shifts(narrow, wide), step)
        ],
        axis=2,
    )
    out[chosen] = coarse.max(axis=2)
    return out


def _shifts(narrow: np.ndarray, wide: np.ndarray) -> int:
    return int(wide.shape[2] - narrow.shape[2] + 1)


def _premature(positions: np.ndarray) -> np.ndarray:
    """bool (beats,): whether the interval before a beat is clearly shorter than usual."""
    early = np.zeros(len(positions), dtype=bool)
    if len(positions) >= 4:
        before = np.diff(positions)
        early[1:] = before < PREMATURE * np.median(before)
    return early


def mean_beat(signal: np.ndarray, rate: float, positions: np.ndarray, before: float, after: float) -> np.ndarray | None:
    """Mean over the beats, float64 (leads, before + after); None if no beat lies whole within the recording.

    Args:
        signal: float64 (leads, samples).
        rate: Hz.
        positions: samples of the beats' reference points.
        before: seconds before the reference point.
        after: seconds after it.
    """
    first, last = round(before * rate), round(after * rate)
    inside = positions[(positions >= first) & (positions + last <= signal.shape[1])]
    if not len(inside):
        return None
    beats = signal[:, inside[:, None] + np.arange(-first, last)]  # (leads, beats, window)
    mean: np.ndarray = beats.mean(axis=1)
    return mean
