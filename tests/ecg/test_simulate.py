"""Laws of the simulator, and that what it draws looks like the condition it claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import find_peaks

from hf_heartllm.ecg import EXAMPLES, STANDARD_LEADS, ECGError, ECGRecord, example_names, read_ecg, simulate_ecg
from hf_heartllm.ecg.simulate.waves import TRANSFER_MATRIX

CLEAN = {"noise": 0.0, "wander": 0.0, "mains": 0.0}
INDEPENDENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
CONDITIONS = st.sampled_from([{k: v for k, v in arguments.items() if k != "seed"} for arguments in EXAMPLES.values()])
SEEDS = st.integers(0, 10_000)


def strength(record: ECGRecord) -> np.ndarray:
    """Root of the summed squares of the independent leads, (samples,)."""
    return np.sqrt((record.select(INDEPENDENT).signal.astype(np.float64) ** 2).sum(axis=0))


def median_beat(
    record: ECGRecord, times: tuple[float, ...], lead: str, before: float = 0.3, after: float = 0.45
) -> Any:
    """(times relative to the R peak, median beat)."""
    first, last = round(before * record.sampling_rate), round(after * record.sampling_rate)
    peaks = [round(t * record.sampling_rate) for t in times]
    signal = record.lead(lead).astype(np.float64)
    beats = [signal[p - first : p + last] for p in peaks if p >= first and p + last <= len(signal)]
    return np.arange(-first, last) / record.sampling_rate, np.median(beats, axis=0)


@given(CONDITIONS, SEEDS, st.sampled_from([100.0, 250.0, 360.0, 500.0, 1000.0, 257.3]), st.floats(2, 6))
@settings(max_examples=30, deadline=None)
def test_einthoven_and_goldberger_hold(arguments: dict, seed: int, rate: float, duration: float) -> None:
    arguments = arguments | {"noise": 0.05, "wander": 0.2, "mains": 0.05}
    record, truth = simulate_ecg(**arguments, seed=seed, sampling_rate=rate, duration=duration)
    lead = {name: record.lead(name).astype(np.float64) for name in STANDARD_LEADS}
    for broken in (
        lead["I"] + lead["III"] - lead["II"],
        lead["aVR"] + (lead["I"] + lead["II"]) / 2,
        lead["aVL"] - lead["I"] + lead["II"] / 2,
        lead["aVF"] - lead["II"] + lead["I"] / 2,
    ):
        assert np.abs(broken).max() < 1e-6
    assert record.signal.shape == (12, round(duration * rate))
    assert np.isfinite(record.signal).all()
    assert all(0 <= time < record.duration for time in truth.beat_times)


@given(CONDITIONS, SEEDS)
@example({"premature": "ventricular"}, 1)  # its ventricular beats are the least steep
@example({"premature": "ventricular"}, 36)  # its ventricular beats have their R peak in the second hump
@example({"premature": "ventricular"}, 160)
@settings(max_examples=20, deadline=None)
def test_beat_times_are_the_r_peaks(arguments: dict, seed: int) -> None:
    record, truth = simulate_ecg(**arguments | CLEAN, seed=seed, sampling_rate=1000, duration=5)
    whole = strength(record)
    inside = [time for time in truth.beat_times if 0.15 < time < 4.85]
    for time in inside:
        window = whole[round((time - 0.08) * 1000) : round((time + 0.08) * 1000)]
        # two humps may be equally high, up to what the wave before adds to one of them
        assert window[70:91].max() >= 0.999 * window.max()
    # and there are no others: as many steep complexes as beats
    speed = np.sqrt((np.gradient(record.select(INDEPENDENT).signal, axis=1) ** 2).sum(axis=0))
    smooth = np.convolve(speed, np.ones(80) / 80, "same")
    # The wide complexes of ventricular beats are less steep (at least 0.3 of the others), T waves far less.
    peaks, _ = find_peaks(smooth, height=0.28 * smooth.max(), distance=220)
    assert abs(len([p for p in peaks if 150 < p < 4850]) - len(inside)) <= 1


@given(CONDITIONS, SEEDS)
@settings(max_examples=10, deadline=None)
def test_a_seed_is_one_ecg(arguments: dict, seed: int) -> None:
    record, truth = simulate_ecg(**arguments, seed=seed, duration=3)
    again, same_truth = simulate_ecg(**arguments, seed=seed, duration=3)
    other, _ = simulate_ecg(**arguments, seed=seed + 1, duration=3)
    assert truth == same_truth
    assert np.array_equal(record.signal, again.signal)
    assert not np.array_equal(record.signal, other.signal)
    faster, fast_truth = simulate_ecg(**arguments, seed=seed, duration=3, sampling_rate=1000)
    assert fast_truth.beat_times[: len(truth.beat_times)] == truth.beat_times
    difference = (faster.signal[:, ::2] - record.signal)[:, 50:-50]
    assert np.abs(difference).max() < 0.03  # the same hearts; noise above 230 Hz apart


def test_the_r_peaks_of_lead_two_are_where_the_truth_says() -> None:
    for seed in range(5):
        record, truth = simulate_ecg(seed=seed, sampling_rate=500, **CLEAN)
        peaks, _ = find_peaks(record.lead("II"), height=0.5, distance=150)
        inside = [t for t in truth.beat_times if 0.05 < t < 9.95]
        found = [p / 500 for p in peaks if 0.05 < p / 500 < 9.95]
        assert len(found) == len(inside)
        assert np.abs(np.subtract(found, inside)).max() <= 0.01


@pytest.mark.parametrize("seed", range(4))
def test_a_normal_ecg_looks_like_one(seed: int) -> None:
    record, truth = simulate_ecg(seed=seed, **CLEAN)
    beat = {lead: median_beat(record, truth.beat_times, lead) for lead in STANDARD_LEADS}
    times = beat["II"][0]
    qrs = np.abs(times) < 0.06
    high = {lead: values[qrs].max() for lead, (_, values) in beat.items()}
    low = {lead: values[qrs].min() for lead, (_, values) in beat.items()}
    assert 0.7 < high["II"] < 1.45
    assert high["aVR"] < 0.35
    assert low["aVR"] < -0.4
    assert 0.05 < high["V1"] < 0.5
    assert low["V1"] < -0.4
    assert abs(low["V1"]) > high["V1"]
    assert high["V5"] > 0.7
    assert -0.4 < low["V5"] < -0.02
    t_wave = (times > 0.15) & (times < 0.4)
    for lead in ("I", "II", "V2", "V3", "V4", "V5", "V6"):
        assert beat[lead][1][t_wave].max() > 0.08, lead
    p_wave = (times < -0.07) & (times > -0.25)
    assert 0.05 < beat["II"][1][p_wave].max() < 0.25
    assert truth.rhythm == "sinus rhythm"
    assert truth.qrs == 90
    assert 140 < truth.pr < 180
    assert 20 < truth.axis < 90


@pytest.mark.parametrize(("pr", "qrs", "heart_rate"), [(None, None, 70), (260, 90, 60), (150, 110, 90)])
def test_intervals_are_those_of_the_signal(pr: float | None, qrs: float | None, heart_rate: float) -> None:
    record, truth = simulate_ecg(
        pr=pr, qrs=qrs, heart_rate=heart_rate, sampling_rate=1000, variation=0, respiratory_arrhythmia=0, **CLEAN
    )
    one_beat = [median_beat(record, truth.beat_times, lead, 0.45, 0.5) for lead in INDEPENDENT]
    times = one_beat[0][0]
    size = np.sqrt(sum(values**2 for _, values in one_beat))
    on = size > 0.02  # mV: about where a wave begins
    p_onset = times[(times > -truth.pr / 1000 - 0.08) & (times < -0.03) & on][0]
    speed = np.sqrt(sum(np.gradient(values, times) ** 2 for _, values in one_beat))
    fast = times[(np.abs(times) < 0.08) & (speed > 0.06 * speed.max())]
    t_end = times[(times > 0.2) & (times < 0.45) & on][-1]
    assert abs((fast[-1] - fast[0]) * 1000 - truth.qrs) < 15
    assert abs((fast[0] - p_onset) * 1000 - truth.pr) < 15
    assert abs((t_end - fast[0]) * 1000 - truth.qt) < 20


def test_the_axis_is_that_of_the_signal() -> None:
    for seed in range(4):
        record, truth = simulate_ecg(seed=seed, sampling_rate=1000, **CLEAN)
        area = {}
        for lead in ("I", "aVF"):
            times, values = median_beat(record, truth.beat_times, lead)
            area[lead] = values[np.abs(times) < 0.05].sum()
        axis = np.degrees(np.arctan2(area["aVF"] * 2 / np.sqrt(3), area["I"]))
        assert abs(axis - truth.axis) < 8


def rr(truth: Any) -> np.ndarray:
    return np.diff(truth.beat_times)


def test_rhythms() -> None:
    _, sinus = simulate_ecg(duration=60, heart_rate=75)
    _, fast = simulate_ecg(duration=60, heart_rate=130)
    _, slow = simulate_ecg(duration=60, heart_rate=45)
    _, fibrillation = simulate_ecg(duration=60, rhythm="atrial fibrillation", heart_rate=90)
    assert [t.rhythm for t in (sinus, fast, slow, fibrillation)] == [
        "sinus rhythm", "sinus tachycardia", "sinus bradycardia", "atrial fibrillation",
    ]  # fmt: skip
    for truth in (sinus, fast, slow, fibrillation):
        assert abs(60 / rr(truth).mean() / truth.heart_rate - 1) < 0.08
    assert rr(sinus).std() / rr(sinus).mean() < 0.05 < 0.12 < rr(fibrillation).std() / rr(fibrillation).mean()
    assert fibrillation.pr is None
    assert fast.qt < sinus.qt < slow.qt


def test_atrial_fibrillation_has_fibrillatory_waves_and_no_p() -> None:
    shares, p_waves = [], []
    for arguments in ({"rhythm": "atrial fibrillation"}, {}):
        record, truth = simulate_ecg(**arguments, heart_rate=50, duration=60, sampling_rate=250, **CLEAN)
        _, beat = median_beat(record, truth.beat_times, "II", 0.25, 0.0)
        p_waves.append(beat[:45].max() - beat[:45].min())
        gaps = [record.lead("V1")[round((t - 0.55) * 250) : round((t - 0.25) * 250)] for t in truth.beat_times[1:]]
        shares.append(np.mean([gap.std() for gap in gaps]))
    assert p_waves[0] < 0.05 < p_waves[1]
    assert shares[0] > 5 * shares[1]


def test_premature_beats() -> None:
    record, truth = simulate_ecg(premature="ventricular", duration=30, respiratory_arrhythmia=0, **CLEAN)
    kinds, times = list(truth.beat_kinds), np.array(truth.beat_times)
    early = [i for i, kind in enumerate(kinds) if kind == "ventricular" and 1 < i < len(kinds) - 2]
    assert early
    usual = np.median(np.diff(times))
    for i in early:
        assert times[i] - times[i - 1] < 0.75 * usual
        assert abs(times[i + 1] - times[i - 1] - 2 * usual) < 0.08 * usual  # the pause compensates fully
    widths = {}
    for kind in ("normal", "ventricular"):
        # The beats at the edges are left out by median_beat.
        chosen = tuple(t for t, k in zip(times, kinds, strict=True) if k == kind)
        moments, beat = median_beat(record, chosen, "II", 0.2, 0.3)
        widths[kind] = np.sum(np.abs(beat[np.abs(moments) < 0.12]) > 0.2 * np.abs(beat).max())
    assert widths["ventricular"] > 2 * widths["normal"]
    _, truth = simulate_ecg(premature="supraventricular", duration=30, respiratory_arrhythmia=0, **CLEAN)
    times = np.array(truth.beat_times)
    i = truth.beat_kinds.index("supraventricular", 2)
    assert times[i] - times[i - 1] < 0.75 * usual
    assert times[i + 1] - times[i - 1] < 1.9 * usual


def st_level(record: ECGRecord, truth: Any, lead: str) -> float:
    """mV, 20 ms after the QRS against the stretch before the P wave."""
    times, beat = median_beat(record, truth.beat_times, lead)
    j = times[np.argmin(np.abs(times - truth.qrs / 2000))] + 0.02
    return float(beat[np.argmin(np.abs(times - j))] - np.median(beat[times < -0.26]))


@pytest.mark.parametrize(
    ("region", "raised", "lowered"),
    [
        ("inferior", ("II", "III", "aVF"), ("aVL",)),
        ("anterior", ("V1", "V2", "V3", "V4"), ()),
        ("lateral", ("I", "aVL", "V5", "V6"), ("III",)),
    ],
)
def test_st_elevation_by_region(region: str, raised: tuple[str, ...], lowered: tuple[str, ...]) -> None:
    record, truth = simulate_ecg(st_elevation=region, variation=0, sampling_rate=1000, **CLEAN)
    flat, flat_truth = simulate_ecg(variation=0, sampling_rate=1000, **CLEAN)
    for lead in raised:
        assert st_level(record, truth, lead) - st_level(flat, flat_truth, lead) > 0.1, lead
    for lead in lowered:
        assert st_level(record, truth, lead) - st_level(flat, flat_truth, lead) < -0.05, lead


def test_bundle_branch_blocks_and_voltage() -> None:
    def beats(**arguments: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        record, truth = simulate_ecg(variation=0, **arguments, **CLEAN)
        return {lead: median_beat(record, truth.beat_times, lead) for lead in STANDARD_LEADS}

    right = beats(conduction="right bundle branch block")
    times, v1 = right["V1"]
    late = (times > 0.03) & (times < 0.12)
    assert v1[late].max() > 0.4
    assert right["I"][1][late].min() < -0.15
    assert right["V6"][1][late].min() < -0.15
    left = beats(conduction="left bundle branch block")
    qrs = np.abs(times) < 0.1
    assert left["V1"][1][qrs].min() < -0.8
    assert left["V1"][1][qrs].max() < 0.1
    assert left["V6"][1][qrs].max() > 0.5
    assert left["V6"][1][qrs].min() > -0.1
    assert left["V6"][1][(times > 0.2) & (times < 0.4)].min() < -0.1  # discordant T
    low, high = beats(voltage=0.35), beats(voltage=2.2)
    assert all(np.ptp(low[lead][1]) < 0.5 for lead in STANDARD_LEADS[:6])
    assert -high["V1"][1].min() + high["V5"][1].max() > 3.5  # Sokolow-Lyon


def test_disturbances_are_what_was_asked_for() -> None:
    clean, _ = simulate_ecg(duration=20, **CLEAN)
    for arguments, band in (({"mains": 0.1}, (49, 51)), ({"wander": 0.3}, (0.02, 0.5)), ({"noise": 0.05}, (20, 150))):
        disturbed, _ = simulate_ecg(duration=20, **CLEAN | arguments)
        power = np.abs(np.fft.rfft(disturbed.signal[6:] - clean.signal[6:], axis=1)) ** 2
        frequencies = np.fft.rfftfreq(clean.signal.shape[1], 1 / 500)
        inside = (frequencies >= band[0]) & (frequencies <= band[1])
        assert power[:, inside].sum() > 0.95 * power.sum()
    assert np.std(simulate_ecg(**CLEAN | {"noise": 0.05})[0].signal[6:] - simulate_ecg(**CLEAN)[0].signal[6:]) == (
        pytest.approx(0.05, rel=0.1)
    )


def test_examples_are_read_by_name_and_labelled() -> None:
    wanted = "normal af tachycardia bradycardia premature_ventricular first_degree_block lbbb rbbb low_voltage"
    also = "high_voltage st_elevation_inferior st_elevation_anterior"
    assert {*wanted.split(), *also.split()} <= set(example_names())
    for name in example_names():
        record = read_ecg(f"example:{name}")
        assert "simulated" in record.source
        assert name in record.source
        assert record.leads == STANDARD_LEADS
        assert record.signal.shape == (12, 5000)
        assert record.sampling_rate == 500
    with pytest.raises(ECGError, match="there are normal, af"):
        read_ecg("example:unknown")


@pytest.mark.parametrize(
    "arguments",
    [
        {"duration": 1.9}, {"duration": float("nan")}, {"sampling_rate": 10}, {"heart_rate": 0}, {"rhythm": "flutter"},
        {"conduction": "x"}, {"premature": "x"}, {"st_elevation": "septal"}, {"pr": 50}, {"voltage": 0}, {"noise": -1},
        {"rhythm": "atrial fibrillation", "pr": 160}, {"rhythm": "atrial fibrillation", "premature": "ventricular"},
        {"heart_rate": 220, "qrs": 200},
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused(arguments: dict) -> None:
    with pytest.raises(ECGError, match="simulate"):
        simulate_ecg(**arguments)


def test_the_transfer_matrix_sees_what_the_electrodes_would() -> None:
    """A dipole to the left shows upright in I and V6, one to the front in V1 and V2, one to the feet in II."""
    left, feet, back = TRANSFER_MATRIX.T
    assert left[0] > 0
    assert left[7] > 0
    assert feet[1] > 1
    assert (back[2:4] < -0.9).all()
    assert back[7] > 0


@pytest.mark.parametrize("rate", [500, 100])
@pytest.mark.parametrize("name", ["normal", "first_degree_block", "lbbb", "rbbb", "st_elevation_inferior"])
def test_the_truth_says_where_the_waves_lie_and_how_high_they_are(name: str, rate: int) -> None:
    record, truth = simulate_ecg(**EXAMPLES[name] | CLEAN, sampling_rate=rate)
    record = record.resample(1000)  # at 100 Hz a peak lies between two samples
    assert truth.p_onset is not None
    assert truth.p_offset is not None
    assert truth.qrs_onset - truth.p_onset == pytest.approx(truth.pr)
    assert truth.qrs_offset - truth.qrs_onset == pytest.approx(truth.qrs)
    assert truth.t_offset - truth.qrs_onset == pytest.approx(truth.qt)
    assert truth.p_onset < truth.p_offset < truth.qrs_onset < 0 < truth.qrs_offset < truth.t_offset
    area = {}
    for lead in STANDARD_LEADS:
        times, beat = median_beat(record, truth.beat_times, lead, before=0.45)
        times = times * 1e3
        qrs = beat[(times >= truth.qrs_onset) & (times <= truth.qrs_offset)]
        true = truth.amplitudes[lead]
        tolerance = 0.01 if rate == 500 else 0.05
        assert max(qrs.max(), 0) == pytest.approx(true["r"], abs=tolerance), lead
        assert min(qrs.min(), 0) == pytest.approx(min(true["q"], true["s"]), abs=tolerance), lead
        assert np.interp(truth.qrs_offset + 60, times, beat) == pytest.approx(true["j60"], abs=0.02), lead
        for wave, start, stop in (
            ("p", truth.p_onset, truth.p_offset),
            ("t", truth.qrs_offset + 40, truth.t_offset),
        ):
            part = beat[(times >= start) & (times <= stop)]
            assert part[np.argmax(np.abs(part))] == pytest.approx(true[wave], abs=0.02), (lead, wave)
        area[lead] = qrs.sum()
    assert np.degrees(np.arctan2(area["aVF"] * 2 / 3**0.5, area["I"])) == pytest.approx(truth.axis, abs=4)


def test_fibrillation_has_no_p_wave_in_the_truth() -> None:
    _, truth = simulate_ecg(**EXAMPLES["af"], duration=3)
    assert (truth.pr, truth.p_onset, truth.p_offset) == (None, None, None)
    assert all("p" not in amplitudes for amplitudes in truth.amplitudes.values())
