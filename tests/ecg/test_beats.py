"""Beats are found where the simulator put them, in any unit, rate and lead set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hf_heartllm.ecg import ECGError, ECGRecord, example_names, simulate_ecg
from hf_heartllm.ecg.beats import beat_times
from hf_heartllm.ecg.simulate import EXAMPLES

TOLERANCE = 0.06  # s, from the R peak to the centre of a broad complex


@pytest.mark.parametrize("rate", [100, 500])
@pytest.mark.parametrize("name", [name for name in example_names() if not name.startswith("premature")])
def test_every_beat_of_a_regular_or_irregular_rhythm_is_found_once(name, rate):
    record, truth = simulate_ecg(sampling_rate=rate, **EXAMPLES[name])
    expected = [time for time in truth.beat_times if 0.15 < time < record.duration - 0.15]
    found = beat_times(record)
    inside = [time for time in found if 0.15 < time < record.duration - 0.15]
    assert len(inside) == len(expected)
    assert np.abs(np.array(inside) - expected).max() < TOLERANCE


def test_units_signs_and_missing_leads_make_no_difference():
    record, _ = simulate_ecg(seed=4)
    reference = beat_times(record)
    assert np.array_equal(beat_times(replace(record, signal=-3 * record.signal)), reference)
    signal = record.signal.copy()
    signal[3, 7] = np.nan
    assert np.abs(beat_times(replace(record, signal=signal)) - reference).max() < 0.01


def test_a_flat_recording_has_no_beats_and_a_short_one_is_refused():
    assert not len(beat_times(ECGRecord(np.zeros((2, 1000)), 100, ("I", "II"))))
    with pytest.raises(ECGError, match="2 s at 50 Hz"):
        beat_times(ECGRecord(np.zeros((2, 150)), 100, ("I", "II")))
