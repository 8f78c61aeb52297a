"""What is usual in an adult's resting ECG: every limit by its name, and the table of where it comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from .guidelines import (
    AHA_III,
    AHA_IV,
    AHA_V,
    AHA_VI,
    BRADYCARDIA,
    CONVENTION,
    CORNELL,
    ESC_2022,
    FRIDERICIA,
    LOW_VOLTAGE,
    OURS,
    SOKOLOW_LEFT,
    SOKOLOW_RIGHT,
    UNIVERSAL,
    Guideline,
)


@dataclass(frozen=True)
class NormalRanges:
    """Limits of what is usual in adults at rest; any may be overridden by name, `NormalRanges(heart_rate_low=50)`.

    Times are in ms, amplitudes in mV, angles in degrees, ages in years. `ROWS` says where each comes from.

    Raises:
        ValueError: if one is no finite number, or a lower limit is not below its upper one.
    """

    adult_age: float = 16.0  # AHA/ACCF/HRS 2009 part III: limits of adults hold above 16 years
    heart_rate_low: float = 60.0  # convention; ACC/AHA/HRS 2018 calls sinus rhythm slow below 50
    heart_rate_high: float = 100.0  # convention
    rr_irregularity: float = 0.1  # ours: a share of RR; 97.5 % of recordings without a finding lie below
    p_share: float = 0.5  # ours: a share of the beats
    premature_beats: float = 0.0  # ours: every premature beat is said
    p_duration: float = 120.0  # AHA/ACCF/HRS 2009 part V: 120 ms or more
    p_in_ii: float = 0.25  # AHA/ACCF/HRS 2009 part V: above 2.5 mm
    p_in_v1: float = 0.15  # AHA/ACCF/HRS 2009 part V: positive part above 1.5 mm
    pr_low: float = 120.0  # AHA/ACCF/HRS 2009 part III, of pre-excitation: below 120 ms
    pr_high: float = 200.0  # ACC/AHA/HRS 2018 bradycardia: above 200 ms
    qrs: float = 110.0  # AHA/ACCF/HRS 2009 part III: above 110 ms
    wide_qrs: float = 120.0  # AHA/ACCF/HRS 2009 part III: complete bundle branch block from 120 ms
    axis_left: float = -30.0  # AHA/ACCF/HRS 2009 part III
    axis_right: float = 90.0  # AHA/ACCF/HRS 2009 part III
    axis_extreme: float = -90.0  # AHA/ACCF/HRS 2009 part III names left to -90 and right to 180
    qtc_men: float = 450.0  # AHA/ACCF/HRS 2009 part IV: 450 ms or more, there by a linear correction
    qtc_women: float = 460.0  # AHA/ACCF/HRS 2009 part IV: 460 ms or more, likewise
    qtc_short: float = 360.0  # ESC 2022: 360 ms or less; part IV has 390 by a linear correction
    q_duration: float = 30.0  # Universal Definition of MI 2018: 0.03 s or more
    q_depth: float = 0.1  # Universal Definition of MI 2018: 1 mm or more
    q_duration_v2_v3: float = 20.0  # Universal Definition of MI 2018: above 0.02 s
    st_elevation: float = 0.1  # Universal Definition of MI 2018 and part VI: 1 mm or more
    st_elevation_v2_v3_men: float = 0.2  # the same two: 2 mm or more from 40 years
    st_elevation_v2_v3_young_men: float = 0.25  # the same two: 2.5 mm or more below 40 years
    st_elevation_v2_v3_women: float = 0.15  # the same two: 1.5 mm or more at any age
    st_elevation_later: float = 0.5  # ours: share of the limit that ST must still reach 60 ms after J
    young_age: float = 40.0  # the same two
    st_depression: float = 0.05  # Universal Definition of MI 2018: 0.5 mm or more; part VI has 1 mm outside V2 and V3
    t_inverted: float = 0.1  # AHA/ACCF/HRS 2009 part IV: inverted from -0.1 mV
    t_deeply_inverted: float = 0.5  # AHA/ACCF/HRS 2009 part IV: deep from -0.5 mV
    t_flat: float = 0.1  # AHA/ACCF/HRS 2009 part IV: flat between -0.1 and 0.1 mV
    t_limb: float = 0.5  # convention
    t_chest: float = 1.0  # AHA/ACCF/HRS 2009 part IV
    t_v2_v3_men: float = 1.4  # AHA/ACCF/HRS 2009 part IV
    low_voltage_limb: float = 0.5  # convention, peak to peak
    low_voltage_chest: float = 1.0  # convention, peak to peak
    voltage_age: float = 35.0  # convention: voltage is higher in the young
    sokolow_lyon: float = 3.5  # Sokolow and Lyon 1949; part V's table
    r_in_avl: float = 1.1  # Sokolow and Lyon 1949; part V's table
    cornell_men: float = 2.8  # Casale 1987; part V's table
    cornell_women: float = 2.0  # Casale 1987; part V's table
    r_in_v1: float = 0.7  # Sokolow and Lyon 1949, right ventricle

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(f"{item.name}: a number is needed, got {value!r}")
        ordered = (
            ("heart_rate_low", "heart_rate_high"),
            ("pr_low", "pr_high"),
            ("axis_extreme", "axis_left"),
            ("axis_left", "axis_right"),
            ("qtc_short", "qtc_men"),
            ("qtc_short", "qtc_women"),
            ("t_inverted", "t_deeply_inverted"),
        )
        for low, high in ordered:
            if not getattr(self, low) < getattr(self, high):
                raise ValueError(f"{low} is to be below {high}, got {getattr(self, low):g} and {getattr(self, high):g}")


@dataclass(frozen=True)
class Row:
    """A line of the table of usual ranges.

    Attributes:
        quantity: what is measured.
        usual: what is usual, with the names of limits in braces.
        sources: where it comes from.
        checked: what the limit was compared with before it was used.
        remark: what else decides.
    """

    quantity: str
    usual: str
    sources: tuple[Guideline, ...]
    checked: str
    remark: str = ""


SUMMARY = "a summary of the text"
QUOTED = "sentences quoted from the text"
REPEATED = "other texts that repeat it"
CHOSEN = "recordings of folds 1-7"

ROWS: tuple[Row, ...] = (
    Row("age", "from {adult_age:g} years", (AHA_III,), SUMMARY, "below it nothing is judged"),
    Row("heart rate", "{heart_rate_low:g} to {heart_rate_high:g} /min", (CONVENTION,), REPEATED),
    Row(
        "change of RR from beat to beat",
        "at most {rr_irregularity:.0%} of RR",
        (OURS,),
        CHOSEN,
        "median, dominant beats only",
    ),
    Row("beats with a P wave", "at least {p_share:.0%}", (OURS,), CHOSEN),
    Row("premature beats", "at most {premature_beats:g}", (OURS,), CHOSEN),
    Row("P wave duration", "below {p_duration:g} ms", (AHA_V,), REPEATED),
    Row("P wave in II", "at most {p_in_ii:g} mV", (AHA_V,), REPEATED),
    Row("P wave in V1", "at most {p_in_v1:g} mV", (AHA_V,), REPEATED, "where upright; its end is not measured"),
    Row("PR interval", "{pr_low:g} to {pr_high:g} ms", (AHA_III, BRADYCARDIA), REPEATED),
    Row("QRS duration", "at most {qrs:g} ms", (AHA_III,), SUMMARY, "wide from {wide_qrs:g} ms"),
    Row(
        "QRS axis",
        "{axis_left:g} to {axis_right:g} degrees",
        (AHA_III,),
        SUMMARY,
        "left to {axis_extreme:g}, right to 180, between them far outside",
    ),
    Row(
        "QTc",
        "above {qtc_short:g} ms, below {qtc_men:g} ms in men, {qtc_women:g} ms in women",
        (AHA_IV, ESC_2022, FRIDERICIA),
        REPEATED,
        "by Fridericia; part IV gives its limits for a linear correction",
    ),
    Row(
        "Q wave",
        "shorter than {q_duration:g} ms or less than {q_depth:g} mV deep; in V2 and V3 at most {q_duration_v2_v3:g} ms",
        (UNIVERSAL,),
        QUOTED,
        "or QS; in two contiguous leads",
    ),
    Row(
        "ST at J, upwards",
        "below {st_elevation:g} mV; in V2 and V3 below {st_elevation_v2_v3_men:g} mV in men from {young_age:g} years, "
        "{st_elevation_v2_v3_young_men:g} mV in younger men, {st_elevation_v2_v3_women:g} mV in women",
        (UNIVERSAL, AHA_VI),
        QUOTED,
        "and 60 ms later {st_elevation_later:.0%} of it (ours: R may end late); in two contiguous leads",
    ),
    Row(
        "ST at J, downwards",
        "less than {st_depression:g} mV",
        (UNIVERSAL,),
        QUOTED,
        "and 60 ms later still so; in two contiguous leads; part VI: 0.1 mV outside V2 and V3",
    ),
    Row(
        "T wave in I, II, V3 to V6",
        "not inverted to -{t_inverted:g} mV or below",
        (AHA_IV,),
        QUOTED,
        "deeply from -{t_deeply_inverted:g} mV",
    ),
    Row("T wave in I, II, V4 to V6", "not flat: {t_flat:g} mV or more", (AHA_IV,), QUOTED),
    Row(
        "T wave, upwards",
        "at most {t_limb:g} mV in limb leads, {t_chest:g} mV in chest leads, {t_v2_v3_men:g} mV in V2 and V3 of men",
        (AHA_IV, CONVENTION),
        QUOTED,
        "limb leads by convention",
    ),
    Row(
        "QRS, peak to peak",
        "{low_voltage_limb:g} mV or more in one of the limb leads, {low_voltage_chest:g} mV or more in one of the "
        "chest leads",
        (LOW_VOLTAGE,),
        REPEATED,
        "found in papers, not in a guideline",
    ),
    Row(
        "S in V1 plus R in V5 or V6",
        "at most {sokolow_lyon:g} mV",
        (SOKOLOW_LEFT, AHA_V),
        REPEATED,
        "from {voltage_age:g} years",
    ),
    Row("R in aVL", "at most {r_in_avl:g} mV", (SOKOLOW_LEFT, AHA_V), REPEATED, "from {voltage_age:g} years"),
    Row(
        "R in aVL plus S in V3",
        "at most {cornell_men:g} mV in men, {cornell_women:g} mV in women",
        (CORNELL, AHA_V),
        REPEATED,
        "from {voltage_age:g} years",
    ),
    Row("R in V1", "below {r_in_v1:g} mV", (SOKOLOW_RIGHT,), REPEATED, "where it is larger than S"),
)
"""Every limit of `NormalRanges`, and where it comes from."""


def range_table(ranges: NormalRanges | None = None) -> str:
    """The usual ranges with their sources, as a Markdown table."""
    limits = {item.name: getattr(ranges or NormalRanges(), item.name) for item in fields(NormalRanges)}
    lines = ["| quantity | usual | source | compared with | remarks |", "|---|---|---|---|---|"]
    for row in ROWS:
        usual, remark = (text.format(**limits).replace("%", " %") for text in (row.usual, row.remark))
        names = ", ".join(source.name for source in row.sources)
        lines.append(f"| {row.quantity} | {usual} | {names} | {row.checked} | {remark} |")
    return "\n".join(lines)


def source_list() -> str:
    """The sources of `range_table`, one Markdown line each."""
    sources = dict.fromkeys(source for row in ROWS for source in row.sources)
    return "\n".join(f"* **{source.name}**: {source.citation}" for source in sources)
