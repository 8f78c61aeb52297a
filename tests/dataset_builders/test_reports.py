from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataset_builders.reports import read_english_reports, report_from_codes


def test_the_report_is_in_a_fixed_order() -> None:
    expected = "sinus rhythm. complete left bundle branch block. non-specific st elevation."
    assert report_from_codes(["STE_", "CLBBB", "SR"]) == report_from_codes({"SR": 0.0, "STE_": 0.0, "CLBBB": 100.0})
    assert report_from_codes(["STE_", "CLBBB", "SR"]) == expected
    assert report_from_codes({}) == ""


def test_only_known_low_likelihoods_are_hedged() -> None:
    report = report_from_codes({"SR": 0.0, "IMI": 35.0, "LVH": 50.0}, hedged=True)
    assert report == "sinus rhythm. possible inferior myocardial infarction. left ventricular hypertrophy."
    with pytest.raises(ValueError, match="needs the likelihoods"):
        report_from_codes(["SR"], hedged=True)


def test_rows_of_other_data_sets_are_not_read(tmp_path: Path) -> None:
    for name, row in (
        ("ptbxl", {"ecg_id": 3.0, "report": " an\ninvented  report"}),
        ("mimic-iv-ecg", {"ecg_id": 4, "report": "x"}),
    ):
        (tmp_path / "report" / name).mkdir(parents=True)
        (tmp_path / "report" / name / "train.json").write_text(json.dumps([row]))
    assert read_english_reports(tmp_path) == {3: "an invented report"}
    (tmp_path / "report" / "ptbxl" / "valid.json").write_text(json.dumps([{"ecg_id": 3, "report": "another"}]))
    with pytest.raises(ValueError, match="different report of ecg_id 3"):
        read_english_reports(tmp_path)
