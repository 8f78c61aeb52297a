"""Band-limited resampling between any two sampling rates, with numpy alone so that it travels with a checkpoint.

A polyphase bank of Kaiser-windowed sinc filters (Crochiere and Rabiner, Multirate Digital Signal Processing, 1983).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class ResamplingFilter:
    """What the low-pass filters are made of.

    Attributes:
        zero_crossings: of the sinc on each side, at the lower of the two rates.
        roll_off: pass band as a share of the lower Nyquist frequency.
        kaiser_beta: of the window; 9 gives about 90 dB of stop-band attenuation.

    Raises:
        ValueError: if there is no such filter.
    """

    zero_crossings: int = 24
    roll_off: float = 0.92
    kaiser_beta: float = 9.0

    def __post_init__(self) -> None:
        if not (1 <= self.zero_crossings <= 1000 and 0 < self.roll_off <= 1 and 0 <= self.kaiser_beta <= 100):
            raise ValueError(
                "a resampling filter has 1 to 1000 zero crossings, a roll-off above 0 and up to 1 and a Kaiser beta "
                f"of 0 to 100, not {self.zero_crossings}, {self.roll_off} and {self.kaiser_beta}"
            )


DEFAULT_FILTER = ResamplingFilter()


@lru_cache(maxsize=32)
def _filter_bank(up: int, down: int, of: ResamplingFilter) -> tuple[np.ndarray, int]:
    """The (up, taps) filters, one a phase, and how many input samples each reaches back."""
    cutoff = of.roll_off * min(1.0, up / down)  # relative to the input's Nyquist frequency
    reach = int(np.ceil(of.zero_crossings / cutoff))
    offsets = np.arange(-reach, reach + 1)
    phases = np.arange(up)[:, None] / up
    distance = offsets[None, :] - phases  # from the output instant to each input sample
    beta = of.kaiser_beta
    window = np.i0(beta * np.sqrt(np.clip(1 - (distance / (reach + 1)) ** 2, 0, None))) / np.i0(beta)
    bank = cutoff * np.sinc(cutoff * distance) * window
    return bank / bank.sum(axis=1, keepdims=True), reach  # a constant stays exactly that constant


def resample(
    signal: np.ndarray, rate_in: float, rate_out: float, low_pass: ResamplingFilter = DEFAULT_FILTER
) -> np.ndarray:
    """Resample along the last axis.

    Args:
        signal: (..., samples), any real dtype. NaN spreads to the samples within the filter's reach.
        rate_in: its sampling rate in Hz.
        rate_out: the wanted rate in Hz.
        low_pass: what the filters are made of.

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
    bank, reach = _filter_bank(up, down, low_pass)
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
