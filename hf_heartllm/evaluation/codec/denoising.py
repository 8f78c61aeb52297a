"""Does a codec's quantiser suppress noise? Muscle noise, wander and 50 Hz are added to recordings without noted noise.

The noisy recording goes through the codec with its quantiser, through the same codec without rounding, and through a
plain filter; each result is compared with the clean recording, both in 0.5 to 40 Hz. The clean recordings are made at
500 Hz from those of 100 Hz, so that the noise can have its own band.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from ...data.record import Record
from ...ecg import STANDARD_LEADS, ECGError, ECGRecord
from ...ecg.simulate.disturbances import disturbances
from ...models.ecg_leads import INDEPENDENT_LEADS
from ..intervals import Bootstrap
from ..people import id_number, patient_numbers
from ..results import Result
from .coder import COMMON_RATE, Coder, codebook_words, twelve_leads
from .distortion import distortion, in_band
from .parts import Part

KINDS = {"muscle noise": "noise", "baseline wander": "wander", "50 Hz": "mains"}
LEVELS = (20, 10, 5)  # dB
NOISY_RATE = 500.0


def with_noise(record: ECGRecord, kind: str, decibels: float, seed: int) -> ECGRecord:
    """Add one disturbance, so strong that each independent lead has this signal-to-noise ratio.

    Args:
        record: twelve leads in mV.
        kind: of `KINDS`.
        decibels: power of the lead less its mean over power of the noise.
        seed: of the noise.
    """
    times = np.arange(record.signal.shape[1]) / record.sampling_rate
    sizes = {argument: float(argument == KINDS[kind]) for argument in KINDS.values()}
    noise = disturbances(times, **sizes, rng=np.random.default_rng(seed))
    signal = record.select(INDEPENDENT_LEADS).signal.astype(np.float64)
    noise *= (signal.std(axis=1) / noise.std(axis=1) * 10 ** (-decibels / 20))[:, None]
    return ECGRecord(
        twelve_leads(record) + twelve_leads(ECGRecord(noise, record.sampling_rate, INDEPENDENT_LEADS)),
        record.sampling_rate,
        STANDARD_LEADS,
    )


def denoising(coder: Coder, records: Iterable[Record]) -> Part:
    """Signal-to-noise ratios against the clean recordings, by kind and strength of noise.

    What the rounding does is told of codecs that can leave it out (`ECGCodec.reconstruct_unrounded`).
    """
    counts = sorted({1, coder.num_codebooks})
    found: dict[str, dict[str, list[float]]] = {}
    patients: list[str] = []

    def note(condition: str, way: str, clean: np.ndarray, result: np.ndarray) -> None:
        snr = float(np.nanmean(distortion(clean, in_band(np.nan_to_num(result), COMMON_RATE)).snr))
        found.setdefault(condition, {}).setdefault(way, []).append(snr)

    for one in records:
        record = one.read().resample(NOISY_RATE)
        try:
            coder.features(record)
        except ECGError:
            continue
        patients.append(one.patient)
        clean = in_band(twelve_leads(record.resample(COMMON_RATE)), COMMON_RATE)
        versions = [("no noise", record)] + [
            (f"{kind} at {level} dB", with_noise(record, kind, level, id_number(one.record_id)))
            for kind in KINDS
            for level in LEVELS
        ]
        for condition, noisy in versions:
            features = coder.features(noisy)
            codes = coder.codec.encode(features, coder.num_codebooks)
            for count in counts:
                words = codebook_words(count)
                decoded = coder.decode(codes[:, :count], noisy)
                note(condition, f"{words}, quantised", clean, twelve_leads(decoded))
                with torch.no_grad():
                    plain = coder.codec.reconstruct_unrounded(features, count)
                if plain is not None:
                    note(condition, f"{words}, not quantised", clean, twelve_leads(coder.to_record(plain, noisy)))
            note(condition, "plain filter", clean, twelve_leads(noisy.resample(COMMON_RATE)))
    figures, bootstrap = [], Bootstrap(patient_numbers(patients))
    for condition, ways in found.items():
        for way, values in ways.items():
            # Without noise the filter's result is the reference itself.
            if condition != "no noise" or way != "plain filter":
                figures.append(Result(f"{condition}: SNR, {way}", float(np.mean(values)), unit="dB"))
        if condition == "no noise":
            continue
        for count in counts:
            words = codebook_words(count)
            for other in (way for way in (f"{words}, not quantised", "plain filter") if way in ways):
                gain = bootstrap.mean(ways[f"{words}, quantised"]).minus(bootstrap.mean(ways[other]))
                title = f"{condition}: SNR gained, {words}, quantised − {other.removeprefix(words + ', ')}"
                figures.append(Result.of(title, gain, unit="dB"))
    return Part(figures)
