"""WFDB headers, by header(5) of the WFDB applications guide (https://physionet.org/physiotools/wag/header-5.htm).

wfdb's own parser takes `3.6e2` Hz for 3.6, an absent or unreadable rate for 250 Hz and a gain of 0 for 200, drops the
`µ` of `µV`, and stops at dates in another form; so headers are read here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...models.ecg_record import ECGError
from .channels import MOST_CHANNELS
from .formats import kinds_of_files
from .statements import is_missing, require_regular

_MAX_HEADER_BYTES = 1_000_000
_LARGEST_WHOLE = 1 << 53  # the largest number up to which float64 holds every whole one
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_GAIN = re.compile(r"(?P<gain>[^()/\s]*)(?:\((?P<baseline>[^()/\s]*)\))?(?:/(?P<units>[^()\s]*))?")
_FORMAT = re.compile(
    r"(?P<format>\d+)(?:x(?P<per_frame>\d{1,9}))?(?::(?P<skew>\d{1,15}))?(?:\+(?P<offset>\d{1,15}))?", re.ASCII
)
_COMMENT = re.compile(
    r"<?\b(age|sex|height|weight)\b>?\s*:\s*([^\s<,;]+)(?:[ \t]*([a-z]+)\b(?!>?\s*:))?", re.IGNORECASE
)
# What a comment may state: unit words, and the range outside which a number is a code for "unknown" (-1, 0, 999) or
# stands in another unit (1.75 m).
_COMMENT_UNITS = {"age": ("", "y", "yr", "yrs", "year", "years"), "height": ("", "cm"), "weight": ("", "kg")}
_COMMENT_RANGE = {"age": (0.0, 300.0), "height": (20.0, 280.0), "weight": (0.2, 650.0)}


@dataclass(frozen=True)
class Signal:
    """One signal specification line.

    Attributes:
        number: of the line, from 1.
        file: as the header names it.
        format: of the samples.
        per_frame: samples in a frame.
        skew: samples that this signal was taken late.
        offset: bytes before the first sample.
        gain: stored units in one physical unit; negative where the signal is stored upside down.
        baseline: the stored value at 0 physical units.
        units: physical units; millivolts where the header states none.
        first: the value that differences of format 8 start from.
        checksum: sum of the samples, modulo 65536; None where none is stated.
        name: the description, or `""`.
        fault: why the samples have no value in physical units, or None.
    """

    number: int
    file: str
    format: str
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    units: str
    first: int
    checksum: int | None
    name: str
    fault: str | None

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"signal {self.number}{f' ({self.name})' if self.name else ''}"


@dataclass(frozen=True)
class Header:
    """What a header states.

    Attributes:
        rate: frames a second, Hz.
        frames: None where the header states no length (it is absent or 0).
        signals: in the header's order.
    """

    rate: float
    frames: int | None
    signals: tuple[Signal, ...]


def read_header_text(header: Path, where: str) -> str:
    """The text of a header file, or an ECGError."""
    try:
        if not is_missing(header):
            require_regular(header, where)
        with header.open("rb") as file:
            content = file.read(_MAX_HEADER_BYTES + 1)
    except FileNotFoundError:
        beside = header.with_suffix("")
        if beside.is_dir():
            raise ECGError(f"{where}: this is a folder; name one record in it") from None
        if beside.is_file():
            raise ECGError(f"{where}: not a kind of recording that is read here ({kinds_of_files()})") from None
        raise ECGError(f"{where}: there is no header file {header.name} in {header.parent}") from None
    except (OSError, ValueError) as error:
        raise ECGError(f"{where}: cannot read {header.name}: {getattr(error, 'strerror', None) or error}") from None
    if not content.strip():
        raise ECGError(f"{where}: the header file {header.name} is empty")
    if b"\0" in content or len(content) > _MAX_HEADER_BYTES:
        raise ECGError(f"{where}: {header.name} is not a WFDB header (it is a binary file)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def parse_header(text: str, where: str, stem: str) -> Header:
    """Read a header.

    Args:
        text: of the header file.
        where: the record, for messages.
        stem: the header file's name without suffix: in `mitdb/100` of `100.hea`, 100 is no number of segments.

    Raises:
        ECGError: if it is no header of one segment, or states no valid sampling rate.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    fields = lines[0].split() if lines else []
    if len(fields) < 2 or not re.fullmatch(r"\d{1,6}", fields[1], re.ASCII):
        raise ECGError(f"{where}: not a WFDB header: its first line is not 'name signals rate samples'")
    behind = fields[0].rpartition("/")[2] if "/" in fields[0] else ""
    if behind.isdecimal() and (behind != stem or all(len(line.split()) == 2 for line in lines[1:])):
        raise ECGError(f"{where}: a record of several segments; read one of its segments")
    if len(fields) < 3:
        raise ECGError(f"{where}: the header states no sampling rate")
    rate = _number(re.split(r"[/(]", fields[2])[0])  # behind `/` and in brackets: the counter that strip charts print
    if rate is None or rate <= 0:
        raise ECGError(f"{where}: the header's sampling rate is {fields[2][:40]!r}, which is no positive number of Hz")
    count = int(fields[1])
    if count == 0:
        raise ECGError(f"{where}: the header states no signals")
    if count > MOST_CHANNELS:
        raise ECGError(f"{where}: the header promises {count} signals, more than are read ({MOST_CHANNELS:,})")
    if len(lines) - 1 != count:
        raise ECGError(f"{where}: the header promises {count} signals and describes {len(lines) - 1}")
    signals = tuple(_parse_signal(line, number, where) for number, line in enumerate(lines[1:], 1))
    return Header(rate, _frames(fields[3], where) if len(fields) > 3 else None, signals)


