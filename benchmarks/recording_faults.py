"""Signals that are no ECG, and faults made in good recordings, for `robustness_checks.py`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hf_heartllm.models.ecg_leads import STANDARD_LEADS

Signal = np.ndarray  # (12, samples) in mV at 100 Hz, the leads in standard order
RATE = 100.0
PLACE = {name: place for place, name in enumerate(STANDARD_LEADS)}


def _coloured(rows: int, samples: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of standard deviation 1 whose power falls with frequency to the power of `slope`."""
    frequencies = np.fft.rfftfreq(samples, 1 / RATE)
    frequencies[0] = frequencies[1]
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=(rows, samples))) / frequencies ** (slope / 2), n=samples)
    return np.asarray(noise / noise.std(axis=1, keepdims=True))


def _mixed(rows: np.ndarray, rng: np.random.Generator) -> Signal:
    """Twelve leads that see a few common sources, as electrodes on one body do."""
    return np.asarray(rng.normal(size=(12, len(rows))) @ rows)


def _waves(times: np.ndarray, shape: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator) -> Signal:
    size = rng.choice([-1, 1], size=(12, 1)) * rng.uniform(0.3, 1.5, size=(12, 1))
    noise = rng.choice([0.0, 0.005]) * rng.normal(size=(12, len(times)))
    return np.asarray(size * shape(rng.uniform(0.7, 3) * times + rng.uniform()) + noise)


def _bursts(times: np.ndarray, rng: np.random.Generator) -> Signal:
    """Like speech: noise in bursts of 30 to 300 ms, louder and softer."""
    envelope = np.zeros(len(times))
    for _ in range(rng.integers(6, 20)):
        envelope += rng.uniform(0.3, 1) * np.exp(
            -0.5 * ((times - rng.uniform(0, times[-1])) / rng.uniform(0.03, 0.3)) ** 2
        )
    return _mixed(0.5 * envelope * rng.normal(size=(3, len(times))), rng) + 0.01 * rng.normal(size=(12, len(times)))


def _brain(samples: int, rng: np.random.Generator) -> Signal:
    """Pink noise and a rhythm of 10 Hz that waxes and wanes."""
    frequencies = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum = np.fft.rfft(rng.normal(size=(4, samples))) * np.exp(-0.5 * (frequencies - 10) ** 2)
    alpha = np.fft.irfft(spectrum, n=samples)
    alpha /= alpha.std(axis=1, keepdims=True)
    return float(rng.choice([0.02, 0.3])) * _mixed(0.5 * _coloured(4, samples, 1, rng) + alpha, rng)


def _hum(times: np.ndarray, rng: np.random.Generator) -> Signal:
    phases = rng.uniform(0, 2 * np.pi, size=(12, 1))
    hum = rng.uniform(0.1, 1, size=(12, 1)) * np.sin(2 * np.pi * rng.choice([49.5, 40.0]) * times + phases)
    return np.asarray(hum + 0.003 * rng.normal(size=(12, len(times))))


def no_ecg(ecg: Signal, rng: np.random.Generator) -> dict[str, Signal]:
    """Name → a signal that is no ECG, some made of this one."""
    samples = ecg.shape[1]
    times = np.arange(samples) / RATE
    spectrum = np.fft.rfft(ecg)
    turns = np.exp(1j * rng.uniform(0, 2 * np.pi, size=(1, spectrum.shape[1])))
    sine = np.sin(2 * np.pi * (rng.uniform(0.5, 12) * times + rng.uniform(size=(12, 1))))
    return {
        "white noise": rng.choice([0.05, 0.3, 1.0]) * rng.normal(size=ecg.shape),
        "noise of 5 µV": 0.005 * rng.normal(size=ecg.shape),
        "one white noise in all leads": rng.uniform(0.3, 1.5, size=(12, 1)) * rng.normal(size=(1, samples)),
        "pink noise": 0.3 * _mixed(_coloured(3, samples, 1, rng), rng),
        "random walk": 0.03 * _mixed(np.cumsum(rng.normal(size=(3, samples)), axis=1), rng),
        "mains hum": _hum(times, rng),
        "sine": rng.uniform(0.2, 1, size=(12, 1)) * sine,
        "EEG-like": _brain(samples, rng),
        "saw-tooth": _waves(times, lambda turn: 2 * (turn % 1) - 1, rng),
        "square wave": _waves(times, lambda turn: np.sign(np.sin(2 * np.pi * turn)), rng),
        "calibration pulses": _waves(times, lambda turn: (turn % 1 < 0.2).astype(float), rng),
        "bursts, speech-like": _bursts(times, rng),
        "shuffled samples": ecg[:, rng.permutation(samples)],
        "ECG's spectrum, other phases": np.fft.irfft(spectrum * turns, n=samples),
    }


