from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_heartllm as hl
from hf_heartllm.data.question import EVERY_RECORD, Question
from hf_heartllm.data.record import Record
from hf_heartllm.evaluation import answering
from hf_heartllm.evaluation.conditions import NO_ECG, REAL, SHUFFLED_ECG, other_patients
from hf_heartllm.evaluation.provenance import Checkpoint
from hf_heartllm.evaluation.question_file import AskedRecord, read_questions
from tests.tiny import tiny_model_and_tokenizer

CONDITIONS = (REAL, SHUFFLED_ECG, NO_ECG)
FIBRILLATION = "Does this ECG show atrial fibrillation?"


def record(number: int, patient: int, has_af: bool) -> AskedRecord:
    yes_no, rhythms = ("no", "yes"), ("atrial fibrillation", "sinus rhythm")
    about = "verify", "rhythm", "AFIB"
    af = Question(FIBRILLATION, (yes_no[has_af],), yes_no, *about, question_set=EVERY_RECORD)
    kinds = "query", "rhythm", "rhythm"
    query = Question("What rhythm does this ECG show?", (rhythms[not has_af],), rhythms, *kinds)
    signal = hl.simulate_ecg(seed=number % 10)[0]
    return AskedRecord(Record(str(number), str(patient), signal=signal), (af, query))


