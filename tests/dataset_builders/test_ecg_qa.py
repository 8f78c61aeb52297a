from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dataset_builders.ecg_qa import read_answer_sets, read_ecg_qa, single_ecg_questions


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
    assert (verify.question_type, verify.answer, verify.answers) == ("verify", "yes", ("no", "yes"))
    assert (listed.question_type, listed.answer, listed.answers) == ("query", "baseline drift, static noise", ())


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
        list(read_ecg_qa(folder / "ptbxl" / "template"))
