"""WFDB records: a `.hea` header and the signal files it names (formats 16, 212, FLAC 516, MATLAB v4 and wfdb's others).

wfdb decodes the samples. It accepts a wrong checksum, surplus samples and a gain of 0 in silence, drops the `µ` of
`µV`, and reports other faults as IndexError or HeaderSyntaxError; so header and samples are checked here
(https://physionet.org/physiotools/wag/header-5.htm).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...models.ecg_record import ECGError, ECGRecord
from .units import millivolts_per_unit

WFDB_SUFFIXES = (".hea", ".dat", ".mat")
_MAX_HEADER_BYTES = 1_000_000
_BITS_PER_SAMPLE = {"8": 8, "80": 8, "16": 16, "61": 16, "160": 16, "212": 12, "24": 24, "32": 32}
_GAIN = re.compile(r"(?P<gain>[-+.\deE]+)(?:\((?P<baseline>[-+]?\d+)\))?(?:/(?P<units>\S+))?")
_FORMAT = re.compile(r"(?P<format>\d+)(?:x(?P<per_frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?")
_COMMENT = re.compile(
    r"<?\b(age|sex|height|weight)\b>?\s*:\s*([^\s<,;]+)(?:[ \t]*([a-z]+)\b(?!>?\s*:))?", re.IGNORECASE
)
# What a comment may state: unit words, and the range outside which a number is a code for "unknown" (-1, 0, 999) or
# stands in another unit (1.75 m).
_COMMENT_UNITS = {"age": ("", "y", "yr", "yrs", "year", "years"), "height": ("", "cm"), "weight": ("", "kg")}
_COMMENT_RANGE = {"age": (0.0, 300.0), "height": (20.0, 280.0), "weight": (0.2, 650.0)}


@dataclass(frozen=True)
class _SignalLine:
    """One signal specification line of a header."""

    file: str
    format: str
    per_frame: int
    offset: int
    units: str
    checksum: int | None
    name: str


def read_wfdb(path: str | Path, *, source: str | None = None) -> ECGRecord:
    """Read a WFDB record.

    Args:
        path: the record (`…/00152_lr`), its `.hea`, or the `.dat` or `.mat` beside it.
        source: how messages and captions call it; the path when None.

    Returns:
        The record in mV; samples that the file marks as missing are NaN. Age, sex, height and weight come from header
        comments (`#Age: 74`) where they state them.

    Raises:
        ECGError: for anything missing, damaged or inconsistent.
    """
    if not Path(path).name:
        raise ECGError(f"{str(path)!r} names no recording")
    path = Path(path)
    header = path.with_suffix(".hea") if path.suffix in WFDB_SUFFIXES else path.with_name(path.name + ".hea")
    where = source or str(path)
    text = read_header_text(header, where)
    frames, signals = _parse_header(text, where)
    for file in {signal.file for signal in signals}:
        _check_file(header.parent / file, [signal for signal in signals if signal.file == file], frames, where)
    record = _decode(header, all(signal.per_frame == 1 for signal in signals), where)
    rate, samples = _samples(record, signals, where)
    names = [signal.name or f"signal {number}" for number, signal in enumerate(signals, 1)]
    return ECGRecord(samples, rate, tuple(names), source=where, **header_comments(text))


def read_header_text(header: Path, where: str) -> str:
    """The text of a header file, or an ECGError."""
    try:
        content = header.read_bytes() if header.stat().st_size <= _MAX_HEADER_BYTES else b"\0"
    except FileNotFoundError:
        beside = header.with_suffix("")
        if beside.is_dir():
            raise ECGError(f"{where}: this is a folder; name one record in it") from None
        if beside.is_file():
            raise ECGError(f"{where}: not a kind of recording that is read here (WFDB, .csv, .npy)") from None
        raise ECGError(f"{where}: there is no header file {header.name} in {header.parent}") from None
    except (OSError, ValueError) as error:
        raise ECGError(f"{where}: cannot read {header.name}: {getattr(error, 'strerror', None) or error}") from None
    if not content.strip():
        raise ECGError(f"{where}: the header file {header.name} is empty")
    if b"\0" in content:
        raise ECGError(f"{where}: {header.name} is not a WFDB header (it is a binary file)")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def header_signal_files(text: str, where: str) -> list[str]:
    """The signal files that a header names."""
    return sorted({signal.file for signal in _parse_header(text, where)[1]})


def _parse_header(text: str, where: str) -> tuple[int | None, list[_SignalLine]]:
    """The stated number of frames (None where it states none) and the signal lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    fields = lines[0].split() if lines else []
    if len(fields) < 2 or not fields[1].isdigit():
        raise ECGError(f"{where}: not a WFDB header: its first line is not 'name signals rate samples'")
    if "/" in fields[0]:
        raise ECGError(f"{where}: a record of several segments; read one of its segments")
    if len(fields) < 3:
        raise ECGError(f"{where}: the header states no sampling rate")
    count = int(fields[1])
    if count == 0:
        raise ECGError(f"{where}: the header states no signals")
    if len(lines) - 1 != count:
        raise ECGError(f"{where}: the header promises {count} signals and describes {len(lines) - 1}")
    frames = int(fields[3]) if len(fields) > 3 and fields[3].isdigit() and int(fields[3]) > 0 else None
    return frames, [_parse_signal_line(line, number, where) for number, line in enumerate(lines[1:], 1)]


