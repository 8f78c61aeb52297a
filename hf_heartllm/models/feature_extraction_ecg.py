"""Recordings → the array a codec reads."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from transformers import BatchFeature
from transformers.feature_extraction_utils import FeatureExtractionMixin

from .ecg_leads import STANDARD_LEADS, derive_limb_leads, standard_lead_name
from .ecg_record import ECGError, ECGRecord
from .ecg_resample import resample

MIN_SAMPLING_RATE = 100.0
MAX_SAMPLING_RATE = 1000.0


class ECGFeatureExtractor(FeatureExtractionMixin):
    """Brings any recording to the codec's rate, lead order and window length, and standardises every lead.

    Arithmetic is float64 and the result is cast once, so a recording given in microvolts, millivolts or converter
    units has the same features.

    Args:
        sampling_rate: Hz of the features.
        window_samples: samples of one window.
        leads: leads of the features, in order.
    """

    model_input_names: ClassVar[list[str]] = ["input_features"]

    def __init__(
        self,
        sampling_rate: int = 500,
        window_samples: int = 5000,
        leads: Sequence[str] = STANDARD_LEADS,
        **kwargs: Any,
    ) -> None:
        self.sampling_rate = sampling_rate
        self.window_samples = window_samples
        self.leads = list(leads)
        super().__init__(**kwargs)

    @classmethod
    def from_codec(cls, config: Any) -> ECGFeatureExtractor:
        """The extractor that a codec's configuration asks for."""
        return cls(sampling_rate=config.sampling_rate, window_samples=config.window_samples, leads=config.leads)

    def extract(self, record: ECGRecord, padding: bool = False) -> np.ndarray:
        """Features of one recording.

        Args:
            record: in millivolts, 100 to 1,000 Hz, with the leads of this extractor or enough limb leads to derive
                them. Longer recordings are cut into whole windows from their start.
            padding: whether to fill up a recording (or the rest of one) that is shorter than a window with each
                lead's mean. Without it a rest is left out with a warning and a short recording is refused.

        Returns:
            float32 (windows, leads, samples); every lead of every window has mean 0 and standard deviation 1, a
            flat lead is 0.

        Raises:
            ECGError: for another unit or rate, leads that cannot be derived, NaN, a flat recording, or one
                shorter than a window without `padding`.
        """
        where = record.source or "record"
        if record.units != "mV":
            raise ECGError(f"{where}: features need millivolts, this record is in {record.units}")
        if not MIN_SAMPLING_RATE <= record.sampling_rate <= MAX_SAMPLING_RATE:
            raise ECGError(
                f"{where}: sampling rate {record.sampling_rate:g} Hz is outside "
                f"{MIN_SAMPLING_RATE:g}–{MAX_SAMPLING_RATE:g} Hz"
            )
        signal = resample(self._ordered_leads(record, where), record.sampling_rate, self.sampling_rate)
        window, total = self.window_samples, signal.shape[1]
        count, rest = divmod(total, window)
        if rest and padding:
            count += 1
        elif count == 0:
            raise ECGError(
                f"{where}: {record.duration:g} s is shorter than the {window / self.sampling_rate:g} s window; "
                "ask for padding to fill it up"
            )
        elif rest:
            warnings.warn(
                f"{where}: the last {rest / self.sampling_rate:g} s do not fill a window and are left out", stacklevel=2
            )
        pieces = [signal[:, i * window : (i + 1) * window] for i in range(count)]
        return np.stack([self._standardise(piece, where) for piece in pieces])

    def __call__(
        self,
        records: ECGRecord | Sequence[ECGRecord],
        padding: bool = False,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """Features of one or several recordings.

        Returns:
            `input_features` float32 (all windows, leads, samples) and `num_windows`, the windows of each record.
        """
        many = [records] if isinstance(records, ECGRecord) or not isinstance(records, Sequence) else list(records)
        windows = [self.extract(record, padding=padding) for record in many]
        data = {"input_features": np.concatenate(windows), "num_windows": np.array([len(w) for w in windows])}
        return BatchFeature(data, tensor_type=return_tensors)

    def _ordered_leads(self, record: ECGRecord, where: str) -> np.ndarray:
        """float64 (leads, samples) in the order of `self.leads`; checked for NaN and flatness."""
        wanted = [standard_lead_name(name) for name in self.leads]
        derived = derive_limb_leads(record.signal, record.leads)
        missing = [name for name in wanted if name not in record.leads and name not in derived]
        if missing:
            raise ECGError(
                f"{where}: missing lead{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
                f"the recording holds {', '.join(record.leads)}"
            )
        rows = [
            record.signal[record.leads.index(name)].astype(np.float64) if name in record.leads else derived[name]
            for name in wanted
        ]
        for name, row in zip(wanted, rows, strict=True):
            bad = np.flatnonzero(~np.isfinite(row))
            if bad.size:
                raise ECGError(
                    f"{where}: lead {name} has {bad.size} missing sample{'s' if bad.size > 1 else ''} (NaN), "
                    f"the first at {bad[0] / record.sampling_rate:.3f} s"
                )
        if all(np.ptp(row) == 0 for row in rows):
            raise ECGError(f"{where}: the recording is flat in every lead")
        return np.stack(rows)

    def _standardise(self, piece: np.ndarray, where: str) -> np.ndarray:
        """(leads, up to a window of samples) → float32 (leads, window)."""
        mean = piece.mean(axis=1, keepdims=True)
        deviation = piece.std(axis=1, keepdims=True)
        flat = deviation[:, 0] <= 1e-9 * (1 + np.abs(mean[:, 0]))
        if flat.all():
            raise ECGError(f"{where}: a window of the recording is flat in every lead")
        deviation[flat] = 1.0
        scaled = (piece - mean) / deviation
        scaled[flat] = 0.0
        missing = self.window_samples - scaled.shape[1]
        return np.pad(scaled, ((0, 0), (0, missing))).astype(np.float32)
