"""Disturbed recordings are disturbed as they say."""

from __future__ import annotations

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm.evaluation.checkpoint.corruptions import SWAPS, corruptions
from hf_heartllm.evaluation.checkpoint.robustness import chosen

EVERY = {one.name: one for one in corruptions()}


@pytest.fixture(scope="module")
def record():
    return hl.simulate_ecg(sampling_rate=100, seed=1)[0]


def test_every_disturbance_changes_the_recording_and_repeats_itself(record):
    for name, one in EVERY.items():
        disturbed, again = one.apply(record, 3), one.apply(record, 3)
        np.testing.assert_array_equal(disturbed.signal, again.signal)
        same = disturbed.signal.shape == record.signal.shape and np.array_equal(disturbed.signal, record.signal)
        assert same == (name == "sampling rate, 100 Hz"), name
        assert disturbed.units == record.units


@pytest.mark.parametrize("level", [20, 10, 5, 0])
def test_noise_is_as_many_decibels_below_the_signal(record, level):
    noise = EVERY[f"white noise, {level} dB"].apply(record, 0).signal - record.signal
    ratio = 10 * np.log10(record.signal.var(axis=1) / noise.var(axis=1))
    np.testing.assert_allclose(ratio, level, atol=0.7)


def test_the_hum_has_its_amplitude_at_50_hertz(record):
    disturbed = EVERY["mains of 50 Hz, 0.1 mV"].apply(record, 0)
    assert disturbed.sampling_rate == 500
    hum = disturbed.signal - record.resample(500).signal
    spectrum = np.abs(np.fft.rfft(hum, axis=1)) * 2 / hum.shape[1]
    frequencies = np.fft.rfftfreq(hum.shape[1], 1 / 500)
    assert frequencies[spectrum.argmax(axis=1)] == pytest.approx(50)
    np.testing.assert_allclose(spectrum.max(axis=1), 0.1, rtol=1e-2)


@pytest.mark.parametrize("name", SWAPS)
def test_a_swap_keeps_einthoven_and_goldberger_and_undoes_itself(record, name):
    swap = EVERY[f"swapped, {name}"]
    once = swap.apply(record, 0)
    np.testing.assert_allclose(once.lead("II"), once.lead("I") + once.lead("III"), atol=1e-4)
    np.testing.assert_allclose(once.lead("aVR"), -(once.lead("I") + once.lead("II")) / 2, atol=1e-4)
    np.testing.assert_allclose(once.lead("aVL"), once.lead("I") - once.lead("II") / 2, atol=1e-4)
    np.testing.assert_allclose(once.lead("aVF"), once.lead("II") - once.lead("I") / 2, atol=1e-4)
    np.testing.assert_array_equal(swap.apply(once, 0).signal, record.signal)


def test_leads_go_missing(record):
    assert EVERY["missing leads, V1 to V6"].apply(record, 0).leads == ("I", "II", "III", "aVR", "aVL", "aVF")
    assert EVERY["missing leads, all but I"].apply(record, 0).leads == ("I",)


def test_kinds_are_chosen_by_name():
    assert {one.kind for one in chosen(["gain"])} == {"gain"}
    assert len(chosen(None)) == len(EVERY)
    with pytest.raises(ValueError, match="no corruption 'hiss'; there are white noise, "):
        chosen(["hiss"])
