"""What disturbs a recording: muscle noise, baseline wander and mains, in each of the eight independent leads."""

from __future__ import annotations

import numpy as np

MAINS_FREQUENCY = 50.0  # Hz


def disturbances(
    times: np.ndarray, *, noise: float, wander: float, mains: float, rng: np.random.Generator
) -> np.ndarray:
    """The sum of all disturbances.

    Args:
        times: float64 (samples,), seconds, evenly spaced.
        noise: root mean square of the muscle noise (white between 20 and 150 Hz) in mV.
        wander: amplitude of the baseline wander (respiration and slower, below 0.5 Hz) in mV.
        mains: amplitude of the 50 Hz hum in mV.
        rng: source of randomness.

    Returns:
        float64 (8, samples), mV, for I, II, V1 … V6.
    """
    samples, step = len(times), float(times[1] - times[0])
    out = np.zeros((8, samples))
    # Every part draws its numbers whatever its size, so that switching one off leaves the others as they are.
    spectrum = np.fft.rfft(rng.normal(size=out.shape), axis=1)
    frequencies = np.fft.rfftfreq(samples, step)
    spectrum[:, (frequencies < 20) | (frequencies > 150)] = 0
    muscle = np.fft.irfft(spectrum, n=samples, axis=1)
    out += noise * muscle / max(float(muscle.std()), 1e-12)
    for low, high, share in ((0.05, 0.15, 0.4), (0.2, 0.35, 0.6)):
        frequency = rng.uniform(low, high)
        phases = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.4, size=(8, 1))
        sizes = rng.uniform(0.5, 1.0, size=(8, 1))
        out += wander * share * sizes * np.sin(2 * np.pi * frequency * times + phases)
    phases, sizes = rng.uniform(0, 2 * np.pi, size=(8, 1)), rng.uniform(0.6, 1.0, size=(8, 1))
    out += mains * sizes * np.sin(2 * np.pi * MAINS_FREQUENCY * times + phases)
    return out
