"""What is wrong with a recording is found, said in one line, and left out where it holds no signal; else nothing is."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from hf_heartllm.ecg import measure, plot_ecg, read_ecg, simulate_ecg
from hf_heartllm.ecg.simulate.examples import example_names
from hf_heartllm.models.ecg_checks import REVERSAL_WORDS, CheckedRecord, ECGWarning, Finding, check_record, no_beats
from hf_heartllm.models.ecg_findings import named
from hf_heartllm.models.ecg_leads import LIMB_LEADS, STANDARD_LEADS, limb_lead_contradiction
from hf_heartllm.models.ecg_record import ECGError, ECGRecord
from hf_heartllm.models.ecg_reversals import REVERSALS
from hf_heartllm.models.ecg_rough_beats import RoughBeats, rough_beats
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor

GOOD = read_ecg("example:normal")
SIGNAL = GOOD.signal
CHEST = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
ANY_LENGTH = ECGFeatureExtractor(100, None, CHEST, ("I", "II"), hop_length=8)
TIMES = np.arange(5000) / 500
RNG = np.random.default_rng(0)


def with_leads(**rows) -> ECGRecord:
    signal = SIGNAL.copy()
    for name, row in rows.items():
        signal[STANDARD_LEADS.index(name)] = row
    return replace(GOOD, signal=signal)


def of(signal) -> ECGRecord:
    return replace(GOOD, signal=np.asarray(signal))


def checks(record: ECGRecord) -> list[str]:
    return [finding.check for finding in check_record(record).findings]


def extracted(record: ECGRecord, extractor=ANY_LENGTH) -> tuple[np.ndarray, str]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        features = extractor.extract(record)
    return features, " | ".join(str(one.message) for one in said if issubclass(one.category, ECGWarning))


# ---- good recordings


@pytest.mark.parametrize("name", example_names())
def test_nothing_is_said_of_the_examples_and_nothing_is_changed(name):
    record = read_ecg(f"example:{name}")
    assert check_record(record) == CheckedRecord(record, ())


@pytest.mark.parametrize(
    "settings",
    [
        {"heart_rate": 25},
        {"heart_rate": 200},
        {"heart_rate": 30, "noise": 0, "wander": 0},
        {"rhythm": "atrial fibrillation", "heart_rate": 150},
        {"premature": "ventricular", "noise": 0.05},
        {"voltage": 0.3},
        {"voltage": 4},
        {"conduction": "left bundle branch block", "qrs": 170},
        {"noise": 0.1, "wander": 1.0, "mains": 0.3},
        {"duration": 2},
        {"duration": 3, "heart_rate": 35},
        {"duration": 61},
        {"sampling_rate": 100},
        {"sampling_rate": 257},
        {"sampling_rate": 1000},
    ],
    ids=str,
)
def test_nothing_is_said_of_other_good_recordings(settings):
    for seed in range(3):
        assert checks(simulate_ecg(seed=seed, **settings)[0]) == []


def test_nothing_is_said_of_an_offset_a_coarse_converter_or_a_spike_in_one_lead():
    assert checks(of(SIGNAL + RNG.normal(0, 30, (12, 1)))) == []
    assert checks(of(np.round(SIGNAL / 0.01) * 0.01)) == []
    spike = np.zeros(5000)
    spike[2000] = 5.0
    assert checks(with_leads(V2=SIGNAL[7] + spike)) == []


def test_broad_complexes_without_a_pause_are_no_certain_noise():
    record, _ = simulate_ecg(conduction="left bundle branch block", qrs=200, heart_rate=150, qtc=500)
    (finding,) = check_record(record).findings
    assert (finding.check, finding.certainty, finding.fatal) == ("no_ecg", "likely", False)


# ---- laws


def faulty() -> dict[str, ECGRecord]:
    return {
        "constant": with_leads(V2=0, V4=0.1, V6=-5),
        "padded": of(np.pad(SIGNAL + 3, ((0, 0), (700, 2500)))),
        "dead and padded": of(np.pad(with_leads(V5=-0.1).signal, ((0, 0), (0, 4000)))),
        "noise": with_leads(V3=RNG.normal(0, 0.3, 5000)),
        "mostly flat": with_leads(V3=np.where(TIMES < 7, 0.2, SIGNAL[8])),
        "no ECG": of(RNG.normal(0, 0.3, (12, 5000))),
        "steps": of(np.sign(np.sin(6 * TIMES)) * np.ones((12, 1))),
        "zeros": of(0 * SIGNAL),
        "empty": of(np.full_like(SIGNAL, np.nan)),
        "infinite": with_leads(V3=np.where(TIMES < 1, np.inf, SIGNAL[8])),
        "microvolts": of(SIGNAL * 1000),
        "short": GOOD.crop(0, 0.05),
        "one sample": ECGRecord(SIGNAL[:, :1], 500, STANDARD_LEADS),
        "one lead": GOOD.select(["II"]),
        "unknown lead": ECGRecord(SIGNAL[1:2], 500, ["MLII"]),
    }


@pytest.mark.parametrize("name", faulty())
def test_a_second_check_changes_nothing_more_and_messages_are_one_line(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked = check_record(faulty()[name])
        again = check_record(checked.record)
    assert again.record is checked.record
    assert again.start == 0
    for finding in checked.findings:
        assert "\n" not in finding.message
        assert len(finding.message) <= 200
        assert finding.certainty in ("certain", "likely")


# ---- leads without signal


def test_constant_leads_are_missing_and_named():
    checked = check_record(faulty()["constant"])
    assert checked.findings == (
        Finding(
            "flat_lead",
            "leads V2, V4, V6 are constant or empty, so no signal, and count as missing",
            ("V2", "V4", "V6"),
        ),
    )
    assert set(STANDARD_LEADS) - set(checked.record.leads) == {"V2", "V4", "V6"}


def test_a_constant_chest_lead_is_encoded_as_a_missing_one():
    features, said = extracted(faulty()["constant"])
    left_out, _ = extracted(GOOD.select([name for name in STANDARD_LEADS if name not in ("V2", "V4", "V6")]))
    assert np.array_equal(features, left_out, equal_nan=True)
    assert "V2, V4, V6" in said


def test_a_dead_limb_lead_is_derived_where_two_others_tell_it_and_else_refused():
    features, said = extracted(with_leads(I=0.5))
    assert "lead I is constant" in said
    assert np.allclose(features, extracted(GOOD)[0], atol=1e-4, equal_nan=True)
    recorded_without = with_leads(I=0, III=SIGNAL[1], aVR=-SIGNAL[1] / 2, aVL=-SIGNAL[1] / 2, aVF=SIGNAL[1])
    with pytest.raises(ECGError, match=r"lead I holds no signal .*count.* as missing"):
        ANY_LENGTH.extract(recorded_without)


def test_with_windows_a_constant_lead_stays_zero_and_is_named():
    features, said = extracted(with_leads(V3=0.125), ECGFeatureExtractor())
    assert "V3" in said
    assert not features[0, 8].any()


@pytest.mark.parametrize(
    ("row", "check"),
    [
        (np.full(5000, np.nan), "flat_lead"),
        (0.25 + 1e-8 * RNG.normal(size=5000), "flat_lead"),
        (0.004 * RNG.normal(size=5000), "flat_lead"),
        (np.where(TIMES < 7, 0.2, SIGNAL[8]), "flat_lead"),
        (np.clip(SIGNAL[8] * 50, -0.1, 0.1), "saturated_lead"),
        (0.3 * RNG.normal(size=5000), "noise_lead"),
        (np.cumsum(0.02 * RNG.normal(size=5000)), "noise_lead"),
    ],
    ids=["empty", "constant", "5 uV", "flat for 70 %", "saturated", "white noise", "random walk"],
)
def test_a_chest_lead_without_signal_is_left_out(row, check):
    checked = check_record(with_leads(V3=row))
    assert [(finding.check, finding.leads) for finding in checked.findings] == [(check, ("V3",))]
    assert "missing" in checked.findings[0].message
    assert checked.record.leads == tuple(name for name in STANDARD_LEADS if name != "V3")


def test_a_lead_of_which_a_part_is_lost_is_read_and_named():
    checked = check_record(with_leads(V3=np.where(TIMES < 4, 0.2, SIGNAL[8])))
    assert [finding.message for finding in checked.findings] == [
        "lead V3 is flat for 40 % of the recording: do not rely on it there"
    ]
    assert checked.record.leads == STANDARD_LEADS


def test_a_limb_lead_of_noise_is_named():
    found = check_record(with_leads(II=0.3 * RNG.normal(size=5000))).findings
    assert ("noise_lead", ("II",)) in [(finding.check, finding.leads) for finding in found]


def test_a_lead_twice_is_named():
    (finding,) = check_record(with_leads(V3=SIGNAL[7])).findings
    assert (finding.check, finding.leads) == ("copied_leads", ("V2", "V3"))


# ---- stretches without signal


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_constant_padding_is_cut_off(offset):
    padded = of(np.pad(SIGNAL + offset, ((0, 0), (700, 2500))))
    checked = check_record(padded)
    assert [finding.check for finding in checked.findings] == ["constant_stretch"]
    assert "first 1.4 s and the last 5 s of 16.4 s" in checked.findings[0].message
    assert checked.start == pytest.approx(1.4)
    assert np.allclose(checked.record.signal, SIGNAL + offset)
    assert np.allclose(extracted(padded)[0], extracted(GOOD)[0], atol=1e-4)


def test_what_padding_leaves_may_be_too_short():
    with pytest.warns(ECGWarning, match="padding"), pytest.raises(ECGError, match="shorter than the 2 s"):
        ANY_LENGTH.extract(of(np.pad(SIGNAL[:, :700], ((0, 0), (0, 3000)))))


def test_a_gap_is_named_and_is_fatal_where_it_is_most_of_the_recording():
    hole = SIGNAL.copy()
    hole[:, 1500:2500] = 0
    (finding,) = check_record(of(hole)).findings
    assert (finding.check, finding.fatal) == ("constant_stretch", False)
    assert "from 3 to 5 s" in finding.message
    most = np.concatenate([SIGNAL[:, :1500], np.zeros((12, 6000)), SIGNAL[:, :1500]], axis=1)
    assert [found.fatal for found in check_record(of(most)).findings if found.check == "constant_stretch"] == [True]


# ---- no ECG


def not_an_ecg() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(12, 5000))
    spectrum = np.fft.rfft(SIGNAL)
    return {
        "white noise": 0.3 * noise,
        "5 uV": 0.005 * noise,
        "one noise in all leads": noise[:1] * np.linspace(0.5, 1.5, 12)[:, None],
        "random walk": 0.02 * np.cumsum(noise, axis=1),
        "hum": np.sin(2 * np.pi * 50 * TIMES + np.arange(12)[:, None]),
        "sine": np.sin(2 * np.pi * 1.3 * TIMES + np.arange(12)[:, None]),
        "saw-tooth": 2 * ((1.3 * TIMES) % 1) * np.linspace(-1, 1.2, 12)[:, None],
        "square wave": np.sign(np.sin(2 * np.pi * 1.1 * TIMES)) * np.ones((12, 1)) + 0.005 * noise,
        "calibration pulses": ((TIMES % 1) < 0.2) * np.ones((12, 1)),
        "shuffled": SIGNAL[:, rng.permutation(5000)],
        "other phases": np.fft.irfft(spectrum * np.exp(2j * np.pi * rng.uniform(size=(1, 2501))), n=5000),
        "zeros": 0 * SIGNAL,
    }


@pytest.mark.parametrize("name", not_an_ecg())
def test_what_is_no_ecg_gets_no_answer(name):
    fatal = [finding for finding in check_record(of(not_an_ecg()[name])).findings if finding.fatal]
    assert [finding.check for finding in fatal] == ["no_ecg"]


def test_why_it_is_no_ecg_is_said():
    levels = np.repeat(np.random.default_rng(3).normal(size=(12, 20)), 250, axis=1)
    for signal, why in (
        (levels, "the signal moves in steps"),
        (not_an_ecg()["hum"], "nothing stands out of the signal"),
    ):
        (finding,) = [finding for finding in check_record(of(signal)).findings if finding.fatal]
        assert f"no QRS complexes were found: {why};" in finding.message


def beats(count=10, alike=None, contrast=50.0, white=0.1, level=0.0, leads=3, together=False) -> RoughBeats:
    """Beats of three leads, of which so many look alike, with a change of level across each."""
    places = np.arange(75) - 30
    beat = np.exp(-((places / 2.5) ** 2)) * (1 - level) + level * (places >= 0)
    rows = np.ones((leads, 1)) if together else np.linspace(1, 2, leads)[:, None]
    clock = np.arange(1000) / 100
    phase = np.zeros((leads, 1)) if together else np.arange(leads)[:, None]
    quick = rows * np.sin(2 * np.pi * 8 * clock + phase)
    dominant = np.arange(count) < (count if alike is None else alike)
    return RoughBeats(quick, quick, 80 * np.arange(count), dominant, contrast, white, rows * beat)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (beats(), None),
        (beats(0), "nothing stands out"),
        (beats(contrast=7.0), None),
        (beats(contrast=6.9, alike=9), "nothing stands out"),
        (beats(contrast=3.6), None),  # of flutter, whose beats are all alike
        (beats(contrast=3.4), "nothing stands out"),
        (beats(6, contrast=3.6), None),
        (beats(5, contrast=3.6), "nothing stands out"),
        (beats(20, 19, contrast=3.6), None),
        (beats(20, 18, contrast=3.6), "nothing stands out"),
        (beats(contrast=3.6, together=True), "nothing stands out"),
        (beats(white=0.3, contrast=99), None),
        (beats(white=0.31, contrast=99), "is noise"),
        (beats(white=0.31, contrast=100), None),
        (beats(3, 0), None),
        (beats(4, 1), "no two deflections look alike"),
        (beats(4, 2), None),
        (beats(11, 3), None),
        (beats(12, 3), "no two deflections look alike"),
        (beats(level=0.7), None),
        (beats(level=0.9), "are steps"),
        (beats(level=0.3, together=True), None),
        (beats(level=0.5, together=True), "are steps"),
        (beats(level=0.5, together=True, leads=2), None),
    ],
)
def test_what_makes_deflections_a_heart_s(found, why):
    said = no_beats(found)
    assert said is None if why is None else why in said, (said, found.step)


# ---- limb leads and electrodes


def test_every_exchange_of_two_limb_leads_is_found_and_no_right_order_is():
    assert limb_lead_contradiction(SIGNAL, STANDARD_LEADS)[0] < 1e-5
    for one, other in permutations(range(6), 2):
        rows = list(range(12))
        rows[one], rows[other] = other, one
        found = checks(of(SIGNAL[rows]))
        assert found == ["limb_leads"], (LIMB_LEADS[one], LIMB_LEADS[other])


def test_three_limb_leads_are_enough_and_two_say_nothing():
    wrong = GOOD.select(["I", "II", "III"])
    wrong = replace(wrong, leads=("II", "I", "III"))
    assert checks(wrong) == ["limb_leads"]
    assert limb_lead_contradiction(SIGNAL[:2], ["I", "II"]) == (0.0, 0.0, ())


def test_leads_of_other_units_contradict_each_other():
    assert "limb_leads" in checks(with_leads(III=SIGNAL[2] * 1.5))
    assert "limb_leads" in checks(of((SIGNAL - SIGNAL.mean(axis=1, keepdims=True)) / SIGNAL.std(axis=1, keepdims=True)))


def arms(s: np.ndarray) -> np.ndarray:
    return np.stack([-s[0], s[2], s[1], s[4], s[3], s[5], *s[6:]])


@pytest.mark.parametrize(
    ("change", "check", "least"),
    [
        (arms, "arms_swapped", 6),
        (lambda s: np.stack([-s[2], -s[1], -s[0], s[5], s[4], s[3], *s[6:]]), "arm_leg_swapped", 3),
        (lambda s: -s, "upside_down", 6),
        (lambda s: np.concatenate([s[:6], s[:5:-1]]), "chest_leads_reversed", 6),
        (lambda s: s[[0, 1, 2, 3, 4, 5, 11, 7, 8, 9, 10, 6]], "v1_v6_swapped", 6),
    ],
)
def test_interchanged_electrodes_are_likely_ones(change, check, least):
    found = [check_record(of(change(simulate_ecg(seed=seed)[0].signal))).findings for seed in range(8)]
    named = [findings[0].check for findings in found if findings]
    assert named.count(check) >= least
    assert all(finding.certainty == "likely" and not finding.fatal for findings in found for finding in findings)


def test_every_reversal_has_words_and_too_few_beats_point_to_none():
    assert set(REVERSAL_WORDS) == set(REVERSALS)
    record = of(-SIGNAL)
    times = rough_beats(SIGNAL, 500).positions / 100
    for count, found in ((2, []), (3, ["upside_down"])):
        assert checks(record.crop(0, times[count] - 0.35)) == found


# ---- amplitudes


@pytest.mark.parametrize(
    ("factor", "words", "fatal"),
    [
        (1000, "microvolts (of a table: --units uV)", True),
        (200, "ADC counts", True),
        (0.001, "volts (of a table: --units V)", True),
    ],
)
def test_amplitudes_no_heart_has_are_told_with_the_units_to_try(factor, words, fatal):
    (finding,) = check_record(of(SIGNAL * factor)).findings
    assert (finding.check, finding.fatal) == ("amplitude", fatal)
    assert words in finding.message
    assert "lead II ranges over" in finding.message


def test_rare_amplitudes_are_likely_wrong():
    (finding,) = check_record(of(SIGNAL * 10)).findings
    assert (finding.check, finding.certainty, finding.fatal) == ("amplitude", "likely", False)


@pytest.mark.parametrize(
    ("millivolts", "found"),
    [
        (0.015, "fatal"),
        (0.03, "likely"),
        (0.09, "likely"),
        (0.15, None),
        (7.5, None),
        (9, "likely"),
        (19, "likely"),
        (22, "fatal"),
    ],
)
def test_the_middle_leads_range_decides_what_is_said_of_amplitudes(millivolts, found):
    """PTB-XL's ranges lie between 0.3 and 4 mV; 0.1 to 8 mV is nothing to speak of, beyond 0.02 and 20 is no heart."""
    ordered = np.sort(SIGNAL - np.median(SIGNAL, axis=1, keepdims=True), axis=1)
    middle = float(np.median(ordered[:, -26] - ordered[:, 25]))
    told = [one for one in check_record(of(SIGNAL * (millivolts / middle))).findings if one.check == "amplitude"]
    assert [one.fatal for one in told] == {"fatal": [True], "likely": [False], None: []}[found]


