"""Questions about rate and regularity: the answers follow from the beats, and each closed set holds its answer."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.question_generator.beats import questions_on_beats, rate_answer, regularity_answer
from hf_heartllm.ecg import simulate_ecg
from hf_heartllm.ecg.beats import beat_times


def test_a_regular_rhythm_by_hand():
    answers = {q.attribute: q.answer for q in questions_on_beats(np.arange(0.4, 10, 0.8), "seed")}
    assert answers == {
        "heart rate": "70 to 79",
        "regularity": "very regular",
        "number of beats": "12",
        "longest RR interval": "0.8 s",
        "shortest RR interval": "0.8 s",
    }


def test_rates_and_degrees_at_their_limits():
    assert [rate_answer(x) for x in (39.9, 40, 99.9, 150)] == ["below 40", "40 to 49", "90 to 99", "150 or more"]
    assert regularity_answer(np.array([0.5, 1.0, 0.6, 1.1])) == "very irregular"


@given(st.lists(st.floats(0.15, 4.5), max_size=60), st.text(max_size=5))
def test_every_answer_is_in_its_closed_set(intervals, seed):
    for question in questions_on_beats(np.cumsum(intervals), seed):
        assert question.answer in question.answer_set


def test_measured_on_a_recording_and_not_on_what_has_too_few_beats():
    record, truth = simulate_ecg(heart_rate=75, sampling_rate=100, seed=1)
    found = questions_on_beats(beat_times(record), "0-1")
    count = next(q.answer for q in found if q.attribute == "number of beats")
    assert abs(int(count) - len(truth.beat_times)) <= 1
    assert questions_on_beats(np.arange(3), "0-1") == []
