"""What training reads is joined by ids; what cannot be joined is counted, never dropped in silence."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_heartllm.data.question import Question
from hf_heartllm.data.token_file import load_codes, load_rows
from hf_heartllm.training.row_choice import choose_rows
from tests.token_sets import write_token_set

QUESTION = {"question": "Is it fast?", "answer": "no"}


def token_set(folder, ecg_id, tokens: int = 4):
    codes = np.arange(len(ecg_id) * tokens).reshape(len(ecg_id), tokens)
    return write_token_set(folder / "tokens", ecg_id, codes)


def told(call, *arguments):
    """What a call returns, and the warnings that it gives."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call(*arguments)
    return result, [str(one.message) for one in found]


@pytest.mark.parametrize(
    ("ecg_id", "kept", "reason"),
    [
        ([1.0, float("nan"), 3.0], ["1", "3"], "1 of 3 recordings are left out for no record_id, by which"),
        (["1", "A 0002", " "], ["1", "A 0002"], "1 of 3 recordings are left out for no record_id, by which"),
        ([1, 3, 1], ["1", "3"], "1 of 3 recordings are left out for a record_id that a later one has, which is taken"),
    ],
)
def test_recordings_without_an_id_of_their_own_are_counted(tmp_path, ecg_id, kept, reason):
    codes, said = told(load_codes, token_set(tmp_path, ecg_id))
    assert sorted(codes) == kept
    assert len(said) == 1
    assert reason in said[0]
    assert all(isinstance(one, str) for one in codes)


def test_whole_codes_are_read_without_a_word(tmp_path):
    codes, said = told(load_codes, token_set(tmp_path, [7, 8]), "abc")
    assert said == []
    assert codes["8"].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize(("ecg_id", "tokens"), [(["", " "], 4), ([1, 2], 0)])
def test_codes_of_which_none_can_be_used_are_refused_in_one_line(tmp_path, ecg_id, tokens):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"holds no codes with a record_id \(\d rows\)") as refused:
            load_codes(token_set(tmp_path, ecg_id, tokens))
    assert "\n" not in str(refused.value)


def test_an_empty_set_and_a_folder_of_something_else_are_refused_in_one_line(tmp_path):
    (tmp_path / "other").mkdir()
    for folder in (write_token_set(tmp_path / "empty", [], []), tmp_path / "other"):
        with pytest.raises(ValueError, match="no folder of rows, as dataset_builders writes it") as refused:
            load_codes(folder)
        assert "\n" not in str(refused.value)


def test_a_file_without_a_column_is_refused(tmp_path):
    write_token_set(tmp_path / "tokens", [1], [[1, 2]], column="id")
    with pytest.raises(ValueError, match="no column record_id"):
        load_codes(tmp_path / "tokens")
    pq.write_table(pa.table({"ecg_id": [1]}), tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="no column strat_fold"):
        load_rows(tmp_path / "rows.parquet")


@pytest.mark.parametrize("content", [b"", b"PK not really"])
def test_what_is_no_file_of_codes_or_rows_is_refused_by_its_name(tmp_path, content):
    path = tmp_path / "tokens.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"tokens\.npz: no folder of codes"):
        load_codes(path)
    with pytest.raises(ValueError, match=r"tokens\.npz: no Parquet file of rows"):
        load_rows(path)


def rows_file(folder, rows):
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def row(ecg_id, **more):
    return {"ecg_id": ecg_id, "strat_fold": 1, "questions": [QUESTION], "report": "sinus rhythm.", **more}


def test_question_rows_without_a_usable_id_are_counted(tmp_path):
    path = rows_file(tmp_path, [row(1.0), row(float("nan")), row(None), row(4.0)])
    rows, said = told(load_rows, path)
    assert [one["record_id"] for one in rows] == ["1", "4"]
    assert len(said) == 1
    assert "2 of 4 rows are left out for no record_id, by which training joins them" in said[0]
    rows, said = told(load_rows, rows_file(tmp_path, [row("7"), row("A0008"), row("")]))
    assert [one["record_id"] for one in rows] == ["7", "A0008"]
    assert "1 of 3 rows" in said[0]


