"""WFDB records: what is read, and one clear line for whatever is wrong with them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from hf_heartllm.ecg import STANDARD_LEADS, ECGError, read_ecg, read_ecg_parts
from hf_heartllm.ecg.readers.wfdb_header import parse_header
from hf_heartllm.ecg.readers.wfdb_lengths import frames_in_file

RATE, SAMPLES = 500, 1200
FOLD_9_RECORD = "00152"


def millivolts() -> np.ndarray:
    """(samples, 12), multiples of 1 µV within ±1 mV."""
    return np.random.default_rng(0).integers(-1000, 1000, size=(SAMPLES, 12)) / 1000


def write(folder: Path, fmt: str = "16", units: str = "mV", comments: tuple[str, ...] = (), name: str = "x") -> Path:
    """A record of twelve leads; `units` only renames what the numbers are."""
    spelled = [lead.upper() for lead in STANDARD_LEADS]
    wfdb.wrsamp(
        name, RATE, [units] * 12, spelled, millivolts(), fmt=[fmt] * 12, adc_gain=[1000.0] * 12, baseline=[0] * 12,
        comments=list(comments), write_dir=str(folder),
    )  # fmt: skip
    return folder / name


def edit(path: Path, old: str, new: str, count: int = -1) -> None:
    text = path.with_suffix(".hea").read_text(encoding="utf-8")
    assert old in text
    path.with_suffix(".hea").write_text(text.replace(old, new, count), encoding="utf-8")


@pytest.mark.parametrize("fmt", ["16", "212", "24", "80"])
@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_formats_and_names(tmp_path: Path, fmt: str, suffix: str) -> None:
    if fmt == "80":  # 8 bits hold ±127
        wfdb.wrsamp("x", RATE, ["mV"] * 12, list(STANDARD_LEADS), millivolts() / 8, fmt=["80"] * 12,
                    adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(tmp_path))  # fmt: skip
        expected, path = np.round(millivolts() / 8, 3), tmp_path / "x"
    else:
        expected, path = millivolts(), write(tmp_path, fmt)
    record = read_ecg(f"{path}{suffix}")
    assert record.leads == STANDARD_LEADS
    assert record.sampling_rate == RATE
    assert record.units == "mV"
    assert record.signal.dtype == np.float32
    np.testing.assert_allclose(record.signal, expected.T, atol=1.1e-3 if fmt == "80" else 1e-6)


@pytest.mark.parametrize(("units", "scale"), [("mV", 1), ("mv", 1), ("uV", 1e-3), ("µV", 1e-3), ("V", 1e3)])
def test_units_become_millivolts(tmp_path: Path, units: str, scale: float) -> None:
    path = write(tmp_path)
    edit(path, "/mV", f"/{units}")
    np.testing.assert_allclose(read_ecg(path).signal, millivolts().T * scale, rtol=1e-6)


@pytest.mark.parametrize("units", ["mmHg", "NU", "MV", "kV"])
def test_other_units_are_refused(tmp_path: Path, units: str) -> None:
    path = write(tmp_path)
    edit(path, "/mV", f"/{units}", 1)
    with pytest.raises(ECGError, match=f"signal 1.*units.*{units}"):
        read_ecg(path)


@pytest.mark.parametrize(
    ("comments", "expected"),
    [
        (("Age: 74", "Sex: Female"), (74, "female", None, None)),
        (("age: 61 years", "sex: m", "height: 180 cm", "weight: 81.5 kg"), (61, "male", 180, 81.5)),
        (("<age>: 25  <sex>: M  <diagnoses>: (none)",), (25, "male", None, None)),
        (("Age: 74 Sex: F",), (74, "female", None, None)),
        (("Age: NaN", "Sex: Unknown"), (None, None, None, None)),
        (("Age: -1", "Height: 1.75", "Weight: 0"), (None, None, None, None)),
        (("Age: 7 months", "Height: 70 in", "Weight: 180 lb"), (None, None, None, None)),
        (("Dosage: 12", "Dx: 426783006"), (None, None, None, None)),
    ],
)
def test_person(tmp_path: Path, comments: tuple[str, ...], expected: tuple) -> None:
    record = read_ecg(write(tmp_path, comments=comments))
    assert (record.age, record.sex, record.height, record.weight) == expected


def test_signals_that_were_taken_late_are_put_in_their_place(tmp_path: Path) -> None:
    """Skew: of a signal that was taken three samples late, the fourth sample belongs to the record's first instant."""
    values = np.arange(60, dtype="<i2").reshape(20, 3)  # (samples, signals)
    values.tofile(tmp_path / "late.dat")
    checksums = values.astype(int).sum(axis=0) % 65536
    lines = [
        f"late.dat {layout} 10/mV 16 0 {first} {total} 0 {name}"
        for layout, first, total, name in zip(
            ("16", "16:3", "16:1"), values[0], checksums, ("I", "II", "V1"), strict=True
        )
    ]
    (tmp_path / "late.hea").write_text("\n".join(["late 3 100 20", *lines]) + "\n", encoding="utf-8")
    nothing = [np.nan] * 3
    expected = np.stack(
        [values[:, 0] / 10, [*(values[3:, 1] / 10), *nothing], [*(values[1:, 2] / 10), *nothing[:1]]]
    ).astype(np.float32)

    np.testing.assert_array_equal(read_ecg(tmp_path / "late").signal, expected)
    parts = list(read_ecg_parts(tmp_path / "late", 0.07))
    joined = np.concatenate([part.signal for part in parts], axis=1)
    np.testing.assert_array_equal(joined, expected[:, : joined.shape[1]])
    assert joined.shape[1] >= 14