def _frames(field: str, where: str) -> int | None:
    if _number(field) is None:
        return None  # the length is left out and a time or date follows; nothing here uses those
    frames = _whole(field)
    if frames is None or frames < 0:
        raise ECGError(f"{where}: the header's length is {field[:40]!r}, which is no number of samples")
    return frames or None


def _parse_signal(line: str, number: int, where: str) -> Signal:
    # file, format, gain, resolution, zero, first value, checksum, block size, description (which may hold spaces)
    fields = line.split(None, 8)
    layout = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    if layout is None:
        raise ECGError(f"{where}: signal {number}: not a WFDB signal line: {line[:60]!r}")
    # Each field is optional. A description behind fewer than five numbers starts at the first word that is none.
    last = next((place for place, field in enumerate(fields[3:8], 3) if _whole(field) is None), 8)
    if any(_whole(field) is not None for field in fields[last:8]):
        last = 8
    parts = line.split(None, last)
    fields, name = parts[:last], parts[last].strip() if len(parts) > last else ""
    resting = dict(enumerate(fields))
    gain, baseline, units, fault = _gain(resting.get(2), resting.get(4))
    if 3 in resting and _whole(resting[3]) is None:  # a blank within the gain, or fields in another order
        fault = f"behind the gain {fields[2][:20]!r} stands {fields[3][:20]!r}, which is no ADC resolution"
    first, checksum = _whole(resting.get(5, "0")), _whole(resting.get(6, "0"))
    if checksum is None:
        fault = fault or f"the checksum {fields[6][:40]!r} is not a number"
    if first is None and layout["format"] == "8":  # which stores differences from it
        fault = fault or f"the first value {fields[5][:40]!r} is not a number"
    per_frame = int(layout["per_frame"] or 1)
    if per_frame == 0:
        raise ECGError(f"{where}: signal {number}: not a WFDB signal line: {line[:60]!r}")
    return Signal(
        number, fields[0], layout["format"], per_frame, int(layout["skew"] or 0), int(layout["offset"] or 0), gain,
        baseline, units, first or 0, checksum if 6 in resting else None, name, fault,
    )  # fmt: skip


def _gain(field: str | None, zero: str | None) -> tuple[float, int, str, str | None]:
    """Gain, baseline and units of a gain field, and what is wrong with it."""
    if field is None:
        return 0.0, 0, "mV", "the header states no gain (it is absent): not calibrated"
    found = _GAIN.fullmatch(field)
    units = (found["units"] if found else None) or "mV"  # the format's own default
    unusable = f"the gain field {field[:40]!r} is not 'gain(baseline)/units' with a number and a whole number"
    gain = _number(found["gain"]) if found else None
    if found is None or gain is None:
        return 0.0, 0, units, unusable
    if gain == 0:
        return 0.0, 0, units, f"the header states no gain (the field is {field[:40]!r}): not calibrated"
    if found["baseline"] is None and _whole(zero or "0") is None:
        return 0.0, 0, units, f"the ADC zero {(zero or '')[:40]!r} is not a whole number"
    baseline = _whole((zero if found["baseline"] is None else found["baseline"]) or "0")
    return (gain, baseline, units, None) if baseline is not None else (0.0, 0, units, unusable)


def _number(text: str) -> float | None:
    """A finite number in any way of writing that C reads as decimal."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _whole(text: str) -> int | None:
    """A whole number that a converter, a file or its length may have, also where it is written `5.0` or `5e3`."""
    value = _number(text)
    return int(value) if value is not None and value.is_integer() and abs(value) < _LARGEST_WHOLE else None


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
