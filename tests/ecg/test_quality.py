"""What is wrong with a lead is said, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hf_heartllm.ecg import ECGRecord, example_names, lead_quality, read_ecg, simulate_ecg

RNG = np.random.default_rng(0)


def spoiled(lead: int, change) -> tuple[ECGRecord, list]:
    record, _ = simulate_ecg(seed=3)
    signal = record.signal.copy()
    signal[lead] = change(signal[lead])
    record = replace(record, signal=signal)
    return record, list(lead_quality(record))


@pytest.mark.parametrize("name", example_names())
def test_the_examples_are_usable(name):
    assert all(found.usable for found in lead_quality(read_ecg(f"example:{name}")))


def with_gap(row):
    row[100:120] = np.nan
    return row


@pytest.mark.parametrize(
    ("change", "problem", "usable"),
    [
        (with_gap, "missing samples", False),
        (lambda row: np.full_like(row, np.nan), "no samples", False),
        (lambda row: 0 * row, "flat", False),
        (lambda row: np.where(np.arange(len(row)) < 2000, row[0], row), "flat", False),
        (lambda row: row + RNG.normal(0, 0.4, len(row)), "muscle noise", False),
        (lambda row: np.clip(row, -0.05, 0.05), "clipped", False),
        (lambda row: row + 0.3 * np.sin(2 * np.pi * 50 * np.arange(len(row)) / 500), "mains hum", True),
        (lambda row: row + 2 * np.sin(2 * np.pi * 0.2 * np.arange(len(row)) / 500), "baseline wander", True),
    ],
)
def test_each_problem_is_named_in_its_lead_alone(change, problem, usable):
    _, found = spoiled(7, change)
    assert problem in found[7].problems
    assert found[7].usable is usable
    assert all(not other.problems for place, other in enumerate(found) if place != 7)


def test_noise_is_that_of_the_band():
    record, _ = simulate_ecg(noise=0, wander=0, seed=1)
    noisy = replace(record, signal=record.signal + RNG.normal(0, 0.05, record.signal.shape))
    expected = 0.05 * np.sqrt((45 - 25) / 250)  # white noise below 250 Hz
    assert np.median([found.noise for found in lead_quality(noisy)]) == pytest.approx(expected, rel=0.25)


def test_a_short_stretch_is_judged_by_what_it_can_be():
    (found,) = lead_quality(ECGRecord(np.sin(np.arange(50))[None], 100, ("I",)))
    assert found.usable
    assert found.noise is None
