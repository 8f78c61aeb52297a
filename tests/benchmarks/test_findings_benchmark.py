"""The figures of the findings: shares of silent leads, sensitivity and specificity against labels."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.findings import COMPARISONS, Store, agreement, draw, silence
from hf_heartllm.ecg.findings import FINDING_NAMES, find
from hf_heartllm.ecg.measurements import Measurements
from hf_heartllm.ecg.simulate import simulate_ecg
from hf_heartllm.ecg.writers import write_ecg

FAST = find(Measurements.from_columns({"beats": 20, "heart_rate": 130}))
FLAT_T = find(Measurements.from_columns({"beats": 12, "heart_rate": 70, "V5_t_mv": 0.02, "V6_t_mv": 0.04}))
QUIET = find(Measurements.from_columns({"beats": 12, "heart_rate": 70, "V5_t_mv": 0.3}))


def table(*codes: str) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": range(len(codes)), "scp_codes": [{code: 100.0} for code in codes]})


def test_shares_of_silent_leads_and_recordings():
    rows = {row.name: row for row in silence(table("NORM", "NORM", "NORM"), [FAST, FLAT_T, QUIET], "here")}
    assert rows["findings: silent on NORM, all leads"].value == pytest.approx(1 - 2 / 36)
    assert rows["findings: silent on NORM, all leads"].target == ">= 0.9"
    assert rows["findings: silent on NORM, V5"].value == pytest.approx(2 / 3)
    assert rows["findings: silent on NORM, every lead of a recording"].value == pytest.approx(2 / 3)
    assert rows["findings: silent on NORM, the whole recording"].value == pytest.approx(2 / 3)
    assert rows["findings: doubtful on NORM"].value == 0


def test_sensitivity_and_specificity_are_of_the_labelled_and_of_the_others():
    given = table("STACH", "STACH", "NORM", "NORM", "NORM"), [FAST, QUIET, FAST, QUIET, QUIET], "here"
    rows = {row.name: row for row in agreement(*given)}
    assert rows["findings: rate above the range against STACH, sensitivity"].value == pytest.approx(1 / 2)
    assert rows["findings: rate above the range against STACH, specificity"].value == pytest.approx(2 / 3)
    assert rows["findings: rate above the range against STACH, sensitivity"].data == "here; n 2"
    assert "findings: QTc long against LNGQT, sensitivity" not in rows  # no recording has that label
    assert len({name for name, _, _ in COMPARISONS}) == len(COMPARISONS)
    assert {one.name for one in FAST.findings + FLAT_T.findings} <= set(FINDING_NAMES)


def test_a_smaller_draw_lies_within_a_larger_one():
    rows = table(*["NORM"] * 50)
    small, large = draw(rows, 10), draw(rows, 30)
    assert set(small.index) < set(large.index)
    assert len(draw(rows, None)) == len(draw(rows, 99)) == 50


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    write_ecg(simulate_ecg(seed=1, heart_rate=130.0, duration=3.0)[0], tmp_path / "one")
    found = Store(tmp_path / "cache").get("1 100", tmp_path / "one")
    monkeypatch.setattr("benchmarks.findings.measure", None)
    again = Store(tmp_path / "cache").get("1 100", tmp_path / "nowhere")
    assert again.as_columns() == found.as_columns()
    assert find(again) == find(found)
