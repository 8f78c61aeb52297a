"""Rate and distortion of a codec over recordings: every prefix of its codebooks is a codec of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ...data.record import Record
from ...ecg import ECGError
from ..intervals import Bootstrap
from ..people import patient_numbers
from ..results import Result
from .coder import COMMON_RATE, Coder, codebook_words, twelve_leads
from .distortion import distortion, in_band
from .parts import Part
from .rates import codebook_bits, perplexity

MEASURES = {
    "relative_error": ("relative squared error", "of variance"),
    "prdn": ("PRDN", "%"),
    "correlation": ("correlation", "Pearson"),
    "snr": ("SNR", "dB"),
    "rmse": ("root mean squared error", "mV"),
}
"""Name → what tables call it, and its unit."""


def rate_distortion(coder: Coder, records: Iterable[Record]) -> Part:
    """Encode and decode every recording.

    Returns:
        Figures of every number of codebooks, and arrays: `record_id`, `patient`, the mean over leads of every measure
        as `relative_error 1` … (recordings,), and `codes` int32 (codebooks, all tokens).
    """
    config = coder.config
    counts = list(range(1, coder.num_codebooks + 1))
    kept: list[Record] = []
    codes: list[np.ndarray] = []
    rows: dict[str, list[float]] = {}
    seconds, failed = 0.0, 0
    for one in records:
        record = one.read()
        try:
            encoded = coder.encode(record)
        except ECGError:
            failed += 1
            continue
        kept.append(one)
        codes.append(np.concatenate(list(encoded.numpy()), axis=-1).astype(np.int32))
        seconds += len(encoded) * config.num_samples(encoded.shape[-1]) / config.sampling_rate
        original = twelve_leads(record.resample(COMMON_RATE))
        filtered = in_band(original, COMMON_RATE)
        features = twelve_leads(coder.to_record(coder.features(record), record))
        found = distortion(filtered, in_band(np.nan_to_num(features), COMMON_RATE))
        rows.setdefault("relative_error features", []).append(float(np.nanmean(found.relative_error)))
        for count in counts:
            decoded = twelve_leads(coder.decode(encoded[:, :count], record))
            found = distortion(filtered, in_band(np.nan_to_num(decoded), COMMON_RATE))
            for measure in MEASURES:
                rows.setdefault(f"{measure} {count}", []).append(float(np.nanmean(getattr(found, measure))))
            plain = distortion(original, decoded)
            rows.setdefault(f"unfiltered_prdn {count}", []).append(float(np.nanmean(plain.prdn)))
    if not kept:
        raise ECGError(f"none of {failed} recordings could be encoded")
    arrays = {name: np.array(values) for name, values in rows.items()}
    arrays["record_id"] = np.array([one.record_id for one in kept])
    arrays["patient"] = patient_numbers([one.patient for one in kept])
    arrays["codes"] = np.concatenate(codes, axis=-1)
    figures = [Result("recordings that could not be encoded", float(failed), unit="recordings")] if failed else []
    lost = Bootstrap(arrays["patient"]).mean(arrays["relative_error features"])
    title = "features themselves, as if coded without loss: relative squared error"
    figures.append(Result.of(title, lost, unit="of variance"))
    figures += _rates(coder, codes, seconds)
    for count in counts:
        figures += _distortions(coder, arrays, count)
    return Part(figures, arrays)


def _distortions(coder: Coder, arrays: dict[str, np.ndarray], count: int) -> list[Result]:
    label, bootstrap = coder.words(count), Bootstrap(arrays["patient"])
    named = {**MEASURES, "unfiltered_prdn": ("PRDN against the unfiltered original", "%")}
    figures = [
        Result.of(f"{label}: {title}", bootstrap.mean(arrays[f"{measure} {count}"]), unit=unit)
        for measure, (title, unit) in named.items()
    ]
    median = float(np.median(arrays[f"relative_error {count}"]))
    figures.insert(1, Result(f"{label}: relative squared error, median recording", median, unit="of variance"))
    return figures


def _rates(coder: Coder, codes: list[np.ndarray], seconds: float) -> list[Result]:
    """Fixed-length and entropy-coded rates of every prefix; use of every codebook."""
    config = coder.config
    figures, sums = [], {0: 0.0, 1: 0.0}
    for index, levels in enumerate(config.codebook_levels):
        rows = [one[index] for one in codes]
        size = math.prod(levels)
        together = np.concatenate(rows)
        label = coder.words(index + 1)
        figures.append(Result(f"{label}: rate, fixed length", config.bits_per_second_of(index + 1), unit="bit/s"))
        for order, words in ((0, "order 0"), (1, "order 1")):
            sums[order] += codebook_bits(rows, levels, order)
            figures.append(
                Result(
                    f"{label}: rate, entropy-coded, {words}",
                    sums[order] / seconds,
                    unit="bit/s",
                    data="adaptive counts from 1/2 for every level dimension, recordings in order"
                    + (", context: its level one token before" if order else ""),
                )
            )
        diverse = perplexity(together)
        where = f"over {len(together)} codes"
        bar = ">= 0.6" if index == 0 else None
        title = f"codebook {index + 1} of {size} codes"
        figures += [
            Result(f"{title}: perplexity", diverse, unit="codes", data=where),
            Result(f"{title}: perplexity over size", diverse / size, target=bar, data=where),
            Result(f"{title}: share in use", len(np.unique(together)) / size, data=where),
        ]
    return figures


def compared(ours: Part, other: Part, codebooks: int, other_codebooks: int = 1) -> list[Result]:
    """Two codecs on the same recordings: ratio of their squared errors, each at a number of codebooks.

    Raises:
        ValueError: if the parts hold no common recording.
    """
    common, first, second = np.intersect1d(ours.arrays["record_id"], other.arrays["record_id"], return_indices=True)
    if not len(common):
        raise ValueError("the two codecs were evaluated on different recordings")
    bootstrap = Bootstrap(ours.arrays["patient"][first])
    figures = []
    for measure, title in (("relative_error", "relative squared error"), ("prdn", "PRDN")):
        a, b = ours.arrays[f"{measure} {codebooks}"][first], other.arrays[f"{measure} {other_codebooks}"][second]
        words = codebook_words(codebooks)
        figures.append(Result.of(f"{title}, {words} over the other codec's", bootstrap.ratio(a, b), unit="ratio"))
    return figures
