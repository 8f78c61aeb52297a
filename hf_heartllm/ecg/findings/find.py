"""From measurements to findings."""

from __future__ import annotations

from dataclasses import replace

from ..measurements.result import Measurements
from .applicability import case_of
from .leads import lead_findings
from .overall import overall_findings
from .ranges import NormalRanges
from .result import DOUBTFUL, Findings, NotJudged, SignalFinding

FINDING_NAMES: tuple[str, ...] = (
    "heart_rate_low",
    "heart_rate_high",
    "rr_irregular",
    "premature_beats",
    "p_waves_few",
    "p_long",
    "pr_long",
    "pr_short",
    "qrs_long",
    "axis_left",
    "axis_right",
    "axis_extreme",
    "qtc_long",
    "qtc_short",
    "low_voltage_limb",
    "low_voltage_chest",
    "sokolow_lyon_high",
    "cornell_high",
    "p_high",
    "q_wave",
    "st_elevation",
    "st_depression",
    "t_inverted",
    "t_flat",
    "t_high",
    "r_high_avl",
    "r_high_v1",
)
"""Every name that a finding may have; from `p_high` on they are about single leads."""


def find(
    measured: Measurements,
    *,
    sex: str | None = None,
    age: float | None = None,
    rhythm: str | None = None,
    conduction: str | None = None,
    ranges: NormalRanges | None = None,
) -> Findings:
    """Compare measurements with what is usual in adults; docs/findings.md has the table.

    Says that something lies outside its usual range, never what that means. What may not be compared is left out
    first: P and PR in atrial fibrillation or flutter; Q, ST, T, QTc and voltages where QRS is wide, paced or
    pre-excited; Q and ST that no contiguous lead shows. Of an unknown sex or age the widest limit holds, and the
    sentence says so. Where the checks of the recording warned, every finding is doubtful.

    Args:
        measured: of `hf_heartllm.ecg.measure`, with any leads.
        sex: `male`, `female` or None.
        age: in years, or None; under 16 nothing is judged.
        rhythm: where it is known, one of `applicability.RHYTHMS` or an SCP-ECG statement such as `AFIB`; without it the
            measurements decide whether there are P waves to judge.
        conduction: likewise, of `applicability.CONDUCTIONS`.
        ranges: other limits than the usual ones.

    Raises:
        ValueError: if sex, age, rhythm or conduction is none that is known.
    """
    case = case_of(measured, sex, age, rhythm, conduction, ranges or NormalRanges())
    if age is not None and age < case.ranges.adult_age:
        why = f"the usual ranges are of adults, from {case.ranges.adult_age:g} years"
        return Findings(not_judged=(NotJudged("ECG", why, general=True),))
    if measured.overall.beats is None:
        return Findings(not_judged=(NotJudged("ECG", measured.why("beats") or "not measured", general=True),))
    said = [*overall_findings(case), *lead_findings(case)]
    found = [one for one in said if isinstance(one, SignalFinding)]
    if case.doubtful:
        found = [replace(one, doubtful=True, sentence=one.sentence + DOUBTFUL) for one in found]
    return Findings(tuple(found), tuple(dict.fromkeys(one for one in said if isinstance(one, NotJudged))))
