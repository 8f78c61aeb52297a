"""How long the signal files of a WFDB record are, by what lies on the disk, before a single sample is unpacked.

A header may claim any length, and a compressed file may claim to be any other: neither is believed before the bytes
that are there could hold it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from ...models.ecg_record import ECGError
from .messages import warn
from .wfdb_header import Signal

BITS_PER_SAMPLE = {
    "8": 8, "80": 8, "16": 16, "61": 16, "160": 16, "212": 12, "24": 24, "32": 32, "310": 32 / 3, "311": 32 / 3,
}  # fmt: skip
COMPRESSED = {"508": 8, "516": 16, "524": 24}  # FLAC, by the bits of a sample
_TRIPLET = 3  # samples that formats 310 and 311 keep together; the last three may be cut or filled up
_FEW = 21_600_000  # samples that any file may unpack to: half an hour of twelve leads at 1,000 Hz
# How many times smaller a signal may be when packed: FLAC makes an ECG two or three times smaller, a constant line ten
# thousand times.
_MOST_PACKED = 100


def frames_in_file(path: Path, signals: Sequence[Signal], stated: int | None, where: str) -> int:
    """The number of frames in a signal file, after comparing what lies on the disk with the stated number.

    Args:
        path: the file.
        signals: all that the header keeps in it.
        stated: frames, by the header; None where it states none.
        where: the record, for messages.

    Raises:
        ECGError: if the file is empty, shorter or longer than stated, or unpacks to what no ECG does.
    """
    sample_format, offset, name = signals[0].format, signals[0].offset, path.name
    if any((signal.format, signal.offset) != (sample_format, offset) for signal in signals):
        raise ECGError(f"{where}: the header gives {name} several formats or offsets")
    per_frame = sum(signal.per_frame for signal in signals)
    size = path.stat().st_size
    if size == 0 or (size <= offset and sample_format not in COMPRESSED):
        raise ECGError(f"{where}: the signal file {name} is empty")
    slack = 0
    if sample_format in COMPRESSED:
        there = (_flac_samples(path, where) - offset) / signals[0].per_frame
    elif sample_format in BITS_PER_SAMPLE:
        there = (size - offset) * 8 / (BITS_PER_SAMPLE[sample_format] * per_frame) + 1e-9
        slack = _TRIPLET if sample_format in ("310", "311") else 0
        if stated is None and there % 1 > 1e-6 and sample_format not in ("212", "310", "311"):
            warn(f"{where}: {name} ends within a frame, and the header states no length: is it cut?")
    else:
        raise ECGError(f"{where}: wfdb cannot read samples in format {sample_format[:20]}")
    if there < 1:
        raise ECGError(f"{where}: the signal file {name} is empty")
    if stated is not None and there + slack < stated:
        raise ECGError(f"{where}: {name} is truncated: {int(there)} of {stated} samples are there")
    if stated is not None and there - slack >= stated + 1:
        raise ECGError(f"{where}: {name} holds {int(there)} samples, the header states {stated}")
    return int(there) if stated is None else stated


def _flac_samples(path: Path, where: str) -> int:
    """Samples of a channel in a FLAC file, from the block of stream information that it begins with (RFC 9639)."""
    with path.open("rb") as file:
        start = file.read(26)
    stated = int.from_bytes(start[18:26], "big")
    samples, channels = stated & ((1 << 36) - 1), (stated >> 41 & 7) + 1
    if len(start) < 26 or start[:4] != b"fLaC" or not samples:
        raise ECGError(f"{where}: {path.name} is no FLAC file that states its length")
    size, bits = path.stat().st_size, (stated >> 36 & 31) + 1
    if samples * channels > _FEW and samples * channels * bits / 8 > _MOST_PACKED * size:
        raise ECGError(
            f"{where}: {path.name} unpacks to {samples * channels:,} samples from {size:,} bytes, as no ECG does"
        )
    if _goes_on(path, stated, samples):
        raise ECGError(f"{where}: {path.name} holds more samples than the {samples} that it states itself")
    return samples


def _goes_on(path: Path, stated: int, samples: int) -> bool:
    """Whether there is a sample behind the last one that a FLAC file states: seen by stating one more."""
    import soundfile

    content = bytearray(path.read_bytes())
    content[18:26] = (stated + 1 if samples + 1 < 1 << 36 else stated).to_bytes(8, "big")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            file.seek(samples)
            return len(file.read(1, dtype="int32")) > 0
    except (RuntimeError, ValueError, TypeError):  # there is none, or the file is damaged, which decoding will say
        return False