def _with(ecg: Signal, **leads: np.ndarray | float) -> Signal:
    changed = ecg.copy()
    for name, row in leads.items():
        changed[PLACE[name]] = row
    return changed


def _order(ecg: Signal, *names: str) -> Signal:
    """Rows in this order under the standard names."""
    return ecg[[PLACE[name] for name in names]]


def faults(ecg: Signal, rng: np.random.Generator) -> dict[str, tuple[str, Signal]]:
    """Name → the check that should speak, and a good recording with a fault made in it."""
    samples = ecg.shape[1]
    chest, limb = STANDARD_LEADS[6:], STANDARD_LEADS[:6]
    lead = str(rng.choice(chest))
    level = rng.choice([0.0, 3.0])
    one, other = rng.choice(6, size=2, replace=False)
    swapped = list(limb)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    row = ecg[PLACE[lead]]
    noise = rng.choice([0.1, 0.3, 1.0]) * _coloured(1, samples, rng.choice([0.0, 1.0]), rng)[0]
    middle = float(np.median(row))
    arms = _with(_order(ecg, "I", "III", "II", "aVL", "aVR", "aVF", *chest), I=-ecg[PLACE["I"]])
    leg = _with(
        _order(ecg, "I", "II", "III", "aVF", "aVL", "aVR", *chest),
        I=-ecg[PLACE["III"]],
        II=-ecg[PLACE["II"]],
        III=-ecg[PLACE["I"]],
    )
    spread = np.std(ecg, axis=1, keepdims=True) + 1e-9
    return {
        "a constant chest lead": ("flat_lead", _with(ecg, **{lead: rng.choice([0.0, -0.123, 5.0])})),
        "a chest lead off for 40 %": (
            "flat_lead",
            _with(ecg, **{lead: np.where(np.arange(samples) < 0.4 * samples, row[0], row)}),
        ),
        "a chest lead of noise": ("noise_lead", _with(ecg, **{lead: noise})),
        "a saturated chest lead": ("saturated_lead", _with(ecg, **{lead: np.clip(row, middle - 0.05, middle + 0.05)})),
        "zeros before and after": (
            "constant_stretch",
            np.pad(ecg + level, ((0, 0), rng.integers(50, 500, size=2))),  # type: ignore[arg-type]
        ),
        "two limb leads with each other's names": ("limb_leads", _order(ecg, *swapped, *chest)),
        "rows in another order": (
            "limb_leads",
            _order(ecg, "I", "II", *chest, "III", "aVR", "aVL", "aVF"),
        ),
        "z-scores called millivolts": ("limb_leads", (ecg - ecg.mean(axis=1, keepdims=True)) / spread),
        "arms interchanged": ("arms_swapped", arms),
        "right arm and left leg interchanged": ("arm_leg_swapped", leg),
        "upside down": ("upside_down", -ecg),
        "V1 to V6 in reverse": ("chest_leads_reversed", _order(ecg, *limb, *chest[::-1])),
        "V1 and V6 interchanged": ("v1_v6_swapped", _order(ecg, *limb, "V6", "V2", "V3", "V4", "V5", "V1")),
        "a lead twice": ("copied_leads", _with(ecg, V3=ecg[PLACE["V2"]])),
        "microvolts called millivolts": ("amplitude", ecg * 1000),
        "counts of 200 a millivolt": ("amplitude", ecg * 200),
        "volts called millivolts": ("amplitude", ecg / 1000),
    }
