"""Any labelled set from a CSV file to a folder that `load_dataset` reads."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from dataset_builders.question_generator.__main__ import main
from hf_heartllm.data.label_file import read_label_file

HEAD = "record_id,patient_id,split,path,time,sex,statements,extra_systole,pr_ms,qrs_ms\n"


def _rows(count: int = 24) -> str:
    lines = []
    for i in range(count):
        codes = ("SR;NORM", "AFIB;LVH?", "SR;heart block with escape", "AFIB;IMI")[i % 4]
        column = codes if "escape" not in codes else "SR"
        split = "train" if i < 16 else "test"
        lines.append(f"r{i},p{i // 2},{split},x/r{i},2020-01-{i + 1:02d},male,{column},none,{120 + i * 10 % 160},100\n")
    return HEAD + "".join(lines)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "hospital.csv"
    path.write_text(_rows())
    return path


def test_a_file_of_labels_is_read(labels: Path) -> None:
    records = read_label_file(labels).records
    assert records[0].labels["rhythm"] == {"SR"}
    assert records[1].possible["diagnosis"] == {"LVH"}
    assert records[1].possible["superclass"] == {"HYP"}
    assert records[0].labels["extra_systole"] == frozenset()  # looked for, none found
    assert "noise" not in records[0].labels  # nobody looked
    assert records[3].measurements["pr_ms"] == 150


def test_own_names_are_their_own_phrases(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("record_id,diagnosis\na,heart block with escape;IMI\nb,IMI?\n")
    first, second = read_label_file(path).records
    assert first.labels["diagnosis"] == {"heart block with escape", "IMI"}
    assert "superclass" not in first.labels  # of which class the own name is, is not known
    assert second.possible["superclass"] == {"MI"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("record_id,statemnts\na,SR\n", "unknown column 'statemnts'; is 'statements' meant"),
        ("patient_id\n1\n", "no column 'path' or 'record_id'"),
        ("record_id,sex\na,7\n", "line 2, column sex: '7' is neither"),
        ("record_id,patient_id,split\na,1,train\nb,1,test\n", "patient '1' has records in both"),
        ("record_id\na\na\n", "occurs more than once"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_label_file(path)
    assert main(["--labels", str(path), "--output", str(tmp_path / "out"), "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_built_loaded_and_the_same_again(labels: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        command = ["--labels", str(labels), "--output", str(tmp_path / name), "--pairs", "3", "--quiet"]
        assert main(command) == 0
    files = [sorted((tmp_path / name).rglob("*.parquet")) for name in ("a", "b")]
    assert [f.name for f in files[0]] == [f.name for f in files[1]]
    assert all(x.read_bytes() == y.read_bytes() for x, y in zip(*files, strict=True))
    found = datasets.load_dataset(str(tmp_path / "a"), cache_dir=str(tmp_path / "cache"))
    assert set(found) == {"train", "test"}
    rows = [row for split in found.values() for row in split]
    types = {row["question_type"] for row in rows}
    assert {"single-verify", "single-choose", "single-query", "comparison_irrelevant-verify"} <= types
    assert all((len(row["record_ids"]) == 2) == row["question_type"].startswith("comparison") for row in rows)
    assert all(set(row["answers"]) <= set(row["answer_set"]) or not row["answer_set"] for row in rows)
    assert {row["source"] for row in rows} == {"labels", "measured"}
    assert {row["source"] for row in rows if row["attribute_type"] == "numeric_feature"} == {"measured"}
    split_of = {f"r{i}": "train" if i < 16 else "test" for i in range(24)}
    for split, part in found.items():
        assert all(split_of[name] == split for row in part for name in row["record_ids"])
