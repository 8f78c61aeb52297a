"""Croissant metadata of a data set that is pushed: what mlcroissant reads of it is what the files hold."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from hf_heartllm.hub.croissant import CROISSANT_FILE, DataFile, croissant_json
from hf_heartllm.hub.token_set_push import TokenSetOptions, plan_token_set
from tests.hub.validation import problems


@pytest.fixture
def pushed(tmp_path):
    """A folder as it would lie on the Hub, of two splits, one of them in two shards."""
    question = {"text": "Is it normal?", "answers": ["yes"]}
    rows = {"record_id": ["a", "b"], "codes": [[1, 2, 3], [4, 5, 6]], "codec": ["x", "x"], "age": [94.0, 30.0]}
    rows["questions"] = [[], [question]]
    for name in ("train-00000-of-00002-ab", "train-00001-of-00002-cd", "test-00000-of-00001-ef"):
        path = tmp_path / "built" / "data" / "main" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(rows), path)
    (tmp_path / "scratch").mkdir()
    plan = plan_token_set(tmp_path / "built", "user/tokens", TokenSetOptions(("ptb-xl",)), tmp_path / "scratch")
    for file in plan.files:
        target = tmp_path / "hub" / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read())
    return tmp_path / "hub"


def test_the_card_is_valid_and_says_what_it_is(pushed):
    text = (pushed / "README.md").read_text(encoding="utf-8")
    assert problems(text, "dataset") == []
    data = DatasetCard(text).data
    assert (data.license, data.size_categories, data.pretty_name) == ("cc-by-4.0", ["n<1K"], "tokens")
    assert data.task_categories == ["question-answering"]
    assert "{" not in DatasetCard(text).text
    assert "| main | train | 4 |" in text


def test_its_files_columns_and_types_stand_in_it(pushed):
    told = json.loads((pushed / CROISSANT_FILE).read_text(encoding="utf-8"))
    assert told["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert [one["name"] for one in told["recordSet"]] == ["main/test", "main/train/0", "main/train/1"]
    fields = {one["name"]: one for one in told["recordSet"][0]["field"]}
    questions = fields.pop("questions")
    assert {name: (one["dataType"], one.get("repeated", False)) for name, one in fields.items()} == {
        "record_id": ("sc:Text", False),
        "codes": ("sc:Integer", True),
        "codec": ("sc:Text", False),
        "age": ("sc:Float", False),
    }
    assert {one["name"]: one.get("repeated", False) for one in questions["subField"]} == {
        "text": False,
        "answers": True,
    }


def test_mlcroissant_finds_nothing_wrong_and_reads_the_rows(pushed):
    croissant = pytest.importorskip("mlcroissant", reason="pip install mlcroissant")
    found = croissant.Dataset(jsonld=str(pushed / CROISSANT_FILE))
    assert not found.metadata.ctx.issues.errors
    first, second = found.records("main/test")
    assert [list(one["main/test/codes"]) for one in (first, second)] == [[1, 2, 3], [4, 5, 6]]
    assert first["main/test/age"] == 90.0
    (asked,) = second["main/test/questions"]
    assert asked["main/test/questions/text"] == b"Is it normal?"
    assert list(asked["main/test/questions/answers"]) == [b"yes"]


def test_a_licence_without_a_page_is_named_and_a_column_without_a_type_is_left_out():
    file = DataFile("a.parquet", "0", 1, pa.schema([pa.field("when", pa.date32())]), "c", "s")
    told = json.loads(croissant_json("x", "Rows.", "my-own", [], [file]))
    assert told["license"] == "my-own"
    assert told["recordSet"][0]["field"] == []
