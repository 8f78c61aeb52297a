"""A recording as a language model reads it: checked, cut into windows where it is long, encoded."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any

from .ecg_placeholders import as_record
from .ecg_record import ECGError, ECGRecord, ECGWarning
from .ecg_windows import recording_windows, window_times


@dataclass(frozen=True)
class ReadWindow:
    """One window of a recording; the whole of it where it is short enough.

    Attributes:
        start: seconds from the recording's first sample.
        stop: likewise, where it ends.
        ecg: what the model reads of it, such as the ids of its ECG tokens; None where it could not be read.
        problem: why it could not.
    """

    start: float
    stop: float
    ecg: Any
    problem: str | None = None


_SHORT = 0.75  # of the length that was trained on, and measured


@dataclass(frozen=True)
class Reading:
    """A recording, ready for prompts.

    Attributes:
        windows: in time.
        warnings: what was found about the recording, one line each; `warnings.warn` has said them too.
        absent: leads that the model reads and the recording has not, or without a signal.
    """

    windows: tuple[ReadWindow, ...]
    warnings: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def readable(self) -> list[ReadWindow]:
        """The windows that could be read."""
        return [window for window in self.windows if window.ecg is not None]


def read_recording(reader: Any, record: ECGRecord) -> Reading:
    """Check a recording, say what was found, cut it where it is longer than was trained on, and make a
    model's input of it.

    Args:
        reader: makes a model's input of a recording: an `ECGTokenizer`, or another processing class with
            `feature_extractor`, `encode_ecg` and `ecg_max_duration`.
        record: the recording, or a mapping with its fields.

    Warns:
        ECGWarning: for each finding.

    Raises:
        ECGError: if it holds no ECG, or amplitudes that no heart has, or the codec cannot read it: required leads that
            are missing, too short, another rate.
    """
    record = as_record(record)
    reading = _read(reader, record)
    for message in reading.warnings:
        warnings.warn(f"{record.source or 'record'}: {message}", ECGWarning, stacklevel=_caller())
    return reading


def warn_of_length(record: ECGRecord, longest: float | None) -> None:
    """Warn of a recording that stands in one prompt, and is longer than any that the model was trained on.

    Args:
        record: the recording.
        longest: seconds that were trained on; None: not known.
    """
    if longest is not None and record.duration > 1.01 * longest:
        said = (
            f"{record.source or 'record'}: {record.duration:g} s in one prompt, and the language model was trained "
            f"on {longest:g} s at most: give it windows, as the pipelines do"
        )
        warnings.warn(said, ECGWarning, stacklevel=_caller())


def _caller() -> int:
    """How many frames above the caller the code lies that called a pipeline: the line that a warning names."""
    frame, level = sys._getframe(2), 2
    ours = __name__.rpartition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith((ours, "torch.")):
        frame, level = frame.f_back, level + 1
    return level


def _read(reader: Any, record: ECGRecord) -> Reading:
    extractor = reader.feature_extractor
    checked, dead = extractor.check(record)
    said = tuple([finding.message for finding in checked.findings] + extractor.lead_remarks(record))
    fatal = next((finding.message for finding in checked.findings if finding.fatal), None)
    if fatal is not None:
        raise ECGError(f"{record.source or 'record'}: {fatal}")
    extractor.require_leads(checked.record, dead)
    absent = tuple(extractor.absent_leads(checked.record.leads))
    seconds, start = reader.ecg_max_duration, checked.start
    if seconds is not None and checked.record.duration < _SHORT * seconds:
        length = f"{checked.record.duration:.3g} s"
        said = (*said, f"{length} long: what is known of this model's answers was measured on {seconds:.3g} s")
    parts = recording_windows(checked.record, seconds)
    if len(parts) == 1:
        ecg = reader.encode_ecg(parts[0], check=False)
        return Reading((ReadWindow(start, start + parts[0].duration, ecg),), said, absent)
    windows = tuple(
        _read_window(reader, part, start + first, start + last)
        for part, (first, last) in zip(parts, window_times(checked.record, seconds), strict=True)
    )
    if all(window.ecg is None for window in windows):
        raise ECGError(f"{record.source or 'record'}: in every window: {windows[0].problem}")
    unread = [window for window in windows if window.ecg is None]
    if unread:
        places = ", ".join(f"{one.start:g} to {one.stop:g} s" for one in unread[:3])
        more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
        said = (*said, f"{len(unread)} of {len(windows)} windows are not read ({places}{more}): {unread[0].problem}")
    return Reading(windows, said, absent)


def _read_window(reader: Any, part: ECGRecord, start: float, stop: float) -> ReadWindow:
    checked, dead = reader.feature_extractor.check(part)
    problem = next((finding.message for finding in checked.findings if finding.fatal), None)
    if problem is None:
        try:
            reader.feature_extractor.require_leads(checked.record, dead)
            return ReadWindow(start, stop, reader.encode_ecg(checked.record, check=False))
        except ECGError as error:
            problem = str(error)
    return ReadWindow(start, stop, None, problem)
