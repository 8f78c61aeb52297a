from __future__ import annotations

import json
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from dataset_builders import evaluation_questions, training_rows


@pytest.fixture
def ptbxl(tmp_path: Path) -> Path:
    """A table of invented records in PTB-XL's form, four in each of the folds 8, 9 and 10."""
    lines = ["ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr"]
    codes = ("{'SR': 0.0, 'NORM': 100.0}", "{'AFIB': 0.0, 'LVH': 15.0}", "{'SR': 0.0, 'IMI': 0.0}", "{'LVH': 50.0}")
    for ecg_id in range(1, 13):
        fold = 8 + (ecg_id - 1) // 4
        lines.append(f'{ecg_id},{ecg_id}.0,60.0,0,"{codes[ecg_id % 4]}",{fold},lr/{ecg_id}_lr,hr/{ecg_id}_hr')
    folder = tmp_path / "ptbxl"
    folder.mkdir()
    (folder / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_training_rows_hold_the_wanted_folds_only_and_are_the_same_again(ptbxl: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert training_rows.main(["--ptbxl", str(ptbxl), "--output", str(tmp_path / name / "rows.parquet")]) == 0
    assert (tmp_path / "a" / "rows.parquet").read_bytes() == (tmp_path / "b" / "rows.parquet").read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["rows.parquet"]
    rows = pq.read_table(tmp_path / "a" / "rows.parquet").to_pylist()
    assert [row["ecg_id"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["report"] == "atrial fibrillation. left ventricular hypertrophy."
    assert rows[0]["report_original_english"] is None
    assert rows[0]["filename_lr"] == "lr/1_lr"
    assert {question["source"] for row in rows for question in row["questions"]} == {"ptb-xl labels"}


def test_measured_durations_and_all_label_types_are_asked_on_request(ptbxl: Path, tmp_path: Path) -> None:
    table = tmp_path / "durations.csv"
    table.write_text("ecg_id,qrs_ms\n1,90\n2,140\n3,95\n4,\n")
    options = ["--measurements", str(table), "--types", "all", "--not-sure"]
    assert training_rows.main(["--ptbxl", str(ptbxl), "--output", str(tmp_path / "rows.parquet"), *options]) == 0
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    measured = {row["ecg_id"]: {q["answer"] for q in row["questions"] if q["source"] == "measured"} for row in rows}
    assert "above the normal range" in measured[2]
    assert measured[4] == set()
    asked = [q for row in rows for q in row["questions"] if q["question_type"] == "verify" and q["attribute"] == "LVH"]
    assert {q["answer"] for q in asked} <= {"no", "not sure"}  # its likelihoods are 15 and 50
    assert {tuple(q["answers"]) for q in asked} <= {("no", "not sure", "yes")}


def test_every_held_out_record_is_asked_for_atrial_fibrillation(ptbxl: Path, tmp_path: Path) -> None:
    path = tmp_path / "fold9.parquet"
    assert evaluation_questions.main(["--ptbxl", str(ptbxl), "--folds", "9", "--output", str(path)]) == 0
    rows = pq.read_table(path).to_pylist()
    asked = [row for row in rows if row["set"] == "every-record"]
    assert [(row["ecg_id"], row["answer"]) for row in asked] == [(5, "yes"), (6, "no"), (7, "no"), (8, "no")]
    assert {row["question"] for row in asked} == {"Does this ECG show atrial fibrillation?"}
    sampled = [row for row in rows if row["set"] == "sampled"]
    assert sampled
    assert {row["strat_fold"] for row in rows} == {9}
    assert all(row["answer"] in row["answers"] for row in rows)
    assert not any(row["attribute"] == "AFIB" and row["question_type"] == "verify" for row in sampled)


def test_a_missing_folder_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for module in (training_rows, evaluation_questions):
        assert module.main(["--ptbxl", str(tmp_path / "none"), "--output", str(tmp_path / "x.parquet")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "x.parquet").exists()


def test_a_table_that_is_not_there_is_no_damaged_record(
    ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--ptbxl", str(ptbxl), "--output", str(tmp_path / "x.parquet"), "--on-error", "skip", "--quiet"]
    for option in ("--measurements", "--english-reports", "--ecg-qa"):
        assert training_rows.main([*command, option, str(tmp_path / "none")]) == 2
        assert "on-error" not in capsys.readouterr().err


def test_questions_of_a_published_set_stand_as_written_on_their_records(
    ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "ecg-qa" / "template" / "train"
    folder.mkdir(parents=True)
    asked = ((6, "no", 1), (99, "yes", 1), (5, "60", 2))
    rows = [
        {
            **dict.fromkeys(("template_id", "question_id", "sample_id"), number),
            **{"question_type": "single-verify", "attribute_type": "noise", "question": "Is there noise?"},
            **{"answer": [answer], "ecg_id": [ecg_id], "attribute": ["any kind of noises"]},
        }
        for ecg_id, answer, number in asked
    ]
    (folder / "00000.json").write_text(json.dumps(rows))
    answers = "template_id,classes\n1,\"['no', 'yes']\"\n2,\"['60']\"\n"
    (tmp_path / "ecg-qa" / "answers_for_each_template.csv").write_text(answers)
    source = ["--ptbxl", str(ptbxl), "--ecg-qa", str(tmp_path / "ecg-qa"), "--version", "template", "--quiet"]
    output = tmp_path / "x.parquet"
    assert evaluation_questions.main([*source, "--folds", "9", "--output", str(output)]) == 0
    rows = pq.read_table(output).to_pylist()
    assert [(row["ecg_id"], row["set"], row["answers"]) for row in rows] == [
        (5, "ecg-qa", ["60"]),
        (6, "ecg-qa", ["no", "yes"]),
    ]
    assert "2 questions of ECG-QA are about one of these records; 1 more are" in capsys.readouterr().out
    assert evaluation_questions.main([*source, "--folds", "10", "--output", str(output)]) == 2
    assert "no question with a closed answer set" in capsys.readouterr().err
    assert training_rows.main([*source, "--folds", "9", "--output", str(output)]) == 0
    assert [row["questions"][-1]["source"] for row in pq.read_table(output).to_pylist()[:2]] == ["ecg-qa"] * 2


def test_a_folder_of_rows_loads_and_goes_on_after_an_interruption(
    ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def report(codes: dict[str, float]) -> str:
        made.append(len(made))
        if len(made) == 3:
            raise KeyboardInterrupt
        return "made"

    monkeypatch.setattr(training_rows, "report_from_codes", report)
    monkeypatch.setattr(training_rows, "RECORDS_PER_SHARD", 1)
    command = ["--ptbxl", str(ptbxl), "--output", str(tmp_path / "rows"), "--quiet"]
    assert training_rows.main(command) == 130
    assert training_rows.main(command) == 0
    assert len(made) == 5, "two whole shards are kept, two are made"
    rows = datasets.load_dataset(str(tmp_path / "rows"), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["ecg_id"][:] == [1, 2, 3, 4]
    assert rows[0]["questions"][0]["source"] == "ptb-xl labels"


def test_original_reports_are_without_what_the_device_prints(
    ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "samples" / "report" / "ptbxl"
    folder.mkdir(parents=True)
    reports = {1: "af. 4.46 unconfirmed report.", 2: "trace only requested.", 3: "normal ECG", 9: "of fold 10"}
    (folder / "train.json").write_text(json.dumps([{"ecg_id": i, "report": text} for i, text in reports.items()]))
    arguments = ["--ptbxl", str(ptbxl), "--english-reports", str(tmp_path / "samples")]
    assert training_rows.main([*arguments, "--output", str(tmp_path / "rows.parquet")]) == 0
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [row["report_original_english"] for row in rows] == ["af.", None, "normal ECG", None]
    said = capsys.readouterr().out
    assert "Original reports in English: 2; 1 more hold no finding, and 1 are of records that are absent" in said
