"""Findings keep their laws for any measurements, and say what simulated recordings show."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.ecg import EXAMPLES, STANDARD_LEADS, ECGRecord, Measurements, measure, simulate_ecg
from hf_heartllm.ecg.findings import (
    FINDING_NAMES,
    Findings,
    NormalRanges,
    SignalFinding,
    find,
    range_table,
    source_list,
)
from hf_heartllm.ecg.findings.applicability import CONDUCTIONS, RHYTHMS
from hf_heartllm.ecg.findings.leads import CONTIGUOUS
from hf_heartllm.ecg.findings.ranges import ROWS
from hf_heartllm.ecg.measurements import GlobalMeasurements, LeadMeasurements

PAGE = Path(__file__).resolve().parents[2] / "docs/findings.md"


SPANS = {  # from and to, decimals
    "heart_rate": (20, 250, 1),
    "rr_irregularity": (0, 0.4, 3),
    "p_share": (0, 1, 3),
    "p_duration_ms": (40, 180, 0),
    "pr_ms": (60, 420, 0),
    "qrs_ms": (50, 220, 0),
    "qtc_fridericia_ms": (280, 620, 0),
    "axis_deg": (-180, 180, 0),
    "p_mv": (-0.4, 0.5, 3),
    "q_mv": (-0.5, 0, 3),
    "q_ms": (0, 60, 0),
    "r_mv": (0, 2, 3),
    "s_mv": (-2, 0, 3),
    "r_prime_mv": (0, 1, 3),
    "t_mv": (-1, 2, 3),
    "st_j_mv": (-0.3, 0.4, 3),
    "st_j60_mv": (-0.3, 0.4, 3),
}


def any_measurements(seed: int) -> Measurements:
    """Values in and around the ranges, some of them and some leads missing, low voltages at times."""
    random = np.random.default_rng(seed)
    missing, scale = random.choice([0, 0.1, 0.5]), float(random.choice([1, 1, 0.1]))

    def values(of: type) -> dict[str, float | None]:
        known = [item.name for item in fields(of) if item.name in SPANS]
        drawn = {name: round(float(random.uniform(*SPANS[name][:2])), SPANS[name][2]) for name in known}
        if "r_mv" in drawn:
            drawn |= {name: float(round(drawn[name] * scale, 3)) for name in ("q_mv", "r_mv", "s_mv", "r_prime_mv")}
        if random.random() < 0.3 and "r_mv" in drawn:
            drawn |= {"r_mv": 0.0, "s_mv": 0.0, "r_prime_mv": 0.0}
        return {name: None if random.random() < missing else value for name, value in drawn.items()}

    beats, early = int(random.integers(1, 40)), int(random.integers(-1, 4))
    counts = {"beats": beats, "premature_beats": None if early < 0 else early}
    overall = GlobalMeasurements(**counts, **values(GlobalMeasurements))
    leads = [lead for lead in (*STANDARD_LEADS, "MLII") if random.random() > missing]
    return Measurements(overall, {lead: LeadMeasurements(**values(LeadMeasurements)) for lead in leads})


MEASURED = st.integers(0, 2**32 - 1).map(any_measurements)
SEX = st.sampled_from(("male", "female", None))
AGE = st.none() | st.floats(16, 300)


def names(found: Findings) -> set[tuple[str, str | None]]:
    return {(one.name, one.lead) for one in found.findings}


@given(MEASURED, SEX, AGE)
def test_what_is_said_lies_outside_its_limit_and_is_one_phrase(measured, sex, age):
    found = find(measured, sex=sex, age=age)
    sources = {source.name for row in ROWS for source in row.sources}
    for one in found.findings:
        assert one.name in FINDING_NAMES
        assert one.value >= one.limit if one.side == "above" else one.value <= one.limit
        assert one.guideline in sources
        assert re.fullmatch(r"[A-Za-z0-9]([^\n.;]|(?<=\d)\.(?=\d))*[A-Za-z)]", one.sentence), one.sentence
        assert not re.search("infarct|ischa?emi|hypertroph|block|fibrillation|abnormal", one.sentence)
        assert not one.doubtful
    assert list(found.by_lead) == list(STANDARD_LEADS)
    for one in found.findings:
        assert one.sentence in (found.general if one.lead is None else found.by_lead[one.lead])
    assert "\n" not in found.general
    assert len(set(found.not_judged)) == len(found.not_judged)
    assert Findings().general == ""
    assert not any(Findings().by_lead.values())


@given(MEASURED, SEX, AGE, st.sets(st.sampled_from(STANDARD_LEADS)))
def test_fewer_leads_say_no_more(measured, sex, age, missing):
    fewer = replace(measured, leads={lead: of for lead, of in measured.leads.items() if lead not in missing})
    assert names(find(fewer, sex=sex, age=age)) <= names(find(measured, sex=sex, age=age))


@given(MEASURED, SEX, AGE)
def test_of_what_is_unknown_the_widest_limit_holds(measured, sex, age):
    known = names(find(measured, sex=sex or "female", age=50.0 if age is None else age))
    also = names(find(measured, sex=sex or "male", age=20.0 if age is None else age))
    unknown = find(measured, sex=sex, age=age)
    assert names(unknown) <= known & also
    for one in unknown.findings:
        depends = one.name == "qtc_long" or (one.name == "st_elevation" and one.lead in ("V2", "V3"))
        if depends and sex is None:
            assert "unknown" in one.sentence


@given(MEASURED, SEX, AGE, st.integers(120, 240))
def test_a_wide_qrs_leaves_less_to_judge(measured, sex, age, width):
    measured = replace(measured, overall=replace(measured.overall, qrs_ms=90))
    wide = replace(measured, overall=replace(measured.overall, qrs_ms=width))
    narrow_found, wide_found = find(measured, sex=sex, age=age), find(wide, sex=sex, age=age)
    assert names(wide_found) - {("qrs_long", None)} <= names(narrow_found)
    assert {one.name for one in wide_found.findings if one.lead} <= {"p_high"}
    assert "Q, ST and T not judged: wide QRS" in wide_found.general
    assert "not judged" not in narrow_found.general
    assert not {"qtc_long", "qtc_short", "sokolow_lyon_high", "cornell_high"} & {name for name, _ in names(wide_found)}


@given(MEASURED, st.sampled_from(sorted(RHYTHMS)), st.sampled_from([None, *CONDUCTIONS]))
def test_what_is_stated_leaves_less_to_judge(measured, rhythm, conduction):
    found = find(measured, rhythm=rhythm, conduction=conduction)
    said = {name for name, _ in names(found)}
    if rhythm in ("atrial fibrillation", "atrial flutter", "paced"):
        assert not {"p_long", "p_high", "p_waves_few", "pr_long", "pr_short"} & said
    if rhythm == "atrial fibrillation":
        assert not {"qtc_long", "qtc_short"} & said
    if rhythm == "paced" or conduction is not None:
        assert not {"q_wave", "st_elevation", "st_depression", "t_inverted", "t_flat", "t_high", "qtc_long"} & said
        assert "Q, ST and T not judged" in found.general


@given(MEASURED, st.floats(0.11, 0.6))
def test_an_irregular_rhythm_without_p_waves_has_no_p_pr_or_qtc(measured, irregularity):
    overall = replace(measured.overall, rr_irregularity=irregularity, p_share=0.1)
    found = find(replace(measured, overall=overall))
    assert not {"p_long", "p_high", "pr_long", "pr_short", "qtc_long", "qtc_short"} & {name for name, _ in names(found)}
    sinus = find(replace(measured, overall=overall), rhythm="sinus")  # who knows better is believed
    assert names(found) - names(sinus) == set()


@given(MEASURED, SEX, AGE)
def test_q_and_st_stand_in_two_contiguous_leads(measured, sex, age):
    said = names(find(measured, sex=sex, age=age))
    for name, lead in said:
        if name in ("q_wave", "st_elevation", "st_depression"):
            assert lead != "aVR"
            pairs = [set(pair) - {lead} for pair in CONTIGUOUS if lead in pair]
            assert any((name, other) in said for pair in pairs for other in pair)


@given(MEASURED, st.floats(0, 15.99))
def test_children_are_not_judged(measured, age):
    found = find(measured, age=age)
    assert found.findings == ()
    assert found.general == "ECG not judged: the usual ranges are of adults, from 16 years"


@given(MEASURED, SEX, AGE)
def test_findings_of_a_doubtful_recording_say_so(measured, sex, age):
    doubtful = find(replace(measured, warnings=("lead V2 is flat",)), sex=sex, age=age)
    assert [one.sentence for one in doubtful.findings] == [
        f"{one.sentence} (doubtful)" for one in find(measured, sex=sex, age=age).findings
    ]
    assert all(one.doubtful for one in doubtful.findings)


def measured_as(leads: dict[str, dict[str, float]] | None = None, **overall: float) -> Measurements:
    """Measurements with all usual but what is given."""
    usual = {"q_mv": 0.0, "q_ms": 0.0, "r_mv": 0.6, "s_mv": -0.5, "r_prime_mv": 0.0, "t_mv": 0.3}
    usual |= {"st_j_mv": 0.0, "st_j60_mv": 0.0, "p_mv": 0.1}
    of_leads = {lead: LeadMeasurements(**{**usual, **(leads or {}).get(lead, {})}) for lead in STANDARD_LEADS}
    all_usual = {"beats": 12, "heart_rate": 70.0, "rr_irregularity": 0.02, "premature_beats": 0, "p_share": 1.0}
    all_usual |= {"p_duration_ms": 100, "pr_ms": 160, "qrs_ms": 90, "qtc_fridericia_ms": 400, "axis_deg": 40}
    return Measurements(GlobalMeasurements(**{**all_usual, **overall}), of_leads)  # type: ignore[arg-type]


def test_what_is_usual_is_silent():
    found = find(measured_as(), sex="male", age=50)
    assert found == Findings()


@pytest.mark.parametrize(
    ("overall", "name"),
    [
        ({"heart_rate": 59.0}, "heart_rate_low"),
        ({"heart_rate": 101.0}, "heart_rate_high"),
        ({"rr_irregularity": 0.11}, "rr_irregular"),
        ({"premature_beats": 1}, "premature_beats"),
        ({"p_share": 0.4}, "p_waves_few"),
        ({"p_duration_ms": 120}, "p_long"),
        ({"pr_ms": 201}, "pr_long"),
        ({"pr_ms": 119}, "pr_short"),
        ({"qrs_ms": 111}, "qrs_long"),
        ({"axis_deg": -31}, "axis_left"),
        ({"axis_deg": 91}, "axis_right"),
        ({"axis_deg": -91}, "axis_extreme"),
        ({"qtc_fridericia_ms": 450}, "qtc_long"),
        ({"qtc_fridericia_ms": 360}, "qtc_short"),
    ],
)
def test_the_edges_of_the_ranges(overall, name):
    assert names(find(measured_as(**overall), sex="male", age=50)) == {(name, None)}
    inside = {
        key: value + (-1 if value > 100 or (key == "axis_deg" and value > 0) else 1) for key, value in overall.items()
    }
    if name in ("pr_short", "qtc_short", "axis_left", "axis_extreme", "heart_rate_low"):
        inside = {key: value + 1 for key, value in overall.items()}
    if name not in ("rr_irregular", "premature_beats", "p_waves_few", "axis_extreme"):
        assert names(find(measured_as(**inside), sex="male", age=50)) == set()


def test_limits_by_sex_and_age():
    def said(sex, age, **leads):
        return names(find(measured_as(leads), sex=sex, age=age))

    for level, sex, age, expected in (
        (0.16, "female", 30, True),
        (0.16, "male", 50, False),
        (0.21, "male", 50, True),
        (0.21, "male", 30, False),
        (0.25, "male", 30, True),
        (0.21, None, 50, True),
        (0.21, None, None, False),
        (0.21, "female", None, True),
    ):
        up = {"st_j_mv": level, "st_j60_mv": level}
        assert (("st_elevation", "V2") in said(sex, age, V2=up, V3=up)) is expected, (level, sex, age)
    high = {"st_j_mv": 0.3, "st_j60_mv": 0.2}
    assert "widest limit since sex and age are unknown" in find(measured_as({"V2": high, "V3": high})).by_lead["V2"]
    assert not said("male", 50, II={"st_j_mv": 0.2}, aVF={"st_j_mv": 0.2})  # the end of R, not ST
    tall = {"aVL": {"r_mv": 1.2, "s_mv": 0.0}, "V3": {"s_mv": -1.0}}
    assert names(find(measured_as(tall), sex="female", age=50)) == {("cornell_high", None), ("r_high_avl", "aVL")}
    assert names(find(measured_as(tall), sex="male", age=50)) == {("r_high_avl", "aVL")}
    assert names(find(measured_as(tall), sex="female", age=30)) == set()
    assert names(find(measured_as(tall), sex="female")) == set()


def test_q_waves():
    def said(**leads):
        return {lead for name, lead in names(find(measured_as(leads), sex="male", age=50)) if name == "q_wave"}

    long, short, qs = (
        {"q_mv": -0.2, "q_ms": 34.0},
        {"q_mv": -0.3, "q_ms": 26.0},
        {"q_mv": -0.9, "q_ms": 80.0, "r_mv": 0.0},
    )
    assert said(III=long, aVF=long) == {"III", "aVF"}
    assert said(III=long) == said(V1=qs) == said(aVR=qs, aVF=short) == said(II=short, aVF=short) == set()
    assert said(I=long, V6=long) == set()
    assert said(V2=short, V3=short) == {"V2", "V3"}
    assert said(V1=qs, V2=qs) == {"V1", "V2"}
    old = {lead: {"q_ms": None} for lead in STANDARD_LEADS}  # a table that was measured without durations
    known = find(
        measured_as({**old, "II": {**long, "q_ms": None}, "III": {**qs, "q_ms": None}, "aVF": {**qs, "q_ms": None}})
    )
    assert {one.lead for one in known.findings if one.name == "q_wave"} == {"III", "aVF"}
    assert "Q waves but QS" in {one.what for one in known.not_judged}
    text = find(measured_as({"V2": qs, "V3": short}), sex="male", age=50).by_lead
    assert text["V2"] == "QS complex of 0.90 mV (usually with an R wave)"
    assert text["V3"] == "Q wave of 0.30 mV for 26 ms, longer than usual (at most 20 ms)"


def test_rhythms_may_be_stated_by_their_codes():
    measured = measured_as(pr_ms=260, qtc_fridericia_ms=480)
    assert names(find(measured, rhythm="AFIB")) == set()
    assert names(find(measured, rhythm="aflt")) == {("qtc_long", None)}
    assert names(find(measured, rhythm="SVARR")) == names(find(measured)) == {("pr_long", None), ("qtc_long", None)}
    assert names(find(measured, conduction="WPW")) == {("pr_long", None)}


def test_ranges_are_overridden_by_name_and_checked():
    assert names(find(measured_as(heart_rate=55.0), ranges=NormalRanges(heart_rate_low=50))) == set()
    for wrong in (
        {"qrs": float("nan")},
        {"qrs": "wide"},
        {"heart_rate_low": 120},
        {"pr_high": 100.0},
        {"qtc_short": True},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            NormalRanges(**wrong)
    for wrong in ({"sex": "m"}, {"age": -1}, {"age": float("nan")}, {"rhythm": "jazz"}, {"conduction": "copper"}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}: .* needed, got"):
            find(measured_as(), **wrong)


def test_the_table_holds_every_limit_and_the_page_holds_the_table():
    named = set(re.findall(r"{(\w+)", " ".join(row.usual + row.remark for row in ROWS)))
    assert named == {item.name for item in fields(NormalRanges)}
    assert "| 50 to 100 /min |" in range_table(NormalRanges(heart_rate_low=50))
    page = PAGE.read_text(encoding="utf-8")
    assert range_table() in page
    assert source_list() in page


@cache
def example(name: str) -> Measurements:
    return measure(simulate_ecg(**EXAMPLES[name])[0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("normal", set()),
        ("af", {"rr_irregular"}),
        ("tachycardia", {"heart_rate_high"}),
        ("bradycardia", {"heart_rate_low"}),
        ("premature_ventricular", {"premature_beats"}),
        ("first_degree_block", {"pr_long", "p_long"}),
        ("lbbb", {"qrs_long"}),
        ("rbbb", {"qrs_long", "axis_right"}),
        ("st_elevation_inferior", {"st_elevation", "st_depression"}),
        ("low_voltage", {"low_voltage_limb", "low_voltage_chest"}),
        ("high_voltage", {"sokolow_lyon_high"}),
    ],
)
def test_what_simulated_recordings_show(name, expected):
    pytest.importorskip("openecg", reason='P and T need the extra: pip install "hf_heartllm[measure]"')
    found = find(example(name), sex="male", age=60)
    assert expected <= {one.name for one in found.findings} <= expected | {"t_flat"}
    if name == "st_elevation_inferior":
        assert all("ST elevation" in found.by_lead[lead] for lead in ("II", "III", "aVF"))
    assert ("wide QRS" in found.general) is (name in ("lbbb", "rbbb"))


@pytest.mark.parametrize("leads", [("II",), ("V1", "II"), ("I", "II", "III"), ("V1", "V2", "V3"), ("aVR",)])
def test_recordings_of_few_leads(leads):
    record = simulate_ecg(**EXAMPLES["st_elevation_inferior"])[0]
    found = find(measure(record.select(leads)), sex="male", age=60)
    assert {one.lead for one in found.findings} <= {*leads, None}
    assert ("ST elevation" in found.by_lead["III"]) is ("III" in leads)
    whys = {one.what: one.why for one in found.not_judged}
    if leads in (("II",), ("V1", "II")):
        assert whys[f"Q and ST in {', '.join(leads)}"] == "no contiguous lead was measured"


def test_leads_of_other_names_values_without_a_unit_and_nothing_at_all():
    record = simulate_ecg(**EXAMPLES["tachycardia"])[0].select(("II",))
    renamed = ECGRecord(record.signal, record.sampling_rate, ("MLII",))
    assert {one.name for one in find(measure(renamed)).findings} == {"heart_rate_high"}
    scores = replace(simulate_ecg(**EXAMPLES["st_elevation_inferior"])[0], units="z-score")
    found = find(measure(scores), sex="male", age=60)
    assert not any(found.by_lead.values())
    assert any(one.what == "Q, ST and T" and "mV" in one.why for one in found.not_judged)
    with pytest.warns(UserWarning, match="no ECG to read"):
        flat = measure(ECGRecord(np.zeros((12, 5000)), 500, STANDARD_LEADS))
    assert find(flat).findings == ()
    assert find(flat).general.startswith("ECG not judged: no lead can be measured")


def test_a_document_for_json():
    found = find(measured_as(heart_rate=120.0), sex="male", age=50)
    document = found.document()
    assert document["general"] == "heart rate 120 /min, above the usual range (60 to 100 /min)"
    assert document["by_lead"] == {}
    assert document["findings"] == [asdict(one) for one in found.findings]
    assert SignalFinding(**document["findings"][0]) == found.findings[0]
