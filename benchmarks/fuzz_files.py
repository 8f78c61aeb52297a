"""Small simulated recordings in every format that is read, and what `fuzz.py` does to their bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from hf_heartllm.ecg.simulate import example_names, simulate_ecg

LEADS = ("I", "II", "V1")
RATE, SECONDS = 100, 3
NUMBERS = {"sampling_rate": RATE, "units": "mV", "leads": list(LEADS)}


@dataclass(frozen=True)
class Recording:
    """One recording as it lies on the disk.

    Attributes:
        name: what `read_ecg` is given, in the recording's folder (a simulated one: as it is).
        files: name → content.
        stated: what the caller states.
    """

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    stated: dict[str, Any] = field(default_factory=dict)


@lru_cache
def counts() -> np.ndarray:
    """Three simulated leads in whole numbers of 10 µV, int64 (samples, leads)."""
    record, _ = simulate_ecg(seed=1, sampling_rate=RATE, duration=SECONDS)
    return np.round(record.select(LEADS).signal.T * 100).astype(np.int64)


def _triplets(values: np.ndarray, fmt: str) -> bytes:
    low, middle, high = (values.reshape(-1, 3) & 0x3FF).T
    words = low | middle << 10 | high << 20
    if fmt == "310":
        words = (low & 0x7F) << 1 | (low >> 7) << 8 | (high & 0x1F) << 11 | (middle & 0x7F) << 17
        words |= (middle >> 7) << 24 | (high >> 5) << 27
    written: bytes = words.astype("<u4").tobytes()
    return written


def _pairs(values: np.ndarray) -> bytes:
    first, second = (values.reshape(-1, 2) & 0xFFF).T
    three = np.stack([first & 0xFF, first >> 8 | (second >> 8) << 4, second & 0xFF], axis=1)
    return three.astype("u1").tobytes()


def _flac(values: np.ndarray, fmt: str) -> bytes:
    import soundfile

    file, kind = io.BytesIO(), {"508": "PCM_S8", "516": "PCM_16", "524": "PCM_24"}[fmt]
    bits = int(fmt) - 500
    soundfile.write(file, (values << (32 - bits)).astype(np.int32), RATE, format="FLAC", subtype=kind)
    return file.getvalue()


_PACKED: dict[str, Callable[[np.ndarray, str], bytes]] = {
    "16": lambda values, _: values.astype("<i2").tobytes(),
    "61": lambda values, _: values.astype(">i2").tobytes(),
    "160": lambda values, _: (values + 32768).astype("<u2").tobytes(),
    "80": lambda values, _: (values + 128).astype("u1").tobytes(),
    "8": lambda values, _: np.diff(values, axis=0, prepend=values[:1]).astype("i1").tobytes(),
    "24": lambda values, _: (values.astype("<i4").reshape(-1, 1).view("u1")[:, :3]).tobytes(),
    "32": lambda values, _: values.astype("<i4").tobytes(),
    "212": lambda values, _: _pairs(values),
    "310": _triplets,
    "311": _triplets,
    "508": _flac,
    "516": _flac,
    "524": _flac,
}


def wfdb_recordings() -> list[Recording]:
    """Every format, each with all that a header may state and with as little as it may."""
    made = []
    for fmt, pack in _PACKED.items():
        values = np.clip(counts(), -127, 127) // (2 if fmt == "8" else 1)
        full = [
            f"r.dat {fmt} 100(0)/mV 16 0 {column[0]} {column.sum() % 65536} 0 {lead}"
            for lead, column in zip(LEADS, values.T)
        ]
        head = f"r 3 {RATE} {len(values)} 12:00:00 01/01/2000"
        bare = [f"r.dat {fmt} 100(0)/mV" + (f" 16 0 {column[0]}" if fmt == "8" else "") for column in values.T]
        comments = ["#simulated", "#Age: 63", "#Sex: F"]
        for lines in ([head, *full, *comments], [f"r 3 {RATE}", *bare]):
            files = {"r.hea": ("\n".join(lines) + "\n").encode(), "r.dat": pack(values, fmt)}
            made.append(Recording("r", files))
    one, other = counts()[:, 0], counts()[:, 1]
    parts = f"r 2 {RATE} 300\na.dat 16 100(3)/mV\nb.dat 16:3+24 100/uV 16 0 {other[0]} {other.sum() % 65536} 0 resp\n"
    files = {"a.dat": one.astype("<i2").tobytes(), "b.dat": bytes(24) + other.astype("<i2").tobytes()}
    made.append(Recording("r.hea", {"r.hea": parts.encode(), **files}))
    frames = f"r 2 {RATE / 2:g} 150\nr.dat 16x2:5 100(0)/mV 16 0 0 0 0 II\nr.dat 16x2 -100(0)/mV 16 0 0 0 0 V1\n"
    both = np.stack([one.reshape(-1, 2), other.reshape(-1, 2)], axis=1).astype("<i2")
    made.append(Recording("r", {"r.hea": frames.encode(), "r.dat": both.tobytes()}))
    return made


def csv_recordings() -> list[Recording]:
    """Tables as programs and spreadsheets write them."""
    rows = counts() / 100
    times = np.arange(len(rows)) / RATE

    def table(mark: str, header: str = "", first: Callable[[int], str] | None = None, comma: bool = False) -> bytes:
        lines = [header] if header else []
        for place, row in enumerate(rows):
            cells = [f"{value:.3f}".replace(".", "," if comma else ".") for value in row]
            lines.append(mark.join([first(place), *cells] if first else cells))
        return ("\n".join(lines) + "\n").encode()

    def clock(place: int) -> str:
        return f"'00:00:{times[place]:06.3f}'"

    sideways = "\n".join(",".join([lead, *(f"{value:.2f}" for value in row)]) for lead, row in zip(LEADS, rows.T))
    known = {"sampling_rate": RATE, "units": "mV"}
    tables: list[tuple[bytes, dict[str, Any]]] = [
        (table(",", "time (s),I (mV),II (mV),V1 (mV)", lambda place: f"{times[place]:g}"), {}),
        (table(","), NUMBERS),
        (table(";", "I;II;V1", comma=True), known),
        (table("\t", "# made by hand\nsample #\tI\tII\tV1", str), known),
        (table(" "), NUMBERS),
        (table(",", "'Elapsed time','I','II','V1'\n'hh:mm:ss.mmm','mV','mV','mV'", clock), known),
        (table(",", ",0,1,2", str), NUMBERS),
        (table("|", "sep=|\nECG I|Resp|MLII"), known),
        (sideways.encode(), known),
    ]
    return [Recording("r.csv", {"r.csv": content}, stated) for content, stated in tables]


def npy_recordings() -> list[Recording]:
    """Arrays of every kind of number, either axis first."""
    values = counts()
    arrays = [values.T.astype(kind) for kind in ("<f4", ">f8", "<f2", "<i2", ">i4", "i1")]
    arrays += [values / 100, np.asfortranarray(values / 100), (values + 500).astype("<u8"), values.astype("g")]
    made = []
    for array in arrays:
        file = io.BytesIO()
        np.save(file, array)
        made.append(Recording("r.npy", {"r.npy": file.getvalue()}, NUMBERS))
    file = io.BytesIO()
    np.lib.format.write_array(file, values.T.astype("<f4"), version=(2, 0))
    one = io.BytesIO()
    np.save(one, values[:, 0].astype("<i2"))
    return [
        *made,
        Recording("r.npy", {"r.npy": file.getvalue()}, NUMBERS),
        Recording("r.npy", {"r.npy": one.getvalue()}, {**NUMBERS, "leads": "II"}),
    ]


def simulated_recordings() -> list[Recording]:
    """Which have no file; their names are mutated."""
    return [Recording(f"example:{name}") for name in example_names()]


RECORDINGS: dict[str, Callable[[], list[Recording]]] = {
    "WFDB": wfdb_recordings,
    "CSV": csv_recordings,
    "NPY": npy_recordings,
    "simulated": simulated_recordings,
}
"""By the names of `hf_heartllm.ecg.readers.formats`; what is fetched from PhysioNet is WFDB."""

_NASTY = [
    "", "0", "-1", "-0", "1", "2", "3", "7", "nan", "NaN", "inf", "-inf", "1e2", "100,5", "1e400", "1e-400", "1e20",
    "-1e38", "5e-324", "0x10", "1_000", "65536", "-32768", "2147483648", "4294967295", "9223372036854775808",
    "1000000000", "1000000000000", "9" * 20, "9" * 400, "9" * 5000, "0" * 300 + "1", "1.5", ".", "-", "+", "/", "(",
    ")", "=", "#", "%s", "{}", "\\", "..", "../r.dat", "/dev/zero", "C:\\r.dat", "r.hea", "~", "*", "\"", "'", ",", ";",
    "\t", " ", "\n", "\r", "\r\n", "\0", "\x1b[2J\x1b[31m", "\x07", "\x85", "\u202e", "\u200b", "\ufeff", "٣", "𝟚", "é",
    "\xa0", "I", "II", "aVR", "V1", "MLII", "time (s)", "time", "sample", "Resp", "mV", "uV", "V", "mmHg", "16", "212",
    "310", "311", "516", "508", "524", "8", "80", "61", "x2", ":3", ":100000", "+24", "<f4", "<f8", "|O", "|V9", ">i2",
    "True", "None", "(3, 300)", "(1000000, 1000000)", "(-1, 3)", "()", "fortran_order", "shape", "descr", "sep=;",
    "00:00:01", "2000-01-01T00:00:00", "0001-01-01", "9999-12-31T23:59:59", "#Age: 1e9", "# Sex: \x1b[31m", "_" * 3000,
    "((" * 1000, "'" * 999, "A" * 3000,
]  # fmt: skip
_CHUNKS = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xf8",
    b"fLaC",
    b"PK\x03\x04",
    b"\x93NUMPY\x01\x00",
    b"\r\n",
    b"\0\x80",
)


def _changed_text(text: bytes, rng: np.random.Generator) -> bytes:
    """A text with a number or word replaced, or lines cut, doubled or put elsewhere."""
    kind = rng.integers(6)
    if kind < 4:
        words = list(re.finditer(rb"[A-Za-z0-9.+-]+", text[:20_000]))
        early = rng.random() < 0.7
        words = words[:60] if early else words
        if not words:
            return text
        word = words[rng.integers(len(words))]
        nasty = _NASTY[rng.integers(len(_NASTY))].encode("utf-8" if rng.random() < 0.9 else "utf-16-le", "replace")
        start = word.start() if rng.random() < 0.8 else word.end()
        return text[:start] + nasty + text[word.end() :]
    lines = text.split(b"\n")
    one, other = rng.integers(len(lines), size=2)
    if kind == 4:
        lines.insert(int(other), lines[one])
    elif rng.random() < 0.5:
        del lines[one]
    else:
        lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _changed_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with one turned, a stretch overwritten, cut out, doubled, or the end cut off or drawn out."""
    if not content:
        return bytes(rng.integers(256, size=rng.integers(1, 64), dtype=np.uint8))
    data = bytearray(content)
    reach = min(len(data), 64) if rng.random() < 0.5 else len(data)  # what decides stands at the beginning
    place, length = int(rng.integers(reach)), int(rng.integers(1, 40))
    kind = rng.integers(8)
    if kind == 0:
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data[place] = int(rng.integers(256))
    elif kind == 2:
        data[place : place + length] = (_CHUNKS[rng.integers(len(_CHUNKS))] * length)[:length]
    elif kind == 3:
        del data[place : place + length]
    elif kind == 4:
        data[place:place] = data[place : place + length] * int(rng.integers(1, 50))
    elif kind == 5:
        del data[int(rng.integers(len(data))) :]
    elif kind == 6:
        data += bytes(rng.integers(256, size=length, dtype=np.uint8))
    else:
        data[place : place + 8] = int(rng.choice([0, 1, 1 << 31, 1 << 62, (1 << 36) - 1])).to_bytes(8, "big")
    return bytes(data)