def test_z_scores_have_no_amplitude_and_no_limb_leads_to_judge():
    scores = (SIGNAL - SIGNAL.mean(axis=1, keepdims=True)) / SIGNAL.std(axis=1, keepdims=True)
    assert checks(replace(GOOD, signal=scores, units="z-score")) == []
    assert "no_ecg" in checks(replace(GOOD, signal=RNG.normal(size=SIGNAL.shape), units="z-score"))


# ---- where it is said


def test_extraction_without_the_check_is_as_it_was():
    record = faulty()["padded"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ECGWarning)
        features = ANY_LENGTH.extract(record, check=False)
    assert features.shape[2] == 1640


def test_measure_counts_times_from_the_start_of_the_file_and_carries_the_findings():
    padded = of(np.pad(with_leads(V5=0.3).signal, ((0, 0), (1500, 500))))
    with pytest.warns(ECGWarning, match="padding"):
        found = measure(padded)
    whole = measure(GOOD)
    assert np.allclose(found.beat_times, np.array(whole.beat_times) + 3, atol=0.02)
    assert found.overall.heart_rate == pytest.approx(whole.overall.heart_rate, abs=1)
    assert found.why("V5_r_mv") == "flat"
    assert [message.split(":")[0] for message in found.warnings] == [
        "the first 3 s and the last 1 s of 14 s are constant in every lead (padding) and are cut off",
        "lead V5 is constant or empty, so no signal, and counts as missing",
    ]
    assert whole.warnings == ()


def test_measure_finds_nothing_in_padding_alone_with_too_little_left():
    with pytest.warns(ECGWarning):
        found = measure(of(np.pad(SIGNAL[:, :700], ((0, 0), (0, 3000)))))
    assert found.overall.heart_rate is None
    assert "padding" in str(found.why("heart_rate"))


def test_a_picture_notes_what_was_found(tmp_path):
    with pytest.warns(ECGWarning, match="contradict"):
        path = plot_ecg(of(SIGNAL[[1, 0, *range(2, 12)]]), tmp_path / "x.svg")
    assert "limb leads" in path.read_text()


def test_many_leads_are_named_by_the_first_five():
    assert named(("V2",)) == "lead V2 is"
    assert named(STANDARD_LEADS[:5]) == "leads I, II, III, aVR, aVL are"
    assert named(STANDARD_LEADS[:6]) == "leads I, II, III, aVR, aVL and 1 more are"
    assert named(STANDARD_LEADS) == "leads I, II, III, aVR, aVL and 7 more are"
