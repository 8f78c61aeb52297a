"""What is said of the whole recording: rate, rhythm, intervals, axis, voltages."""

from __future__ import annotations

from collections.abc import Iterator

from ...models.ecg_leads import LIMB_LEADS, STANDARD_LEADS
from ..measurements.result import LeadMeasurements
from .applicability import Case
from .guidelines import (
    AHA_III,
    AHA_IV,
    AHA_V,
    BRADYCARDIA,
    CONVENTION,
    CORNELL,
    ESC_2022,
    LOW_VOLTAGE,
    OURS,
    SOKOLOW_LEFT,
)
from .result import NotJudged, SignalFinding

CHEST_LEADS = STANDARD_LEADS[6:]
Said = Iterator[SignalFinding | NotJudged]


def overall_findings(case: Case) -> Said:
    """Everything about the whole recording."""
    yield from _rate_and_rhythm(case)
    yield from _p_and_pr(case)
    yield from _qrs(case)
    yield from _qtc(case)
    yield from _low_voltage(case)
    yield from _high_voltage(case)


def _rate_and_rhythm(case: Case) -> Said:
    overall, ranges = case.measured.overall, case.ranges
    if overall.heart_rate is None:
        yield _not_measured(case, "heart rate", "heart_rate")
    else:
        rate = round(overall.heart_rate)
        low, high = ranges.heart_rate_low, ranges.heart_rate_high
        usual = f"({low:g} to {high:g} /min)"
        for name, limit, side in (("heart_rate_low", low, "below"), ("heart_rate_high", high, "above")):
            if rate < limit if side == "below" else rate > limit:
                text = f"heart rate {rate} /min, {side} the usual range {usual}"
                yield SignalFinding(name, rate, "/min", limit, side, text, CONVENTION.name)  # type: ignore[arg-type]
    if overall.rr_irregularity is None:
        yield _not_measured(case, "regularity of the rhythm", "rr_irregularity")
    elif (share := round(overall.rr_irregularity, 2)) > ranges.rr_irregularity:
        usual = _percent(ranges.rr_irregularity)
        text = f"RR intervals change by {_percent(share)} from beat to beat, above the usual range (at most {usual})"
        yield SignalFinding("rr_irregular", share, "share", ranges.rr_irregularity, "above", text, OURS.name)
    if overall.premature_beats is not None and (early := overall.premature_beats) > ranges.premature_beats:
        text = f"{early} premature beat{'s' if early > 1 else ''} among {overall.beats} (usually none)"
        yield SignalFinding("premature_beats", early, "beats", ranges.premature_beats, "above", text, OURS.name)


def _p_and_pr(case: Case) -> Said:
    overall, ranges = case.measured.overall, case.ranges
    if case.no_p is not None:
        yield NotJudged("P wave and PR interval", case.no_p)
        return
    if overall.p_share is not None and (share := round(overall.p_share, 2)) < ranges.p_share:
        usual = _percent(ranges.p_share)
        text = f"P waves found before {_percent(share)} of the beats, below the usual range (at least {usual})"
        yield SignalFinding("p_waves_few", share, "share", ranges.p_share, "below", text, OURS.name)
    if overall.p_duration_ms is None or overall.pr_ms is None:
        yield _not_measured(case, "P wave and PR interval", "pr_ms")
        return
    duration, interval = overall.p_duration_ms, overall.pr_ms
    if duration >= ranges.p_duration:
        text = f"P wave duration {duration:g} ms, above the usual range (below {ranges.p_duration:g} ms)"
        yield SignalFinding("p_long", duration, "ms", ranges.p_duration, "above", text, AHA_V.name)
    usual = f"({ranges.pr_low:g} to {ranges.pr_high:g} ms)"
    if interval > ranges.pr_high:
        text = f"PR interval {interval:g} ms, above the usual range {usual}"
        yield SignalFinding("pr_long", interval, "ms", ranges.pr_high, "above", text, BRADYCARDIA.name)
    if interval < ranges.pr_low:
        text = f"PR interval {interval:g} ms, below the usual range {usual}"
        yield SignalFinding("pr_short", interval, "ms", ranges.pr_low, "below", text, AHA_III.name)


def _qrs(case: Case) -> Said:
    overall, ranges = case.measured.overall, case.ranges
    if overall.qrs_ms is None:
        yield _not_measured(case, "QRS duration", "qrs_ms")
    elif overall.qrs_ms > ranges.qrs:
        text = f"QRS duration {overall.qrs_ms:g} ms, above the usual range (at most {ranges.qrs:g} ms)"
        yield SignalFinding("qrs_long", overall.qrs_ms, "ms", ranges.qrs, "above", text, AHA_III.name)
    if overall.axis_deg is None:
        yield _not_measured(case, "QRS axis", "axis_deg")
        return
    axis = overall.axis_deg
    usual = f"the usual range ({ranges.axis_left:g} to {ranges.axis_right:g} degrees)"
    if axis < ranges.axis_extreme:
        text = f"QRS axis {axis:g} degrees, far outside {usual}"
        yield SignalFinding("axis_extreme", axis, "degrees", ranges.axis_extreme, "below", text, AHA_III.name)
    elif axis < ranges.axis_left:
        text = f"QRS axis {axis:g} degrees, left of {usual}"
        yield SignalFinding("axis_left", axis, "degrees", ranges.axis_left, "below", text, AHA_III.name)
    elif axis > ranges.axis_right:
        text = f"QRS axis {axis:g} degrees, right of {usual}"
        yield SignalFinding("axis_right", axis, "degrees", ranges.axis_right, "above", text, AHA_III.name)


