"""Files that claim too much, never end, or speak to the terminal: one clear line, before memory is taken for them."""

from __future__ import annotations

import importlib
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hf_heartllm.ecg import ECGError, ecg_record, read_ecg
from hf_heartllm.models.ecg_record import ECGRecord

SAMPLES = np.random.default_rng(0).integers(-500, 500, 2000).astype("<i2")
SUM = int(SAMPLES.astype(int).sum()) % 65536
NUMBERS = {"sampling_rate": 500, "units": "mV", "leads": "I,II"}
MOST = 40 << 20  # bytes that a refusal may take; the files are of some kB


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    importlib.import_module("wfdb")  # before memory is counted
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST


def header(first: str = "r 1 500 2000", layout: str = "16", gain: str = "1000(0)/mV", name: str = "II") -> str:
    return f"{first}\nr.dat {layout} {gain} 16 0 {SAMPLES[0]} {SUM} 0 {name}\n"


def wfdb(folder: Path, text: str, content: bytes | None = SAMPLES.tobytes()) -> Path:
    (folder / "r.hea").write_text(text)
    if content is not None:
        (folder / "r.dat").write_bytes(content)
    return folder / "r"


def refusal(name: Path, **stated: object) -> str:
    with pytest.raises(ECGError) as caught:
        read_ecg(name, **stated)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) <= 300
    return message


HEADERS = {
    "a rate that is no number": (header("r 1 abc 2000"), "sampling rate is 'abc'"),
    "a rate that is NaN": (header("r 1 nan 2000"), "sampling rate is 'nan'"),
    "a negative rate": (header("r 1 -500 2000"), "sampling rate is '-500'"),
    "a rate with a comma": (header("r 1 100,5 2000"), "sampling rate is '100,5'"),
    "a rate without end": (header(f"r 1 {'9' * 5000} 2000"), "sampling rate"),
    "a rate below any": (header("r 1 1e-300 2000"), "1e-300 Hz is none of an ECG"),
    "a rate beyond any": (header("r 1 1e9 2000"), r"1e\+09 Hz is none of an ECG"),
    "10^9 samples in 310": (header("r 1 500 1000000000", "310"), "r.dat is truncated: 3000 of 1000000000"),
    "10^12 samples in 311": (header("r 1 500 1000000000000", "311"), "truncated"),
    "half the samples of 310": (header("r 1 500 1000", "310"), "holds 3000 samples, the header states 1000"),
    "a length of 30 digits": (header(f"r 1 500 {'9' * 30}"), "is no number of samples"),
    "a baseline of 20 digits": (header(gain="1000(12345678901234567890)/mV"), "the gain field"),
    "a baseline of 16 digits": (header(gain="1000(9007199254740991)/mV"), "no voltages of a body"),
    "an ADC zero of 20 digits": (header(gain="1000/mV 16 12345678901234567890"), "ADC zero"),
    "samples of 1e20": (header(gain="1e-18(0)/mV"), r"samples of 5e\+20 mV are no voltages"),
    "infinite samples": (header(gain="1e-320(0)/mV"), "infinite samples"),
    "skew beyond the record": (header(layout="16:2000"), "2000 samples late, in a record of 2000"),
    "skew without end": (header(layout=f"16:{'9' * 5000}"), "not a WFDB signal line"),
    "a frame without end": (header(layout=f"16x{'9' * 5000}"), "not a WFDB signal line"),
    "a format without end": (header(layout="9" * 5000), "cannot read samples in format"),
    "a first value that is none": (header("r 1 500", "8").replace(f" 0 {SAMPLES[0]} ", " 0 1e400 "), "first value"),
    "a file name without end": (header().replace("r.dat", "r" * 5000), "is not there"),
    "a name without end": (header(name="x" * 5000), "5000 characters long"),
    "100,000 signals": ("r 100000 500 1\n" + "r.dat 16 1 16 0 0 0\n" * 100_000, "is not a WFDB header|100000 signals"),
}  # fmt: skip


@pytest.mark.parametrize("what", HEADERS)
def test_headers_that_cannot_be(tmp_path: Path, what: str) -> None:
    text, message = HEADERS[what]
    with pytest.raises(ECGError, match=message):
        read_ecg(wfdb(tmp_path, text))
    refusal(tmp_path / "r")


