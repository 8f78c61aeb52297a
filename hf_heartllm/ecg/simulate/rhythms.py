"""When the heart beats: RR processes."""

from __future__ import annotations

import numpy as np

# A scheduled beat: time of its R peak in seconds, and its kind.
Schedule = list[tuple[float, str]]
KINDS = ("normal", "ventricular", "supraventricular")
_LEAD_IN = 3.0  # seconds before the recording that are simulated too, so that it starts anywhere in a cycle
_LEAD_OUT = 2.0  # and after it


def sinus(duration: float, rr: float, respiratory: float, premature: str | None, rng: np.random.Generator) -> Schedule:
    """Sinus rhythm, with respiratory arrhythmia and (if asked for) premature beats.

    Args:
        duration: seconds.
        rr: mean RR interval in seconds.
        respiratory: relative change of RR with respiration (0.03: ±3 %).
        premature: `ventricular` (the pause is fully compensatory: the next sinus impulse is blocked),
            `supraventricular` (the sinus node is reset) or None.
        rng: source of randomness.
    """
    breathing, phase = rng.uniform(0.2, 0.3), rng.uniform(0, 2 * np.pi)
    time = -_LEAD_IN + rng.uniform(0, rr)
    until_premature = int(rng.integers(2, 5)) + int(_LEAD_IN / rr)
    beats: Schedule = []
    while time < duration + _LEAD_OUT:
        beats.append((time, "normal"))
        swing = 1 + respiratory * np.sin(2 * np.pi * breathing * time + phase) + rng.normal(0, 0.006)
        interval = rr * float(np.clip(swing, 0.6, 1.4))
        until_premature -= 1
        if premature is not None and until_premature == 0:
            coupling = interval * rng.uniform(0.58, 0.66)
            beats.append((time + coupling, premature))
            time += 2 * interval if premature == "ventricular" else coupling + 1.08 * interval
            until_premature = int(rng.integers(3, 6))
        else:
            time += interval
    return beats


def atrial_fibrillation(duration: float, rr: float, rng: np.random.Generator) -> Schedule:
    """Irregularly irregular ventricular response: independent gamma distributed RR intervals, 20 % around their mean.

    Args:
        duration: seconds.
        rr: mean RR interval in seconds.
        rng: source of randomness.
    """
    shape = 1 / 0.2**2
    time = -_LEAD_IN + rng.uniform(0, rr)
    beats: Schedule = []
    while time < duration + _LEAD_OUT:
        beats.append((time, "normal"))
        time += max(0.3, 0.45 * rr, float(rng.gamma(shape, rr / shape)))
    return beats


def fibrillatory_waves(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The atria's dipole in fibrillation: three wandering oscillations between 4 and 9 Hz, largest in V1.

    Args:
        times: float64 (samples,), seconds, evenly spaced.
        rng: source of randomness.

    Returns:
        float64 (3, samples), mV.
    """
    dipole = np.zeros((3, len(times)))
    for centre in rng.uniform([4.8, 5.6, 6.6], [5.6, 6.6, 7.6]):
        wander, phase, slow = rng.uniform(0.1, 0.4), rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.5)
        # Instantaneous frequency: centre ± 0.7 Hz.
        angle = 2 * np.pi * centre * times + 0.7 / wander * np.sin(2 * np.pi * wander * times + phase)
        size = 1 + 0.4 * np.sin(2 * np.pi * slow * times + rng.uniform(0, 2 * np.pi))
        vector = np.array([-0.012, 0.025, -0.030]) * rng.uniform(0.7, 1.3, size=3)
        dipole += np.outer(vector, size * np.sin(angle + rng.uniform(0, 2 * np.pi)))
    return dipole
