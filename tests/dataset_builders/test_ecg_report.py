from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import pytest
import wfdb

from dataset_builders.ecg_report import ECGReport, main
from dataset_builders.ptb_xl import PTBXL
from hf_heartllm.models.ecg_leads import STANDARD_LEADS

REPORTS = {
    1: "sinusrhythmus linkstyp",
    2: "sinus rhythm. normal ecg.",
    3: "",
    4: "sinusrhythmus quaxig",
    5: "vorhofflimmern",
    6: "sinusrytm",
}


@pytest.fixture
def ptbxl(tmp_path: Path) -> Path:
    """Six invented records in PTB-XL's form; 5 is of fold 9; 3 has no report, 4 a word that no glossary has."""
    folder = tmp_path / "ptbxl"
    (folder / "records100").mkdir(parents=True)
    head = "ecg_id,patient_id,age,sex,height,weight,recording_date,report,scp_codes,strat_fold,filename_lr,filename_hr"
    lines = [head]
    for ecg_id, report in REPORTS.items():
        name, fold = f"records100/{ecg_id:05d}_lr", 9 if ecg_id == 5 else 1
        lines.append(
            f"{ecg_id},{100 + ecg_id}.0,{300 if ecg_id == 1 else 50}.0,{ecg_id % 2},,{60 + ecg_id}.0,1984-11-09,"
            f"{report},\"{{'SR': 0.0, 'NORM': 100.0}}\",{fold},{name},{name}"
        )
        signal = np.zeros((100, 12)) + np.arange(12) / 10
        wfdb.wrsamp(
            Path(name).name,
            100,
            ["mV"] * 12,
            list(STANDARD_LEADS),
            signal,
            fmt=["16"] * 12,
            write_dir=folder / "records100",
        )
    (folder / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    folder = tmp_path / "samples"
    background = "Patient Information: - Patient ID: 101; - Age: 56; - Sex: 1; - Height: nan; - Weight: 63;"
    report = {"ecg_id": 1, "report": "sinus rhythm left type", "filepath": "x", "background": background}
    question = {
        "question_type": "single-verify",
        "attribute_type": "scp_code",
        "question": "Is it?",
        "answer": ["no"],
        "ecg_id": [2],
        "ecg_path": "x",
        "background": background,
    }
    for kind, name, row in (("report", "valid.json", report), ("ecgqa", "template_train_background.json", question)):
        (folder / kind / "ptbxl").mkdir(parents=True)
        (folder / kind / "ptbxl" / name).write_text(
            json.dumps([row, row | {"ecg_id": 77 if kind == "report" else [78]}])
        )
    return folder


def build(ptbxl: Path, tmp_path: Path, *arguments: str) -> datasets.DatasetDict:
    output = tmp_path / "out"
    assert main(["--ptbxl", str(ptbxl), "--output", str(output), "--quiet", *arguments]) == 0
    return datasets.load_dataset(str(output), cache_dir=str(tmp_path / "cache"))


def test_translated_reports_are_whole_and_what_is_left_out_is_counted(
    ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = build(ptbxl, tmp_path)
    assert built["train"]["report"] == ["sinus rhythm. left axis type.", "sinus rhythm. normal ecg.", "sinus rhythm."]
    assert built["train"]["report_language"] == ["de", "en", "sv"]
    assert built["validation"]["report"] == ["atrial fibrillation."]
    assert np.array(built["train"][0]["signal"]).shape == (100, 12)
    printed = capsys.readouterr().out
    assert "2 of 6 records at hand have no translated report" in printed
    assert "1 reports have 1 words that the glossary lacks" in printed
    assert "no fair sample" in (tmp_path / "out" / "README.md").read_text()


def test_uncovered_words_can_be_kept_visibly(ptbxl: Path, tmp_path: Path) -> None:
    rows = build(ptbxl, tmp_path, "--keep-uncovered", "--signal", "path")["train"].filter(
        lambda row: row["ecg_id"] == 4
    )
    assert rows[0]["report"] == "sinus rhythm [quaxig]."
    assert rows[0]["uncovered_words"] == ["quaxig"]


def test_background_has_neither_ids_nor_dates(ptbxl: Path, tmp_path: Path) -> None:
    row = build(ptbxl, tmp_path, "--report", "original", "--signal", "path")["train"][0]
    assert row["report"] == "sinusrhythmus linkstyp"
    assert row["background"] == "age over 89 years, female, weight 61 kg"
    assert row["height"] is None
    assert not {"recording_date", "device", "nurse", "site"} & set(row)


def test_every_record_has_a_report_from_statements(ptbxl: Path, tmp_path: Path) -> None:
    built = build(ptbxl, tmp_path, "--report", "statements", "--signal", "path")
    assert set(built["train"]["report"]) == {"sinus rhythm. normal ecg."}
    assert len(built["train"]) + len(built["validation"]) == 6


def test_the_authors_rows_join_by_record(
    ptbxl: Path, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(build(ptbxl, tmp_path, "--report", "samples", "--samples", str(samples), "--signal", "path")["train"])
    assert [(row["ecg_id"], row["report"]) for row in rows] == [(1, "sinus rhythm left type"), (2, None)]
    assert rows[0]["background"] == "age 56 years, female, weight 63 kg"
    assert rows[0]["report_sample_split"] == "valid"
    assert rows[1]["questions"][0]["answers"] == ["no"]
    assert "2 of 4 records of the samples are not in this build" in capsys.readouterr().out


def test_bad_input_is_one_line(ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--report", "samples"], ["--samples", "x"]):
        assert main(["--ptbxl", str(ptbxl), "--output", str(tmp_path / "out"), *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_the_builder_works_without_the_command_line(ptbxl: Path, tmp_path: Path) -> None:
    builder = ECGReport(cache_dir=str(tmp_path / "cache"), source=ptbxl, report="statements", signal="path")
    builder.download_and_prepare()
    assert len(builder.as_dataset("train")) == 5


def test_what_the_device_prints_is_no_report(ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = ptbxl / "ptbxl_database.csv"
    text = table.read_text().replace("sinusrhythmus linkstyp", "sinusrhythmus linkstyp 4.46     unbestätigter bericht")
    table.write_text(text.replace("sinus rhythm. normal ecg.", "trace only requested."))
    rows = build(ptbxl, tmp_path)
    assert rows["train"]["report"] == ["sinus rhythm. left axis type.", "sinus rhythm."]
    assert "3 of 6 records at hand have no translated report: left out" in capsys.readouterr().out
    splits = {"train": "1", "validation": "9", "test": ""}
    one = PTBXL(source=ptbxl, cache_dir=str(tmp_path / "cache"), **splits)
    found = [row for shard in one.plan() for row in one.rows(shard)]
    sources = {row["ecg_id"]: (row["report_english"], row["report_english_source"]) for row in found}
    assert sources[1] == ("sinus rhythm. left axis type.", "translated")
    assert sources[2] == ("sinus rhythm. normal ecg.", "statements")
    assert found[1]["report"] == "trace only requested."