def _parse_signal_line(line: str, number: int, where: str) -> _SignalLine:
    # file, format, gain, resolution, zero, first value, checksum, block size, description (which may hold spaces)
    fields = line.split(None, 8)
    name = fields[8].strip() if len(fields) > 8 else ""
    where = f"{where}: signal {number}{f' ({name})' if name else ''}"
    layout = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    if layout is None:
        raise ECGError(f"{where}: not a WFDB signal line: {line[:60]!r}")
    gain = _GAIN.fullmatch(fields[2]) if len(fields) > 2 else None
    try:
        value = float(gain["gain"]) if gain else 0.0
    except ValueError:
        raise ECGError(f"{where}: the gain {fields[2]!r} is not a number") from None
    if not np.isfinite(value) or value <= 0:
        raise ECGError(f"{where}: the header states no gain (it is {fields[2] if gain else 'absent'}): not calibrated")
    units = (gain["units"] if gain else None) or "mV"  # the format's own default
    millivolts_per_unit(units, where)
    try:
        checksum = int(fields[6]) if len(fields) > 6 else None
    except ValueError:
        raise ECGError(f"{where}: the checksum {fields[6]!r} is not a number") from None
    per_frame, offset = int(layout["per_frame"] or 1), int(layout["offset"] or 0)
    return _SignalLine(fields[0], layout["format"], per_frame, offset, units, checksum, name)


def _check_file(path: Path, signals: list[_SignalLine], frames: int | None, where: str) -> None:
    """Compare the size of a signal file with what the header states."""
    if len(Path(signals[0].file).parts) != 1:
        raise ECGError(f"{where}: the header names a signal file in another folder: {signals[0].file}")
    if not path.is_file():
        raise ECGError(f"{where}: the signal file {path.name} is not there")
    size = path.stat().st_size
    if size <= signals[0].offset:
        raise ECGError(f"{where}: the signal file {path.name} is empty")
    bits = _BITS_PER_SAMPLE.get(signals[0].format)
    if bits is None or frames is None:  # a compressed or rarely used format: wfdb and the checksum decide
        return
    frame_bits = bits * sum(signal.per_frame for signal in signals)
    there = (size - signals[0].offset) * 8 / frame_bits
    if there < frames:
        raise ECGError(f"{where}: {path.name} is truncated: {int(there)} of {frames} samples are there")
    if there >= frames + 1:
        raise ECGError(f"{where}: {path.name} holds {int(there)} samples, the header states {frames}")


def _decode(header: Path, smooth: bool, where: str) -> Any:
    """wfdb's record with every sample as stored, or an ECGError. With `smooth` wfdb averages over each frame."""
    import wfdb
    from wfdb.io.header import HeaderSyntaxError

    name = str(header.absolute())[: -len(".hea")]
    try:
        return wfdb.rdrecord(name, physical=False, smooth_frames=smooth, ignore_skew=True)
    except (OSError, ValueError, IndexError, KeyError, TypeError, RuntimeError, HeaderSyntaxError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ECGError(f"{where}: wfdb cannot read this record: {reason[:200]}") from None


def _samples(record: Any, signals: list[_SignalLine], where: str) -> tuple[float, np.ndarray]:
    """Sampling rate in Hz and float64 (leads, samples) in mV, after the checks that wfdb does not make."""
    if not (record.fs and np.isfinite(record.fs) and record.fs > 0):
        raise ECGError(f"{where}: the header states no valid sampling rate ({record.fs})")
    per_frame = {signal.per_frame for signal in signals}
    if len(per_frame) != 1:
        raise ECGError(f"{where}: its signals have different sampling rates")
    channels = record.e_d_signal if record.d_signal is None else list(record.d_signal.T)
    stored = [np.asarray(samples, dtype=np.int64) for samples in channels]
    length = len(stored[0])
    if length == 0:
        raise ECGError(f"{where}: the recording is empty")
    out = np.full((len(stored), length), np.nan)
    for row, (digital, signal) in enumerate(zip(stored, signals, strict=True)):
        name = signal.name or f"signal {row + 1}"
        if len(digital) != length:
            raise ECGError(f"{where}: {name} has {len(digital)} samples, the first signal {length}")
        if signal.checksum is not None and (int(digital.sum()) - signal.checksum) % 65536:
            raise ECGError(f"{where}: wrong checksum of {name}: the samples are not those the header was written for")
        physical = (digital - record.baseline[row]) / record.adc_gain[row] * millivolts_per_unit(signal.units, where)
        physical[digital == _missing_value(signal.format)] = np.nan
        skew = record.skew[row] or 0
        out[row, : length - skew] = physical[skew:]  # the header's skew: this signal was sampled `skew` frames late
    return float(record.fs) * per_frame.pop(), out


def _missing_value(sample_format: str) -> int | None:
    """The stored value that marks a missing sample: the most negative one. Format 8 stores differences and has none."""
    bits = {"508": 8, "516": 16, "524": 24, "310": 10, "311": 10}.get(sample_format) or _BITS_PER_SAMPLE.get(
        sample_format
    )
    return None if bits is None or sample_format == "8" else -(1 << (bits - 1))


def header_comments(text: str) -> dict[str, Any]:
    """Age, sex, height and weight where the comments state them in a way that has one meaning."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            continue
        for key, value, unit in _COMMENT.findall(line):
            known = _comment_value(key.lower(), value, unit.lower())
            if known is not None:
                found[key.lower()] = known
    return found


def _comment_value(key: str, value: str, unit: str) -> float | str | None:
    if key == "sex":
        return {"m": "male", "male": "male", "f": "female", "female": "female"}.get(value.lower())
    try:
        number = float(value)
    except ValueError:
        return None
    low, high = _COMMENT_RANGE[key]
    return number if unit in _COMMENT_UNITS[key] and low <= number <= high else None
