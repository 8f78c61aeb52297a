"""Records and questions: what every source yields."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_heartllm.data.question import AS_WRITTEN, EVERY_RECORD, Question, question_features
from hf_heartllm.data.record import Record, check_patients, id_order
from hf_heartllm.ecg import simulate_ecg
from hf_heartllm.models.ecg_record import ECGError

texts = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20)
questions = st.builds(
    Question,
    text=texts,
    answers=st.lists(texts, min_size=1, max_size=2).map(tuple),
    answer_set=st.lists(texts, max_size=3).map(tuple),
    question_type=texts,
    attribute_type=texts,
    attribute=texts,
    record_ids=st.lists(texts, min_size=1, max_size=2).map(tuple),
    source=texts,
    question_set=st.sampled_from(["sampled", EVERY_RECORD, AS_WRITTEN]),
)


@settings(deadline=None)
@given(questions)
def test_a_question_is_its_row(question: Question):
    row = question.row()
    assert Question.from_row(row) == question
    assert row == question_features().encode_example(row)


@given(st.lists(st.integers(0, 10**9)))
def test_ids_of_digits_sort_as_numbers(numbers: list[int]):
    assert sorted(map(str, numbers), key=id_order) == list(map(str, sorted(numbers)))


def test_a_record_without_a_patient_is_a_patient_of_its_own():
    assert Record("7").patient != Record("8").patient
    assert Record("7", patient_id="A b").patient == "A b"


def test_a_patient_in_two_parts_is_refused_by_name():
    records = [Record("1", "A b", "train"), Record("2", "A b", "test")]
    with pytest.raises(ValueError, match=r"'A b' has records in both 'train' and 'test'"):
        check_patients(records)
    with pytest.raises(ValueError, match="'1' occurs more than once"):
        check_patients([Record("1"), Record("1")])


def test_a_record_reads_its_signal_from_memory_or_a_file(tmp_path):
    signal, _ = simulate_ecg(seed=3)
    assert Record("1", signal=signal).read() is signal
    np.save(tmp_path / "a b.npy", signal.signal)
    told = {"units": "mV", "sampling_rate": signal.sampling_rate, "leads": signal.leads}
    read = Record("1", path="a b.npy", root=tmp_path, reading=told).read()
    np.testing.assert_allclose(read.signal, signal.signal, atol=1e-6)
    with pytest.raises(ECGError, match="record 9: its source names no file"):
        Record("9").read()
