"""What training reads is joined by ids; what cannot be joined is counted, never dropped in silence."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_heartllm.data.token_file import load_codes, load_rows
from hf_heartllm.training.row_choice import choose_rows

QUESTION = {"question": "Is it fast?", "answer": "no"}


def archive(folder, ecg_id, tokens: int = 4):
    path = folder / "tokens.npz"
    codes = np.arange(len(ecg_id) * tokens, dtype=np.uint16).reshape(len(ecg_id), tokens)
    np.savez(path, ecg_id=np.array(ecg_id), codes=codes, codec=np.array("abc"))
    return path


def told(call, *arguments):
    """What a call returns, and the warnings that it gives."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call(*arguments)
    return result, [str(one.message) for one in found]


@pytest.mark.parametrize(
    ("ecg_id", "kept", "reason"),
    [
        ([1.0, float("nan"), 3.0], [1, 3], "1 of 3 recordings are left out for no ecg_id that is a whole number"),
        (["1", "A0002", "3"], [1, 3], "1 of 3 recordings are left out for no ecg_id that is a whole number"),
        ([1, 3, 1], [1, 3], "1 of 3 recordings are left out for an ecg_id that a later one has, which is taken"),
    ],
)
def test_recordings_without_an_id_of_their_own_are_counted(tmp_path, ecg_id, kept, reason):
    codes, said = told(load_codes, archive(tmp_path, ecg_id))
    assert sorted(codes) == kept
    assert len(said) == 1
    assert reason in said[0]
    assert all(isinstance(one, int) for one in codes)


def test_whole_codes_are_read_without_a_word(tmp_path):
    codes, said = told(load_codes, archive(tmp_path, [7, 8]), "abc")
    assert said == []
    assert codes[8].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize(("ecg_id", "tokens"), [(["A1", "A2"], 4), ([1, 2], 0), (np.zeros(0, int), 4)])
def test_codes_of_which_none_can_be_used_are_refused_in_one_line(tmp_path, ecg_id, tokens):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"holds no codes with an ecg_id \(\d rows\)") as refused:
            load_codes(archive(tmp_path, ecg_id, tokens))
    assert "\n" not in str(refused.value)


def test_a_file_without_a_column_is_refused(tmp_path):
    np.savez(tmp_path / "tokens.npz", codes=np.zeros((1, 4), np.uint16), codec=np.array("abc"))
    with pytest.raises(ValueError, match="no column ecg_id"):
        load_codes(tmp_path / "tokens.npz")
    pq.write_table(pa.table({"ecg_id": [1]}), tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="no column strat_fold"):
        load_rows(tmp_path / "rows.parquet")


@pytest.mark.parametrize("content", [b"", b"PK not really", b"\x93NUMPY"])
def test_what_is_no_file_of_codes_or_rows_is_refused_by_its_name(tmp_path, content):
    path = tmp_path / "tokens.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"tokens\.npz: no \.npz file of codes"):
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
    assert [one["ecg_id"] for one in rows] == [1, 4]
    assert len(said) == 1
    assert "2 of 4 rows are left out for no ecg_id that is a whole number, by which training joins them" in said[0]
    rows, said = told(load_rows, rows_file(tmp_path, [row("7"), row("A0008")]))
    assert [one["ecg_id"] for one in rows] == [7]
    assert "1 of 2 rows" in said[0]


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
    rows = [{"ecg_id": 1, "strat_fold": 1}, {"ecg_id": 1, "strat_fold": 1}, {"ecg_id": 2, "strat_fold": None}]
    chosen, said = told(choose_rows, rows, {1})
    assert len(chosen) == 2
    assert any("1 of 3 rows have no strat_fold" in one for one in said)
    assert any("1 of 3 rows are of a record that has another row" in one for one in said)


@pytest.mark.parametrize("max_records", [0, -1])
def test_a_number_of_records_is_one_at_least(max_records):
    with pytest.raises(ValueError, match=f"data.max_records {max_records}: give 1 or more, or null for all"):
        choose_rows([{"ecg_id": 1, "strat_fold": 1}], {1}, max_records=max_records)


def test_an_empty_file_has_no_rows_of_any_fold(tmp_path):
    empty = pq.read_table(rows_file(tmp_path, [row(1)])).slice(0, 0)
    pq.write_table(empty, tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match=r"no rows of folds \[1\], of 0 rows: nothing to train on"):
        choose_rows(load_rows(tmp_path / "empty.parquet"), {1})
