"""Recordings → the array a codec reads."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from transformers import BatchFeature
from transformers.feature_extraction_utils import FeatureExtractionMixin

from .card_files import write_card_files
from .codec_config import check_feature_settings
from .ecg_checks import CheckedRecord, check_record
from .ecg_leads import STANDARD_LEADS, derive_limb_leads, standard_lead_name
from .ecg_record import ECGError, ECGRecord, ECGWarning, require_leads
from .ecg_resample import resample
from .format_versions import check_format_version

FORMAT_VERSION = 1
MIN_SAMPLING_RATE = 100.0
MAX_SAMPLING_RATE = 1000.0
SHARED_WITH_CODEC = ("baseline_seconds", "resample_zero_crossings", "resample_roll_off", "resample_kaiser_beta")
"""Fields that an extractor has from its codec's configuration, and that the codec's fingerprint covers."""
_AS_MISSING = {"counts as missing": "is read as 0", "count as missing": "are read as 0"}


def _leads_are(names: Sequence[str]) -> str:
    return f"lead{'s' if len(names) > 1 else ''} {', '.join(names)} {'are' if len(names) > 1 else 'is'}"


def _kept(message: str) -> str:
    """What is said of a lead that counts as missing, where it stays."""
    return re.sub("|".join(_AS_MISSING), lambda found: _AS_MISSING[found[0]], message)


def slow_baseline(signal: np.ndarray, sampling_rate: float, seconds: float) -> np.ndarray:
    """A moving average with Hann weights, which over three seconds follows breathing and drift but no beat.

    Near the ends the average is over the samples that are there. Over three seconds it holds less than 3 % of an
    oscillation above 0.67 Hz.

    Args:
        signal: float64 (leads, samples). A lead that is NaN stays NaN.
        sampling_rate: Hz.
        seconds: over which the average is taken.

    Returns:
        float64 (leads, samples).
    """
    half = round(seconds / 2 * sampling_rate)
    weights = np.hanning(2 * half + 3)[1:-1]
    ones = np.ones(signal.shape[1])
    total = np.convolve(ones, weights)[half : half + signal.shape[1]]
    return np.stack([np.convolve(row, weights)[half : half + signal.shape[1]] / total for row in signal])


class ECGFeatureExtractor(FeatureExtractionMixin):
    """Brings any recording to the codec's rate and lead order.

    For a codec that reads windows (`window_samples`), every lead of every window is standardised. For a codec that
    reads any length, the signal stays in mV and its slow baseline (a moving average over `baseline_seconds`) is taken
    off; leads that are not required may be missing and are NaN throughout.

    Arithmetic is float64 and the result is cast once, so a recording given in microvolts, millivolts or converter
    units has the same features.

    Args:
        sampling_rate: Hz of the features.
        window_samples: samples of one window; None for recordings of any length.
        leads: leads of the features, in order.
        required_leads: leads that must be there or derivable; None for all.
        min_duration: seconds of the shortest recording, where there are no windows.
        format_version: version of the extractor's file.
        hop_length: samples of one token; the length of the features is a multiple of it, where there are no windows.
        baseline_seconds: of that moving average, where there are no windows.
        resample_zero_crossings, resample_roll_off, resample_kaiser_beta: of the filters that bring a recording to
            `sampling_rate`, see `ResamplingFilter`.

    Raises:
        ValueError: if there is no such average or filter.

    Examples:
        >>> import hf_heartllm as hl
        >>> extractor = ECGFeatureExtractor.from_codec(hl.ECGCodecConfig())
        >>> extractor.extract(hl.read_ecg("example:lbbb")).shape  # (windows, leads, samples)
        (1, 8, 1000)
    """

    model_input_names: ClassVar[list[str]] = ["input_features"]

    def __init__(
        self,
        sampling_rate: int = 500,
        window_samples: int | None = 5000,
        leads: Sequence[str] = STANDARD_LEADS,
        required_leads: Sequence[str] | None = None,
        min_duration: float = 2.0,
        hop_length: int = 1,
        baseline_seconds: float = 3.0,
        resample_zero_crossings: int = 24,
        resample_roll_off: float = 0.92,
        resample_kaiser_beta: float = 9.0,
        format_version: int = FORMAT_VERSION,
        **kwargs: Any,
    ) -> None:
        self.sampling_rate = sampling_rate
        self.window_samples = window_samples
        self.leads = list(leads)
        self.required_leads = list(leads if required_leads is None else required_leads)
        self.min_duration = min_duration
        self.hop_length = hop_length
        self.baseline_seconds = baseline_seconds
        self.resample_zero_crossings = resample_zero_crossings
        self.resample_roll_off = resample_roll_off
        self.resample_kaiser_beta = resample_kaiser_beta
        check_feature_settings(self)
        self.format_version = check_format_version("feature extractor", format_version, FORMAT_VERSION, __name__)
        super().__init__(**kwargs)

    @classmethod
    def from_codec(cls, config: Any) -> ECGFeatureExtractor:
        """The extractor that a codec's configuration asks for."""
        return cls(
            sampling_rate=config.sampling_rate,
            window_samples=config.window_samples,
            leads=config.leads,
            required_leads=config.required_leads,
            min_duration=config.min_duration,
            hop_length=config.hop_length,
            **{name: getattr(config, name) for name in SHARED_WITH_CODEC},
        )

    def _upload_modified_files(
        self, working_dir: str | os.PathLike[str], repo_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """As for any feature extractor, with a card, in one commit."""
        write_card_files(self, working_dir, repo_id, None)
        return super()._upload_modified_files(working_dir, repo_id, *args, **kwargs)

    def extract(self, record: ECGRecord, padding: bool = False, check: bool = True) -> np.ndarray:
        """Features of one recording.

        Args:
            record: in millivolts, 100 to 1,000 Hz, with the leads of this extractor or enough limb leads to derive
                them. With windows, a longer recording is cut into whole windows from its start.
            padding: whether to fill up a recording (or the rest of one) that is shorter than a window with each
                lead's mean. Without it a rest is left out with a warning and a short recording is refused. Where
                there are no windows, a recording shorter than `min_duration` is filled up with its last sample.
            check: whether to check the recording first (`ecg_checks`): each finding is warned of (`ECGWarning`), leads
                without signal count as missing, constant padding is cut off. With windows a constant lead that is
                needed stays, and is 0.

        Returns:
            float32 (windows, leads, samples), every lead of every window with mean 0 and standard deviation 1 and a
            flat lead 0; or (1, leads, samples) in mV without the slow baseline.

        Raises:
            ECGError: for another unit or rate, required leads that cannot be derived, NaN, a flat recording, or one
                that is too short without `padding`.
        """
        where = record.source or "record"
        if record.units != "mV":
            raise ECGError(f"{where}: features need millivolts, this record is in {record.units}")
        if not MIN_SAMPLING_RATE <= record.sampling_rate <= MAX_SAMPLING_RATE:
            raise ECGError(
                f"{where}: sampling rate {record.sampling_rate:g} Hz is outside "
                f"{MIN_SAMPLING_RATE:g}–{MAX_SAMPLING_RATE:g} Hz"
            )
        messages: list[str] = []
        if check:
            checked, dead = self.check(record)
            messages = [*(finding.message for finding in checked.findings), *self.lead_remarks(record)]
            record = checked.record
            self.require_leads(record, dead)
        signal = resample(
            self._ordered_leads(record, where), record.sampling_rate, self.sampling_rate, check_feature_settings(self)
        )
        for message in messages:  # said of what can be read; of what cannot, the error is enough
            warnings.warn(f"{where}: {message}", ECGWarning, stacklevel=3)
        if self.window_samples is None:
            return self._whole(signal, padding, where, record.duration)
        window, total = self.window_samples, signal.shape[1]
        count, rest = divmod(total, window)
        if rest and padding:
            count += 1
        elif count == 0:
            needed = window / self.sampling_rate
            raise ECGError(f"{where}: {record.duration:g} s is shorter than the {needed:g} s that are needed")
        elif rest:
            warnings.warn(
                f"{where}: the last {rest / self.sampling_rate:g} s do not fill a window and are left out", stacklevel=2
            )
        pieces = [signal[:, i * window : (i + 1) * window] for i in range(count)]
        return np.stack([self._standardise(piece, where) for piece in pieces])

    def check(self, record: ECGRecord) -> tuple[CheckedRecord, tuple[str, ...]]:
        """Check a recording (`ecg_checks`), and which of its leads were left out.

        For a codec that reads windows, whose leads all have to be there, none is left out.
        """
        checked = check_record(record)
        if self.window_samples is None:
            return checked, tuple(name for name in record.leads if name not in checked.record.leads)
        start = round(checked.start * record.sampling_rate)
        signal = record.signal[:, start : start + checked.record.signal.shape[1]]
        findings = tuple(replace(one, message=_kept(one.message)) for one in checked.findings)
        return replace(checked, record=replace(record, signal=signal), findings=findings), ()

    def lead_remarks(self, record: ECGRecord) -> list[str]:
        """A line on the leads that the codec can do without and the recording does not hold, and one on those that it
        holds and the codec does not read (such as V7); none where the two agree.
        """
        read = [standard_lead_name(name) for name in self.leads]
        absent = self.absent_leads(record.leads)
        absent = [name for name in absent if name not in set(map(standard_lead_name, self.required_leads))]
        unread = self.unread_leads(record.leads)
        remarks = [f"{_leads_are(absent)} missing and encoded as missing"] if absent else []
        if unread:
            remarks.append(f"{_leads_are(unread)} not read: the model reads {', '.join(read)}")
        return remarks

    def absent_leads(self, leads: Sequence[str]) -> list[str]:
        """Those of the leads read that are neither among a recording's leads (standard names) nor follow from them."""
        there = {*leads, *derive_limb_leads(np.zeros((len(leads), 1)), leads)}
        return [name for name in map(standard_lead_name, self.leads) if name not in there]

    def unread_leads(self, leads: Sequence[str]) -> list[str]:
        """Those of a recording's leads (standard names) that the codec does not read, such as V7.

        What follows from the codec's leads counts as read: III, aVR, aVL and aVF where it reads I and II.
        """
        read = [standard_lead_name(name) for name in self.leads]
        known = {*read, *derive_limb_leads(np.zeros((len(read), 1)), read)}
        return [name for name in leads if name not in known]

    def require_leads(self, record: ECGRecord, dead: Collection[str] = ()) -> None:
        """That the leads which the codec needs are there, or can be derived.

        Args:
            record: the recording, without the leads that hold no signal.
            dead: those.

        Raises:
            ECGError: if some are missing.
        """
        derived = derive_limb_leads(record.signal, record.leads) if dead else {}
        # leads that were computed from a dead one give it back as dead as it was
        there = {*record.leads, *(name for name, row in derived.items() if np.ptp(row) > 0)}
        lost = [name for name in map(standard_lead_name, self.required_leads) if name in dead and name not in there]
        if lost:
            raise ECGError(
                f"{record.source or 'record'}: lead{'s' if len(lost) > 1 else ''} {', '.join(lost)} "
                f"hold{'' if len(lost) > 1 else 's'} no signal (constant, noise or saturated), so count as missing; "
                f"with signal: {', '.join(record.leads)}"
            )
        require_leads(record, self.required_leads)

    def _whole(self, signal: np.ndarray, padding: bool, where: str, seconds: float) -> np.ndarray:
        """float64 (leads, samples) → float32 (1, leads, samples) less the slow baseline, a whole number of tokens."""
        needed = round(self.min_duration * self.sampling_rate)
        if signal.shape[1] < needed:
            if not padding:
                raise ECGError(f"{where}: {seconds:g} s is shorter than the {self.min_duration:g} s that are needed")
            signal = np.pad(signal, ((0, 0), (0, needed - signal.shape[1])), mode="edge")
        samples = signal.shape[1] // self.hop_length * self.hop_length
        features = signal - slow_baseline(signal, self.sampling_rate, self.baseline_seconds)
        window: np.ndarray = features[None, :, :samples].astype(np.float32)
        return window

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
        self.require_leads(record)
        wanted = [standard_lead_name(name) for name in self.leads]
        derived = derive_limb_leads(record.signal, record.leads)
        absent = [name for name in wanted if name not in {*record.leads, *derived}]
        if len(absent) == len(wanted):
            raise ECGError(f"{where}: none of the leads {', '.join(wanted)} is there, only {', '.join(record.leads)}")
        rows = [
            record.signal[record.leads.index(name)].astype(np.float64)
            if name in record.leads
            else derived.get(name, np.full(record.signal.shape[1], np.nan))
            for name in wanted
        ]
        for name, row in zip(wanted, rows, strict=True):
            if name in absent:
                continue
            bad = np.flatnonzero(~np.isfinite(row))
            if bad.size:
                raise ECGError(
                    f"{where}: lead {name} has {bad.size} missing sample{'s' if bad.size > 1 else ''} (NaN), "
                    f"the first at {bad[0] / record.sampling_rate:.3f} s"
                )
        if all(np.ptp(row) == 0 for name, row in zip(wanted, rows, strict=True) if name not in absent):
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
