from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_heartllm as hl
from hf_heartllm.evaluation import heldout
from hf_heartllm.evaluation.conditions import other_patients
from hf_heartllm.evaluation.question_file import HeldOutQuestion, HeldOutRecord, read_questions
from tests.tiny import tiny_model_and_tokenizer

FIBRILLATION = "Does this ECG show atrial fibrillation?"


def record(ecg_id: int, patient_id: int, has_af: bool) -> HeldOutRecord:
    af = HeldOutQuestion(
        FIBRILLATION, "yes" if has_af else "no", ("no", "yes"), "verify", "rhythm", "AFIB", every_record=True
    )
    rhythms = ("atrial fibrillation", "sinus rhythm")
    query = HeldOutQuestion(
        "What rhythm does this ECG show?", rhythms[not has_af], rhythms, "query", "rhythm", "rhythm"
    )
    return HeldOutRecord(ecg_id, patient_id, f"{ecg_id}_lr", f"{ecg_id}_hr", (af, query))


RECORDS = [record(10 + index, index // 2, has_af=index % 4 < 2) for index in range(8)]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=30), st.integers(0, 5))
def test_the_control_shows_every_record_another_patient(patients, seed):
    records = [record(index, patient, False) for index, patient in enumerate(patients)]
    if len(set(patients)) < 2:
        with pytest.raises(ValueError, match="two patients"):
            other_patients(records, seed)
        return
    other = other_patients(records, seed)
    assert all(patients[shown] != patients[own] for own, shown in other.items())
    assert set(other) == set(range(len(patients)))
    assert other == other_patients(records, seed)


def test_a_question_file_is_read_record_by_record(tmp_path):
    fields = {"patient_id": 1, "filename_lr": "a_lr", "filename_hr": "a_hr", "question_type": "verify"}
    fields |= {"attribute_type": "rhythm", "attribute": "AFIB", "question": FIBRILLATION, "answers": ["no", "yes"]}
    rows = [
        {"ecg_id": 7, "set": "every-record", "answer": "yes", **fields},
        {"ecg_id": 3, "set": "every-record", "answer": "no", **fields},
        {"ecg_id": 7, "set": "sampled", "answer": "no", **fields},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "questions.parquet")
    records = read_questions(tmp_path / "questions.parquet")
    assert [r.ecg_id for r in records] == [3, 7]
    assert [(q.answer, q.every_record) for q in records[1].questions] == [("yes", True), ("no", False)]
    pq.write_table(pa.Table.from_pylist([{**rows[0], "answer": "maybe"}]), tmp_path / "questions.parquet")
    with pytest.raises(ValueError, match="'maybe' is not in the closed answer set"):
        read_questions(tmp_path / "questions.parquet")


@pytest.fixture(scope="module")
def tiny():
    return tiny_model_and_tokenizer()


@pytest.fixture(scope="module")
def ecg_ids(tiny):
    _, tokenizer = tiny
    ids = [tokenizer.encode_ecg(hl.simulate_ecg(seed=index)[0]) for index in range(len(RECORDS))]
    return lambda r: ids[r.ecg_id - 10]


def test_a_broken_off_run_goes_on_where_it_stopped(tiny, ecg_ids, tmp_path, monkeypatch):
    monkeypatch.setattr(heldout, "JOBS", 3)
    model, tokenizer = tiny
    whole = heldout.evaluate(model, tokenizer, RECORDS, ecg_ids, tmp_path / "whole", progress=False)
    assert set(whole) == {(r.ecg_id, c) for r in RECORDS for c in heldout.CONDITIONS}
    assert whole[10, "real"] != whole[10, "control"]
    assert whole[10, "blind"] == whole[11, "blind"]

    asked = []

    def until_the_fifth(r):
        if len(asked) == 5:
            raise KeyboardInterrupt
        asked.append(r.ecg_id)
        return ecg_ids(r)

    folder = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        heldout.evaluate(model, tokenizer, RECORDS, until_the_fifth, folder, progress=False)
    with (folder / "outcomes.jsonl").open("a") as file:
        file.write('{"ecg_id": 12, "cond')  # cut while writing
    again = []
    resumed = heldout.evaluate(
        model, tokenizer, RECORDS, lambda r: again.append(r.ecg_id) or ecg_ids(r), folder, progress=False
    )
    assert json.dumps(sorted(resumed.items())) == json.dumps(sorted(whole.items()))
    assert len(again) == 2 * len(RECORDS) - 4  # the fifth was asked for with jobs that were not written
    heldout.evaluate(model, tokenizer, RECORDS, None, folder, progress=False)  # all is there: no ECG is asked for
    with pytest.raises(ValueError, match="another seed"):
        heldout.evaluate(model, tokenizer, RECORDS, ecg_ids, folder, seed=1, progress=False)


def test_partial_results_of_another_model_are_refused(tiny, ecg_ids, tmp_path):
    model, tokenizer = tiny
    heldout.evaluate(model, tokenizer, RECORDS[:4], ecg_ids, tmp_path, conditions=("blind",), progress=False)
    other, _ = tiny_model_and_tokenizer(seed=1)
    with pytest.raises(ValueError, match="another model"):
        heldout.evaluate(other, tokenizer, RECORDS[:4], ecg_ids, tmp_path, conditions=("blind",), progress=False)