def test_other_leads_keep_their_names(tmp_path: Path) -> None:
    wfdb.wrsamp("x", 360, ["mV", "mV"], ["MLII", "ECG 1"], np.ones((100, 2)) * [0.5, 1], fmt=["16"] * 2,
                write_dir=str(tmp_path))  # fmt: skip
    assert read_ecg(tmp_path / "x").leads == ("MLII", "ECG 1")


def test_missing_samples_stay_missing(tmp_path: Path) -> None:
    path = write(tmp_path)
    samples = np.fromfile(path.with_suffix(".dat"), "<i2").reshape(-1, 12)
    samples[100:102, 3] = -32768
    samples.tofile(path.with_suffix(".dat"))
    checksum = int(samples[:, 3].astype(np.int64).sum()) % 65536
    lines = path.with_suffix(".hea").read_text().splitlines()
    fields = lines[4].split()
    fields[6] = str(checksum)
    lines[4] = " ".join(fields)
    path.with_suffix(".hea").write_text("\n".join(lines) + "\n")
    record = read_ecg(path)
    assert np.argwhere(np.isnan(record.signal)).tolist() == [[3, 100], [3, 101]]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.with_suffix(".dat").read_bytes())
    content[1000] ^= 4
    path.with_suffix(".dat").write_bytes(content)


def cut(path: Path) -> None:
    path.with_suffix(".dat").write_bytes(path.with_suffix(".dat").read_bytes()[:-600])


def drop_a_signal_line(path: Path) -> None:
    path.with_suffix(".hea").write_text("\n".join(path.with_suffix(".hea").read_text().splitlines()[:-1]) + "\n")


def reheader(text: bytes) -> Callable[[Path], int]:
    return lambda path: path.with_suffix(".hea").write_bytes(text)