def _changed_npy(content: bytes, rng: np.random.Generator) -> bytes:
    """An NPY file with another text in its header, whose length is stated as it then is."""
    wide = content[6] > 1
    first = 12 if wide else 10
    length = int.from_bytes(content[8:first], "little")
    text = _changed_text(content[first : first + length].rstrip(), rng) + b"\n"
    return content[:8] + min(len(text), 65535).to_bytes(4 if wide else 2, "little") + text + content[first + length :]


def mutated(recordings: list[Recording], rng: np.random.Generator) -> Recording:
    """One of some recordings, with one to four changes in its files (of one without files, in its name)."""
    recording = recordings[rng.integers(len(recordings))]
    files = dict(recording.files)
    if not files:
        prefix, _, name = recording.name.partition(":")
        name = (_changed_text if rng.random() < 0.5 else _changed_bytes)(name.encode(), rng).decode("utf-8", "replace")
        return replace(recording, name=f"{prefix}:{name}")
    for _ in range(1 if rng.random() < 0.6 else rng.integers(2, 5)):  # more hide one another
        name = sorted(files)[rng.integers(len(files))]
        if name.endswith(".dat"):
            files[name] = _changed_bytes(files[name], rng)
        elif name.endswith(".npy") and files[name][:6] == b"\x93NUMPY" and len(files[name]) > 20 and rng.random() < 0.5:
            files[name] = _changed_npy(files[name], rng)
        elif not name.endswith(".npy") and rng.random() < 0.8:
            files[name] = _changed_text(files[name], rng)
        else:
            files[name] = _changed_bytes(files[name], rng)
    if rng.random() < 0.01:
        del files[sorted(files)[rng.integers(len(files))]]
    return replace(recording, files=files)
