"""What each rule for interchanged electrodes reads of a beat, which beats it takes for one, and the laws it obeys."""

from __future__ import annotations

import numpy as np
import pytest

from hf_heartllm.ecg import read_ecg
from hf_heartllm.models import ecg_reversals
from hf_heartllm.models.ecg_leads import INDEPENDENT_LEADS as LEADS
from hf_heartllm.models.ecg_reversals import REVERSALS, WAVES, likely_reversal, wave_features
from hf_heartllm.models.ecg_rough_beats import AFTER, BEFORE, rough_beats

SAMPLES = BEFORE + AFTER


def typical(name: str) -> np.ndarray:
    """The typical beat of an example in the leads of the rules."""
    record = read_ecg(f"example:{name}").select(LEADS)
    return rough_beats(record.signal, record.sampling_rate).beat


def some_beats(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(*shape, len(LEADS), SAMPLES))


def score(beat: np.ndarray, name: str) -> float:
    """What the rule's sum is."""
    return float(wave_features(beat) @ REVERSALS[name][1].ravel())


SCORES = {
    "st_elevation_inferior": (-9.1097, -11.9847, -12.7816, -11.2445, -12.6203),
    "lbbb": (-7.5871, -9.8958, -14.5542, -5.9389, -13.3307),
    "st_elevation_anterior": (-11.2908, -11.9791, -14.1152, -10.5065, -12.7034),
    "first_degree_block": (-8.5301, -11.2897, -12.3242, -6.2613, -12.1036),
}
"""Example → how far the sum of each rule lies above what it must exceed."""


@pytest.mark.parametrize("name", SCORES)
def test_how_far_the_examples_are_from_each_reversal(name):
    beat = typical(name)
    found = [score(beat, rule) - bound for rule, (bound, _) in REVERSALS.items()]
    assert found == pytest.approx(SCORES[name], abs=5e-3)


# ---- laws


@pytest.mark.parametrize(
    ("name", "reverse"),
    [
        ("upside_down", lambda beat: -beat),
        ("chest_leads_reversed", lambda beat: np.concatenate([beat[:2], beat[:1:-1]])),
        ("v1_v6_swapped", lambda beat: beat[[0, 1, 7, 3, 4, 5, 6, 2]]),
    ],
)
def test_a_rule_that_is_its_own_reverse_changes_its_sign(name, reverse):
    """So it is as far from taking a reversed beat for a right one."""
    for beat in (*some_beats(5), *map(typical, SCORES)):
        assert score(reverse(beat), name) == pytest.approx(-score(beat, name), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "unread"),
    [("chest_leads_reversed", ["I", "II"]), ("v1_v6_swapped", ["I", "II", "V2", "V3", "V4", "V5"])],
)
def test_what_is_said_of_chest_leads_depends_on_these_alone(name, unread):
    weights = REVERSALS[name][1]
    assert not weights[:, [LEADS.index(lead) for lead in unread]].any()
    rest = [place for place, lead in enumerate(LEADS) if lead not in unread]
    assert weights[2:4, rest].all()


def test_every_rule_has_a_weight_for_each_wave_and_lead():
    for _, weights in REVERSALS.values():
        assert weights.shape == (len(WAVES), len(LEADS))


# ---- what is read of a beat


def test_of_many_beats_each_gives_what_it_gives_alone():
    beats = some_beats(2, 3)
    together = wave_features(beats)
    assert together.shape == (2, 3, len(WAVES) * len(LEADS))
    for first in range(2):
        for second in range(3):
            assert np.allclose(together[first, second], wave_features(beats[first, second]))


@pytest.mark.parametrize("factor", [1e-5, 0.1, 100])
def test_the_size_of_a_beat_and_the_level_of_its_leads_change_nothing(factor):
    beat = typical("lbbb").astype(np.float64)
    moved = factor * (beat + np.arange(8)[:, None])
    assert np.allclose(wave_features(moved), wave_features(beat), atol=1e-3)


def test_waves_lie_between_minus_1_and_1_and_nothing_has_none():
    assert np.abs(wave_features(100 * some_beats(20))).max() <= 1
    assert not wave_features(np.zeros((8, SAMPLES))).any()


