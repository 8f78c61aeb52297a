"""What is said of each lead: P, Q, R, ST and T."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal

from ...models.ecg_leads import LIMB_LEADS, STANDARD_LEADS
from ..measurements.result import LeadMeasurements
from .applicability import Case
from .guidelines import AHA_IV, AHA_V, CONVENTION, SOKOLOW_LEFT, SOKOLOW_RIGHT, UNIVERSAL
from .overall import Said, no_voltages, r_height, s_depth
from .result import NotJudged, SignalFinding

CHEST_LEADS = STANDARD_LEADS[6:]
CONTIGUOUS: tuple[tuple[str, str], ...] = (
    ("I", "aVL"),
    ("II", "III"),
    ("II", "aVF"),
    ("III", "aVF"),
    *pairwise(CHEST_LEADS),
)
"""Pairs of leads that look at neighbouring parts of the heart; aVR has none."""
UPRIGHT_T = ("I", "II", "V3", "V4", "V5", "V6")  # in adults; either way round in III, aVL, V1, seldom in aVF and V2
NOT_FLAT_T = ("I", "II", "V4", "V5", "V6")  # part IV names aVL too: in it T is below 0.1 mV in half of healthy people
QUIET = 0.02  # mV; R below that is none


def lead_findings(case: Case) -> Said:
    """Everything about single leads, in the order of the standard leads."""
    leads = case.measured.leads
    yield from _not_measured(case)
    if case.no_repolarisation is not None:
        yield NotJudged("Q, ST and T", case.no_repolarisation, general=True)
    found: list[SignalFinding] = []
    found += [one for lead in leads if lead in STANDARD_LEADS for one in _p_wave(case, lead, leads[lead])]
    if case.no_repolarisation is None:
        alone = [lead for lead in leads if lead in STANDARD_LEADS and not _neighbours(lead, leads)]
        if len(leads) > 1:
            alone = [lead for lead in alone if lead != "aVR"]  # which shows neither with others
        if alone:
            yield NotJudged(f"Q and ST in {', '.join(alone)}", "no contiguous lead was measured")
        found += _in_contiguous_leads(_q_wave(case, lead, leads[lead]) for lead in leads if lead in STANDARD_LEADS)
        found += _in_contiguous_leads(_st_up(case, lead, leads[lead]) for lead in leads if lead in STANDARD_LEADS)
        found += _in_contiguous_leads(_st_down(case, lead, leads[lead]) for lead in leads if lead in STANDARD_LEADS)
        found += [one for lead in leads if lead in STANDARD_LEADS for one in _t_wave(case, lead, leads[lead])]
        found += [one for lead in leads if lead in STANDARD_LEADS for one in _r_wave(case, lead, leads[lead])]
    yield from sorted(found, key=lambda one: STANDARD_LEADS.index(one.lead or ""))


def _not_measured(case: Case) -> Iterator[NotJudged]:
    """Leads and waves that could not be measured, each with its reason."""
    measured = case.measured
    for lead in STANDARD_LEADS:
        if lead not in measured.leads and lead in measured.reasons:
            yield NotJudged(f"lead {lead}", measured.reasons[lead])
    if not measured.leads:
        yield NotJudged("Q, ST and T", measured.why("I_r_mv") or "not measured")
        return
    if case.no_repolarisation is None and all(one.q_ms is None for one in measured.leads.values()):
        yield NotJudged("Q waves but QS", "how long they last was not measured")
    if case.no_repolarisation is None and all(one.t_mv is None for one in measured.leads.values()):
        lead = next(iter(measured.leads))
        why = measured.why(f"{lead}_t_mv") if lead in STANDARD_LEADS else None
        yield NotJudged("T", why or "not measured")


def _neighbours(lead: str, there: Iterable[str]) -> list[str]:
    pairs = [pair for pair in CONTIGUOUS if lead in pair]
    return [other for pair in pairs for other in pair if other != lead and other in there]


def _in_contiguous_leads(found: Iterable[SignalFinding | None]) -> list[SignalFinding]:
    """Those that a contiguous lead shows as well."""
    by_lead = {one.lead: one for one in found if one is not None}
    return [one for lead, one in by_lead.items() if lead and _neighbours(lead, [str(other) for other in by_lead])]


def _p_wave(case: Case, lead: str, of: LeadMeasurements) -> Iterator[SignalFinding]:
    limits = {"II": case.ranges.p_in_ii, "V1": case.ranges.p_in_v1}
    if case.no_p is not None or lead not in limits or of.p_mv is None:
        return
    height = round(of.p_mv, 2)
    if height > limits[lead]:
        text = f"P wave of {height:.2f} mV, above the usual range (at most {limits[lead]:g} mV)"
        yield SignalFinding("p_high", height, "mV", limits[lead], "above", text, AHA_V.name, lead)


def _q_wave(case: Case, lead: str, of: LeadMeasurements) -> SignalFinding | None:
    """A long Q wave or a QS complex, before contiguous leads are asked."""
    ranges = case.ranges
    if lead == "aVR" or of.q_mv is None or of.r_mv is None:
        return None
    depth, duration = round(-of.q_mv, 2), of.q_ms
    if depth < ranges.q_depth:
        return None
    if of.r_mv < QUIET:
        text = f"QS complex of {depth:.2f} mV (usually with an R wave)"
        return SignalFinding("q_wave", depth, "mV", ranges.q_depth, "above", text, UNIVERSAL.name, lead)
    if duration is None:
        return None
    septal = lead in ("V2", "V3")
    limit = ranges.q_duration_v2_v3 if septal else ranges.q_duration
    if duration > limit or (duration == limit and not septal):
        usual = f"at most {limit:g} ms" if septal else f"below {limit:g} ms"
        text = f"Q wave of {depth:.2f} mV for {duration:g} ms, longer than usual ({usual})"
        return SignalFinding("q_wave", duration, "ms", limit, "above", text, UNIVERSAL.name, lead)
    return None


def _st_up(case: Case, lead: str, of: LeadMeasurements) -> SignalFinding | None:
    """ST elevation, before contiguous leads are asked."""
    if lead == "aVR" or of.st_j_mv is None or of.st_j60_mv is None:
        return None
    limit, whose = _st_limit(case, lead)
    level, later = round(of.st_j_mv, 2), round(of.st_j60_mv, 2)
    if level < limit or later < case.ranges.st_elevation_later * limit:
        return None
    text = f"ST elevation of {level:.2f} mV, above the usual range (below {limit:g} mV{whose})"
    return SignalFinding("st_elevation", level, "mV", limit, "above", text, UNIVERSAL.name, lead)


def _st_limit(case: Case, lead: str) -> tuple[float, str]:
    """The limit of ST elevation, and for whom it holds. Of what is unknown the widest limit holds."""
    ranges = case.ranges
    if lead not in ("V2", "V3"):
        return ranges.st_elevation, ""
    possible: list[tuple[float, str]] = []
    if case.sex != "female" and (case.age is None or case.age < ranges.young_age):
        possible.append((ranges.st_elevation_v2_v3_young_men, f" in men below {ranges.young_age:g} years"))
    if case.sex != "female" and (case.age is None or case.age >= ranges.young_age):
        possible.append((ranges.st_elevation_v2_v3_men, f" in men from {ranges.young_age:g} years"))
    if case.sex != "male":
        possible.append((ranges.st_elevation_v2_v3_women, " in women"))
    limit, whose = max(possible)
    if len(possible) == 1:
        return limit, whose
    unknown = [what for what, value in (("sex", case.sex), ("age", case.age)) if value is None]
    are = "are" if len(unknown) > 1 else "is"
    return limit, f" as the widest limit since {' and '.join(unknown)} {are} unknown"


def _st_down(case: Case, lead: str, of: LeadMeasurements) -> SignalFinding | None:
    """Horizontal or descending ST depression, before contiguous leads are asked."""
    if lead == "aVR" or of.st_j_mv is None or of.st_j60_mv is None:
        return None
    limit = case.ranges.st_depression
    depth, later = round(-of.st_j_mv, 2), round(-of.st_j60_mv, 2)
    if depth < limit or later < limit:
        return None
    text = f"ST depression of {depth:.2f} mV, beyond the usual range (less than {limit:g} mV)"
    return SignalFinding("st_depression", -depth, "mV", -limit, "below", text, UNIVERSAL.name, lead)


def _t_wave(case: Case, lead: str, of: LeadMeasurements) -> Iterator[SignalFinding]:
    ranges = case.ranges
    if of.t_mv is None:
        return
    height = round(of.t_mv, 2) + 0.0
    if lead in UPRIGHT_T and height <= -ranges.t_inverted:
        deeply = "deeply " if height <= -ranges.t_deeply_inverted else ""
        text = f"{deeply}inverted T wave of {height:.2f} mV (usually upright)"
        yield SignalFinding("t_inverted", height, "mV", -ranges.t_inverted, "below", text, AHA_IV.name, lead)
    elif lead in NOT_FLAT_T and abs(height) < ranges.t_flat:
        text = f"flat T wave of {height:.2f} mV, below the usual range (from {ranges.t_flat:g} mV)"
        yield SignalFinding("t_flat", height, "mV", ranges.t_flat, "below", text, AHA_IV.name, lead)
    limit, whose, source = ranges.t_chest, "", AHA_IV
    if lead in LIMB_LEADS:
        limit, source = ranges.t_limb, CONVENTION
    elif lead in ("V2", "V3") and case.sex != "female" and ranges.t_v2_v3_men > ranges.t_chest:
        limit = ranges.t_v2_v3_men
        whose = " in men" if case.sex else " as the wider limit since sex is unknown"
    if height > limit:
        text = f"T wave of {height:.2f} mV, above the usual range (at most {limit:g} mV{whose})"
        yield SignalFinding("t_high", height, "mV", limit, "above", text, source.name, lead)


def _r_wave(case: Case, lead: str, of: LeadMeasurements) -> Iterator[SignalFinding]:
    height, depth = r_height(of), s_depth(of)
    if height is None or depth is None:
        return
    ranges = case.ranges
    side: Literal["above"] = "above"
    if lead == "aVL" and no_voltages(case) is None and height > ranges.r_in_avl:
        text = f"R wave of {height:.2f} mV, above the usual range (at most {ranges.r_in_avl:g} mV)"
        yield SignalFinding("r_high_avl", height, "mV", ranges.r_in_avl, side, text, SOKOLOW_LEFT.name, lead)
    if lead == "V1" and height >= ranges.r_in_v1 and height > depth:
        text = f"R wave of {height:.2f} mV, above the usual range (below {ranges.r_in_v1:g} mV) and larger than S"
        yield SignalFinding("r_high_v1", height, "mV", ranges.r_in_v1, side, text, SOKOLOW_RIGHT.name, lead)
