"""Measurements as a page that a reader likes, and as a row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ecg import LeadQuality, Measurements
from ..ecg.findings import Findings
from ..ecg.measurements import COLUMNS
from ..ecg.measurements.assemble import IRREGULAR, POOR_R
from ..ecg.measurements.result import GLOBAL_NAMES
from ..models.ecg_record import ECGRecord
from .common import in_words

TABLE_COLUMNS = ("record", "sampling_rate", "duration", "leads", *COLUMNS, "doubtful", "bad_leads", "warnings", "error")
"""Columns of the table, whatever the recordings hold."""

FINDING_COLUMNS = ("findings", "findings_of_leads", "not_judged")
"""And with --findings, before the last one."""

NONE = "–"
OF_LEADS = {  # heading → column of a lead
    "P": "p_mv",
    "Q": "q_mv",
    "R": "r_mv",
    "S": "s_mv",
    "R'": "r_prime_mv",
    "T": "t_mv",
    "J": "st_j_mv",
    "J+60 ms": "st_j60_mv",
}
CALLED = {  # of what is doubtful
    "heart_rate": "rate",
    "rr_ms": "RR",
    "rr_sd_ms": "RR's spread",
    "rr_irregularity": "regularity",
    "premature_beats": "premature beats",
    "dominant_beats": "share of like beats",
    "p_share": "beats with a P wave",
    "p_duration_ms": "P",
    "pr_ms": "PR",
    "qrs_ms": "QRS",
    "qt_ms": "QT",
    "qtc_fridericia_ms": "QTc",
    "qtc_bazett_ms": "QTc (Bazett)",
    "axis_deg": "axis",
    "r_transition": "R transition",
    "poor_r_progression": "R progression",
}


def page(
    name: str,
    record: ECGRecord,
    found: Measurements,
    quality: Sequence[LeadQuality],
    findings: Findings | None = None,
) -> str:
    """All that was measured of a recording, for a reader."""
    parts = [f"{name}: {in_words(record)}", "\n".join(_overall(found)), "\n".join(_leads(record, found, quality))]
    if findings is not None:
        parts.append("\n".join(_findings(findings)))
    doubts = _doubts(found)
    if doubts:
        parts.append("\n".join(["not told", *(f"  {', '.join(of)}: {why}" for why, of in doubts.items())]))
    if found.warnings:
        parts.append("\n".join(["doubtful about the recording", *(f"  {line}" for line in found.warnings)]))
    return "\n\n".join(parts)


def row(
    name: str,
    record: ECGRecord,
    found: Measurements,
    quality: Sequence[LeadQuality],
    findings: Findings | None,
    heard: Sequence[str],
) -> dict[str, Any]:
    """All that was measured of a recording, as a row of `TABLE_COLUMNS`; what could not be told is empty."""
    said: dict[str, str] = {}
    if findings is not None:
        of_leads = "; ".join(f"{lead}: {text}" for lead, text in findings.by_lead.items() if text)
        not_judged = "; ".join(f"{one.what}: {one.why}" for one in findings.not_judged)
        said = dict(zip(FINDING_COLUMNS, (findings.general, of_leads, not_judged)))
    bad = [f"{one.lead}: {', '.join(one.problems)}" for one in quality if one.problems]
    return {
        "record": name,
        "sampling_rate": f"{record.sampling_rate:.10g}",
        "duration": f"{record.duration:.10g}",
        "leads": " ".join(record.leads),
        **found.as_columns(),
        "doubtful": "; ".join(f"{', '.join(of)}: {why}" for why, of in _doubts(found).items()),
        "bad_leads": "; ".join(bad),
        "warnings": "; ".join(heard),
        **said,
        "error": None,
    }


def _findings(findings: Findings) -> list[str]:
    """What lies outside its usual range, then what was not judged and why."""
    said = [one.sentence for one in findings.findings if one.lead is None]
    lines = ["outside the usual range of adults", *(f"  {sentence}" for sentence in said)]
    lines += [f"  {lead}: {text}" for lead, text in findings.by_lead.items() if text]
    if len(lines) == 1:
        lines.append("  nothing of what was judged")
    if findings.not_judged:
        lines += ["not judged", *(f"  {one.what}: {one.why}" for one in findings.not_judged)]
    return lines


def _overall(found: Measurements) -> list[str]:
    of = found.overall
    regular = "" if of.rr_irregularity is None else "irregular, " if of.rr_irregularity > IRREGULAR else "regular, "
    rows = [
        (
            "rate",
            of.heart_rate,
            f"{of.heart_rate} /min ({regular}RR {of.rr_ms} ms, standard deviation {of.rr_sd_ms} ms)",
        ),
        ("beats", of.beats, _beats(found)),
        ("P", of.p_duration_ms, f"{of.p_duration_ms} ms, before {_percent(of.p_share)} of the beats"),
        ("PR", of.pr_ms, f"{of.pr_ms} ms"),
        ("QRS", of.qrs_ms, f"{of.qrs_ms} ms"),
        ("QT", of.qt_ms, f"{of.qt_ms} ms"),
        (
            "QTc",
            of.qtc_fridericia_ms,
            f"{of.qtc_fridericia_ms} ms (Fridericia, cube root of RR), {of.qtc_bazett_ms} ms (Bazett, square root)",
        ),
        ("QRS axis", of.axis_deg, f"{of.axis_deg}° in the frontal plane"),
        ("R wave", of.r_transition, _progression(found)),
    ]
    return [f"{title:<9} {text if value is not None else NONE}" for title, value, text in rows]


def _beats(found: Measurements) -> str:
    of = found.overall
    words = f"{of.beats}, {_percent(of.dominant_beats)} of them alike"
    return words if of.premature_beats is None else f"{words}, {of.premature_beats or 'none'} premature"


def _progression(found: Measurements) -> str:
    of = found.overall
    if of.r_transition is None:
        return NONE
    words = f"as large as S at V{of.r_transition:g}"
    small = (
        ""
        if of.poor_r_progression is None
        else f"; in V3 {'at most' if of.poor_r_progression else 'above'} {POOR_R:g} mV"
    )
    return words + small


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{share:.0%}".replace("%", " %")


def _leads(record: ECGRecord, found: Measurements, quality: Sequence[LeadQuality]) -> list[str]:
    """The table of the leads: amplitudes in mV with their sign, the level of ST, and what is wrong with a lead."""
    problems = {one.lead: ", ".join(one.problems) or "good" for one in quality}
    width = max(4, *map(len, record.leads))
    lines = [f"{'mV':<{width}}" + "".join(f"{title:>8}" for title in OF_LEADS) + "  signal"]
    for lead in record.leads:
        of_lead = found.leads.get(lead)
        values = (None if of_lead is None else getattr(of_lead, column) for column in OF_LEADS.values())
        cells = "".join(f"{_millivolts(value):>8}" for value in values)
        lines.append(f"{lead:<{width}}{cells}  {problems[lead]}")
    return lines


def _millivolts(value: float | None) -> str:
    return NONE if value is None else f"{round(value, 2) + 0.0:.2f}"  # no minus sign before 0.00


def _doubts(found: Measurements) -> dict[str, list[str]]:
    """Why what is missing could not be told → what it is."""
    doubts: dict[str, list[str]] = {}
    for column in GLOBAL_NAMES:
        if getattr(found.overall, column) is None:
            doubts.setdefault(found.why(column) or "not measured", []).append(CALLED.get(column, column))
    return doubts
