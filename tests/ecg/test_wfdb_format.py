"""WFDB records: what is read, and one clear line for whatever is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from hf_heartllm.ecg import STANDARD_LEADS, ECGError, read_ecg, read_ecg_parts

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
