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


def run_shares(condition: np.ndarray, length: int) -> np.ndarray:
    """Share of each row that lies in runs of at least `length` true values."""
    shares = np.zeros(len(condition))
    for row in np.flatnonzero(condition.sum(axis=1) >= length):  # most leads need no closer look
        shares[row] = sum(end - start for start, end in runs(condition[row], length)) / max(1, condition.shape[1])
    return shares


def flat_shares(still: np.ndarray, rate: float) -> np.ndarray:
    """Share of each lead in stretches of at least `FLAT_WINDOW` that are `unchanging`: float64 (leads,)."""
    return run_shares(still, max(1, round(FLAT_WINDOW * rate)))


def clipped_shares(signal: np.ndarray, rate: float) -> np.ndarray:
    """Share of each lead in runs of at least `CLIP_RUN` at its highest or its lowest value: float64 (leads,)."""
    at_limit = (signal == signal.max(axis=1, keepdims=True)) | (signal == signal.min(axis=1, keepdims=True))
    return run_shares(at_limit, max(3, round(CLIP_RUN * rate)))
