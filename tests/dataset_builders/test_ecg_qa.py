from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from dataset_builders.ecg_qa import ECGQA, main
from hf_heartllm.data.ecg_qa_files import (
    PAPER_SINGLE_ROWS,
    completeness,
    read_answer_sets,
    read_ecg_qa,
    single_ecg_questions,
)


def _row(sample_id: int, **changes: Any) -> dict[str, Any]:
    row = {"template_id": 26, "question_id": 1, "sample_id": sample_id, "question_type": "single-verify"}
    row |= {
        "attribute_type": "noise",
        "question": "Invented?",
        "answer": ["no"],
        "ecg_id": [7],
        "attribute": ["a noise"],
    }
    return row | changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "ptbxl"
    train, valid = root / "template" / "train", root / "template" / "valid"
    train.mkdir(parents=True)
    valid.mkdir()
    (train / "0.json").write_text(json.dumps([_row(0)]))
    listed = _row(100000, template_id=30, question_type="single-query", answer=["static noise", "baseline drift"])
    with gzip.open(train / "100000.json.gz", "wt") as file:
        json.dump(
            [listed, _row(100001, question_type="comparison_irrelevant-query", ecg_id=[7, 8], attribute=None)], file
        )
    (train / "20000.json").write_text(json.dumps([_row(20000, answer=["yes"])]))
    (valid / "0.json").write_text(json.dumps([_row(0, ecg_id=[9])]))
    sets = "template_id,classes\n26,\"['no', 'yes']\"\n30,\"['baseline drift', 'none', 'static noise']\"\n"
    (root / "answers_for_each_template.csv").write_text(sets)
    return tmp_path


def test_files_are_read_in_the_order_of_their_numbers_compressed_or_not(folder: Path) -> None:
    rows = list(read_ecg_qa(folder))
    assert [(row.split, row.sample_id) for row in rows] == [
        ("train", 0), ("train", 20000), ("train", 100000), ("train", 100001), ("valid", 0)
    ]  # fmt: skip
    assert rows == list(read_ecg_qa(folder / "ptbxl"))
    assert rows[3].attribute is None
    assert rows[3].ecg_id == (7, 8)


def test_questions_about_one_ecg_have_their_templates_answers(folder: Path) -> None:
    questions = list(single_ecg_questions(read_ecg_qa(folder), read_answer_sets(folder)))
    assert [ecg_id for ecg_id, _ in questions] == [7, 7, 7, 9]
    verify, listed = questions[1][1], questions[2][1]
    assert (verify.question_type, verify.answer, verify.answer_set) == ("verify", "yes", ("no", "yes"))
    assert (listed.question_type, listed.answer, listed.answer_set) == ("query", "baseline drift, static noise", ())


def test_an_answer_outside_its_templates_set_is_an_error(folder: Path) -> None:
    rows = list(read_ecg_qa(folder))
    with pytest.raises(ValueError, match=r"sample 0 \(train\)"):
        list(single_ecg_questions(rows, {26: ("yes",)}))


def test_damaged_and_absent_files_are_named(folder: Path) -> None:
    (folder / "ptbxl" / "template" / "train" / "0.json").write_text("[{}]")
    with pytest.raises(ValueError, match=r"0\.json: not a question file of ECG-QA"):
        list(read_ecg_qa(folder))
    with pytest.raises(FileNotFoundError, match="paraphrased"):
        list(read_ecg_qa(folder, "paraphrased"))
    with pytest.raises(FileNotFoundError, match="neither template"):
        list(read_ecg_qa(folder / "ptbxl" / "template" / "train"))


def test_only_the_papers_counts_are_complete() -> None:
    read = {(split, "single-verify"): number for split, number in PAPER_SINGLE_ROWS.items()}
    read["train", "comparison_irrelevant-query"] = 414_348 - 231_536
    assert str(completeness(read)) == "complete copy"
    read["valid", "single-verify"] -= 1
    assert "on one ECG, valid: 31,136 of 31,137" in str(completeness(read))


