"""`leads=`: names select, pairs rename, and no lead gets the name of another by accident."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from hf_heartllm.ecg import ECGError, ECGRecord, read_ecg
from hf_heartllm.models.ecg_record import ECGWarning

SIGNAL = np.random.default_rng(0).normal(size=(500, 3)).round(3)


def holter(folder: Path, names: list[str]) -> Path:
    """A WFDB record of a few channels."""
    count = len(names)
    placeholders = [f"name{at}" for at in range(count)]
    wfdb.wrsamp(
        "h", 250, ["mV"] * count, placeholders, SIGNAL[:, :count], fmt=["16"] * count, adc_gain=[1000.0] * count,
        baseline=[0] * count, write_dir=str(folder),
    )  # fmt: skip
    header = folder / "h.hea"
    for at, name in enumerate(names):  # wfdb writes no header whose names repeat
        header.write_text(header.read_text().replace(f"name{at}", name))
    return folder / "h"


def silent(path: Path | str, leads: Any) -> ECGRecord:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_ecg(path, leads=leads)


@pytest.mark.parametrize("leads", [{"MLII": "II"}, "MLII=II", ["MLII=II"], " mlii = ii "])
def test_a_signal_is_read_as_another_lead_when_asked(tmp_path: Path, leads: Any) -> None:
    record = silent(holter(tmp_path, ["MLII", "V5"]), leads)
    assert record.leads == ("II",)
    np.testing.assert_allclose(record.signal[0], SIGNAL[:, 0], atol=1e-3)


def test_names_in_the_order_of_the_file_are_said(tmp_path: Path) -> None:
    path = holter(tmp_path, ["MLII", "V5"])
    with pytest.warns(ECGWarning, match="MLII, V5 are read as II, V5"):
        record = read_ecg(path, leads="II,V5")
    assert record.leads == ("II", "V5")
    np.testing.assert_allclose(record.signal, SIGNAL[:, :2].T, atol=1e-3)
    nameless = holter(tmp_path, ["", ""])
    with pytest.warns(ECGWarning, match="signal 1, signal 2 are read as II, V5"):
        assert read_ecg(nameless, leads=["II", "V5"]).leads == ("II", "V5")
    assert silent(nameless, "signal 2=V5").leads == ("V5",)


def test_names_that_are_there_select_in_the_order_given(tmp_path: Path) -> None:
    path = holter(tmp_path, ["I", "II", "V1"])
    record = silent(path, ["V1", "lead i"])
    assert record.leads == ("V1", "I")
    np.testing.assert_allclose(record.signal, SIGNAL[:, [2, 0]].T, atol=1e-3)
    assert silent("example:af", "V1,II").leads == ("V1", "II")
    swapped = silent("example:af", {"V1": "V2", "V2": "V1"})
    np.testing.assert_array_equal(swapped.signal, read_ecg("example:af").select(["V1", "V2"]).signal)


def test_channels_that_are_no_leads_need_no_name(tmp_path: Path) -> None:
    path = holter(tmp_path, ["MLII", "RESP"])
    assert silent(path, "MLII=II").leads == ("II",)
    with pytest.warns(ECGWarning, match="RESP"):
        assert read_ecg(path).leads == ("MLII",)


def test_leads_that_share_a_name_can_be_told_apart_by_their_order(tmp_path: Path) -> None:
    path = holter(tmp_path, ["ECG", "ECG"])
    with pytest.raises(ECGError, match="repeat"):
        read_ecg(path)
    with pytest.warns(ECGWarning, match="read as II, V1"):
        assert read_ecg(path, leads="II,V1").leads == ("II", "V1")


@pytest.mark.parametrize(
    ("names", "leads", "said"),
    [
        (["MLII", "V5"], "V1", r"1 names for 2 leads, no lead V1; there are MLII, V5"),
        (["MLII", "V5"], {"MLIII": "III"}, r"no lead MLIII; there are MLII, V5"),
        (["MLII", "V5"], "V5,II", r"V5 would be called II: give pairs"),
        (["I", "II", "V1"], "V1,V2,V3", r"I would be called V1: give pairs"),
        (["MLII", "V5"], "MLII=II,V5=II", r"repeat: II"),
        (["MLII", "V5"], "MLII=II,MLII=I", r"MLII stands there twice"),
        (["I", "I", "V5"], "I", r"lead names repeat, so I is not one of them"),
        (["MLII", "V5"], "MLII=", r"a lead name is empty"),
        (["MLII", "V5"], ",", r"a lead name is empty"),
        (["MLII", "V5"], {}, r"a lead name is empty"),
        (["MLII", "V5"], {"MLII": 2}, r"must be texts"),
        (["MLII", "V5"], [1, 2], r"must be texts"),
        (["MLII", "RESP"], "RESP=II", r"no lead RESP; there are MLII"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path: Path, names: list[str], leads: Any, said: str) -> None:
    with pytest.raises(ECGError, match=said) as caught:
        silent(holter(tmp_path, names), leads)
    assert "\n" not in str(caught.value)


def test_columns_of_a_table_are_renamed_and_their_units_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = "\n".join(f"{a},{1000 * b:.0f},{c}" for a, b, c in SIGNAL)
    path.write_text(f"MLII (mV),V5 [uV],aVF_mV\n{rows}\n")
    record = read_ecg(path, sampling_rate=250, leads="MLII=II,V5,aVF")
    assert record.leads == ("II", "V5", "aVF")
    np.testing.assert_allclose(record.signal, SIGNAL.T, atol=1e-3)
    with pytest.raises(ECGError, match=r"'V5 \[uV\]' is in uV, the units given are mV"):
        read_ecg(path, sampling_rate=250, units="mV")
    path.write_text(f"MLII,V5,aVF\n{rows}\n")
    with pytest.raises(ECGError, match=r"'MLII' states no unit.*--units"):
        read_ecg(path, sampling_rate=250)
