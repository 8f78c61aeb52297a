"""How far a decoded recording is from its original, lead by lead.

Originals and decoded recordings pass the same filter, 0.5 to 40 Hz without phase shift, at 100 Hz. The mean of a lead
over the recording is taken off. "Relative" is relative to the variance of the original's lead, which is the mean
squared error of leads that are standardised by the original.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BAND = (0.5, 40.0)
"""Hz."""

FLAT_MILLIVOLTS = 1e-3
"""Standard deviation below which a lead of the original is flat and not judged."""


def in_band(signal: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Second-order Butterworth, forward and backward. (leads, samples) → float64 of the same shape."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(2, BAND, "bandpass", fs=sampling_rate, output="sos")
    filtered: np.ndarray = sosfiltfilt(sections, np.asarray(signal, dtype=np.float64), axis=-1)
    return filtered


@dataclass(frozen=True)
class Distortion:
    """Of each lead, float64 (leads,); NaN for a lead that the original has not or has flat.

    Attributes:
        relative_error: squared error over the original's variance.
        prdn: per cent, root of the squared error over the squares of the original less its mean.
        correlation: Pearson's.
        snr: dB.
        rmse: mV.
    """

    relative_error: np.ndarray
    prdn: np.ndarray
    correlation: np.ndarray
    snr: np.ndarray
    rmse: np.ndarray


def distortion(original: np.ndarray, decoded: np.ndarray) -> Distortion:
    """Compare two recordings sample by sample, each lead less its mean.

    Args:
        original: (leads, samples) in mV; a lead that is NaN is not judged.
        decoded: the same leads; samples beyond the shorter one are not judged. A lead that is NaN was decoded as
            missing and counts as zero.
    """
    samples = min(original.shape[1], decoded.shape[1])
    wanted = original[:, :samples].astype(np.float64)
    given = np.nan_to_num(decoded[:, :samples].astype(np.float64))
    wanted = wanted - wanted.mean(axis=1, keepdims=True)
    given = given - given.mean(axis=1, keepdims=True)
    variance = wanted.var(axis=1)
    judged = np.isfinite(variance) & (np.sqrt(np.nan_to_num(variance)) > FLAT_MILLIVOLTS)
    variance = np.where(judged, variance, np.nan)
    error = np.square(given - wanted).mean(axis=1)
    relative = error / variance
    both = (given * wanted).mean(axis=1)
    spread = np.sqrt(variance * given.var(axis=1))
    correlation = np.divide(both, spread, out=np.where(judged, 0.0, np.nan), where=judged & (spread > 0))
    return Distortion(
        relative_error=relative,
        prdn=100 * np.sqrt(relative),
        correlation=correlation,
        snr=-10 * np.log10(np.maximum(relative, 1e-12)),
        rmse=np.where(judged, np.sqrt(error), np.nan),
    )