@pytest.mark.parametrize(
    ("milliseconds", "waves"),
    [
        (-230, ()), (-220, ("P",)), (-100, ("P",)), (-90, WAVES), (-70, WAVES), (90, ()), (130, ()), (140, ("T",)),
        (410, ("T",)), (420, ()),
    ],
)  # fmt: skip
def test_each_wave_is_read_where_it_lies(milliseconds, waves):
    """The level is that of 90 to 70 ms before the reference point of QRS, and decides all of them."""
    beat = some_beats()
    other = beat.copy()
    other[3, BEFORE + milliseconds // 10] += 0.5
    changed = np.abs(wave_features(other) - wave_features(beat)).reshape(len(WAVES), 8)[:, 3] > 1e-9
    assert [name for name, one in zip(WAVES, changed, strict=True) if one] == list(waves)


@pytest.mark.parametrize(("milliseconds", "within"), [(-70, False), (-60, True), (80, True), (90, False)])
def test_qrs_reaches_from_60_ms_before_to_80_ms_after(milliseconds, within):
    """The highest and lowest point lie there, however high it is beside."""
    beat = np.zeros((8, SAMPLES))
    beat[:, BEFORE] = 1
    beat[5, BEFORE + milliseconds // 10] = 3
    beat[6, BEFORE + milliseconds // 10] = -3
    _, _, highest, lowest, _ = wave_features(beat).reshape(len(WAVES), 8)
    assert (highest[5] > highest[0] + 0.01) == within
    # of the level before QRS a third is counted
    assert (lowest[6] < lowest[0] - 0.5) == within


def test_a_wave_has_the_sign_of_its_deflection():
    beat = np.zeros((8, SAMPLES))
    beat[:, BEFORE - 3 : BEFORE + 4] = 1
    beat[1, BEFORE - 22 : BEFORE - 9], beat[2, BEFORE + 14 : BEFORE + 42] = 0.1, -0.2
    beat[3, BEFORE - 3 : BEFORE + 4] = -1
    p, mean, highest, lowest, t = wave_features(beat).reshape(len(WAVES), 8)
    assert (np.sign(p) == [0, 1, 0, 0, 0, 0, 0, 0]).all()
    assert (np.sign(t) == [0, 0, -1, 0, 0, 0, 0, 0]).all()
    assert (np.sign(mean) == [1, 1, 1, -1, 1, 1, 1, 1]).all()
    assert (np.sign(highest) == [1, 1, 1, 0, 1, 1, 1, 1]).all()
    assert (np.sign(lowest) == [0, 0, 0, -1, 0, 0, 0, 0]).all()


# ---- which reversal is named


def chest_reversed(beat: np.ndarray) -> np.ndarray:
    return np.concatenate([beat[:2], beat[:1:-1]])


def test_the_order_of_the_leads_and_further_ones_change_nothing():
    beat = chest_reversed(typical("first_degree_block"))
    order = [5, 2, 0, 7, 1, 3, 6, 4]
    assert likely_reversal(beat, LEADS) == "chest_leads_reversed"
    assert likely_reversal(beat[order], [LEADS[place] for place in order]) == "chest_leads_reversed"
    assert likely_reversal(np.concatenate([-beat[:1], beat]), ["V7", *LEADS]) == "chest_leads_reversed"


@pytest.mark.parametrize("lead", LEADS)
def test_without_one_of_the_leads_nothing_is_said(lead):
    place = LEADS.index(lead)
    beat = np.delete(chest_reversed(typical("first_degree_block")), place, axis=0)
    assert likely_reversal(beat, [name for name in LEADS if name != lead]) is None


def test_the_rule_that_is_exceeded_most_is_named_and_none_that_is_only_reached(monkeypatch):
    beat = typical("lbbb")
    ones, nothing = np.zeros((5, 8)), np.zeros((5, 8))
    ones[2, 1] = 1.0
    height = float(wave_features(beat) @ ones.ravel())
    rules = {"reached": (0.0, nothing), "by 0.1": (height - 0.1, ones), "by 0.2": (height - 0.2, ones)}
    monkeypatch.setattr(ecg_reversals, "REVERSALS", rules)
    assert likely_reversal(beat, LEADS) == "by 0.2"
    del rules["by 0.2"]
    assert likely_reversal(beat, LEADS) == "by 0.1"
    del rules["by 0.1"]
    assert likely_reversal(beat, LEADS) is None