def flac(folder: Path, values: np.ndarray, first: str, layout: str = "516", claimed: int | None = None) -> Path:
    """A compressed record; `claimed` is how many samples the compressed file states itself."""
    soundfile.write(folder / "r.dat", values, 500, format="FLAC", subtype="PCM_16")
    content = bytearray((folder / "r.dat").read_bytes())
    if claimed is not None:
        stated = int.from_bytes(content[18:26], "big") >> 36 << 36 | claimed
        content[18:26] = stated.to_bytes(8, "big")
    return wfdb(folder, header(first, layout).replace(f" {SUM} 0 ", " 0 0 "), bytes(content))


def test_compressed_files_hold_what_both_headers_say(tmp_path: Path) -> None:
    read = read_ecg(wfdb(flac(tmp_path, SAMPLES, "r 1 500 2000").parent, header(layout="516"), None))
    np.testing.assert_allclose(read.signal[0], SAMPLES / 1000, rtol=1e-6)
    assert "holds 2000 samples, the header states 1000" in refusal(flac(tmp_path, SAMPLES, "r 1 500 1000"))
    assert "truncated: 2000 of 3000" in refusal(flac(tmp_path, SAMPLES, "r 1 500 3000"))
    assert "more samples than the 1000" in refusal(flac(tmp_path, SAMPLES, "r 1 500 1000", claimed=1000))
    assert "more samples than the 1000" in refusal(flac(tmp_path, SAMPLES, "r 1 500", claimed=1000))
    assert "wfdb cannot read" in refusal(flac(tmp_path, SAMPLES, "r 1 500", claimed=4000))
    assert "is empty" in refusal(flac(tmp_path, SAMPLES, "r 1 500", "516+900000000000000"))


def test_small_files_that_unpack_without_end(tmp_path: Path) -> None:
    assert "as no ECG does" in refusal(flac(tmp_path, SAMPLES, "r 1 500", claimed=(1 << 36) - 1))
    zeros = flac(tmp_path, np.zeros(1_000_000, np.int16), "r 1 500 22000000", claimed=22_000_000)
    assert zeros.with_suffix(".dat").stat().st_size < 50_000
    assert "unpacks to 22,000,000 samples" in refusal(zeros)
    assert read_ecg(flac(tmp_path, np.zeros(1_000_000, np.int16), "r 1 500 1000000")).signal.shape == (1, 1_000_000)


def npy(folder: Path, text: str, content: bytes = bytes(16)) -> Path:
    text = text + " " * (118 - len(text)) + "\n"
    (folder / "x.npy").write_bytes(b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text.encode() + content)
    return folder / "x.npy"


SHAPES = {
    "(2, 1000000000)": "8000000000 bytes, 16 are there",
    "(2, 1000000000000)": "bytes, 16 are there",
    f"(2, {'9' * 30})": "bytes, 16 are there",
    "(4294967296, 4294967296)": "bytes, 16 are there",
    "(2, -1)": "is none",
    "(2, True)": "is none",
    "(2, 1)": "8 bytes, 16 are there",
    "((((((": "not a NumPy file",
    "None": "not a NumPy file",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_npy_headers_that_cannot_be(tmp_path: Path, shape: str) -> None:
    path = npy(tmp_path, f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}")
    assert SHAPES[shape] in refusal(path, **NUMBERS)


def test_other_things_called_npy(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(1_000_000))
    os.rename(tmp_path / "x.npz", tmp_path / "x.npy")
    assert "ZIP archive" in refusal(tmp_path / "x.npy", **NUMBERS)
    huge = npy(tmp_path, "{'descr': '|V2000000000', 'fortran_order': False, 'shape': (2, 1)}")
    assert "one array of real numbers" in refusal(huge, **NUMBERS)
    np.save(tmp_path / "x.npy", np.full((2, 50), 1e20))
    assert "samples of 1e+20 mV" in refusal(tmp_path / "x.npy", **NUMBERS)
    with pytest.raises(ECGError, match="no voltages of a body"):
        ecg_record(np.full((2, 50), -1e20), **NUMBERS)
    with pytest.raises(ECGError, match="not an array of numbers"):
        ecg_record([[10**400, 1.0], [2.0, 3.0]], **NUMBERS)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_long_doubles_that_float64_does_not_hold(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((2, 50), np.longdouble("1e4000" if np.finfo("g").max > 1e308 else "inf")))
    assert "infinite samples" in refusal(tmp_path / "x.npy", **NUMBERS)
    bits = np.random.default_rng(0).integers(256, size=(2, 50 * np.dtype("g").itemsize), dtype="u1")
    np.save(tmp_path / "x.npy", bits.view("g"))  # among them patterns that stand for no number
    refusal(tmp_path / "x.npy", **NUMBERS)


def test_sparse_files_are_not_believed(tmp_path: Path) -> None:
    name = wfdb(tmp_path, header("r 1 500 1000000000000"), b"")
    os.truncate(tmp_path / "r.dat", 2 * 10**12)
    assert "more than are read at once" in refusal(name)
    path = npy(tmp_path, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 100000000000)}", b"")
    os.truncate(path, path.stat().st_size + 16 * 10**11)
    assert "more than are read at once" in refusal(path, **NUMBERS)


