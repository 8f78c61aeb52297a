"""What a channel is by its name, and what a column's name says of its unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hf_heartllm.ecg import STANDARD_LEADS, ECGError, ECGRecord, read_ecg, simulate_ecg, write_ecg
from hf_heartllm.ecg.beats import beat_times
from hf_heartllm.ecg.readers.channels import (
    is_lead_name,
    is_other_signal,
    is_time_name,
    lead_name,
    require_names,
    time_unit,
)
from hf_heartllm.ecg.readers.units import _LONGEST_NAME, name_and_unit


@pytest.mark.parametrize("lead", STANDARD_LEADS)
@pytest.mark.parametrize("form", ["{}", "ECG_{}", "ecg lead {}", "Lead {}", "EKG-{}", " {}, ", "'{}'", "lead_{}"])
def test_the_twelve_leads_in_many_spellings(lead: str, form: str) -> None:
    for name in (form.format(lead), form.format(lead.lower()), form.format(lead.upper())):
        assert lead_name(name) == lead
        assert is_lead_name(name)
        assert not is_other_signal(name)
        assert not is_time_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "MLII",
        "MLIII",
        "ECG",
        "ECG1",
        "ECG 2",
        "V7",
        "V9",
        "V3R",
        "vx",
        "vz",
        "ML5",
        "MCL1",
        "CM5",
        "CC5",
        "D3",
        "DI",
        "V",
    ],
)
def test_other_leads(name: str) -> None:
    assert is_lead_name(name)
    assert lead_name(name) == name


# MIT-BIH's polysomnographies, BIDMC, MGH/MF, MIMIC, drivedb, the Challenge of 2018, and loggers.
OTHERS = """
    RESP Resp RESP, PLETH Pleth, ABP ART ART2 PAP CVP ICP BP EMG EMG1 EOG EEG SpO2 SaO2 SO2 CO2 AIRFLOW ABD CHEST
    Chin1-Chin2 C3-M2 E1-M2 F4-M1 GSR HR marker Temp acc_x ACCX Accelerometer gyro_z SCG PCG Trigger event
    annotation label Respiration respiration_rate battery
"""


@pytest.mark.parametrize("name", OTHERS.split())
def test_other_signals(name: str) -> None:
    assert is_other_signal(name)
    assert not is_lead_name(name)


@pytest.mark.parametrize(
    "name",
    ["Resp (nasal)", "EEG (C4-A1)", "EOG (right)", "foot GSR", "hand GSR", "Resp. Imp.", "Heart rate", "ECG quality",
     "ECG HR", "EMG left", "skin temp", "lead off", "Acc X [g]", "SpO2 (%)"],
)  # fmt: skip
def test_other_signals_in_several_words(name: str) -> None:
    assert is_other_signal(name)


@pytest.mark.parametrize(
    "name", ["", "signal 3", "col 0", "sig 0, fmt 8", "X", "Y", "CS12", "Abdomen_1", "ECG bp", "ch2", "0"]
)
def test_names_that_say_nothing(name: str) -> None:
    assert not is_other_signal(name)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("", None), ("t", None), ("time", None), ("Time (s)", 1.0), ("time[ms]", 1e-3), ("Time (ms)", 1e-3),
        ("time_us", 1e-6), ("timeMs", 1e-3), ("Elapsed", None), ("elapsed_sec", 1.0), ("Sec", 1.0), ("seconds", 1.0),
        ("millis", 1e-3), ("sample #", None), ("Sample Number", None), ("sample_index", None), ("Unnamed: 0", None),
        ("index", None), ("idx", None), ("#", None), ("No.", None), ("timestamp", None), ("TimeStamp", None),
        ("Timestamp [ms]", 1e-3), ("Elapsed time", None), ("Zeit", None), ("Zeit [s]", 1.0), ("Zeit in Sekunden", 1.0),
        ("Tiempo (s)", 1.0), ("temps_ms", 1e-3), ("datetime", None), ("minutes", 60.0), ("t (ms)", 1e-3), ("t_s", 1.0),
        ("hh:mm:ss.mmm", None), ("time_ns", 1e-9), ("t in µs", 1e-6), ("min:sec", None), ("times", None),
        ("elapsedSecs", 1.0), ("number of sample", None),
    ],
)  # fmt: skip
def test_time_and_its_unit(name: str, unit: float | None) -> None:
    assert is_time_name(name)
    assert time_unit(name) == unit


@pytest.mark.parametrize("name", ["I", "aVL", "V3", "ECG", "MLII", "ECG sample", "foo", "0", "RESP", "X", "V1 (mV)"])
def test_no_time(name: str) -> None:
    assert not is_time_name(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I (mV)", ("I", "mV")), ("V1(mV)", ("V1", "mV")), ("II [uV]", ("II", "uV")), ("aVR_mV", ("aVR", "mV")),
        ("Lead I µV", ("Lead I", "µV")), ("ABP {mmHg}", ("ABP", "mmHg")), ("V", ("V", None)), ("V (V)", ("V", "V")),
        ("EEG (C4-A1)", ("EEG (C4-A1)", None)), ("ECG (raw)", ("ECG", "raw")), ("I/mV", ("I", "mV")),
        ("mV", ("mV", None)),
    ],
)  # fmt: skip
def test_units_in_names(text: str, expected: tuple[str, str | None]) -> None:
    assert name_and_unit(text) == expected


def test_beats_are_not_sought_in_other_signals(tmp_path: Path) -> None:
    record = simulate_ecg(seed=3)[0].select(["I", "II"])
    breath = 3 * np.sin(
        2 * np.pi * 9 * np.arange(record.signal.shape[1]) / record.sampling_rate
    )  # loud, as fast as a QRS
    both = ECGRecord(np.concatenate([record.signal, breath[None]]), record.sampling_rate, ("I", "II", "RESP"))
    write_ecg(both, tmp_path / "x.csv")
    write_ecg(both, tmp_path / "x")
    for name, stated in (("x.csv", {"sampling_rate": record.sampling_rate, "units": "mV"}), ("x", {})):
        with pytest.warns(UserWarning, match="no ECG leads: .*RESP"):
            again = read_ecg(tmp_path / name, **stated)
        np.testing.assert_allclose(beat_times(again), beat_times(record), atol=0.005)


def test_a_name_of_any_length_is_read_with_its_unit_and_a_novel_is_none() -> None:
    for length, unit in ((10, "mV"), (_LONGEST_NAME, "mV"), (_LONGEST_NAME + 1, None)):
        assert name_and_unit("V" * (length - 5) + " (mV)")[1] == unit


def test_names_of_one_recording_differ_are_there_and_are_no_novel() -> None:
    for names in ((), ("I",), STANDARD_LEADS, ("ECG of the left arm, recorded before the operation",)):
        require_names("x", names)
    for names, said in (
        (("I", "II", "I"), "lead names repeat: I"),
        (("I", ""), "has no name: I, none"),
        (("I", "x" * 5000), "5000 characters long: xxx"),
    ):
        with pytest.raises(ECGError, match=said):
            require_names("x", names)
