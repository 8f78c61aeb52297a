"""Robustness of codes: gain, small noise, units, batches, threads, shifts, missing leads."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...data.record import Record
from ...ecg import ECGError, ECGRecord, read_ecg, simulate_ecg
from ..results import Result
from .coder import COMMON_RATE, Coder, twelve_leads
from .distortion import in_band
from .parts import Part

GAINS = (0.25, 0.5, 2.0, 4.0)
NOISE_MILLIVOLTS = 0.01
BATCH = 16
LONG_SECONDS = 40.0


def share_changed(a: torch.Tensor, b: torch.Tensor) -> list[float]:
    """Share of codes that differ, codebook by codebook; both int64 (windows, codebooks, tokens)."""
    return (a != b).double().mean(dim=(0, 2)).tolist()


def gain_error(coder: Coder, record: ECGRecord, gain: float) -> float:
    """How far decoding the scaled recording is from scaling the decoded recording, over the latter's RMS."""
    plain = in_band(np.nan_to_num(twelve_leads(coder.decode(coder.encode(record), record))), COMMON_RATE)
    scaled = replace(record, signal=record.signal * np.float32(gain))
    other = in_band(np.nan_to_num(twelve_leads(coder.decode(coder.encode(scaled), scaled))), COMMON_RATE)
    return float(np.sqrt(np.square(other - gain * plain).mean() / np.square(gain * plain).mean()))


def codes_in_other_units(coder: Coder, record: ECGRecord) -> bool:
    """Whether the recording has the same codes when it is read from microvolts, millivolts and volts."""
    codes = coder.encode(record)
    with tempfile.TemporaryDirectory() as folder:
        for units, factor in (("uV", 1e3), ("mV", 1.0), ("V", 1e-3)):
            path = Path(folder) / f"{units}.npy"
            np.save(path, np.round(record.signal.astype(np.float64) * 1e6) / 1e6 * factor)
            again = read_ecg(path, sampling_rate=record.sampling_rate, units=units, leads=",".join(record.leads))
            if not torch.equal(coder.encode(again), codes):
                return False
    return True


def codes_in_batches(coder: Coder, features: torch.Tensor) -> tuple[float, float, float]:
    """Share of codes that differ when the records (records, leads, samples) are encoded all at once instead of one by
    one, on two threads instead of one, and under bfloat16 autocast."""
    codebooks, threads = coder.num_codebooks, torch.get_num_threads()
    alone = torch.cat([coder.codec.encode(row[None], codebooks) for row in features])
    try:
        torch.set_num_threads(2)
        two = coder.codec.encode(features, codebooks)
        torch.set_num_threads(1)
        one = coder.codec.encode(features, codebooks)
    finally:
        torch.set_num_threads(threads)
    with torch.autocast(features.device.type, torch.bfloat16):
        half = coder.codec.encode(features, codebooks)
    return tuple(float((codes != alone).double().mean()) for codes in (one, two, half))  # type: ignore[return-value]


def shift_agreement(coder: Coder, tokens: int, seed: int = 0) -> float:
    """Share of the first codebook's codes that stay the same when the recording begins some tokens later.

    On simulated recordings of 40 s. Judged are the codes further from both ends than the codec's stated latency; those
    of the first whole window where the codec reads whole windows.
    """
    config = coder.config
    record = simulate_ecg(sampling_rate=config.sampling_rate, duration=LONG_SECONDS, wander=0.2, seed=seed)[0]
    later = record.crop(tokens * config.hop_length / config.sampling_rate, record.duration)
    a, b = coder.encode(record, 1)[0, 0], coder.encode(later, 1)[0, 0]
    a = a[tokens:]
    count = min(len(a), len(b))
    margin = 0 if config.latency is None else math.ceil(config.latency * config.frame_rate)
    return float((a[margin : count - margin] == b[margin : count - margin]).double().mean())


def robustness(coder: Coder, records: Iterable[Record]) -> Part:
    """All of it, over some recordings and simulated ones."""
    rng = np.random.default_rng(0)
    errors: dict[float, list[float]] = {gain: [] for gain in GAINS}
    noise: list[list[float]] = []
    units: list[bool] = []
    features: list[torch.Tensor] = []
    found_missing: list[bool] = []
    unlike_zeros: list[float] = []
    may_miss = [name for name in coder.config.leads if name not in coder.config.required_leads]
    for one in records:
        record = one.read()
        try:
            codes = coder.encode(record)
        except ECGError:
            continue
        features.append(coder.features(record)[:1])
        for gain in GAINS:
            errors[gain].append(gain_error(coder, record, gain))
        added = rng.standard_normal(record.signal.shape) * NOISE_MILLIVOLTS
        noise.append(share_changed(coder.encode(replace(record, signal=record.signal + added)), codes))
        units.append(codes_in_other_units(coder, record))
        if may_miss:
            lead = may_miss[len(units) % len(may_miss)]
            without = record.select([name for name in record.leads if name != lead])
            decoded = coder.decode(coder.encode(without), without)
            found_missing.append(lead not in decoded.leads and len(decoded.leads) == 11)
            signal = record.signal.copy()
            signal[record.leads.index(lead)] = 0.0
            unlike_zeros.append(share_changed(coder.encode(replace(record, signal=signal)), coder.encode(without))[0])
    figures = []
    for gain, values in errors.items():
        for words, value in (("median", np.median(values)), ("largest", np.max(values))):
            bar = "<= 0.1" if words == "median" else None
            figures.append(Result(f"gain of {gain:g}: error over RMS, {words}", float(value), target=bar))
    for codebook, share in enumerate(np.mean(noise, axis=0), start=1):
        figures.append(Result(f"10 µV of white noise: codes of codebook {codebook} that change", float(share)))
    figures.append(Result("same codes from µV, mV and V", float(np.mean(units)), target=">= 1"))
    changed = codes_in_batches(coder, torch.cat(features)[:BATCH])
    for words, share in zip((f"batch of {BATCH}", "two threads", "bfloat16 autocast"), changed, strict=True):
        figures.append(Result(f"{words}: codes that change", share, target="<= 0"))
    for tokens in (1, 10, 37):
        agreed = shift_agreement(coder, tokens)
        figures.append(Result(f"moved by {tokens} tokens: codes that stay", agreed, target=">= 1"))
    if found_missing:
        share = float(np.mean(found_missing))
        figures.append(Result("a missing lead decodes as missing, all others as there", share, target=">= 1"))
        unlike = float(np.mean(unlike_zeros))
        figures.append(Result("codes of a missing lead that differ from those of zeros", unlike))
    return Part(figures)
