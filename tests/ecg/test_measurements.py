"""Measurements against the simulator's truth, their laws, and that what is doubtful is said to be so."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from hf_heartllm.ecg import EXAMPLES, STANDARD_LEADS, ECGError, ECGRecord, Measurements, measure, read_ecg, simulate_ecg
from hf_heartllm.ecg.measurements import COLUMNS, Fiducials, wave_network
from hf_heartllm.ecg.measurements.amplitudes import measure_lead

INTERVALS = ("pr_ms", "qrs_ms", "qt_ms", "p_duration_ms")
AMPLITUDES = ("p_mv", "q_mv", "r_mv", "s_mv", "r_prime_mv", "t_mv", "st_j_mv", "st_j60_mv", "qrs_area_mvms")
needs_network = pytest.mark.skipif(
    importlib.util.find_spec("openecg") is None, reason='P and T need the extra: pip install "hf_heartllm[measure]"'
)


@cache
def example(name: str, rate: float = 500.0) -> tuple[ECGRecord, Any, Measurements]:
    record, truth = simulate_ecg(**EXAMPLES[name], sampling_rate=rate)
    return record, truth, measure(record)


@needs_network
@pytest.mark.parametrize("rate", [500.0, 100.0])
@pytest.mark.parametrize("name", ["normal", "bradycardia", "first_degree_block", "lbbb", "rbbb"])
def test_what_was_simulated_is_measured(name: str, rate: float) -> None:
    _, truth, found = example(name, rate)
    overall, columns = found.overall, found.as_columns()
    assert overall.beats == pytest.approx(len(truth.beat_times), abs=1)
    assert overall.heart_rate == pytest.approx(truth.heart_rate, rel=0.03)
    assert overall.pr_ms == pytest.approx(truth.pr, abs=12)
    # The simulated edges are where a wave has fallen to 4 % of its height: visible ends lie a little further out.
    assert overall.qrs_ms == pytest.approx(1.08 * truth.qrs, abs=10)
    assert overall.qt_ms == pytest.approx(truth.qt, abs=22)
    assert overall.qtc_bazett_ms == pytest.approx(overall.qt_ms / (overall.rr_ms / 1000) ** 0.5, abs=1)
    assert overall.axis_deg == pytest.approx(truth.axis, abs=5)
    assert overall.p_share == 1
    for lead, true in truth.amplitudes.items():
        high = max(columns[f"{lead}_r_mv"], columns[f"{lead}_r_prime_mv"])
        low = min(columns[f"{lead}_q_mv"], columns[f"{lead}_s_mv"])
        assert high == pytest.approx(true["r"], abs=0.04), lead
        assert low == pytest.approx(min(true["q"], true["s"]), abs=0.04), lead
        assert columns[f"{lead}_t_mv"] == pytest.approx(true["t"], abs=0.05), lead
        assert columns[f"{lead}_st_j60_mv"] == pytest.approx(true["j60"], abs=0.05), lead


@needs_network
def test_what_tells_the_conditions_apart() -> None:
    fibrillation = example("af")[2]
    assert fibrillation.overall.p_share < 0.3
    assert fibrillation.overall.rr_irregularity > 0.1
    assert fibrillation.overall.pr_ms is None
    assert "P wave" in str(fibrillation.why("pr_ms"))
    assert "P wave" in str(fibrillation.why("II_p_mv"))

    normal, left, right = (example(name)[2] for name in ("normal", "lbbb", "rbbb"))
    assert [found.overall.qrs_ms >= 120 for found in (normal, left, right)] == [False, True, True]
    assert left.leads["V5"].notched
    assert left.leads["V6"].notched
    assert not any(lead.notched for lead in normal.leads.values())
    assert right.leads["V1"].r_prime_mv > 0.2 > normal.leads["V1"].r_prime_mv
    assert left.overall.poor_r_progression is True
    assert normal.overall.poor_r_progression is False
    assert 2 < normal.overall.r_transition < 4.5

    elevated = example("st_elevation_inferior")[2]
    assert elevated.leads["III"].st_j60_mv > 0.1 > normal.leads["III"].st_j60_mv


def test_premature_beats_are_counted_and_do_not_widen_the_complexes() -> None:
    _, truth, found = example("premature_ventricular")
    assert found.overall.premature_beats == truth.beat_kinds.count("ventricular")
    assert found.overall.qrs_ms == pytest.approx(1.08 * truth.qrs, abs=10)
    assert example("normal")[2].overall.premature_beats == 0


@needs_network
def test_the_order_and_number_of_the_leads_and_the_rate_do_not_matter() -> None:
    record, truth, found = example("normal")
    assert measure(record.select(STANDARD_LEADS[::-1])).as_columns() == found.as_columns()
    eight = measure(record.select(("V6", "V5", "V4", "V3", "V2", "V1", "II", "I")))
    assert eight.overall == found.overall  # the other four follow from I and II
    odd = measure(simulate_ecg(**EXAMPLES["normal"], sampling_rate=257.3, duration=14)[0])
    for name in ("pr_ms", "qrs_ms", "qt_ms"):
        assert getattr(odd.overall, name) == pytest.approx(getattr(found.overall, name), abs=4)
    single = measure(record.select(("II",)))
    assert single.overall.pr_ms == pytest.approx(truth.pr, abs=25)
    assert single.why("axis_deg") == "the axis needs two usable limb leads"
    assert single.why("V2_r_mv") == "the recording has no lead V2"


@needs_network
@pytest.mark.parametrize("name", ["normal", "st_elevation_anterior"])
def test_a_constant_changes_nothing_and_twice_the_signal_is_twice_as_high(name: str) -> None:
    record, _, found = example(name)
    columns = found.as_columns()
    levels = np.random.default_rng(2).uniform(-5, 5, (12, 1))
    for name, value in measure(replace(record, signal=record.signal + levels)).as_columns().items():
        # Where the sum is rounded to float32 the last digit may differ.
        assert value == pytest.approx(columns[name], abs=1 if name.endswith("_ms") else 2e-3), name
    doubled = measure(replace(record, signal=2 * record.signal))
    for name in INTERVALS:
        assert getattr(doubled.overall, name) == pytest.approx(getattr(found.overall, name), abs=1)
    for lead in STANDARD_LEADS:
        for name in AMPLITUDES:
            once, twice = (getattr(m.leads[lead], name) for m in (found, doubled))
            assert twice == pytest.approx(2 * once, abs=2e-3) or abs(once) < 0.021, (lead, name)  # below: no wave


@needs_network
def test_other_units_have_intervals_and_no_amplitudes() -> None:
    record, _, found = example("normal")
    unscaled = measure(replace(record, signal=record.signal * 7, units="z-score"))
    assert [getattr(unscaled.overall, n) for n in INTERVALS] == [getattr(found.overall, n) for n in INTERVALS]
    assert unscaled.as_columns()["V1_r_mv"] is None
    assert "mV" in str(unscaled.why("V1_r_mv"))
    assert "mV" in str(unscaled.why("axis_deg"))


def test_a_bad_lead_is_left_out_and_named() -> None:
    record, _, found = example("normal")
    signal = record.signal.copy()
    signal[STANDARD_LEADS.index("V2")] = 0
    signal[STANDARD_LEADS.index("aVR"), 100] = np.nan
    signal[STANDARD_LEADS.index("V3")] += np.random.default_rng(0).normal(0, 0.4, signal.shape[1])
    spoiled = measure(replace(record, signal=signal))
    assert [spoiled.why(f"{lead}_r_mv") for lead in ("V2", "aVR", "V3")] == ["flat", "missing samples", "muscle noise"]
    assert spoiled.why("r_transition") == "the transition needs V1 to V6"
    assert spoiled.overall.qrs_ms == pytest.approx(found.overall.qrs_ms, abs=4)
    assert spoiled.leads["V5"].r_mv == pytest.approx(found.leads["V5"].r_mv, abs=0.01)


NOISE = np.random.default_rng(1).normal(0, 1, (12, 5000))
SWING = np.sin(2 * np.pi * 1.2 * np.arange(5000) / 500) * np.ones((12, 1))


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (0 * NOISE, "flat in I"),
        (NOISE, "muscle noise in I"),
        (np.full_like(NOISE, np.nan), "no samples"),
        (0.02 * NOISE, "no common shape"),
        (0.02 * np.cumsum(NOISE, axis=1), "no common shape"),
        (SWING, "do not stand out"),
    ],
    ids=["flat", "noise", "missing", "weak noise", "drift", "no QRS"],
)
def test_a_recording_without_clear_beats_is_not_measured(signal: np.ndarray, reason: str) -> None:
    found = measure(ECGRecord(signal, 500, STANDARD_LEADS))
    columns = found.as_columns()
    assert all(value is None for value in columns.values())
    assert all(found.why(name) for name in COLUMNS)
    assert reason in str(found.why("qrs_ms"))


def test_a_rate_or_a_length_that_is_too_small_is_refused() -> None:
    record, _ = simulate_ecg(sampling_rate=90)
    with pytest.raises(ECGError, match="at least 2 s at 100 Hz"):
        measure(record)
    with pytest.raises(ECGError, match="at least 2 s at 100 Hz"):
        measure(ECGRecord(np.zeros((1, 190)), 100, ("I",)))


def test_without_the_extra_p_and_t_are_not_measured_and_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    record, truth = simulate_ecg(**EXAMPLES["normal"])
    for name in ("openecg", "openecg.deploy", "ai_edge_litert", "ai_edge_litert.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    wave_network._network.cache_clear()
    try:
        found = measure(record)
    finally:
        wave_network._network.cache_clear()
    assert found.overall.qrs_ms == pytest.approx(1.08 * truth.qrs, abs=10)
    assert found.leads["V5"].r_mv > 0.5
    for name in ("pr_ms", "p_share", "qt_ms", "qtc_fridericia_ms", "II_p_mv", "V5_t_mv"):
        assert found.as_columns()[name] is None
        assert "need the extra: pip install 'hf_heartllm[measure]'" in str(found.why(name))


@pytest.mark.parametrize(("width", "flat"), [(20, 0), (30, 0), (40, 20), (60, 10)])
def test_a_q_wave_lasts_from_where_it_leaves_its_level_to_where_it_comes_back(width: int, flat: int) -> None:
    """Triangles: nothing for `flat` ms, Q of `width` ms, R of 40 ms; at 1,000 samples a second."""
    onset, q_ends = 100 + flat, 100 + flat + width
    beat = np.interp(
        np.arange(300.0), [onset, onset + width / 2, q_ends, q_ends + 20, q_ends + 40], [0.0, -0.2, 0.0, 1.0, 0.0]
    )
    found = measure_lead(beat, 1000.0, 150, Fiducials(qrs_onset=-50.0, qrs_offset=q_ends - 150 + 40.0), None)
    assert found.q_mv == pytest.approx(-0.2)
    assert found.q_ms == pytest.approx(width, abs=0.05 * width + 2)
    upright = measure_lead(np.abs(beat), 1000.0, 150, Fiducials(qrs_onset=-50.0, qrs_offset=q_ends - 150 + 40.0), None)
    assert (upright.q_mv, upright.q_ms) == (0, 0)


def test_the_columns_are_always_the_same() -> None:
    found = example("normal")[2]
    assert tuple(found.as_columns()) == COLUMNS
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert tuple(measure(example("normal")[0].select(("V1", "II"))).as_columns()) == COLUMNS
    assert found.why("qrs_ms") is None
    with pytest.raises(KeyError):
        found.why("qrs")


def test_measurements_come_back_from_their_columns_and_from_the_cells_of_a_table() -> None:
    found = example("premature_ventricular")[2]
    for columns in (found.as_columns(), {name: "" if v is None else str(v) for name, v in found.as_columns().items()}):
        again = Measurements.from_columns(columns)
        assert (again.overall, again.leads) == (found.overall, found.leads)
        assert again.as_columns() == found.as_columns()
    two = measure(example("normal")[0].select(("V1", "II")))
    assert set(Measurements.from_columns(two.as_columns()).leads) == {"V1", "II"}
    with pytest.raises(ValueError, match="qrs_ms: 'wide' is no number"):
        Measurements.from_columns({"qrs_ms": "wide"})


def test_a_lead_that_is_not_there_is_said_to_be_missing_whatever_was_not_found():
    measured = measure(read_ecg("example:af").select(["aVR"]))
    assert {measured.why(f"II_{name}") for name in ("p_mv", "r_mv", "t_mv")} == {"the recording has no lead II"}
    assert measured.why("aVR_p_mv") == "no P wave before at least half of the beats"
