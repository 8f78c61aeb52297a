from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataset_builders.reports import (
    Background,
    background_text,
    parse_background,
    read_english_reports,
    read_sample_records,
)

TEXT = (
    "Patient Information: - Patient ID: 15709; - Age: 56; - Sex: 1; - Height: nan; - Weight: 63.5; "
    "Recording Details: - Recording Date: 1984-11-09 09:17:34; - Device ID: CS-12   E."
)


def write(folder: Path, kind: str, data_set: str, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / kind / data_set).mkdir(parents=True, exist_ok=True)
    (folder / kind / data_set / name).write_text(json.dumps(rows))


def report_row(ecg_id: int, report: str) -> dict[str, Any]:
    return {"patient_id": 7.0, "ecg_id": ecg_id, "report": report, "filepath": "records500/x", "background": TEXT}


def question_row(ecg_id: int) -> dict[str, Any]:
    return {
        "question_type": "single-verify",
        "attribute_type": "scp_code",
        "question": "Is there anything?",
        "answer": ["yes"],
        "ecg_id": [ecg_id],
        "ecg_path": "records500/x",
        "background": TEXT,
    }


def test_a_background_keeps_neither_ids_nor_dates() -> None:
    background = parse_background(TEXT)
    assert background == Background(age=56.0, sex=1, height=None, weight=63.5)
    assert background_text(background) == "age 56 years, female, weight 63.5 kg"
    assert background_text(Background(age=300.0, sex=0)) == "age over 89 years, male"
    assert background_text(parse_background("Recording Details: - Device ID: 4.")) is None


def test_rows_of_one_record_come_together(tmp_path: Path) -> None:
    write(tmp_path, "report", "ptbxl", "train.json", [report_row(3, " an\ninvented  report")])
    write(tmp_path, "ecgqa", "ptbxl", "template_test_background.json", [question_row(3), question_row(2)])
    write(tmp_path, "report", "mimic-iv-ecg", "train.json", [report_row(9, "of another licence")])
    records = read_sample_records(tmp_path)
    assert list(records) == [2, 3]
    assert (records[3].report, records[3].report_split) == ("an invented report", "train")
    assert [(split, one.answers) for split, one in records[3].questions] == [("test", ("yes",))]
    assert records[2].report is None


def test_rows_that_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "report", "ptbxl", "train.json", [report_row(3, "one")])
    assert read_english_reports(tmp_path) == {3: "one"}
    write(tmp_path, "report", "ptbxl", "valid.json", [report_row(3, "another")])
    for read in (read_sample_records, read_english_reports):
        with pytest.raises(ValueError, match="different report of ecg_id 3"):
            read(tmp_path)


def test_a_folder_without_rows_and_a_row_without_a_field_are_errors(tmp_path: Path) -> None:
    for read in (read_sample_records, read_english_reports):
        with pytest.raises(FileNotFoundError, match="holds no"):
            read(tmp_path)
    write(tmp_path, "report", "ptbxl", "train.json", [{"ecg_id": 1}])
    with pytest.raises(ValueError, match=r"train\.json: a row has no field"):
        read_sample_records(tmp_path)


def test_the_published_samples_are_read(data_dir: Path) -> None:
    folder = data_dir / "heartllm-samples"
    if not folder.is_dir():
        pytest.skip(f"no sample rows: {folder} is not there")
    records = read_sample_records(folder)
    assert sum(record.report is not None for record in records.values()) == len(read_english_reports(folder))
    assert sum(len(record.questions) for record in records.values()) == 89 + 117 + 93