@pytest.fixture
def ptbxl(tmp_path: Path) -> Path:
    """Records 1 to 10, record n of fold n; those at 100 Hz have a header, except that of fold 4."""
    lines = ["ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr"]
    (tmp_path / "ptbxl_data" / "lr").mkdir(parents=True)
    for n in range(1, 11):
        lines.append(f"{n},{n}.0,60.0,0,\"{{'SR': 0.0}}\",{n},lr/{n}_lr,hr/{n}_hr")
        if n != 4:
            (tmp_path / "ptbxl_data" / "lr" / f"{n}_lr.hea").touch()
    (tmp_path / "ptbxl_data" / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "ptbxl_data"


def _pair(sample_id: int, *ecg_ids: int) -> dict[str, Any]:
    changes = {"question_type": "comparison_irrelevant-query", "attribute_type": "noise", "attribute": None}
    return _row(sample_id, template_id=30, answer=["none"], ecg_id=list(ecg_ids), **changes)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    root = tmp_path / "ecgqa" / "ptbxl"
    for split, rows in {
        "train": [_row(0, ecg_id=[1]), _row(1, ecg_id=[9]), _row(2, ecg_id=[4]), _row(3, ecg_id=[77])],
        "valid": [_pair(0, 1, 3), _pair(1, 9, 10), _pair(2, 3, 9), _pair(3, 9, 9), _pair(4, 2, 4)],
        "test": [_row(0, ecg_id=[10], answer=["yes"])],
    }.items():
        (root / "template" / split).mkdir(parents=True)
        (root / "template" / split / "0.json").write_text(json.dumps(rows))
    sets = "template_id,classes\n26,\"['no', 'yes']\"\n30,\"['baseline drift', 'none', 'static noise']\"\n"
    (root / "answers_for_each_template.csv").write_text(sets)
    return tmp_path / "ecgqa"


def _built(tmp_path: Path, questions: Path, ptbxl: Path, *options: str) -> datasets.DatasetDict:
    command = ["--ecg-qa", str(questions), "--ptbxl", str(ptbxl), "--sampling-rate", "100", "--quiet"]
    assert main([*command, "--output", str(tmp_path / "out"), *options]) == 0
    name = "template-official" if "official" in options else "template"
    return datasets.load_dataset(str(tmp_path / "out"), name, cache_dir=str(tmp_path / "cache"))


def test_rows_are_joined_and_split_by_fold(
    tmp_path: Path, questions: Path, ptbxl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _built(tmp_path, questions, ptbxl)
    kept = {split: [(row["official_split"], row["sample_id"]) for row in rows] for split, rows in found.items()}
    assert kept == {
        "train": [("train", 0), ("valid", 0)],
        "validation": [("train", 1), ("valid", 3)],
        "test": [("test", 0)],
    }
    pair = found["train"][1]
    assert (pair["ecg_id"], pair["ecg_path"], pair["strat_fold"]) == ([1, 3], ["lr/1_lr", "lr/3_lr"], 3)
    assert (pair["answer"], pair["answer_set"]) == (["none"], ["baseline drift", "none", "static noise"])
    assert pair["attribute"] is None
    said = capsys.readouterr().out
    assert "3 rows left out: a recording is absent; 2 pairs left out" in said
    assert "incomplete copy (all: 10 of 414,348" in said
    card = (tmp_path / "out" / "README.md").read_text()
    assert "incomplete copy" in card
    assert "| comparison_irrelevant-query | valid | 5 | 1 | 2 | 2 |" in card


def test_the_official_split_stands_beside_ours(tmp_path: Path, questions: Path, ptbxl: Path) -> None:
    _built(tmp_path, questions, ptbxl)
    found = _built(tmp_path, questions, ptbxl, "--split-by", "official")
    assert {split: len(rows) for split, rows in found.items()} == {"train": 2, "validation": 4, "test": 1}
    assert set(datasets.get_dataset_config_names(str(tmp_path / "out"))) == {"template", "template-official"}


def test_an_answer_outside_its_set_is_skipped_or_fatal(
    tmp_path: Path, questions: Path, ptbxl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = questions / "ptbxl" / "template" / "test" / "0.json"
    path.write_text(json.dumps([_row(0, ecg_id=[10], answer=["maybe"])]))
    command = ["--ecg-qa", str(questions), "--ptbxl", str(ptbxl), "--sampling-rate", "100", "--quiet"]
    command += ["--output", str(tmp_path / "out")]
    assert main(command) == 2
    assert "template/test, sample 0: its answer 'maybe'" in capsys.readouterr().err
    assert main([*command, "--on-error", "skip"]) == 0
    assert "skipped template/test, sample 0" in capsys.readouterr().err


def test_questions_about_mimic_iv_ecg_have_its_paths(tmp_path: Path) -> None:
    root = tmp_path / "ecgqa" / "mimic-iv-ecg" / "template" / "test"
    root.mkdir(parents=True)
    (root / "0.json").write_text(json.dumps([_row(0, ecg_id=[40000017]), _row(1, ecg_id=[1])]))
    (root.parents[1] / "answers_for_each_template.csv").write_text("template_id,classes\n26,\"['no', 'yes']\"\n")
    (tmp_path / "mimic").mkdir()
    (tmp_path / "mimic" / "record_list.csv").write_text(
        "subject_id,study_id,file_name,ecg_time,path\n"
        "10000032,40000017,40000017,2180-07-23 08:44:00,files/p1000/p10000032/s40000017/40000017\n"
    )
    builder = ECGQA.of(
        split_by="official",
        records="mimic-iv-ecg",
        source=tmp_path / "ecgqa",
        record_folder=tmp_path / "mimic",
        need_files=False,
        cache_dir=str(tmp_path / "cache"),
    )
    rows = [row for shard in builder.plan() for row in builder.rows(shard)]
    assert [row["ecg_path"] for row in rows] == [["files/p1000/p10000032/s40000017/40000017"]]
    assert builder.join_counts.absent.total() == 1
    assert builder.completeness is None


def test_the_copy_at_hand_is_read_in_full(data_dir: Path) -> None:
    folder = data_dir / "ecg-qa"
    if not folder.is_dir():
        pytest.skip("no copy of ECG-QA beside the recordings")
    template, paraphrased = (list(read_ecg_qa(folder, version)) for version in ("template", "paraphrased"))
    assert len(template) == len(paraphrased) == 8_498 + 5_804 + 3_622 + 1_714
    assert {(row.split, row.sample_id) for row in template} == {(row.split, row.sample_id) for row in paraphrased}
