"""WFDB records: a `.hea` header and the signal files it names (formats 16, 212, FLAC 516, MATLAB v4 and wfdb's others).

wfdb decodes the samples, and nothing more: it accepts a wrong checksum and surplus samples in silence, and names of
files with two dots stop it. It gets a header of its own beside links to the files; what the record's header says is
read and checked here.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ...models.ecg_record import ECGError, ECGRecord
from ...models.record_from_array import in_range
from .channels import is_lead_name, is_other_signal, lead_name, require_names
from .formats import WFDB
from .lead_choice import Leads, choose, lead_choice
from .messages import MOST_SAMPLES, listed, warn
from .statements import is_missing, part_bounds, require_regular
from .units import is_voltage, millivolts_per_unit
from .wfdb_header import Header, Signal, header_comments, parse_header, read_header_text
from .wfdb_lengths import BITS_PER_SAMPLE, COMPRESSED, frames_in_file

__all__ = ["header_comments", "header_signal_files", "read_header_text", "read_wfdb", "read_wfdb_parts"]

_FROM_THE_START = ("8",)  # whose samples are sums of all differences before them
_SIMULATED = re.compile(r"^\s*#\s*simulated\b", re.MULTILINE)  # as `ecg.writers` writes it


def read_wfdb(path: str | Path, *, source: str | None = None, leads: Leads | None = None) -> ECGRecord:
    """Read a WFDB record.

    Args:
        path: the record (`…/00152_lr`), its `.hea`, or the `.dat` or `.mat` beside it.
        source: how messages and captions call it; the path when None.
        leads: which leads, and what they are called; all, by the header's names, when None.

    Returns:
        The record in mV; samples that the file marks as missing are NaN. Channels that are no ECG leads are left out,
        with a warning that names them. Age, sex, height and weight come from header comments (`#Age: 74`) where they
        state them, and the source says "(simulated)" where they begin with that word.

    Raises:
        ECGError: for anything missing, damaged or inconsistent.
    """
    found = _find(path, source, leads)
    return _read(found, 0, found.samples)


def read_wfdb_parts(path: str | Path, seconds: float, *, leads: Leads | None = None) -> Iterator[ECGRecord]:
    """Read a WFDB record one part after the other, each alone: memory is taken for one of them.

    Only where the whole is one part its checksums are compared; those of parts are not known.

    Args:
        path: as `read_wfdb`.
        seconds: the longest part. All are equally long, but for one sample.
        leads: as `read_wfdb`.

    Yields:
        The parts in time, as `read_wfdb` gives them; joined they are the record.

    Raises:
        ECGError: for anything missing, damaged or inconsistent.
    """
    found = _find(path, None, leads)
    for first, last in part_bounds(found.samples, found.rate, seconds):
        yield _read(found, first, last)


@dataclass(frozen=True)
class _Stored:
    """A record as it lies on the disk.

    Attributes:
        where: how messages call it.
        header: what it states.
        leads: the signals that are read, in the order wanted, and what they are called in `names`.
        files: those that hold them, each with all the signals in it.
        frames: of each file.
        about: what the comments state of the patient, and whether it is simulated in the source.
    """

    where: str
    header: Header
    leads: list[Signal]
    names: tuple[str, ...]
    files: list[tuple[Path, list[Signal]]]
    frames: int
    about: dict[str, Any]

    @property
    def samples(self) -> int:
        return self.frames * self.leads[0].per_frame

    @property
    def rate(self) -> float:
        return self.header.rate * self.leads[0].per_frame


def _find(path: str | Path, source: str | None, leads: Leads | None) -> _Stored:
    """Everything that can be said of a record before a sample of it is read."""
    if not Path(path).name:
        raise ECGError(f"{str(path)!r} names no recording")
    where = source or str(path)
    choice = lead_choice(where, leads)
    file = _header_file(Path(path))
    text = read_header_text(file, where)
    header = parse_header(text, where, file.stem)
    signals = _leads(header, where)
    numbers = {signal.number for signal in signals}
    left = [signal for signal in header.signals if signal.number not in numbers]
    names = [lead_name(signal.name) or f"signal {signal.number}" for signal in signals]
    if choice is not None:
        chosen = choose(where, names, choice)
        signals = [signals[place] for place, _ in chosen]
        names = [lead_name(name) for _, name in chosen]
    require_names(where, names)
    paths = {name: _signal_file(file.parent, name, where) for name in dict.fromkeys(lead.file for lead in signals)}
    groups: dict[str, list[Signal]] = {name: [] for name in paths}
    for signal in header.signals:
        if signal.file in groups:
            groups[signal.file].append(signal)
    lengths = {name: frames_in_file(paths[name], group, header.frames, where) for name, group in groups.items()}
    if len(set(lengths.values())) > 1:
        short, long = sorted(lengths, key=lambda name: lengths[name])[:: len(lengths) - 1]
        raise ECGError(
            f"{where}: {short} holds {lengths[short]} samples, {long} {lengths[long]}, the header states none"
        )
    frames = next(iter(lengths.values()))
    if len({lead.per_frame for lead in signals}) != 1:
        raise ECGError(f"{where}: its signals have different sampling rates")
    late = max(signals, key=lambda lead: lead.skew)
    if late.skew >= frames * late.per_frame:
        raise ECGError(
            f"{where}: {late.title} is said to lie {late.skew} samples late, in a record of "
            f"{frames * late.per_frame} samples"
        )
    if left and choice is None:
        warn(f"{where}: left out, since they are no ECG leads: {listed(_described(signal) for signal in left)}")
    about = {**header_comments(text), "source": f"{where} (simulated)" if _SIMULATED.search(text) else where}
    files = [(paths[name], group) for name, group in groups.items()]
    return _Stored(where, header, signals, tuple(names), files, frames, about)


def _read(found: _Stored, first: int, last: int) -> ECGRecord:
    """The samples from `first` to the one before `last`."""
    per_frame, leads = found.leads[0].per_frame, found.leads
    begin = first // per_frame
    end = min(found.frames, -(-(last + max(lead.skew for lead in leads)) // per_frame))
    stored = _decode(found.files, found.frames, found.where, begin, end)
    if (begin, end) == (0, found.frames):
        _compare_checksums(found.header, leads, stored, found.where)
    samples = np.full((len(leads), last - first), np.nan, dtype=np.float32)
    for row, lead in zip(samples, leads):
        start = first + lead.skew - begin * per_frame  # this signal was sampled `skew` samples late
        there = stored[lead.number][start : start + len(row)]
        row[: len(there)] = _millivolts(there, lead, found.where)
    return ECGRecord(samples, found.rate, found.names, **found.about)


def header_signal_files(text: str, where: str, stem: str) -> list[str]:
    """The files, beside the header, that hold a record's ECG leads.

    Args:
        text: of the header.
        where: the record, for messages.
        stem: the header file's name without suffix.

    Raises:
        ECGError: if the header is none, has no ECG lead, or names a file above its own folder.
    """
    files = {lead.file for lead in _leads(parse_header(text, where, stem), where)}
    return sorted({_inside(file, where).name for file in files})


def _header_file(path: Path) -> Path:
    """The header of a record named by itself, its header or its signal file, whatever the case of the suffix."""
    name = path.name.rstrip(".") or path.name
    bare = name
    names = [name] if name.lower().endswith(".hea") else []
    while Path(bare).suffix.lower() in WFDB.suffixes:
        bare = Path(bare).stem
        names.append(f"{bare}.hea")
    names += [f"{name}.hea"]
    for candidate in names:
        if not is_missing(path.with_name(candidate)):
            return path.with_name(candidate)
    for candidate in names:
        found = _in_another_case(path.parent, candidate)
        if found:
            return found
    return path.with_name(names[0])


def _in_another_case(folder: Path, name: str) -> Path | None:
    """The one file of a folder whose name differs in case alone."""
    try:
        found = [path for path in folder.iterdir() if path.name.casefold() == name.casefold()]
    except (OSError, ValueError):
        return None
    return found[0] if len(found) == 1 and found[0].is_file() else None


def _leads(header: Header, where: str) -> list[Signal]:
    """The signals that are ECG leads; those that say that they are something else, by name or unit, are left out."""
    leads = []
    for signal in header.signals:
        if is_other_signal(signal.name):
            continue
        if signal.fault:
            raise ECGError(f"{where}: {signal.title}: {signal.fault}")
        if is_voltage(signal.units):
            leads.append(signal)
        elif is_lead_name(signal.name) or re.search("v(olts?)?$", signal.units, re.IGNORECASE):
            millivolts_per_unit(signal.units, f"{where}: {signal.title}")  # raises: a lead in units that are not read
    if not leads:
        raise ECGError(f"{where}: no channel is an ECG lead: {listed(_described(one) for one in header.signals)}")
    return leads


def _described(signal: Signal) -> str:
    return f"{signal.name or f'signal {signal.number}'} ({signal.units})"


def _inside(name: str, where: str) -> PurePosixPath:
    """A signal file's name as the header has it, if it leads nowhere but into the header's folder or below."""
    file = PurePosixPath(name.replace("\\", "/"))
    if file.is_absolute() or ".." in file.parts or re.match("[A-Za-z]:", name) or not file.name:
        raise ECGError(f"{where}: the header names a signal file in another folder: {name[:60]}")
    return file


def _signal_file(folder: Path, name: str, where: str) -> Path:
    """Where a signal file is. Headers may keep the folder that they were made in: the file beside them is meant."""
    file = _inside(name, where)
    for path in (folder / file, folder / file.name):
        if not is_missing(path):
            require_regular(path, where)
            return path
    found = _in_another_case(folder, file.name)
    if found is None:
        raise ECGError(f"{where}: the signal file {name[:60]} is not there")
    return found


def _decode(
    files: list[tuple[Path, list[Signal]]], frames: int, where: str, begin: int, end: int
) -> dict[int, np.ndarray]:
    """The stored samples of the frames from `begin` to the one before `end`, signal's number → int32 (samples,).

    wfdb reads them, through a header that it cannot misread.
    """
    import wfdb
    from wfdb.io.header import HeaderSyntaxError

    numbers = [one.number for _, signals in files for one in signals]
    skipped = begin if any(one.format in _FROM_THE_START for _, signals in files for one in signals) else 0
    span = end - begin + skipped
    wanted = sum(span * one.per_frame for _, signals in files for one in signals)
    if wanted > MOST_SAMPLES:
        raise ECGError(
            f"{where}: {wanted:,} samples, more than are read at once ({MOST_SAMPLES:,}): read it in parts "
            "(hl.read_ecg_parts)"
        )
    # Smoothing averages over each frame; without it wfdb cannot convert format 61.
    smooth = all(one.per_frame == 1 for _, signals in files for one in signals)
    try:
        with tempfile.TemporaryDirectory(prefix="wfdb-") as scratch:
            lines = []
            for count, (path, signals) in enumerate(files):
                _link(path, Path(scratch) / f"s{count}.dat")
                for one in signals:
                    layout = f"{one.format}x{one.per_frame}+{one.offset}"
                    lines.append(f"s{count}.dat {layout} 200(0)/mV 16 0 {one.first} 0 0 {one.number}")
            header = "\n".join([f"r {len(lines)} 1 {frames}", *lines, ""])
            (Path(scratch) / "r.hea").write_text(header, encoding="ascii")
            name = str(Path(scratch) / "r")
            record = wfdb.rdrecord(
                name, begin - skipped, end, physical=False, smooth_frames=smooth, ignore_skew=True, return_res=32
            )
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, OverflowError, HeaderSyntaxError) as error:
        reason = re.sub(r"\S*wfdb-\w+[/\\]s(\d+)\.dat", lambda found: files[int(found[1])][0].name, str(error))
        raise ECGError(f"{where}: wfdb cannot read this record: {reason or type(error).__name__}") from None
    read = record.d_signal.T if smooth else record.e_d_signal
    stored = {number: np.asarray(samples, dtype=np.int32) for number, samples in zip(numbers, read, strict=True)}
    for _, signals in files:
        for one in signals:
            there, due = len(stored[one.number]), span * one.per_frame
            if there != due or not due:
                raise ECGError(f"{where}: {one.title} has {there} samples where {due} are due")
            stored[one.number] = stored[one.number][skipped * one.per_frame :]
    return stored


def _link(path: Path, link: Path) -> None:
    try:
        os.symlink(path.absolute(), link)
    except OSError:  # links need a right that Windows does not give everyone
        shutil.copyfile(path, link)


def _compare_checksums(header: Header, leads: list[Signal], stored: dict[int, np.ndarray], where: str) -> None:
    """Refuse samples that the header was not written for. Zeros everywhere are checksums that were never computed."""
    wrong = [
        lead
        for lead in leads
        if lead.checksum is not None and (int(stored[lead.number].sum(dtype=np.int64)) - lead.checksum) % 65536
    ]
    if not wrong:
        return
    if all(signal.checksum in (0, None) for signal in header.signals):
        warn(f"{where}: the header states no checksums (all are 0), so damaged samples would not be noticed")
        return
    name = wrong[0].name or f"signal {wrong[0].number}"
    raise ECGError(f"{where}: wrong checksum of {name}: the samples are not those the header was written for")


def _millivolts(digital: np.ndarray, lead: Signal, where: str) -> np.ndarray:
    """Stored samples as float64 (samples,) in mV."""
    with np.errstate(over="ignore"):  # said below
        physical = (digital.astype(np.float64) - lead.baseline) / lead.gain * millivolts_per_unit(lead.units, where)
    physical[digital == _missing_value(lead.format)] = np.nan
    in_range(physical, f"{where}: {lead.title}")
    return physical


def _missing_value(sample_format: str) -> int | None:
    """The stored value that marks a missing sample: the most negative one. Format 8 stores differences and has none."""
    if sample_format == "8":
        return None
    bits = {"310": 10, "311": 10}.get(sample_format) or int(
        COMPRESSED.get(sample_format) or BITS_PER_SAMPLE[sample_format]
    )
    return -(1 << (bits - 1))
