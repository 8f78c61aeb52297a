"""Windows of long recordings: they cover everything, and their answers are put together as is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.ecg import simulate_ecg
from hf_heartllm.models.ecg_record import ECGError
from hf_heartllm.models.ecg_windows import (
    ANY,
    EVERY,
    MAX_SECONDS,
    MEAN,
    combined_scores,
    recording_windows,
    rule,
    token_windows,
    window_starts,
    window_times,
)


@given(length=st.integers(1, 5000), window=st.integers(1, 400))
def test_windows_cover_a_length_evenly_and_are_no_more_than_needed(length, window):
    starts = window_starts(length, window)
    size = min(window, length)
    assert starts[0] == 0
    assert starts[-1] + size == length
    assert len(starts) == -(-length // window)
    steps = np.diff(starts)
    assert (steps <= window).all()  # nothing lies between two windows
    assert (steps >= 1).all()
    assert len(steps) == 0 or steps.max() - steps.min() <= 1


def test_a_recording_as_long_as_was_trained_on_is_one_window_and_a_longer_one_is_cut():
    record, _ = simulate_ecg(sampling_rate=250, duration=24)
    assert recording_windows(record.crop(0, 10), 10.0)[0].duration == 10
    assert len(recording_windows(record, None)) == 1
    parts = recording_windows(record, 10.0)
    assert window_times(record, 10.0) == [(0.0, 10.0), (7.0, 17.0), (14.0, 24.0)]
    assert [part.duration for part in parts] == [10, 10, 10]
    assert np.array_equal(parts[1].signal, record.crop(7, 17).signal)
    assert token_windows(range(300), 125) == [range(125), range(88, 213), range(175, 300)]
    assert token_windows([1, 2], None) == [[1, 2]]


def test_more_than_an_hour_is_refused_in_one_line():
    record, _ = simulate_ecg(sampling_rate=100, duration=10)
    tape = type(record)(np.tile(record.signal[:1], (1, 361)), 100, ("I",), source="tape")
    with pytest.raises(ECGError, match=rf"tape: 3610 s are too long .* at most {MAX_SECONDS:.0f} s"):
        recording_windows(tape, 10.0)


def test_what_one_window_shows_the_recording_shows_and_a_normal_ecg_is_normal_in_every_window():
    assert rule("AFIB", True) == ANY
    assert rule("NORM", True) == EVERY
    assert rule(None, True) == rule("AFIB", False) == MEAN
    scores = [np.array([-3.0, -0.1]), np.array([-0.2, -2.0]), np.array([-1.0, -1.0])]
    assert combined_scores(scores, ("no", "yes"), ANY).tolist() == [-3.0, -0.1]
    assert combined_scores(scores, ("no", "yes"), EVERY).tolist() == [-0.2, -2.0]
    assert combined_scores(scores, ("yes", "no"), ANY).tolist() == [-0.2, -2.0]
    shares = np.mean([np.exp(one) / np.exp(one).sum() for one in scores], axis=0)
    assert np.exp(combined_scores(scores, ("a", "b"), MEAN)) == pytest.approx(shares)
    assert combined_scores(scores[:1], ("a", "b"), MEAN).tolist() == scores[0].tolist()
