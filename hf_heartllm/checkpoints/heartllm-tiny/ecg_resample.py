"""Band-limited resampling between any two sampling rates, with numpy alone so that it travels with a checkpoint.

A polyphase bank of Kaiser-windowed sinc filters (Crochiere and Rabiner, Multirate Digital Signal Processing, 1983).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np

ZERO_CROSSINGS = 24  # of the sinc on each side, at the lower of the two rates
ROLL_OFF = 0.92  # pass band as a share of the lower Nyquist frequency
KAISER_BETA = 9.0  # about 90 dB of stop-band attenuation


@lru_cache(maxsize=32)
def _filter_bank(up: int, down: int) -> tuple[np.ndarray, int]:
    """The (up, taps) filters, one a phase, and how many input samples each reaches back."""
    cutoff = ROLL_OFF * min(1.0, up / down)  # relative to the input's Nyquist frequency
    reach = int(np.ceil(ZERO_CROSSINGS / cutoff))
    offsets = np.arange(-reach, reach + 1)
    phases = np.arange(up)[:, None] / up
    distance = offsets[None, :] - phases  # from the output instant to each input sample
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (distance / (reach + 1)) ** 2, 0, None))) / np.i0(KAISER_BETA)
    bank = cutoff * np.sinc(cutoff * distance) * window
    return bank / bank.sum(axis=1, keepdims=True), reach  # a constant stays exactly that constant


def resample(signal: np.ndarray, rate_in: float, rate_out: float) -> np.ndarray:
    """Resample along the last axis.

    Args:
        signal: (..., samples), any real dtype. NaN spreads to the samples within the filter's reach.
        rate_in: its sampling rate in Hz.
        rate_out: the wanted rate in Hz.

    Returns:
        float64 (..., round(samples * rate_out / rate_in)); sample 0 stays at time 0. Beyond its ends the signal is
        taken to keep its first and last value.

    Raises:
        ValueError: if a sampling rate is not positive and finite.
    """
    for rate in (rate_in, rate_out):
        if not (np.isfinite(rate) and rate > 0):
            raise ValueError(f"a sampling rate must be positive, got {rate}")
    signal = np.asarray(signal, dtype=np.float64)
    ratio = (Fraction(rate_out).limit_denominator(1000) / Fraction(rate_in).limit_denominator(1000)).limit_denominator(
        5000
    )
    if ratio == 1:
        return signal.copy()
    up, down = ratio.numerator, ratio.denominator
    bank, reach = _filter_bank(up, down)
    samples_in = signal.shape[-1]
    samples_out = round(samples_in * up / down)
    edges = [(0, 0)] * (signal.ndim - 1) + [(reach, reach + 1 + down // up)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(signal, edges, mode="edge"), bank.shape[1], axis=-1)
    out = np.empty((*signal.shape[:-1], samples_out))
    for first in range(min(up, samples_out)):  # outputs first, first + up, … share one phase
        position, phase = divmod(first * down, up)
        count = len(range(first, samples_out, up))
        out[..., first::up] = windows[..., position : position + count * down : down, :][..., :count, :] @ bank[phase]
    return out