TABLES = {
    "a header of one character": "_" * 100_000 + ",II\n1,2\n2,4\n",
    "20,000 columns": "\n".join([",".join(["abc"] * 20_000), *[",".join("1" * 20_000)] * 2]),
    "hours without end": f"time,II\n{'9' * 5000}:00:01,x\n0:0:2,4\n",
    "hours beyond float64": f"time,II\n{'9' * 400}:00:01,x\n0:0:2,4\n",
    "a number as Python writes it": "I,II\n1_000,2\n3,4\n",
    "samples of 1e20": "I,II\n1e20,2\n3,4\n",
    "a name of quotes alone": "'\"',II\n1,2\n3,4\n",
}


@pytest.mark.filterwarnings("ignore::hf_heartllm.ECGWarning")
@pytest.mark.parametrize("what", TABLES)
def test_tables_that_cannot_be(tmp_path: Path, what: str) -> None:
    (tmp_path / "x.csv").write_text(TABLES[what])
    refusal(tmp_path / "x.csv", sampling_rate=500, units="mV")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("name", ["r.hea", "r.csv", "r.npy"])
@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_has_no_end_is_not_opened(tmp_path: Path, name: str, what: str) -> None:
    os.mkfifo(tmp_path / name) if what == "pipe" else os.symlink("/dev/zero", tmp_path / name)
    assert "a pipe or a device" in refusal(tmp_path / name, **({} if name == "r.hea" else NUMBERS))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_signal_files_are_files(tmp_path: Path) -> None:
    name = wfdb(tmp_path, header(), None)
    os.mkfifo(tmp_path / "r.dat")
    assert "r.dat is a pipe or a device" in refusal(name)
    os.unlink(tmp_path / "r.dat")
    for target, message in (("/dev/zero", "a pipe or a device"), ("nowhere", "not there"), ("r.dat", "not there")):
        os.symlink(target, tmp_path / "r.dat")
        assert message in refusal(name)
        os.unlink(tmp_path / "r.dat")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "0f3a").write_bytes(SAMPLES.tobytes())  # as the Hub's cache and git-annex keep files
    os.symlink("store/0f3a", tmp_path / "r.dat")
    np.testing.assert_allclose(read_ecg(name).signal[0], SAMPLES / 1000, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::hf_heartllm.ECGWarning")
def test_names_do_not_speak_to_the_terminal(tmp_path: Path) -> None:
    name = wfdb(tmp_path, header(name="\x1b[31mII\x1b[2J\x07"))
    record = read_ecg(name)
    assert record.leads == (r"\x1b[31mII\x1b[2J\x07",)
    assert repr(record).isprintable()
    assert "\\x1b[2J" in refusal(name, leads="V1,V2")
    assert "\\x1b" in refusal(wfdb(tmp_path, header().replace("r.dat", "\x1b[31mr.dat")))
    (tmp_path / "x.csv").write_text("\x1b[31mI,I\u202eI\n1,2\n2,3\n")
    assert read_ecg(tmp_path / "x.csv", sampling_rate=500, units="mV").leads == (r"\x1b[31mI", r"I\u202eI")
    folder = tmp_path / "\x1b]0;title\x07"
    folder.mkdir()
    assert "\\x1b]0;title" in refusal(wfdb(folder, header("r 1 0 2000")))
    assert read_ecg(wfdb(folder, header())).source.isprintable()


def test_a_name_that_cannot_be_printed_is_found_by_it() -> None:
    record = ECGRecord(np.zeros((2, 10)), 500, ("a\x1b[0mb", "c\xa0d"))
    assert record.leads == (r"a\x1b[0mb", "c d")
    assert record.lead("a\x1b[0mb").shape == (10,)
