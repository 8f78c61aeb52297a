"""Where beats are found, what is kept of the signal around them, and how certain they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_heartllm.ecg import read_ecg
from hf_heartllm.models.ecg_rough_beats import (
    AFTER,
    BEFORE,
    MOST_BEATS,
    REFRACTORY,
    RoughBeats,
    _aligned,
    _energy,
    _peaks,
    _smooth_number,
    rough_beats,
)

SIZES = np.array([[1.0], [0.6], [-0.4]])
"""Of a pulse in three leads."""


def pulses(times, seconds, sizes=1.0, rate=500, leads=SIZES) -> np.ndarray:
    """Float32 (leads, samples) with an R and a smaller S wave at each of `times`."""
    clock = np.arange(round(seconds * rate)) / rate
    row = np.zeros(len(clock))
    for time, size in zip(times, np.broadcast_to(sizes, len(times)), strict=True):
        row += size * np.exp(-(((clock - time) / 0.02) ** 2)) - 0.4 * size * np.exp(
            -(((clock - time - 0.04) / 0.02) ** 2)
        )
    return (leads * row).astype(np.float32)


def tones(*frequencies, seconds=40, rate=500) -> np.ndarray:
    """Sines together in one lead."""
    clock = np.arange(seconds * rate) / rate
    return sum(np.sin(2 * np.pi * one * clock) for one in frequencies)[None].astype(np.float32)


def of_parts(**parts) -> RoughBeats:
    """Beats of which only some parts are looked at."""
    nothing = np.zeros((1, 0), np.float32)
    whole = {
        "waves": nothing, "quick": nothing, "positions": np.zeros(0, np.int64), "dominant": np.zeros(0, bool),
        "contrast": 100.0, "white": 0.0, "beat": nothing,
    }  # fmt: skip
    return RoughBeats(**whole | parts)


# ---- what is kept of the signal


@pytest.mark.parametrize(
    ("frequency", "quick", "waves"),
    [
        (0.25, 0.0, 0.2425),
        (0.5, 0.0001, 0.7071),
        (2.5, 0.0624, 0.9992),
        (5, 0.7071, 1.0),
        (10, 0.9977, 1.0),
        (25, 0.7071, 0.9982),
        (40, 0.1508, 0.7071),
        (45, 0.0948, 0.4424),
    ],
)
@pytest.mark.parametrize("rate", [100, 500])
def test_a_sine_is_kept_by_its_frequency(rate, frequency, quick, waves):
    """The bands end where half of the power is left."""
    found = rough_beats(tones(frequency, rate=rate), rate)
    inside = slice(1000, 3000)
    gains = [np.sqrt(2 * (one[0, inside] ** 2).mean()) for one in (found.quick, found.waves)]
    assert gains == pytest.approx([quick, waves], abs=2e-4)


def test_everything_is_at_100_hz_and_as_long_as_the_recording():
    for rate, samples, kept in ((500, 5000, 1000), (250, 1111, 444), (360, 3600, 1000), (100, 731, 731)):
        found = rough_beats(np.zeros((2, samples), np.float32), rate)
        assert found.waves.shape == found.quick.shape == (2, kept)
        assert found.waves.dtype == found.quick.dtype == np.float32


def test_a_slope_and_an_offset_are_no_waves():
    signal = pulses([1, 2, 3, 4], 5)
    drift = np.linspace(-3, 8, signal.shape[1], dtype=np.float32)
    apart = rough_beats(signal + drift, 500).waves - rough_beats(signal, 500).waves
    assert np.abs(apart[:, 50:-50]).max() < 0.1


@pytest.mark.parametrize(
    ("parts", "share"),
    [
        ((10, 30), 0.5),
        ((10, 20, 30), 1 / 3),
        ((10, 25.5), 0.5),
        ((10, 24.5), 0.0),
        ((10, 44.5), 0.5),
        ((10, 45), 0.05),
        ((10, 45.5), 0.0),
        ((10, 25), 0.48),
        ((2, 30), 0.51),
        ((2.5, 30), 0.5),
        ((1.5, 30), 1.0),
    ],
)
def test_white_is_the_share_above_25_hz(parts, share):
    assert rough_beats(tones(*parts), 500).white == pytest.approx(share, abs=0.02)


def test_white_is_that_of_the_middle_lead():
    low, high = tones(10), tones(30)
    assert rough_beats(np.concatenate([low, high, high]), 500).white == pytest.approx(1, abs=0.01)
    assert rough_beats(np.concatenate([low, high, low]), 500).white == pytest.approx(0, abs=0.01)


# ---- where beats are


def test_beats_are_where_the_pulses_are_and_the_typical_beat_is_one():
    times = [0.7, 1.5, 2.45, 3.2, 4.05, 4.9]
    found = rough_beats(pulses(times, 6), 500)
    assert np.abs(np.diff(found.positions) - 100 * np.diff(times)).max() <= 1
    assert np.abs(found.positions - 100 * np.array(times)).max() <= 3
    assert found.alike == 1
    assert found.contrast > 1000
    around = found.positions[:, None] + np.arange(-30, 45)  # 300 ms before and 450 ms after
    assert np.allclose(found.beat, found.waves[:, around].mean(axis=1), atol=1e-6)
    assert np.abs(np.abs(found.beat[0]).argmax() - BEFORE) <= 3
    assert np.allclose(found.beat[1], found.beat[0] * 0.6, atol=1e-3)


def test_the_rate_and_the_unit_change_no_beat():
    times = np.arange(0.7, 9.5, 0.83)
    found = rough_beats(pulses(times, 10), 500)
    for rate in (100, 250, 1000):
        assert np.abs(rough_beats(pulses(times, 10, rate=rate), rate).positions - found.positions).max() <= 1
    for factor in (1e-3, 1e3):
        scaled = rough_beats(pulses(times, 10) * np.float32(factor), 500)
        assert np.abs(scaled.positions - found.positions).max() <= 1
        assert np.allclose(scaled.beat, found.beat * factor, atol=0.02 * factor)


def test_less_than_a_second_is_not_judged():
    assert rough_beats(pulses([0.5], 0.998), 500) is None
    assert len(rough_beats(pulses([0.5], 1), 500).positions) == 1
    assert rough_beats(np.zeros((1, 2), np.float32), 1) is None
    assert rough_beats(np.zeros((1, 3), np.float32), 1) is not None


@pytest.mark.parametrize(("apart", "count"), [(0.2, 7), (0.4, 8)])
def test_two_beats_are_no_closer_than_a_heart_can_beat(apart, count):
    sizes = [1, 1, 1, 1, 0.9, 1, 1, 1]
    assert len(rough_beats(pulses([1, 2, 3, 4, 4 + apart, 5, 6, 7], 8, sizes), 500).positions) == count


def test_no_beat_is_found_at_the_very_ends():
    assert len(rough_beats(pulses([0.25, 1, 2, 3, 3.75], 4), 500).positions) == 5
    assert len(rough_beats(pulses([0.05, 1, 2, 3, 3.95], 4), 500).positions) == 3


@pytest.mark.parametrize(("size", "count"), [(0.38, 10), (0.32, 9)])
def test_a_beat_has_an_eighth_of_the_energy_of_a_typical_one(size, count):
    assert len(rough_beats(pulses(np.arange(0.5, 10), 10, [1] * 6 + [size] + [1] * 3), 500).positions) == count


@pytest.mark.parametrize(
    ("strong", "size", "count"),
    [(8, 0.18, 20), (8, 0.165, 8), (6, 0.165, 6), (5, 0.165, 20)],
    ids=["above a share", "below it", "three in ten seconds", "fewer than three"],
)
def test_of_a_slow_heart_the_strong_beats_decide(strong, size, count):
    """Three of ten seconds must hold one; more than that may be as weak as noise beside them."""
    sizes = np.where(np.arange(20) % 2 * (np.arange(20) < 2 * strong), 1, size)
    assert (sizes == 1).sum() == strong
    assert len(rough_beats(pulses(np.arange(0.5, 20), 20, sizes), 500).positions) == count


def test_of_a_long_recording_some_beats_are_compared_from_first_to_last():
    times = np.arange(0.5, 120)
    found = rough_beats(pulses(times, 120, rate=100), 100)
    assert len(found.positions) == len(found.dominant) == MOST_BEATS
    assert (found.positions[0], found.positions[-1]) == pytest.approx((50, 11950), abs=3)
    assert set(np.diff(found.positions).round(-1)) <= {100, 200, 300}
    assert len(rough_beats(pulses(times[:MOST_BEATS], 60, rate=100), 100).positions) == MOST_BEATS


def test_without_any_wave_there_is_no_beat():
    found = rough_beats(np.zeros((2, 1000), np.float32), 100)
    assert (len(found.positions), found.contrast, found.alike, found.step) == (0, 0, 0, 0)
    assert found.beat.shape == (2, 0)


@pytest.mark.parametrize(
    ("name", "contrast", "white", "step"),
    [
        ("lbbb", 352.2, 0.0007, 0.0042),
        ("tachycardia", 94.90, 0.0273, 0.0207),
        ("st_elevation_anterior", 666.4, 0.0304, 0.0992),
        ("low_voltage", 208.3, 0.0200, 0.0138),
    ],
)
def test_how_far_the_beats_of_the_examples_stand_out(name, contrast, white, step):
    record = read_ecg(f"example:{name}")
    found = rough_beats(record.signal, record.sampling_rate)
    assert found.contrast == pytest.approx(contrast, rel=2e-3)
    assert (found.white, found.step) == pytest.approx((white, step), abs=1e-4)


# ---- which beats look alike


def test_beats_of_another_shape_are_not_typical():
    turned = np.array([[0.2], [-0.9], [0.5]])
    usual, other = np.array([0.5, 1.5, 2.5, 4.5, 5.5, 6.5, 7.5]), [3.5, 8.5]
    found = rough_beats(pulses(usual, 9.5) + pulses(other, 9.5, leads=turned), 500)
    assert found.dominant.tolist() == [True] * 3 + [False] + [True] * 4 + [False]
    assert found.alike == pytest.approx(7 / 9)
    assert np.allclose(found.beat, rough_beats(pulses(usual, 9.5), 500).beat, atol=0.02)


@pytest.mark.parametrize(("likeness", "same"), [(0.87, True), (0.83, False)])
def test_beats_are_of_one_shape_from_a_correlation_on(likeness, same):
    bump = np.exp(-((np.arange(-30, 31) / 3.0) ** 2))
    waves = np.zeros((2, 500))
    beats = np.array([50, 150, 250, 350, 450])
    for beat in beats:
        of_leads = (likeness, np.sqrt(1 - likeness**2)) if beat == 350 else (1, 0)
        waves[:, beat - 30 : beat + 31] += np.outer(of_leads, bump)
    assert _aligned(waves, beats)[1].tolist() == [True, True, True, same, True]


@pytest.mark.parametrize(("moved", "found"), [(5, True), (-5, True), (9, False), (-9, False)])
def test_a_beat_is_moved_onto_the_others_by_up_to_50_ms(moved, found):
    rng = np.random.default_rng(0)
    waves = np.zeros((2, 600))
    shape = rng.normal(size=(2, 61))
    for beat in (100, 200, 300, 400, 500):
        waves[:, beat - 30 : beat + 31] = shape
    positions, alike = _aligned(waves, np.array([100, 200, 300 + moved, 400, 500]))
    assert alike.tolist() == [True, True, found, True, True]
    if found:
        assert np.diff(positions).tolist() == [100] * 4


def noise(size: float, samples: int) -> np.ndarray:
    return (size * np.random.default_rng(0).normal(size=samples)).astype(np.float32)


def test_a_lead_of_loud_noise_does_not_decide_which_beats_look_alike():
    signal = pulses(np.arange(0.5, 10), 10)
    signal[2] = noise(20, 5000)
    found = rough_beats(signal, 500)
    assert found.alike == 1
    assert np.allclose(np.diff(found.positions), 100, atol=1)


@pytest.mark.parametrize(("disturbed", "alike"), [(20, 1.0), (14, 1.0), (12, 0.4), (10, 0.5)])
def test_small_leads_that_are_disturbed_in_most_beats_do_not_decide_either(disturbed, alike):
    times = np.arange(0.5, 20)
    signal = pulses(times, 20)
    clock = np.arange(10000) / 500
    near = (np.abs(clock[:, None] - times[:disturbed]).min(axis=1) < 0.12).astype(np.float32)
    signal[1:] = 0.05 * signal[1:] + np.stack([noise(0.1, 10000), noise(0.1, 10001)[1:]]) * near
    found = rough_beats(signal, 500)
    assert found.alike == pytest.approx(alike)


# ---- evidence of each lead


def test_evidence_compares_what_is_near_the_beats_with_what_is_far():
    positions = np.array([50, 150, 250])
    distance = np.abs(np.arange(300) - positions[:, None]).min(axis=0)
    square = np.where(distance <= 8, 3.0, np.where(distance <= 18, 100.0, 1.5))
    signs = np.where(np.arange(300) % 2, 1, -1)
    quick = np.stack([square * signs, 0.1 * square]).astype(np.float32)
    beats = of_parts(quick=quick, positions=positions, dominant=np.array([True, True, True]))
    ratio, alike, beyond = beats.evidence()
    assert ratio == pytest.approx([2, 2])
    assert beyond == pytest.approx([1.5, 0.15])
    assert alike == pytest.approx([1, 1])


@pytest.mark.parametrize(("first", "last", "counted"), [(8, 291, 5), (7, 291, 4), (8, 292, 4)])
def test_beats_that_are_cut_off_at_the_ends_are_not_compared(first, last, counted):
    positions = np.array([first, 80, 150, 220, last])
    quick = np.zeros((1, 300), np.float32)
    quick[0, positions] = [-1, 1, 1, 1, 1] if counted == 5 or first == 7 else [1, 1, 1, 1, -1]
    beats = of_parts(quick=quick, positions=positions, dominant=np.ones(5, bool))
    # of five beats one is turned over, which is not counted where its end is cut off
    assert beats.evidence()[1] == pytest.approx([1.0 if counted == 4 else (9 / 5 - 1) / 4])


def test_only_beats_of_the_usual_shape_are_compared():
    positions = np.array([50, 150, 250])
    quick = np.zeros((1, 300), np.float32)
    quick[0, positions] = 1, 1, -1
    for dominant, alike in (([True, True, False], 1), ([True, True, True], (1 / 3 - 1) / 2)):
        beats = of_parts(quick=quick, positions=positions, dominant=np.array(dominant))
        assert beats.evidence()[1] == pytest.approx([alike])


def test_noise_is_not_alike_and_as_large_near_the_beats_as_far_from_them():
    positions = np.arange(50, 5950, 100)
    quick = np.random.default_rng(0).normal(size=(4, 6000)).astype(np.float32)
    ratio, alike, beyond = of_parts(quick=quick, positions=positions, dominant=positions > 0).evidence()
    assert ratio == pytest.approx(np.ones(4), abs=0.1)
    assert alike == pytest.approx(np.zeros(4), abs=0.02)
    assert beyond == pytest.approx(np.ones(4), abs=0.05)


def test_beats_without_anything_between_them_stand_out_of_nothing():
    positions = np.arange(10, 300, 20)
    quick = np.ones((2, 300), np.float32)
    ratio, _, beyond = of_parts(quick=quick, positions=positions, dominant=positions > 0).evidence()
    assert beyond.tolist() == [0, 0]
    assert (ratio > 1e6).all()


@settings(deadline=None)
@given(exponent=st.floats(-12, 3), count=st.integers(2, 6))
def test_likeness_is_at_most_1_however_small_the_lead(exponent, count):
    positions = 20 + 40 * np.arange(count)
    quick = np.zeros((1, 40 * count), np.float32)
    quick[0, positions] = 10.0**exponent
    alike = of_parts(quick=quick, positions=positions, dominant=positions > 0).evidence()[1][0]
    assert -1 / (count - 1) - 1e-6 <= alike <= 1 + 1e-6


# ---- steps, and leads that are one signal


def test_a_step_changes_the_level_and_a_beat_does_not():
    places = np.arange(BEFORE + AFTER) - BEFORE
    step = np.stack([np.where(places < 0, 0.0, 2.0), np.where(places < 0, 1.0, 0.0)])
    assert of_parts(beat=step).step == pytest.approx(1)
    assert of_parts(beat=np.exp(-((places / 2.5) ** 2))[None]).step == pytest.approx(0, abs=1e-3)
    assert of_parts(beat=np.where(np.abs(places) > 12, 50.0, step)).step == pytest.approx(1)  # far away nothing counts
    half = np.where(places < 0, 0.0, np.where(places == 0, 2.0, 1.0))[None]
    assert of_parts(beat=half).step == pytest.approx(0.5)
    assert of_parts(beat=np.concatenate([half, np.zeros((3, BEFORE + AFTER))])).step == pytest.approx(0.5)


@pytest.mark.parametrize(("other", "one"), [(0.0, True), (0.06, True), (0.08, False), (1.0, False)])
def test_leads_are_one_signal_where_all_but_half_a_percent_is(other, one):
    """By energy: 0.06² is below 0.005, 0.08² above it."""
    clock = np.arange(1000) / 100
    first, second = np.sin(2 * np.pi * 8 * clock), np.cos(2 * np.pi * 8 * clock)
    assert of_parts(quick=np.stack([first, other * second])).rank_one is one
    assert of_parts(quick=np.stack([first, -3 * first, 0.2 * first])).rank_one is True


# ---- parts


@pytest.mark.parametrize("least", [1, 2, 7, 11, 13, 26, 61, 97, 121, 251, 385, 1001])
def test_lengths_are_the_next_number_that_transforms_fast(least):
    fast = sorted(2**a * 3**b * 5**c for a in range(12) for b in range(8) for c in range(6))
    assert _smooth_number(least) == next(number for number in fast if number >= least)


def test_energy_is_the_squared_slope_over_all_leads():
    ramp = np.arange(100.0)
    energy = _energy(np.stack([3 * ramp, -ramp]), np.array([1.0, 2.0]))
    assert energy[6:-6] == pytest.approx(9 + 4)
    assert energy[0] == pytest.approx(13 * 7 / 13)  # of the 130 ms around it, what there is of them
    assert energy[-1] == pytest.approx(13 * 7 / 13)
    step = np.where(np.arange(100) < 50, 0.0, 13.0)[None]
    around = _energy(step, np.ones(1))  # its slope lies on two samples, and is averaged over thirteen
    assert around == pytest.approx(np.convolve((np.gradient(step[0])) ** 2, np.ones(13) / 13, mode="same"))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 9), min_size=60, max_size=300))
def test_peaks_are_the_highest_of_their_neighbourhood(values):
    energy = np.array(values, dtype=float)
    peaks = _peaks(energy)
    for peak in peaks:
        assert energy[peak] > 0
        assert energy[peak] == energy[max(0, peak - REFRACTORY) : peak + REFRACTORY + 1].max()
        assert 15 <= peak < len(energy) - 15
    assert all(second - first > 1 for first, second in pairwise(peaks))
    inner = energy[REFRACTORY:-REFRACTORY]
    if len(inner) and inner.max() == energy.max() > 0:
        assert len(peaks)


def test_the_higher_of_two_close_peaks_is_taken_and_of_a_plateau_its_beginning():
    energy = np.zeros(200)
    energy[[40, 64, 89, 140, 141, 142]] = 1, 2, 3, 5, 5, 5
    assert _peaks(energy).tolist() == [64, 89, 140]
    energy[88], energy[89] = 3, 0
    assert _peaks(energy).tolist() == [88, 140]
    energy = np.zeros(200)
    energy[[14, 60, 110, 185]] = 1
    assert _peaks(energy).tolist() == [60, 110]
    energy = np.zeros(200)
    energy[[15, 60, 110, 184]] = 1
    assert _peaks(energy).tolist() == [15, 60, 110, 184]
    assert _peaks(np.zeros(100)).tolist() == []
