"""Stretches of a recording that hold no signal: flat, clipped, or constant in every lead at once. numpy only."""

from __future__ import annotations

import numpy as np

FLAT_WINDOW = 0.5  # s; a stretch this long without any change is flat
MAX_FLAT = 0.2  # share of the recording
CLIP_RUN = 0.02  # s at one extreme value that count as clipped
MAX_CLIPPED = 0.02  # share of the recording
ROUNDING = 1e-6  # of a lead's largest value; smaller changes are those of float32


def unchanging(signal: np.ndarray) -> np.ndarray:
    """Where a lead stays what it was, up to float32's rounding: bool (leads, samples - 1); NaN always changes."""
    largest = np.maximum(signal.max(axis=1, keepdims=True), -signal.min(axis=1, keepdims=True))
    return np.asarray(np.abs(np.diff(signal, axis=1)) <= ROUNDING * largest)


def constant_leads(signal: np.ndarray) -> np.ndarray:
    """Which leads hold one value throughout, up to rounding, or none at all: bool (leads,)."""
    highest, lowest = signal.max(axis=1), signal.min(axis=1)
    constant = highest - lowest <= ROUNDING * np.maximum(highest, -lowest)
    return np.asarray(constant | np.isnan(signal).all(axis=1))


def runs(condition: np.ndarray, length: int) -> list[tuple[int, int]]:
    """First and one past the last place of each run of at least `length` true values of a boolean signal."""
    edges = np.diff(np.concatenate([[0], condition.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(a), int(b)) for a, b in zip(starts, ends) if b - a >= length]


def _share(condition: np.ndarray, length: int) -> float:
    return sum(end - start for start, end in runs(condition, length)) / max(1, len(condition))


def flat_share(row: np.ndarray, rate: float) -> float:
    """Share of one lead in unchanging stretches of at least `FLAT_WINDOW`."""
    return _share(np.diff(row) == 0, max(1, round(FLAT_WINDOW * rate)))


def clipped_share(row: np.ndarray, rate: float) -> float:
    """Share of one lead in runs of at least `CLIP_RUN` at its highest or its lowest value."""
    return _share((row == row.max()) | (row == row.min()), max(3, round(CLIP_RUN * rate)))
