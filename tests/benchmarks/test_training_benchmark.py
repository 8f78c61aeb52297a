"""What the benchmark of the trainings compares with: the public code's rows, and a forecast that needs no model."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from benchmarks.forecast import rate_at_end, repeat_last_beats
from benchmarks.reference_training import Marks, forecast_batch, labelled, standardised
from benchmarks.training import Judged, endless, time_until
from hf_heartllm.ecg import simulate_ecg

MARKS = Marks(bos=0, start=5, end=6, eos=1, pad=2, offset=7)


def test_a_record_of_the_public_code_has_58_labels_in_1585_positions():
    codes = np.arange(2 * 313).reshape(2, 313) % 1296
    batch = forecast_batch(codes, MARKS, random.Random(0))
    assert batch["labels"].shape == (10, 317)
    assert labelled(batch) == 2 * 58
    ids, labels = batch["input_ids"], batch["labels"]
    assert (ids[labels != -100] == labels[labels != -100]).all()
    assert ids[:, -1].eq(MARKS.eos).all()
    assert batch["attention_mask"].sum(dim=1).tolist() == [
        length for length in (317, 161, 81, 43, 23) for _ in range(2)
    ]
    # windows first, then records: a row of the first record holds its codes, in their order
    assert ids[0, 0] == MARKS.bos
    assert (ids[0, 2:-2].diff() == 1).all()


def test_leads_are_standardised_and_a_flat_one_is_zero():
    signal = np.stack([np.sin(np.arange(500)) * 3 + 1, np.full(500, 0.4)])
    found = standardised(signal)
    assert found.dtype == np.float32
    assert not found[1].any()
    assert found[0].mean() == pytest.approx(0, abs=1e-6)
    assert found[0].std() == pytest.approx(1, abs=1e-6)


def test_repeated_beats_go_on_at_the_rate_and_nothing_of_the_end_is_seen():
    record, _ = simulate_ecg(heart_rate=75, noise=0.0, wander=0.0, mains=0.0, sampling_rate=100, seed=3)
    begins = 800
    hidden = record.signal.copy()
    hidden[:, begins:] = np.nan
    repeated = repeat_last_beats(hidden, 100, begins)
    assert np.isfinite(repeated).all()
    assert (repeated[:, :begins] == record.signal[:, :begins]).all()
    assert rate_at_end(repeated, 100, begins) == pytest.approx(rate_at_end(record.signal, 100, begins), abs=6)


def test_the_rate_of_a_forecast_without_beats_is_low_and_a_flat_recording_has_none():
    record, _ = simulate_ecg(heart_rate=75, noise=0.0, sampling_rate=100, seed=3)
    silent = record.signal.copy()
    silent[:, 800:] = silent[:, 800:801]
    assert rate_at_end(silent, 100, 800) < 35
    assert math.isnan(rate_at_end(np.zeros((2, 1000)), 100, 800))
    assert np.isfinite(repeat_last_beats(np.zeros((2, 1000)), 100, 800)).all()


def test_the_time_until_a_score_lies_between_two_evaluations():
    judged = [Judged(at, 1, {"PRD": np.array([value])}) for at, value in ((10.0, 90.0), (20.0, 70.0), (40.0, 75.0))]
    assert time_until(judged, "PRD", 80.0) == pytest.approx(15.0)
    assert time_until(judged, "PRD", 95.0) == 10.0
    assert math.isnan(time_until(judged, "PRD", 60.0))


def test_items_are_drawn_without_end_and_each_as_often():
    drawn = endless(range(5), 3)
    counts = np.bincount([item for _ in range(5) for item in next(drawn)])
    assert counts.tolist() == [3] * 5
