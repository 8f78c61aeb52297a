"""CSV and NPY: everything the file does not state must be given, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hf_heartllm.ecg import STANDARD_LEADS, ECGError, ECGRecord, read_ecg

STATED = {"sampling_rate": 250, "units": "mV", "leads": STANDARD_LEADS}


@pytest.fixture
def signal() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(12, 40)).astype(np.float32)


def table(rows: np.ndarray, header: tuple[str, ...] = (), mark: str = ",") -> str:
    lines = [mark.join(header)] if header else []
    return "\n".join(lines + [mark.join(repr(float(cell)) for cell in row) for row in rows]) + "\n"


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("units", "scale"), [("mV", 1), ("uV", 1e-3), ("µV", 1e-3), ("V", 1e3)])
def test_npy(tmp_path: Path, signal: np.ndarray, transposed: bool, units: str, scale: float) -> None:
    np.save(tmp_path / "x.npy", signal.T if transposed else signal)
    record = read_ecg(tmp_path / "x.npy", **STATED | {"units": units})
    np.testing.assert_allclose(record.signal, signal * scale, rtol=1e-6)
    assert record.leads == STANDARD_LEADS
    assert record.sampling_rate == 250
    assert record.units == "mV"


def test_npy_of_one_lead_and_of_integers(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([100, -200], dtype=np.int16))
    record = read_ecg(tmp_path / "x.npy", sampling_rate=250, units="uV", leads="lead ii")
    assert record.leads == ("II",)
    np.testing.assert_allclose(record.signal, [[0.1, -0.2]], rtol=1e-6)


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
@pytest.mark.parametrize("missing", ["sampling_rate", "units", "leads"])
def test_what_is_not_given_is_named(tmp_path: Path, signal: np.ndarray, suffix: str, missing: str) -> None:
    path = tmp_path / f"x{suffix}"
    np.save(path, signal) if suffix == ".npy" else path.write_text(table(signal))
    with pytest.raises(ECGError, match="--" + missing.replace("_", "-")) as caught:
        read_ecg(path, **STATED | {missing: None})
    assert missing in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_with_and_without_lead_names(tmp_path: Path, signal: np.ndarray, mark: str) -> None:
    names = tuple(lead.upper() for lead in STANDARD_LEADS)
    path = tmp_path / "x.csv"
    for text, leads in (
        (table(signal.T, names, mark), None),
        (table(signal.T, mark=mark), STANDARD_LEADS),
        (table(signal, mark=mark), ", ".join(STANDARD_LEADS)),
    ):
        path.write_text("\ufeff" + text, encoding="utf-8")
        record = read_ecg(path, **STATED | {"leads": leads})
        assert record.leads == STANDARD_LEADS
        np.testing.assert_allclose(record.signal, signal, rtol=1e-6)


def test_csv_columns_are_chosen_by_name_and_gaps_are_missing_samples(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("time,V1,II\n0.000,0.1,1\n0.004,,2\n0.008,nan,3\n")
    with pytest.warns(UserWarning, match="left out, since they are no ECG leads: time"):
        assert read_ecg(tmp_path / "x.csv", sampling_rate=250, units="mV").leads == ("V1", "II")
    with pytest.raises(ECGError, match="'time' is no ECG lead"):
        read_ecg(tmp_path / "x.csv", sampling_rate=250, units="mV", leads=["time", "II"])
    record = read_ecg(tmp_path / "x.csv", sampling_rate=250, units="mV", leads=["II", "V1"])
    np.testing.assert_allclose(record.signal, [[1, 2, 3], [0.1, np.nan, np.nan]], rtol=1e-6)


BAD_CSV = {
    "": "empty",
    "\n \n": "empty",
    "I,II\n": "no samples",
    "I,II\n1,2\n3\n": "row 3 has 1 cells",
    "I,II\n1,2\n3,4,5\n": "row 3 has 3 cells",
    "I,II\n1,2\n3,x\n": "row 3: 'x' is not a number",
    "I,i\n1,2\n": "repeat",
    "I,I\n1,2\n": "repeat",
    "I,II\n1,inf\n": "infinite",
    "I,II\n1,1e300\n": "infinite",
}


@pytest.mark.parametrize("text", BAD_CSV)
def test_bad_csv(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ECGError, match=BAD_CSV[text]) as caught:
        read_ecg(tmp_path / "x.csv", sampling_rate=250, units="mV")
    assert "\n" not in str(caught.value)


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ECGError, match="text"):
        read_ecg(tmp_path / "x.csv", sampling_rate=250, units="mV")
    with pytest.raises(ECGError, match="no such file"):
        read_ecg(tmp_path / "y.csv", sampling_rate=250, units="mV")


BAD_ARRAYS = {
    "ambiguous": (np.zeros((12, 12)), "cannot be told"),
    "other leads": (np.zeros((8, 100)), "12 lead names for 8 × 100"),
    "three axes": (np.zeros((1, 12, 100)), "shape is"),
    "one axis": (np.zeros(100), "shape is"),
    "text": (np.array([["a"] * 12]), "real numbers"),
    "complex": (np.zeros((12, 100), dtype=complex), "real numbers"),
    "truth values": (np.zeros((12, 100), dtype=bool), "real numbers"),
    "no samples": (np.zeros((12, 0)), "empty"),
    "infinite": (np.full((12, 100), np.inf), "infinite"),
}


@pytest.mark.parametrize("what", BAD_ARRAYS)
def test_bad_npy(tmp_path: Path, what: str) -> None:
    values, message = BAD_ARRAYS[what]
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(ECGError, match=message):
        read_ecg(tmp_path / "x.npy", **STATED)


def test_npy_never_unpickles(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npy").write_text("hello")
    for name in ("x", "empty", "text", "missing"):
        with pytest.raises(ECGError) as caught:
            read_ecg(tmp_path / f"{name}.npy", **STATED)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": "ADC"}, "units"),
        ({"units": 5}, "units"),
        ({"leads": range(12)}, "texts"),
        ({"leads": 12}, "texts"),
        ({"sampling_rate": 0}, "sampling rate"),
        ({"sampling_rate": float("nan")}, "sampling rate"),
        ({"leads": ["I"] * 12}, "repeat"),
        ({"leads": "I,,II"}, "empty"),
    ],
)
def test_bad_arguments(tmp_path: Path, signal: np.ndarray, change: dict, message: str) -> None:
    np.save(tmp_path / "x.npy", signal)
    with pytest.raises(ECGError, match=message):
        read_ecg(tmp_path / "x.npy", **STATED | change)


@pytest.mark.parametrize("stated", ["250", " 2.5e2 ", 250, np.float32(250), np.int64(250), np.array(250.0)])
def test_a_sampling_rate_may_come_as_text(tmp_path: Path, signal: np.ndarray, stated: object) -> None:
    np.save(tmp_path / "x.npy", signal)
    (tmp_path / "x.csv").write_text(table(signal.T))
    for name in ("x.npy", "x.csv"):
        assert read_ecg(tmp_path / name, **STATED | {"sampling_rate": stated}).sampling_rate == 250


@pytest.mark.parametrize(
    "stated",
    ["abc", "", "250 Hz", "nan", "inf", "-250", "0", "2_50", True, np.True_, np.nan, np.inf, -250, [250], 250j],
)
def test_a_sampling_rate_that_is_none(tmp_path: Path, signal: np.ndarray, stated: object) -> None:
    np.save(tmp_path / "x.npy", signal)
    with pytest.raises(ECGError, match="sampling rate must be a positive number of Hz"):
        read_ecg(tmp_path / "x.npy", **STATED | {"sampling_rate": stated})


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4", "i2", "u2"])
def test_npy_of_any_kind_of_number(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(1).integers(0, 1000, (12, 40)).astype(dtype)
    np.save(tmp_path / "x.npy", values)
    np.testing.assert_array_equal(read_ecg(tmp_path / "x.npy", **STATED).signal, values.astype(np.float32))


def rising(kind: str, samples: int) -> np.ndarray:
    return np.arange(samples) / (250 if kind == "time" else 1)


@pytest.mark.parametrize("kind", ["time", "index"])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_row_or_column_that_counts_needs_no_name(tmp_path: Path, signal: np.ndarray, kind: str, axis: int) -> None:
    values = np.concatenate([rising(kind, 40)[None], signal])
    np.save(tmp_path / "x.npy", values if axis == 0 else values.T)
    with pytest.warns(UserWarning, match=f"rises as an index or the time does: {('row', 'column')[axis]} 1"):
        record = read_ecg(tmp_path / "x.npy", **STATED)
    np.testing.assert_allclose(record.signal, signal, rtol=1e-6)


def test_a_row_that_counts_is_no_lead_whatever_its_name(tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(12, 500))
    values[0] = rising("time", 500)
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(ECGError, match="named I rises all the time"):
        read_ecg(tmp_path / "x.npy", **STATED)


def test_rows_named_as_other_signals_are_left_out(tmp_path: Path, signal: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", np.concatenate([signal, signal[:1]]))
    with pytest.warns(UserWarning, match="no ECG leads: RESP"):
        record = read_ecg(tmp_path / "x.npy", **STATED | {"leads": [*STANDARD_LEADS, "RESP"]})
    assert record.leads == STANDARD_LEADS
    np.save(tmp_path / "x.npy", signal[:1])
    with pytest.raises(ECGError, match="no name is one of an ECG lead: RESP"):
        read_ecg(tmp_path / "x.npy", **STATED | {"leads": "RESP"})


def test_a_record_takes_a_rate_as_text_too(signal: np.ndarray) -> None:
    assert ECGRecord(signal, "250", STANDARD_LEADS).sampling_rate == 250  # type: ignore[arg-type]
    for rate in ("abc", None, np.nan, -1):
        with pytest.raises(ECGError, match="sampling rate must be a positive number of Hz"):
            ECGRecord(signal, rate, STANDARD_LEADS)  # type: ignore[arg-type]