def _qtc(case: Case) -> Said:
    ranges = case.ranges
    if case.no_qtc is not None:
        yield NotJudged("QTc", case.no_qtc)
        return
    if case.measured.overall.qtc_fridericia_ms is None:
        yield _not_measured(case, "QTc", "qtc_fridericia_ms")
        return
    value = case.measured.overall.qtc_fridericia_ms
    limits = {"male": (ranges.qtc_men, " in men"), "female": (ranges.qtc_women, " in women")}
    widest = max(ranges.qtc_men, ranges.qtc_women)
    limit, whose = limits[case.sex] if case.sex else (widest, " as the wider limit since sex is unknown")
    if value >= limit:
        text = f"QTc {value:g} ms by Fridericia, above the usual range (below {limit:g} ms{whose})"
        yield SignalFinding("qtc_long", value, "ms", limit, "above", text, AHA_IV.name)
    if value <= ranges.qtc_short:
        text = f"QTc {value:g} ms by Fridericia, below the usual range (above {ranges.qtc_short:g} ms)"
        yield SignalFinding("qtc_short", value, "ms", ranges.qtc_short, "below", text, ESC_2022.name)


def _low_voltage(case: Case) -> Said:
    for where, name, leads, limit in (
        ("limb leads", "low_voltage_limb", LIMB_LEADS, case.ranges.low_voltage_limb),
        ("chest leads", "low_voltage_chest", CHEST_LEADS, case.ranges.low_voltage_chest),
    ):
        heights = [height for lead in leads if (height := peak_to_peak(case.measured.leads.get(lead))) is not None]
        if len(heights) < len(leads):
            yield NotJudged(f"low voltage in the {where}", "not all six were measured")
        elif max(heights) < limit:
            usual = f"(from {limit:g} mV in one of them)"
            text = f"QRS of at most {max(heights):.2f} mV in the {where}, below the usual range {usual}"
            yield SignalFinding(name, max(heights), "mV", limit, "below", text, LOW_VOLTAGE.name)


def _high_voltage(case: Case) -> Said:
    ranges, leads = case.ranges, case.measured.leads
    no = case.no_repolarisation or no_voltages(case)
    what = "voltages S in V1 plus R in V5 or V6, R in aVL, R in aVL plus S in V3"
    if no is not None:
        yield NotJudged(what, no)
        return
    s_in_v1, s_in_v3, r_in_avl = s_depth(leads.get("V1")), s_depth(leads.get("V3")), r_height(leads.get("aVL"))
    lateral = {lead: height for lead in ("V5", "V6") if (height := r_height(leads.get(lead))) is not None}
    if s_in_v1 is None or not lateral:
        yield NotJudged("S in V1 plus R in V5 or V6", "not all of these leads were measured")
    else:
        lead = max(lateral, key=lambda name: lateral[name])
        total, limit = round(s_in_v1 + lateral[lead], 2), ranges.sokolow_lyon
        if total > limit:
            text = f"S in V1 plus R in {lead} {total:.2f} mV, above the usual range (at most {limit:g} mV)"
            yield SignalFinding("sokolow_lyon_high", total, "mV", limit, "above", text, SOKOLOW_LEFT.name)
    if r_in_avl is None or s_in_v3 is None:
        yield NotJudged("R in aVL plus S in V3", "not all of these leads were measured")
        return
    limits = {"male": (ranges.cornell_men, " in men"), "female": (ranges.cornell_women, " in women")}
    widest = max(ranges.cornell_men, ranges.cornell_women)
    limit, whose = limits[case.sex] if case.sex else (widest, " as the wider limit since sex is unknown")
    total = round(r_in_avl + s_in_v3, 2)
    if total > limit:
        text = f"R in aVL plus S in V3 {total:.2f} mV, above the usual range (at most {limit:g} mV{whose})"
        yield SignalFinding("cornell_high", total, "mV", limit, "above", text, CORNELL.name)


def no_voltages(case: Case) -> str | None:
    """Why high voltages are not judged for the person's age; None where they are."""
    if case.age is None:
        return f"the age is unknown, and the limits hold from {case.ranges.voltage_age:g} years"
    if case.age < case.ranges.voltage_age:
        return f"the limits hold from {case.ranges.voltage_age:g} years"
    return None


def r_height(lead: LeadMeasurements | None) -> float | None:
    """The higher of R and R', mV, to 0.01; None where the lead was not measured."""
    if lead is None or lead.r_mv is None:
        return None
    return round(max(lead.r_mv, lead.r_prime_mv or 0.0), 2)


def s_depth(lead: LeadMeasurements | None) -> float | None:
    """The depth of S, or of QS, mV, to 0.01; None where the lead was not measured."""
    if lead is None or lead.r_mv is None or lead.s_mv is None or lead.q_mv is None:
        return None
    return round(-(lead.s_mv if lead.r_mv else lead.q_mv), 2) + 0.0


def peak_to_peak(lead: LeadMeasurements | None) -> float | None:
    """From the lowest to the highest point of QRS, mV, to 0.01; None where the lead was not measured."""
    highest = r_height(lead)
    if lead is None or highest is None or lead.q_mv is None or lead.s_mv is None:
        return None
    return round(highest - min(lead.q_mv, lead.s_mv), 2)


def _not_measured(case: Case, what: str, column: str) -> NotJudged:
    return NotJudged(what, case.measured.why(column) or "not measured")


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
