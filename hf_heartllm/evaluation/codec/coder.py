"""A codec as the evaluation sees it: a recording in, codes, and a 12-lead recording in millivolts out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...ecg import STANDARD_LEADS, ECGRecord
from ...models.ecg_codec import ECGCodec
from ...models.ecg_leads import derive_limb_leads
from ...models.feature_extraction_ecg import ECGFeatureExtractor
from ..provenance import weights_fingerprint

COMMON_RATE = 100.0
"""Hz at which originals and decoded recordings are compared, whatever a codec's own rate."""


class Coder:
    """Encodes and decodes recordings of any rate with any codec of this project.

    A codec whose features are standardised codes each lead without its mean and amplitude. Its decoded recordings get
    both from the original, window by window, at no cost in bits: what it is judged by is the shape alone.

    Args:
        codec: the codec; put into evaluation mode.
        name: what tables call it; by default as its configuration does.
    """

    def __init__(self, codec: ECGCodec, name: str | None = None) -> None:
        self.codec = codec.eval()
        self.config: Any = codec.config
        self.name = name or self.config.short_name
        self.extractor = ECGFeatureExtractor.from_codec(self.config)

    @classmethod
    def from_folder(cls, folder: str | Path, name: str | None = None) -> Coder:
        """Load a codec's folder (`config.json` and weights)."""
        return cls(ECGCodec.from_pretrained(folder), name)

    @property
    def num_codebooks(self) -> int:
        """Codebooks of the codec."""
        return int(self.config.num_codebooks)

    def weights_digest(self) -> str:
        """Hexadecimal digits over the configuration and all weights, the decoder's too."""
        return f"{self.codec.fingerprint()} {weights_fingerprint(self.codec)}"

    def features(self, record: ECGRecord) -> torch.Tensor:
        """float32 (windows, leads, samples)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a rest that fills no window, a missing lead
            return torch.from_numpy(self.extractor.extract(record))

    def encode(self, record: ECGRecord, num_codebooks: int | None = None) -> torch.Tensor:
        """int64 (windows, codebooks, tokens), of all codebooks by default."""
        codes: torch.Tensor = self.codec.encode(self.features(record), num_codebooks or self.num_codebooks)
        return codes

    def decode(self, codes: torch.Tensor, original: ECGRecord, sampling_rate: float = COMMON_RATE) -> ECGRecord:
        """The recording that codes stand for.

        Args:
            codes: int64 (windows, codebooks, tokens), of the first codebooks or all.
            original: what was encoded; gives the mean and amplitude of each lead to a codec that does not code them.
            sampling_rate: Hz of the result.

        Returns:
            In mV. The twelve standard leads, less those that are coded as missing.
        """
        return self.to_record(self.codec.decode(codes), original, sampling_rate)

    def to_record(self, decoded: torch.Tensor, original: ECGRecord, sampling_rate: float = COMMON_RATE) -> ECGRecord:
        """What the codec's decoder gave, float32 (windows, leads, samples), as `decode` returns it."""
        record: ECGRecord = self.codec.to_record(decoded)
        if record.units == "z-score":
            record = with_mean_and_amplitude(record, original, self.config.window_samples)
        return record.resample(sampling_rate)

    def prefixes(self) -> list[int]:
        """Numbers of codebooks that stand in the tables: one, two, four and all, where there are so many."""
        return sorted({min(count, self.num_codebooks) for count in (1, 2, 4, self.num_codebooks)})

    def words(self, count: int) -> str:
        """Some of its codebooks with their rate, as `"2 codebooks (520 bit/s)"`."""
        return f"{codebook_words(count)} ({self.config.bits_per_second_of(count):.0f} bit/s)"

    @property
    def reads_baseline(self) -> bool:
        """Whether the features keep the slow baseline of the recording (those in mV do not)."""
        return bool(self.config.feature_units != "mV")


def codebook_words(count: int) -> str:
    """As `"2 codebooks"`."""
    return f"{count} codebook{'s' if count > 1 else ''}"


def with_mean_and_amplitude(record: ECGRecord, original: ECGRecord, window_samples: int | None) -> ECGRecord:
    """A recording in z-scores with the mean and amplitude of each lead of the original, window by window, in mV.

    Args:
        record: decoded, from the original's first sample on.
        original: in mV, with the decoded leads or enough limb leads to derive them.
        window_samples: of the decoded recording; None for one window.
    """
    source = original.resample(record.sampling_rate)
    rows = {name: source.lead(name) for name in source.leads}
    rows |= derive_limb_leads(source.signal, source.leads)
    signal = record.signal.astype(np.float64)
    window = window_samples or signal.shape[1]
    for first in range(0, signal.shape[1], window):
        there = np.stack([rows[name][first : first + window] for name in record.leads]).astype(np.float64)
        signal[:, first : first + window] *= there.std(axis=1, keepdims=True)
        signal[:, first : first + window] += there.mean(axis=1, keepdims=True)
    return ECGRecord(signal, record.sampling_rate, record.leads, source=record.source)


def twelve_leads(record: ECGRecord) -> np.ndarray:
    """float64 (12, samples) in the order of `STANDARD_LEADS`; NaN where a lead is missing and cannot be derived."""
    rows = {name: record.lead(name).astype(np.float64) for name in record.leads}
    rows |= {name: row for name, row in derive_limb_leads(record.signal, record.leads).items() if name not in rows}
    missing = np.full(record.signal.shape[1], np.nan)
    return np.stack([rows.get(name, missing) for name in STANDARD_LEADS])
