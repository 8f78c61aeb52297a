"""`ecg_record`: whatever holds the numbers, the recording is the same; what is not said is refused, never guessed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import hf_heartllm as hl
from hf_heartllm.ecg import STANDARD_LEADS, ECGError
from hf_heartllm.models.ecg_record import ECGWarning
from hf_heartllm.models.record_from_array import record_from_array

RATE, SAMPLES = 250, 400
SIGNAL = np.random.default_rng(0).normal(size=(12, SAMPLES)).round(3).astype(np.float32)
FRAME = pd.DataFrame(SIGNAL.T, columns=list(STANDARD_LEADS))
STATED: dict[str, Any] = {"sampling_rate": RATE, "units": "mV"}
NAMED = STATED | {"leads": STANDARD_LEADS}


def assert_is_the_signal(record: hl.ECGRecord) -> None:
    assert record.leads == STANDARD_LEADS
    assert record.sampling_rate == RATE
    np.testing.assert_allclose(record.signal, SIGNAL, atol=1e-6)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ECGError) as caught:
        call()
    message = str(caught.value)
    assert len(message) <= 300
    assert "\n" not in message
    assert "--" not in message  # an option of the command line is no help here
    return message


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "kind",
    [
        np.asarray,
        np.asfortranarray,
        np.ma.asarray,
        lambda values: values.tolist(),
        lambda values: [list(row) for row in values],
        torch.tensor,
        lambda values: torch.tensor(values, requires_grad=True),
        pd.DataFrame,
    ],
)
def test_arrays_of_every_library_in_both_orientations(kind: Any, turned: bool) -> None:
    assert_is_the_signal(hl.ecg_record(kind(SIGNAL.T.copy() if turned else SIGNAL), **NAMED))
    if kind is not pd.DataFrame:
        assert_is_the_signal(record_from_array(kind(SIGNAL.T.copy() if turned else SIGNAL), **NAMED))


@pytest.mark.parametrize(
    ("units", "numbers"),
    [
        ("mV", SIGNAL),
        ("uV", np.rint(SIGNAL * 1e3).astype(np.int16)),
        ("µV", np.rint(SIGNAL * 1e3).astype(np.int32)),
        ("nV", SIGNAL * np.float64(1e6)),
        ("V", SIGNAL / np.float64(1e3)),
    ],
)
def test_units_are_converted_and_integers_are_numbers(units: str, numbers: np.ndarray) -> None:
    assert_is_the_signal(hl.ecg_record(numbers, **NAMED | {"units": units}))


def test_missing_samples_stay_missing() -> None:
    holes = SIGNAL.copy()
    holes[3, 5:20] = np.nan
    masked = np.ma.masked_array(SIGNAL, np.isnan(holes))
    none = [[None if np.isnan(one) else float(one) for one in row] for row in holes]
    for values in (holes, masked, none, pd.DataFrame(holes.T, columns=list(STANDARD_LEADS)).astype("Float32")):
        record = hl.ecg_record(values, **(STATED if isinstance(values, pd.DataFrame) else NAMED))
        np.testing.assert_array_equal(np.isnan(record.signal), np.isnan(holes))


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.rename(columns=lambda name: f"{name} (mV)"),
        FRAME.rename(columns=lambda name: f"{name.lower()}_mV"),
        FRAME.rename(columns=lambda name: f"ECG_{name}"),
        FRAME.T,
        FRAME.set_index(pd.to_timedelta(np.arange(SAMPLES) / RATE, unit="s")),
        FRAME.set_index(pd.date_range("2024-01-01", periods=SAMPLES, freq=f"{1000 // RATE}ms")),
        FRAME.set_index(pd.Index(np.arange(SAMPLES) / RATE, name="time (s)")),
        {name: SIGNAL[row] for row, name in enumerate(STANDARD_LEADS)},
        {name: SIGNAL[row].tolist() for row, name in enumerate(STANDARD_LEADS)},
        FRAME.to_records(index=False),
        pa.Table.from_pandas(FRAME, preserve_index=False),
    ],
)
def test_the_columns_of_a_frame_are_the_leads(frame: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_is_the_signal(hl.ecg_record(frame, **STATED))


def test_each_column_is_converted_by_the_unit_in_its_name() -> None:
    frame = FRAME * ([1.0, 1e3, 1e-3, 1e6] + [1.0] * 8)
    frame.columns = ["I (mV)", "II [uV]", "III/V", "aVR_nV", *(f"{name} (mV)" for name in STANDARD_LEADS[4:])]
    frame = frame.rename(columns={"III/V": "III (V)"})
    assert_is_the_signal(hl.ecg_record(frame, sampling_rate=RATE))
    assert "'II [uV]' is in uV, the units given are mV" in refusal(lambda: hl.ecg_record(frame, **STATED))
    bare = frame.rename(columns={"V6 (mV)": "V6"})
    assert "'V6' states no unit" in refusal(lambda: hl.ecg_record(bare, sampling_rate=RATE))


def test_a_time_column_is_left_out_said_and_compared() -> None:
    timed = FRAME.assign(time_ms=np.arange(SAMPLES) * 1000 / RATE)
    with pytest.warns(ECGWarning, match="time_ms"):
        assert_is_the_signal(hl.ecg_record(timed, **STATED))
    assert "shows 250 Hz" in refusal(lambda: hl.ecg_record(timed, sampling_rate=500, units="mV"))
    indexed = FRAME.set_index(pd.to_timedelta(np.arange(SAMPLES) / RATE, unit="s"))
    assert "the index shows 250 Hz" in refusal(lambda: hl.ecg_record(indexed, sampling_rate=500, units="mV"))


@pytest.mark.parametrize(
    ("index", "called"),
    [
        (pd.Index(np.arange(SAMPLES) * 1000 / RATE, name="time (ms)"), "column 'time (ms)'"),
        (pd.Index(np.arange(SAMPLES) * (1000 // RATE), name="time_ms"), "column 'time_ms'"),
        (pd.Index(np.arange(SAMPLES) / RATE, name="t (s)"), "column 't (s)'"),
        (pd.date_range("2024-01-01", periods=SAMPLES, freq=f"{1000 // RATE}ms", name="when"), "the index"),
    ],
)
def test_an_index_that_holds_the_time_is_compared_with_the_rate(index: pd.Index, called: str) -> None:
    frame = FRAME.set_index(index)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_is_the_signal(hl.ecg_record(frame, **STATED))
    assert f"{called} shows 250 Hz" in refusal(lambda: hl.ecg_record(frame, sampling_rate=500, units="mV"))


def test_an_index_without_name_and_unit_only_warns() -> None:
    frame = FRAME.set_index(pd.Index(np.arange(SAMPLES) / RATE))
    with pytest.warns(ECGWarning, match="the index rises by 0.004, which fits 400 Hz in no unit of time"):
        assert hl.ecg_record(frame, sampling_rate=400, units="mV").sampling_rate == 400


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(np.arange(SAMPLES) * 7),
        pd.Index(np.arange(SAMPLES) * 7, name="patient"),
        pd.Index([f"row {number}" for number in range(SAMPLES)], name="patient"),
        pd.Index(np.arange(SAMPLES) / RATE),
        pd.Index(np.arange(SAMPLES), name="sample"),
    ],
)
def test_an_index_that_holds_no_time_or_the_right_one_says_nothing(index: pd.Index) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_is_the_signal(hl.ecg_record(FRAME.set_index(index), **STATED))


def test_columns_that_are_numbered_in_texts_have_no_names() -> None:
    frame = FRAME.set_axis([str(number) for number in range(12)], axis=1)
    assert_is_the_signal(hl.ecg_record(frame, **NAMED))
    assert "lead names are not stated" in refusal(lambda: hl.ecg_record(frame, **STATED))


def test_columns_are_chosen_and_renamed() -> None:
    frame = FRAME[["II", "V1"]].set_axis(["MLII", "V1 (mV)"], axis=1)
    for leads in ({"MLII": "II", "V1": "V1"}, "MLII=II,V1", ["MLII=II", "V1"]):
        record = hl.ecg_record(frame, **STATED, leads=leads)
        assert record.leads == ("II", "V1")
        np.testing.assert_array_equal(record.signal, SIGNAL[[1, 6]])
    assert hl.ecg_record(frame, **STATED, leads="V1").leads == ("V1",)
    assert "no column 'V9'; there are MLII, V1" in refusal(lambda: hl.ecg_record(frame, **STATED, leads={"V9": "II"}))


def test_one_lead_needs_one_name() -> None:
    for values in (SIGNAL[1], SIGNAL[1:2], SIGNAL[1].tolist(), pd.Series(SIGNAL[1])):
        assert hl.ecg_record(values, **STATED, leads="II").leads == ("II",)
    assert hl.ecg_record(FRAME["II"], **STATED).leads == ("II",)


@pytest.mark.parametrize(
    ("values", "stated", "said"),
    [
        (SIGNAL, {"units": "mV", "leads": STANDARD_LEADS}, "sampling rate in Hz is not stated"),
        (SIGNAL, {"sampling_rate": RATE, "leads": STANDARD_LEADS}, "units are not stated"),
        (SIGNAL, STATED, "lead names are not stated"),
        (FRAME, {"units": "mV"}, "sampling rate"),
        (FRAME, {"sampling_rate": RATE}, "states no unit"),
        (SIGNAL, NAMED | {"units": "mmHg"}, "units must be mV, uV, nV or V"),
        (SIGNAL, NAMED | {"sampling_rate": -1}, "positive number of Hz"),
        (SIGNAL[:, :12], NAMED, "which axis is time cannot be told"),
        (SIGNAL[:5], NAMED, "12 lead names for 5 × 400"),
        (SIGNAL[None], NAMED, "its shape is (1, 12, 400)"),
        (SIGNAL[:, :0], NAMED, "empty"),
        (FRAME[:0], STATED, "empty"),
        (np.full((12, 50), np.inf), NAMED, "infinite"),
        ([[1.0, 2.0], [3.0]], NAMED, "different lengths"),
        ([["1", "2"]], NAMED, "real numbers"),
        (SIGNAL > 0, NAMED, "real numbers"),
        (SIGNAL * 1j, NAMED, "real numbers"),
        (None, NAMED, "None"),
        ("ecg.csv", NAMED, "hl.read_ecg reads a recording by its name"),
        (FRAME.astype(str), STATED, "column 'I'"),
        (FRAME[["I", "I"]], STATED, "repeat: I"),
        (FRAME.assign(RESP=1.0)[["RESP"]], STATED, "no column is an ECG lead"),
        ({"I": SIGNAL[0], "II": SIGNAL[1, :50]}, STATED, "different lengths"),
        ({}, STATED, "empty"),
        (SIGNAL, STATED | {"leads": {"MLII": "II"}}, "give names in their order"),
        (SIGNAL, STATED | {"leads": ["I", ""]}, "a lead name is empty"),
        (SIGNAL, STATED | {"leads": [1, 2]}, "must be texts"),
        (pd.concat({"ward": FRAME}, axis=1), STATED, "several levels"),
        (FRAME.assign(I=pd.array(["loose"] * SAMPLES, dtype="string")), STATED, "column 'I'"),
        ({"I": SIGNAL[:2].T}, STATED, "column 'I' has the shape (400, 2), not one axis"),
        (hl.ECGRecord(SIGNAL, RATE, STANDARD_LEADS), STATED, "this is a recording already"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_one_line(values: Any, stated: dict[str, Any], said: str) -> None:
    assert said in refusal(lambda: hl.ecg_record(values, **stated))


def test_what_is_said_about_the_patient_and_the_source_is_kept() -> None:
    record = hl.ecg_record(SIGNAL, **NAMED, age=70, sex="female", height=160, weight=60, source="ward 3")
    assert (record.age, record.sex, record.height, record.weight, record.source) == (70, "female", 160, 60, "ward 3")
    assert hl.ecg_record(SIGNAL, **NAMED).source is None
    assert refusal(lambda: hl.ecg_record(SIGNAL, **STATED, source="ward 3")).startswith("ward 3: ")
    for kind, tables in (("array", (SIGNAL, SIGNAL.tolist())), ("DataFrame", (FRAME, FRAME["I"], {"I": SIGNAL[0]}))):
        for values in tables:
            assert refusal(lambda values=values: hl.ecg_record(values)).startswith(f"{kind}: ")


def test_what_travels_with_a_checkpoint_refuses_the_same() -> None:
    assert record_from_array(SIGNAL, **NAMED | {"leads": ",".join(STANDARD_LEADS)}).leads == STANDARD_LEADS
    for left in ("sampling_rate", "units", "leads"):
        stated = {name: value for name, value in NAMED.items() if name != left}
        assert left in refusal(lambda stated=stated: record_from_array(SIGNAL, **stated))
    assert "12 lead names for 5 × 400" in refusal(lambda: record_from_array(SIGNAL[:5], **NAMED))


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"age": -5}, "age is a number from 0 or None, not -5"),
        ({"age": "60"}, "age is a number from 0 or None, not '60'"),
        ({"weight": float("inf")}, "weight is a number from 0 or None, not inf"),
        ({"sex": "banana"}, "sex is 'male', 'female' or None, not 'banana'"),
    ],
)
def test_what_is_said_of_the_patient_can_be(about: dict, words: str) -> None:
    with pytest.raises(ECGError) as caught:
        hl.ecg_record(FRAME, **STATED, **about)
    assert words in str(caught.value)


def test_numbers_and_names_are_no_record_to_measure_or_draw(tmp_path) -> None:
    for call in (hl.measure, lambda value: hl.plot_ecg(value, tmp_path / "x.png")):
        for value, kind in (("example:af", "str"), (np.zeros((12, 5000)), "ndarray"), (None, "None")):
            with pytest.raises(ECGError, match=f"an ECGRecord is needed, this is .*{kind}"):
                call(value)
