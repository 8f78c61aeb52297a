"""The one noun every part of the package speaks: a recording in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .ecg_leads import derive_limb_leads, standard_lead_name
from .ecg_resample import resample
from .printable_text import printable

SLOWEST, FASTEST = 1.0, 1e6  # Hz; beyond, resampling and durations leave what can be calculated with


class ECGError(ValueError):
    """Something is wrong with a recording; the message is one line: what, where, what to do."""


class ECGWarning(UserWarning):
    """A recording is doubtful, or something about it was decided; the message is one line.

    `warnings.simplefilter("error", ECGWarning)` makes it an error.
    """


@dataclass(frozen=True, eq=False)
class ECGRecord:
    """An electrocardiogram.

    Attributes:
        signal: float32 (leads, samples). Missing samples are NaN.
        sampling_rate: Hz.
        leads: names of the rows, in standard spelling (`I … aVF … V6`) where they are standard leads.
        units: `"mV"`, or `"z-score"` for what a codec without absolute amplitude decodes to.
        age: years (PTB-XL's 300 stands for over 89), or None.
        sex: `"male"`, `"female"` or None.
        height: cm, or None.
        weight: kg, or None.
        source: where the recording came from, for messages and captions; what cannot be printed is spelt out.

    Raises:
        ECGError: if shape, names, rate or units do not fit together.

    Examples:
        >>> record = ECGRecord(np.zeros((2, 5000)), 500, ["lead i", "II"], age=63, source="a.csv")
        >>> record
        ECGRecord: leads I, II; 10 s at 500 Hz, mV; a.csv
        >>> record.lead("II").shape
        (5000,)
    """

    signal: np.ndarray
    sampling_rate: float
    leads: tuple[str, ...]
    units: str = "mV"
    age: float | None = None
    sex: str | None = None
    height: float | None = None
    weight: float | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        signal = np.array(self.signal, dtype=np.float32)  # a copy: a record does not change behind its back
        leads = tuple(standard_lead_name(name) for name in self.leads)
        source = printable(self.source) if isinstance(self.source, str) else self.source
        where = source or "record"
        if signal.ndim != 2:
            raise ECGError(f"{where}: signal must be (leads, samples), got {signal.ndim} dimension(s)")
        if signal.shape[0] != len(leads):
            raise ECGError(f"{where}: {signal.shape[0]} rows of signal but {len(leads)} lead names")
        if signal.shape[1] == 0 or signal.shape[0] == 0:
            raise ECGError(f"{where}: the recording is empty")
        if len(set(leads)) != len(leads):
            raise ECGError(f"{where}: lead names repeat: {', '.join(leads)}")
        try:
            rate = float(self.sampling_rate)
        except (TypeError, ValueError):
            rate = np.nan
        if not (np.isfinite(rate) and rate > 0):
            raise ECGError(f"{where}: sampling rate must be a positive number of Hz, got {self.sampling_rate!r:.40}")
        if not SLOWEST <= rate <= FASTEST:
            raise ECGError(f"{where}: a sampling rate of {rate:g} Hz is none of an ECG ({SLOWEST:g} to {FASTEST:g} Hz)")
        if self.units not in ("mV", "z-score"):
            raise ECGError(f"{where}: units must be 'mV' (or 'z-score' for decoded records), got {self.units!r}")
        signal.setflags(write=False)
        object.__setattr__(self, "signal", signal)
        object.__setattr__(self, "leads", leads)
        object.__setattr__(self, "sampling_rate", rate)
        object.__setattr__(self, "source", source)

    def __repr__(self) -> str:
        many = len(self.leads) > 3
        leads = (
            f"{len(self.leads)} leads {self.leads[0]} … {self.leads[-1]}" if many else f"leads {', '.join(self.leads)}"
        )
        source = "" if self.source is None else f"; {self.source}"
        return f"ECGRecord: {leads}; {self.duration:g} s at {self.sampling_rate:g} Hz, {self.units}{source}"

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return float(self.signal.shape[1] / self.sampling_rate)

    def lead(self, name: str) -> np.ndarray:
        """One lead's samples, float32 (samples,), by any spelling of its name."""
        standard = standard_lead_name(name)
        if standard not in self.leads:
            raise ECGError(f"{self.source or 'record'}: no lead {standard}; there are {', '.join(self.leads)}")
        samples: np.ndarray = self.signal[self.leads.index(standard)]
        return samples

    def select(self, leads: Sequence[str]) -> ECGRecord:
        """The same recording with only these leads, in this order."""
        return replace(self, signal=np.stack([self.lead(name) for name in leads]), leads=tuple(leads))

    def crop(self, start: float, stop: float) -> ECGRecord:
        """The stretch from `start` to `stop`, in seconds."""
        first, last = round(start * self.sampling_rate), round(stop * self.sampling_rate)
        if not 0 <= first < last <= self.signal.shape[1]:
            raise ECGError(f"{self.source or 'record'}: no stretch {start}–{stop} s in {self.duration:g} s")
        return replace(self, signal=self.signal[:, first:last])

    def resample(self, sampling_rate: float) -> ECGRecord:
        """The same recording at another sampling rate in Hz, low-pass filtered where the rate falls."""
        if sampling_rate == self.sampling_rate:
            return self
        signal = resample(self.signal, self.sampling_rate, sampling_rate)
        return replace(self, signal=signal, sampling_rate=sampling_rate)


def require_leads(record: ECGRecord, leads: Sequence[str]) -> None:
    """That a recording holds some leads, or limb leads from which they follow.

    Raises:
        ECGError: if some are missing.
    """
    wanted = [standard_lead_name(name) for name in leads]
    there = {*record.leads, *derive_limb_leads(record.signal[:, :1], record.leads)}
    missing = [name for name in wanted if name not in there]
    if missing:
        raise ECGError(
            f"{record.source or 'record'}: missing lead{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"the recording holds {', '.join(record.leads[:12])}{' …' if len(record.leads) > 12 else ''}"
        )


def check_is_record(value: object) -> None:
    """That a value is a recording, of this class or of that of a checkpoint's own code.

    Raises:
        ECGError: if it is none.
    """
    if not all(hasattr(value, name) for name in ("signal", "sampling_rate", "leads")):
        kind = "None" if value is None else f"of the type {type(value).__name__}"
        raise ECGError(f"an ECGRecord is needed, this is {kind}: read_ecg reads files, ecg_record takes numbers")