RECORDS = [record(10 + index, index // 2, has_af=index % 4 < 2) for index in range(8)]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=30), st.integers(0, 5))
def test_the_control_shows_every_record_another_patient(patients, seed):
    records = [Record(str(index), str(patient)) for index, patient in enumerate(patients)]
    if len(set(patients)) < 2:
        with pytest.raises(ValueError, match="two patients"):
            other_patients(records, seed)
        return
    other = other_patients(records, seed)
    assert all(patients[int(shown)] != patients[int(own)] for own, shown in other.items())
    assert set(other) == {str(index) for index in range(len(patients))}
    assert other == other_patients(records, seed)


def test_the_draws_of_numbers_are_those_of_their_order():
    records = [Record(str(index), str(7 + index // 2)) for index in range(8)]
    assert other_patients(records) == {"0": "2", "1": "2", "2": "6", "3": "6", "4": "0", "5": "1", "6": "5", "7": "5"}


def test_a_question_file_of_before_is_read_record_by_record(tmp_path):
    fields = {"patient_id": 1, "filename_lr": "a_lr", "filename_hr": "a_hr", "question_type": "verify"}
    fields |= {"attribute_type": "rhythm", "attribute": "AFIB", "question": FIBRILLATION, "answers": ["no", "yes"]}
    rows = [
        {"ecg_id": 17, "set": "every-record", "answer": "yes", **fields},
        {"ecg_id": 3, "set": "every-record", "answer": "no", **fields},
        {"ecg_id": 17, "set": "sampled", "answer": "no", **fields},
        {"ecg_id": 4, "set": "sampled", "answer": "no", **fields},
    ]
    path, records = tmp_path / "questions.parquet", [Record("17", "1"), Record("3")]
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = read_questions(path, records)
    assert [one.record_id for one in found.asked] == ["3", "17"]
    assert [(q.answer, q.every_record) for q in found.asked[1].questions] == [("yes", True), ("no", False)]
    assert found.notes == (
        "1 of 4 questions of questions.parquet are about records that are not among those given: left out.",
    )
    pq.write_table(pa.Table.from_pylist([{**rows[0], "answer": "maybe"}]), path)
    with pytest.raises(ValueError, match="'maybe' is not in the closed answer set"):
        read_questions(path, records)
    pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(ValueError, match="record 17 is of patient 1, among the records of 2"):
        read_questions(path, [Record("17", "2")])


def test_questions_of_any_source_join_by_record_id(tmp_path):
    asked = Question(FIBRILLATION, ("no",), ("no", "yes"), "verify", "rhythm", "AFIB", ("ward 3/b.csv",))
    rows = [asked.row(), {**asked.row(), "record_ids": ["ward 3/b.csv", "c"]}, {**asked.row(), "answer_set": []}]
    path = tmp_path / "own.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = read_questions(path, [Record("ward 3/b.csv", "Patient One"), Record("c")])
    assert [one.questions for one in found.asked] == [(asked,)]
    assert [note.split(": ")[0] for note in found.notes] == [
        "1 of 3 questions of own.parquet compare two records",
        "1 of 3 questions of own.parquet have no closed answer set",
    ]
    with pytest.raises(ValueError, match="no question can be asked: 2 of 3 questions"):
        read_questions(path, [Record("other")])


@pytest.fixture(scope="module")
def tiny():
    model, tokenizer = tiny_model_and_tokenizer()
    return tokenizer.answerer(model)


@pytest.fixture(scope="module")
def ecg_of(tiny):
    return answering.each_once(lambda one: tiny.read(one.read()))


def ask(answerer, ecg_of, folder, records=RECORDS, conditions=CONDITIONS, **more):
    asker = answering.Asker(Checkpoint(answerer, "tiny"), ecg_of, "simulated", folder, progress=False, **more)
    return answering.answer_questions(asker, records, conditions)


def test_a_broken_off_run_goes_on_where_it_stopped(tiny, ecg_of, tmp_path, monkeypatch):
    monkeypatch.setattr(answering, "JOBS", 3)
    whole = ask(tiny, ecg_of, tmp_path / "whole")
    assert set(whole) == {(one.record_id, condition) for one in RECORDS for condition in CONDITIONS}
    assert whole["10", "real"] != whole["10", "shuffled_ecg"]
    assert whole["10", "no_ecg"] == whole["11", "no_ecg"]

    asked = []

    def until_the_fifth(one):
        if len(asked) == 5:
            raise KeyboardInterrupt
        asked.append(one.record_id)
        return ecg_of(one)

    folder = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        ask(tiny, until_the_fifth, folder)
    with (folder / "outcomes.jsonl").open("a") as file:
        file.write('{"record_id": "12", "cond')  # cut while writing
    score = tiny.score

    def with_ecgs_alone(prompts, sets):
        assert all(prompt.record is not None for prompt in prompts)  # what needs no ECG was answered before
        return score(prompts, sets)

    monkeypatch.setattr(tiny, "score", with_ecgs_alone)
    again = []
    resumed = ask(tiny, lambda one: again.append(one.record_id) or ecg_of(one), folder)
    assert json.dumps(sorted(resumed.items())) == json.dumps(sorted(whole.items()))
    assert len(again) == 2 * len(RECORDS) - 4  # the fifth was asked for with jobs that were not written
    ask(tiny, None, folder)  # all is there: no ECG is asked for
    with pytest.raises(ValueError, match="another seed"):
        ask(tiny, ecg_of, folder, seed=1)


def test_partial_results_of_another_model_are_refused(tiny, ecg_of, tmp_path):
    ask(tiny, ecg_of, tmp_path, RECORDS[:4], ("no_ecg",))
    model, tokenizer = tiny_model_and_tokenizer(seed=1)
    with pytest.raises(ValueError, match="another model"):
        ask(tokenizer.answerer(model), ecg_of, tmp_path, RECORDS[:4], ("no_ecg",))


def test_a_run_shows_how_far_it_is_unless_it_is_asked_not_to(capsys, tiny, ecg_of, tmp_path):
    for options, shown in (({}, True), ({"progress": True}, True), ({"progress": False}, False)):
        asker = answering.Asker(Checkpoint(tiny, "tiny"), ecg_of, "simulated", tmp_path / str(options), **options)
        answering.answer_questions(asker, RECORDS[:2], (NO_ECG,))
        said = capsys.readouterr()
        assert ("2/2" in said.err) == shown
        assert said.out == ""


def test_each_recording_is_read_once_however_often_it_is_asked_about(tiny, tmp_path):
    read = []

    class Counted(Record):
        def read(self):
            read.append(self.record_id)
            return super().read()

    asked = [AskedRecord(Counted(**vars(one.record)), one.questions) for one in RECORDS[:4]]
    asker = answering.asker_of(Checkpoint(tiny, "tiny"), None, "records", tmp_path, progress=False)
    found = answering.answer_questions(asker, asked, (REAL, SHUFFLED_ECG))
    assert sorted(read) == sorted(one.record_id for one in RECORDS[:4])
    assert asker.ecgs.endswith(", records")
    assert (asker.seed, asker.folder) == (0, tmp_path)
    other = other_patients([one.record for one in asked])
    assert all(found[one, SHUFFLED_ECG] == found[shown, REAL] for one, shown in other.items())


def test_a_resumed_run_keeps_the_scores_that_were_written(tiny, ecg_of, tmp_path):
    first = ask(tiny, ecg_of, tmp_path, RECORDS[:4])
    lines = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text().splitlines()[1:]]
    assert answering.outcomes_of(lines) == first
    scores = [score for outcome in first.values() for question in outcome for score in question]
    assert scores == [round(score, 5) for score in scores]
    old = [{"ecg_id": 7, "condition": "blind", "log_likelihoods": [[0.5]]}]
    assert answering.outcomes_of(old) == {("7", NO_ECG): [[0.5]]}