DAMAGE = {
    "a flipped bit": (flip_a_bit, "wrong checksum of"),
    "truncated .dat": (cut, r"x\.dat is truncated: 1175 of 1200"),
    "empty .dat": (lambda path: path.with_suffix(".dat").write_bytes(b""), r"x\.dat is empty"),
    "longer .dat": (lambda path: path.with_suffix(".dat").open("ab").write(b"\0" * 48), "holds 1202 samples"),
    "no .dat": (lambda path: path.with_suffix(".dat").unlink(), r"signal file x\.dat is not there"),
    "no .hea": (lambda path: path.with_suffix(".hea").unlink(), r"no header file x\.hea"),
    "empty .hea": (reheader(b""), r"x\.hea is empty"),
    "blank .hea": (reheader(b" \n\n"), r"x\.hea is empty"),
    "only comments": (reheader(b"# nothing\n"), "not a WFDB header"),
    "a text": (reheader(b"Dear colleague,\nplease find\nattached.\n"), "not a WFDB header"),
    "two lines of text": (reheader(b"chapter 1 500 1200\nIt was a dark night.\n"), "not a WFDB signal line"),
    "a binary file": (reheader(bytes(range(256))), "binary"),
    "fewer signal lines": (drop_a_signal_line, "promises 12 signals and describes 11"),
    "more signal lines": (lambda path: edit(path, "x 12 500", "x 11 500"), "promises 11 signals and describes 12"),
    "no signals": (reheader(b"x 0 500 1200\n"), "no signals"),
    "gain 0": (lambda path: edit(path, "1000.0(0)/mV", "0(0)/mV", 1), "no gain"),
    "no gain": (reheader(b"x 1 500 14400\nx.dat 16\n"), "no gain"),
    "a gain that is no number": (lambda path: edit(path, "1000.0(0)/mV", "e-+(0)/mV", 1), "gain"),
    "no sampling rate": (reheader(b"x 1\nx.dat 16 1000 16 0 0 0 0 I\n"), "no sampling rate"),
    "sampling rate 0": (lambda path: edit(path, "x 12 500", "x 12 0"), "sampling rate"),
    "another length": (lambda path: edit(path, "500 1200", "500 1300"), "truncated: 1200 of 1300"),
    "another folder": (lambda path: edit(path, "x.dat", "../x.dat"), "another folder"),
    "several segments": (lambda path: edit(path, "x 12", "x/3 12"), "segments"),
    "a lead twice": (lambda path: edit(path, " AVR", " I"), "repeat"),
    "an unknown format": (lambda path: edit(path, "dat 16 ", "dat 99 "), "wfdb cannot read"),
    "different rates": (lambda path: edit(path, "dat 16 ", "dat 16x2 ", 1), "truncated|rates"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_each_damage_is_one_clear_line(tmp_path: Path, what: str) -> None:
    damage, message = DAMAGE[what]
    path = write(tmp_path)
    damage(path)
    with pytest.raises(ECGError, match=message) as caught:
        read_ecg(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_names_of_no_recording(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for name, message in (
        (tmp_path, "folder"),
        (tmp_path / "notes.txt", "not a kind of recording"),
        (tmp_path / "missing", "no header file"),
        (tmp_path / "missing.hea", "no header file"),
        (tmp_path / "nowhere" / "x.dat", "no header file"),
        ("", "names no recording"),
        ("a\0b", "cannot read"),
    ):
        with pytest.raises(ECGError, match=message):
            read_ecg(name)


def test_arguments_that_the_header_answers_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    for argument in ({"sampling_rate": 250}, {"units": "mV"}):
        with pytest.raises(ECGError, match="--" + next(iter(argument)).replace("_", "-")):
            read_ecg(path, **argument)


# Bytes of twelve samples, by signal(5): 212 keeps two samples in three bytes, 310 and 311 three in four.
TWELVE = {"8": 12, "80": 12, "16": 24, "61": 24, "160": 24, "212": 18, "24": 36, "32": 48, "310": 16, "311": 16}


def length(folder: Path, layout: str, content: bytes, stated: int | None = None, signals: int = 1) -> int:
    """Frames of a file of signals that are stored alike."""
    (folder / "r.dat").write_bytes(content)
    header = parse_header(f"r {signals} 500\n" + f"r.dat {layout} 1000\n" * signals, "r", "r")
    return frames_in_file(folder / "r.dat", header.signals, stated, "r")


@pytest.mark.parametrize("fmt", TWELVE)
def test_bytes_are_counted_as_samples_of_their_format(tmp_path: Path, fmt: str) -> None:
    content = bytes(TWELVE[fmt])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for stated in (None, 12):
            assert length(tmp_path, fmt, content, stated) == 12
            assert length(tmp_path, fmt, 3 * content, stated, signals=3) == 12
            assert length(tmp_path, f"{fmt}x2", 2 * content, stated) == 12
            assert length(tmp_path, f"{fmt}+5", bytes(5) + content, stated) == 12
    spare = 3 if fmt in ("310", "311") else 0  # the last three samples may be cut or filled up
    assert length(tmp_path, fmt, content, 12 + spare) == 12 + spare
    assert length(tmp_path, fmt, content, 12 - spare) == 12 - spare
    with pytest.raises(ECGError, match=f"truncated: 12 of {13 + spare} samples"):
        length(tmp_path, fmt, content, 13 + spare)
    with pytest.raises(ECGError, match=f"holds 12 samples, the header states {11 - spare}"):
        length(tmp_path, fmt, content, 11 - spare)


def test_one_frame_is_a_recording_and_half_of_one_is_none(tmp_path: Path) -> None:
    for stated in (None, 1):
        assert length(tmp_path, "16", bytes(2), stated) == 1
        assert length(tmp_path, "16", bytes(6), stated, signals=3) == 1
    for content, signals in ((b"", 1), (bytes(1), 1), (bytes(4), 3)):
        with pytest.raises(ECGError, match=r"r\.dat is empty"):
            length(tmp_path, "16", content, 1, signals=signals)
    with pytest.raises(ECGError, match=r"r\.dat is empty"):
        length(tmp_path, "16+8", bytes(8))


def test_a_file_that_ends_within_a_frame_is_said_where_no_length_is_stated(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="ends within a frame"):
        assert length(tmp_path, "16", bytes(25)) == 12
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert length(tmp_path, "16", bytes(25), 12) == 12
        assert length(tmp_path, "212", bytes(17)) == 11  # the last one has no neighbour to share a byte with


def test_the_length_of_a_compressed_file_is_the_one_that_it_states(tmp_path: Path) -> None:
    import soundfile

    noise = np.random.default_rng(0).integers(-500, 500, (400, 2)).astype(np.int16)
    soundfile.write(tmp_path / "r.flac", noise, 500, format="FLAC", subtype="PCM_16")
    content = (tmp_path / "r.flac").read_bytes()

    def claimed(samples: int) -> bytes:
        """The same file that states another length of itself."""
        field = int.from_bytes(content[18:26], "big") >> 36 << 36 | samples
        return content[:18] + field.to_bytes(8, "big") + content[26:]

    for stated in (None, 400):
        assert length(tmp_path, "516", content, stated, signals=2) == 400
    assert length(tmp_path, "516x4", content) == 100
    assert length(tmp_path, "516+30", content) == 370
    for file, stated, said in (
        (content, 399, "holds 400 samples, the header states 399"),
        (content, 401, "truncated: 400 of 401"),
        (claimed(399), None, "holds more samples than the 399"),
        (claimed(0), None, "no FLAC file that states its length"),
        (claimed(10_900_000), None, "unpacks to 21,800,000 samples"),
        (content[:25], None, "no FLAC file"),
        (b"OggS" + content[4:], None, "no FLAC file"),
    ):
        with pytest.raises(ECGError, match=said):
            length(tmp_path, "516", file, stated, signals=2)
    assert length(tmp_path, "516", claimed(10_700_000)) == 10_700_000  # few enough to be unpacked and looked at


@pytest.mark.parametrize(
    ("fmt", "subtype", "bits"), [("508", "PCM_S8", 8), ("516", "PCM_16", 16), ("524", "PCM_24", 24)]
)
def test_the_lowest_value_of_a_compressed_file_is_a_missing_sample(
    tmp_path: Path, fmt: str, subtype: str, bits: int
) -> None:
    import soundfile

    lowest = -(1 << bits - 1)
    stored = np.array([5, lowest, lowest + 1, -lowest - 1, -7] * 20)
    soundfile.write(tmp_path / "r.flac", (stored << 32 - bits).astype(np.int32), 500, format="FLAC", subtype=subtype)
    (tmp_path / "r.flac").rename(tmp_path / "r.dat")
    (tmp_path / "r.hea").write_text(f"r 1 500 100\nr.dat {fmt} 1e5(0)/mV 16 0 5 0 0 II\n")
    with pytest.warns(UserWarning, match="no checksums"):
        signal = read_ecg(tmp_path / "r").signal[0]
    np.testing.assert_allclose(signal, np.where(stored == lowest, np.nan, stored / 1e5), rtol=1e-6)


def test_real_challenge_records(data_dir: Path) -> None:
    folder = data_dir / "challenge-samples"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    headers = sorted(folder.glob("*.hea"))
    assert headers
    for header in headers:
        record = read_ecg(header.with_suffix(".mat"))
        truth = wfdb.rdrecord(str(header.with_suffix("")))
        np.testing.assert_allclose(record.signal, truth.p_signal.T, atol=1e-6)
        assert record.leads == STANDARD_LEADS
        assert record.sampling_rate == 500
        assert record.sex in ("male", "female")
    assert read_ecg(folder / "A0001.mat").age == 74
    assert read_ecg(folder / "E00001").age is None


@pytest.mark.parametrize(
    "name",
    ["flacformats", "100_3chan", "test01_00s", "binformats", "310derive",
     pytest.param("flac_3_constant", marks=pytest.mark.slow)],  # 16,800,000 samples in 20 kB
)  # fmt: skip
def test_real_records_in_other_formats(data_dir: Path, name: str) -> None:
    folder = data_dir / "wfdb-formats"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    truth = wfdb.rdrecord(str(folder / name))
    np.testing.assert_allclose(read_ecg(folder / name).signal, truth.p_signal.T, rtol=1e-6, equal_nan=True)


def test_real_records_with_skew_or_several_rates(data_dir: Path) -> None:
    folder = data_dir / "wfdb-formats"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    truth = wfdb.rdrecord(str(folder / "test01_00s_skew"))
    np.testing.assert_allclose(read_ecg(folder / "test01_00s_skew").signal, truth.p_signal.T, rtol=1e-6)
    truth = wfdb.rdrecord(str(folder / "mixedsignals"), smooth_frames=False)
    with pytest.warns(UserWarning, match=r"no ECG leads: ABP \(mmHg\), Pleth \(NU\), Resp \(Ohm\)"):
        record = read_ecg(folder / "mixedsignals")
    assert record.leads == ("II", "III", "V")
    assert record.sampling_rate == pytest.approx(4 * 62.4725)
    np.testing.assert_allclose(record.signal, truth.e_p_signal[:3], rtol=1e-6)
    with pytest.warns(UserWarning, match=r"ABP \(mmHg\), RESP \(mV\)"):
        assert read_ecg(folder / "03700181").leads == ("MCL1",)


@pytest.mark.parametrize(("folder", "tag", "rate"), [("records100", "lr", 100), ("records500", "hr", 500)])
def test_a_real_ptb_xl_record(ptbxl_dir: Path, folder: str, tag: str, rate: int) -> None:
    record = read_ecg(ptbxl_dir / folder / "00000" / f"{FOLD_9_RECORD}_{tag}")
    assert record.sampling_rate == rate
    assert record.duration == 10
    assert record.leads == STANDARD_LEADS
    one, two, three = (record.lead(name) for name in ("I", "II", "III"))
    assert np.abs(one + three - two).max() < 0.003  # Einthoven's law, up to rounding to µV