def test_questions_of_every_form_of_rows_are_the_same(tmp_path):
    """Older sets name the right answer `answer` and the closed set `answers`; new ones `answers` and `answer_set`."""
    more = {"question_type": "verify", "attribute_type": "rhythm", "attribute": "STACH", "source": "labels"}
    old = {**QUESTION, **more, "answers": ["no", "yes"]}
    new = Question("Is it fast?", ("no",), ("no", "yes"), "verify", "rhythm", "STACH", ("1",))
    sampled = new.row() | {"question_type": "single-verify"}
    for asked in (old, new.row(), sampled):
        (only,) = load_rows(rows_file(tmp_path, [row(1, questions=[asked])]))
        assert only["questions"] == [new]


def test_a_token_set_of_before_is_read(tmp_path):
    """Its records are named `ecg_id` alone, its questions have `answer` and the closed set in `answers`."""
    asked = {**QUESTION, "answers": ["no", "yes"], "question_type": "verify", "attribute_type": "rhythm"}
    old = {"ecg_id": 7, "strat_fold": 3, "codes": [1, 2, 3], "codec": "abc", "report": "sinus rhythm."}
    old |= {"questions": [asked | {"attribute": "STACH", "source": "labels", "record_ids": ["7"]}]}
    (tmp_path / "old").mkdir()
    pq.write_table(pa.Table.from_pylist([old]), tmp_path / "old" / "train-00000.parquet")
    assert load_codes(tmp_path / "old", "abc")["7"].tolist() == [1, 2, 3]
    (row,) = load_rows(tmp_path / "old")
    assert (row["record_id"], row["strat_fold"], row["split"]) == ("7", 3, "train")
    assert row["questions"] == [Question("Is it fast?", ("no",), ("no", "yes"), "verify", "rhythm", "STACH", ("7",))]
    assert choose_rows([row], {3}) == [row]  # its fold decides, as before


def test_questions_that_compare_two_records_are_counted(tmp_path):
    asked = [{**QUESTION, "record_ids": ["1"]}, {**QUESTION, "record_ids": ["1", "2"]}]
    rows, said = told(load_rows, rows_file(tmp_path, [row(1, questions=asked), row(2, questions=[])]))
    assert [len(one["questions"]) for one in rows] == [1, 0]
    assert len(said) == 1
    assert "1 questions compare two records and are left out" in said[0]


def test_reports_are_read_without_what_a_device_prints(tmp_path):
    changes = {"report": "af. 4.46 unconfirmed report.", "report_original_english": "trace only requested."}
    rows, said = told(load_rows, rows_file(tmp_path, [row(1, **changes)]))
    assert (rows[0]["report"], rows[0]["report_original_english"]) == ("af.", None)
    assert said == []


def test_rows_without_a_fold_and_rows_of_one_record_are_told():
    rows = [{"record_id": one, "strat_fold": fold} for one, fold in (("1", 1), ("1", 1), ("2", None))]
    chosen, said = told(choose_rows, rows, {1})
    assert len(chosen) == 2
    assert any("1 of 3 rows have no strat_fold" in one for one in said)
    assert any("1 of 3 rows are of a record that has another row" in one for one in said)


def test_rows_without_a_fold_go_by_their_split_and_say_so():
    parts = {"a 1": "train", "b": "test", "c": "train"}
    rows = [{"record_id": one, "strat_fold": None, "split": part} for one, part in parts.items()]
    chosen, said = told(choose_rows, [*rows, {"record_id": "d", "strat_fold": 9, "split": "train"}], {1})
    assert [one["record_id"] for one in chosen] == ["a 1", "c"]
    assert said == ["3 of 4 rows have no fold of PTB-XL's and go by their split: those of train are read"]


@pytest.mark.parametrize("max_records", [0, -1])
def test_a_number_of_records_is_one_at_least(max_records):
    with pytest.raises(ValueError, match=f"data.max_records {max_records}: give 1 or more, or null for all"):
        choose_rows([{"record_id": "1", "strat_fold": 1}], {1}, max_records=max_records)


def test_an_empty_file_has_no_rows_of_any_fold(tmp_path):
    empty = pq.read_table(rows_file(tmp_path, [row(1)])).slice(0, 0)
    pq.write_table(empty, tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match=r"no rows of folds \[1\], of 0 rows: nothing to train on"):
        choose_rows(load_rows(tmp_path / "empty.parquet"), {1})
