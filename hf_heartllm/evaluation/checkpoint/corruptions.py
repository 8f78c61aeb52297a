"""What recordings suffer on the way to a model: noise, wander, mains, lost leads, other rates, gain, swapped leads."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...models.ecg_leads import STANDARD_LEADS
from ...models.ecg_record import ECGRecord

MAINS_HERTZ = 50.0
WANDER_HERTZ = (0.05, 0.35)
MAINS_RATE = 500.0  # Hz; at PTB-XL's 100 Hz a hum of 50 Hz cannot be written down

Change = Callable[[ECGRecord, np.random.Generator, Any], ECGRecord]
"""A recording, where draws come from, and how much → the disturbed recording."""

SWAPS: dict[str, dict[str, tuple[float, str]]] = {
    "right and left arm": {
        "I": (-1, "I"),
        "II": (1, "III"),
        "III": (1, "II"),
        "aVR": (1, "aVL"),
        "aVL": (1, "aVR"),
    },
    "left arm and leg": {
        "I": (1, "II"),
        "II": (1, "I"),
        "III": (-1, "III"),
        "aVL": (1, "aVF"),
        "aVF": (1, "aVL"),
    },
    "right arm and left leg": {
        "I": (-1, "III"),
        "II": (-1, "II"),
        "III": (-1, "I"),
        "aVR": (1, "aVF"),
        "aVF": (1, "aVR"),
    },
    "V1 and V2": {"V1": (1, "V2"), "V2": (1, "V1")},
    "V1 and V3": {"V1": (1, "V3"), "V3": (1, "V1")},
}
"""Exchanged electrodes: what each lead shows instead, as sign and lead (Batchvarov et al., Europace 9, 1081, 2007)."""


@dataclass(frozen=True)
class Corruption:
    """One way and degree of disturbing a recording.

    Attributes:
        kind: such as `"white noise"`.
        degree: such as `"10 dB"`.
        change: makes the disturbed recording.
        size: what `change` is given of the degree.
    """

    kind: str
    degree: str
    change: Change
    size: Any

    @property
    def name(self) -> str:
        """Kind and degree."""
        return f"{self.kind}, {self.degree}"

    def apply(self, record: ECGRecord, seed: int) -> ECGRecord:
        """The disturbed recording; the same for the same seed."""
        return self.change(record, np.random.default_rng([zlib.crc32(self.name.encode()), seed]), self.size)


def white_noise(record: ECGRecord, rng: np.random.Generator, decibels: float) -> ECGRecord:
    """White noise in each lead, as many decibels below the lead's own power (without its mean)."""
    power = np.nanvar(record.signal.astype(np.float64), axis=1, keepdims=True)
    noise = rng.standard_normal(record.signal.shape) * np.sqrt(power * 10 ** (-decibels / 10))
    return replace(record, signal=record.signal + noise)


def baseline_wander(record: ECGRecord, rng: np.random.Generator, millivolts: float) -> ECGRecord:
    """A slow sine of this amplitude in each lead, its frequency between 0.05 and 0.35 Hz."""
    return replace(record, signal=record.signal + _sines(record, millivolts, rng.uniform(*WANDER_HERTZ), rng))


def mains(record: ECGRecord, rng: np.random.Generator, millivolts: float) -> ECGRecord:
    """A hum of 50 Hz of this amplitude in each lead; the recording is brought to 500 Hz first where it is slower."""
    fast = record if record.sampling_rate >= MAINS_RATE else record.resample(MAINS_RATE)
    return replace(fast, signal=fast.signal + _sines(fast, millivolts, MAINS_HERTZ, rng))


def _sines(record: ECGRecord, amplitude: float, frequency: float, rng: np.random.Generator) -> np.ndarray:
    """float64 (leads, samples), each lead with a phase of its own."""
    times = np.arange(record.signal.shape[1]) / record.sampling_rate
    phases = rng.uniform(0, 2 * np.pi, size=(len(record.leads), 1))
    result: np.ndarray = amplitude * np.sin(2 * np.pi * frequency * times + phases)
    return result


def without_leads(record: ECGRecord, rng: np.random.Generator, names: Collection[str]) -> ECGRecord:
    """The recording without these leads."""
    return record.select([lead for lead in record.leads if lead not in names])


def at_rate(record: ECGRecord, rng: np.random.Generator, hertz: float) -> ECGRecord:
    """The recording at another sampling rate."""
    return record.resample(hertz)


def gain(record: ECGRecord, rng: np.random.Generator, factor: float) -> ECGRecord:
    """The recording times a factor."""
    return replace(record, signal=record.signal * np.float32(factor))


def swapped(record: ECGRecord, rng: np.random.Generator, name: str) -> ECGRecord:
    """The recording with exchanged electrodes (`SWAPS`)."""
    shown = [SWAPS[name].get(lead, (1.0, lead)) for lead in record.leads]
    return replace(record, signal=np.stack([np.float32(sign) * record.lead(source) for sign, source in shown]))


def corruptions() -> tuple[Corruption, ...]:
    """All of them, kind by kind, the mildest first."""
    chest, limbs = STANDARD_LEADS[6:], STANDARD_LEADS[:6]
    lost = {
        "aVR": ("aVR",),
        "V1": ("V1",),
        "V6": ("V6",),
        "V1 to V3": chest[:3],
        "V1 to V6": chest,
        "all but I": (*limbs[1:], *chest),
    }
    kinds: dict[str, tuple[Change, dict[str, Any]]] = {
        "white noise": (white_noise, {f"{level} dB": level for level in (20, 10, 5, 0)}),
        "baseline wander": (baseline_wander, {f"{size:g} mV": size for size in (0.2, 0.5, 1.0)}),
        "mains of 50 Hz": (mains, {f"{size:g} mV": size for size in (0.05, 0.1, 0.2)}),
        "missing leads": (without_leads, lost),
        "sampling rate": (at_rate, {f"{rate} Hz": rate for rate in (100, 125, 250, 360, 500, 1000)}),
        "gain": (gain, {f"{factor:g}": factor for factor in (0.5, 0.8, 1.25, 2.0)}),
        "swapped": (swapped, {name: name for name in SWAPS}),
    }
    return tuple(
        Corruption(kind, degree, change, size)
        for kind, (change, sizes) in kinds.items()
        for degree, size in sizes.items()
    )
