"""Whether electrodes were interchanged, or leads named in reverse, told from the typical beat. numpy only.

A reversal turns waves over: with the arms interchanged P, QRS and T of lead I point down while those of V6 still point
up. Each kind of reversal has a rule, a weighted sum of the height of P, the mean, highest and lowest point of QRS and
the height of T in eight leads. The weights were fitted (logistic regression) to tell PTB-XL's recordings of folds 1 to
7 from the same ones with the reversal made, the bounds set so that fewer than one in a thousand recordings of folds 1
to 8 is named; `benchmarks/robustness_checks.py --fit` makes them anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .ecg_leads import INDEPENDENT_LEADS as LEADS
from .ecg_rough_beats import BEFORE

WAVES = ("P", "QRS mean", "QRS highest", "QRS lowest", "T")
STEEPNESS = (8.0, 3.0, 0.7, 0.7, 3.0)  # of the squashing, so that no single large wave decides
MIN_BEATS = 3


def wave_features(beats: np.ndarray) -> np.ndarray:
    """The waves of typical beats, each between -1 and 1.

    Args:
        beats: (..., 8, samples) at 100 Hz, the leads of `LEADS`, the reference point of QRS at sample `BEFORE`.

    Returns:
        float64 (..., 40): the eight leads of each of `WAVES`.
    """
    qrs = slice(BEFORE - 6, BEFORE + 9)
    shape = beats.astype(np.float64) - beats[..., BEFORE - 9 : BEFORE - 6].mean(axis=-1, keepdims=True)
    shape /= np.sqrt((shape[..., qrs] ** 2).mean(axis=(-1, -2), keepdims=True)) + 1e-9
    heights = (
        shape[..., BEFORE - 22 : BEFORE - 9].mean(axis=-1),
        shape[..., qrs].mean(axis=-1),
        shape[..., qrs].max(axis=-1),
        shape[..., qrs].min(axis=-1),
        shape[..., BEFORE + 14 : BEFORE + 42].mean(axis=-1),
    )
    return np.concatenate([np.tanh(steep * height) for steep, height in zip(STEEPNESS, heights)], axis=-1)


def likely_reversal(beat: np.ndarray, leads: Sequence[str]) -> str | None:
    """The reversal that a typical beat points to.

    Args:
        beat: (leads, samples) as `wave_features` takes it, of any leads.
        leads: their names.

    Returns:
        A name of `REVERSALS`; None if the beat points to none, or not all of `LEADS` are there.
    """
    if not set(LEADS) <= set(leads):
        return None
    features = wave_features(beat[[list(leads).index(name) for name in LEADS]])
    excess = {name: float(features @ weights.ravel()) - bound for name, (bound, weights) in REVERSALS.items()}
    likely = max(excess, key=lambda name: excess[name])
    return likely if excess[likely] > 0 else None


# Name → (what the sum must exceed, weights: a row for each of WAVES, a column for each of LEADS).
REVERSALS: dict[str, tuple[float, np.ndarray]] = {
    "arms_swapped": (
        4.3,
        np.array(
            [
                [-1.0, 0.5, 0.1, 0.1, -0.1, -0.1, -0.1, -0.2],
                [1.5, 1.2, 0.0, -0.1, 0.0, 0.1, -0.1, -0.1],
                [-10.1, -2.3, -0.1, 0.1, 0.1, 0.1, 0.1, 0.4],
                [-10.0, -1.6, -0.2, -0.1, 0.0, 0.0, 0.1, 0.1],
                [-2.4, -0.4, 0.0, -0.1, -0.1, 0.1, 0.0, 0.2],
            ]
        ),
    ),
    "upside_down": (
        3.6,
        np.array(
            [
                [-0.5, -1.6, -0.2, -0.4, -0.1, 0.5, 0.2, 0.0],
                [-0.5, 2.6, -1.6, 1.2, 0.5, 0.9, 0.8, -0.4],
                [-3.5, -1.7, 0.7, 0.4, 0.1, -0.5, -2.2, -3.6],
                [-3.5, -1.7, 0.7, 0.4, 0.1, -0.5, -2.2, -3.6],
                [0.4, -1.0, 0.8, -1.3, -0.4, -0.6, -0.5, -0.7],
            ]
        ),
    ),
    "chest_leads_reversed": (
        5.8,
        np.array(
            [
                [0.0, 0.0, 1.4, -0.7, -0.7, 0.7, 0.7, -1.4],
                [0.0, 0.0, -1.6, -0.7, -0.3, 0.3, 0.7, 1.6],
                [0.0, 0.0, 5.8, 2.3, 0.6, -0.6, -2.3, -5.8],
                [0.0, 0.0, 4.5, 2.7, 0.4, -0.4, -2.7, -4.5],
                [0.0, 0.0, 2.6, -2.2, -0.1, 0.1, 2.2, -2.6],
            ]
        ),
    ),
    "arm_leg_swapped": (
        4.9,
        np.array(
            [
                [-0.4, -2.3, -0.2, 0.2, 0.0, -0.1, 0.2, 0.1],
                [2.2, 6.7, -0.2, 0.3, 0.0, 0.2, 0.0, -0.4],
                [-3.4, -10.6, -0.4, 0.0, -0.1, 0.0, 0.3, 0.4],
                [-4.9, -9.8, -0.4, 0.2, 0.0, -0.4, -0.1, 0.3],
                [0.0, -2.9, 0.1, 0.0, 0.0, -0.1, 0.1, 0.0],
            ]
        ),
    ),
    "v1_v6_swapped": (
        6.0,
        np.array(
            [
                [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0],
                [0.0, 0.0, -1.8, 0.0, 0.0, 0.0, 0.0, 1.8],
                [0.0, 0.0, 7.1, 0.0, 0.0, 0.0, 0.0, -7.1],
                [0.0, 0.0, 6.5, 0.0, 0.0, 0.0, 0.0, -6.5],
                [0.0, 0.0, 1.1, 0.0, 0.0, 0.0, 0.0, -1.1],
            ]
        ),
    ),
}
