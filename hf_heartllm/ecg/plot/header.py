"""What is written above and below the ECG: whose it is, what was measured, what is doubtful, how it was drawn."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ...models.ecg_checks import Finding
from ...models.ecg_record import ECGRecord
from ..measurements import Measurements
from ..measurements.wave_network import network_available
from .drawing import printable

_NOT_KNOWN = "–"
_OVER_89 = 300.0  # what PTB-XL gives as the age of everyone older


@dataclass(frozen=True)
class Header:
    """The lines around the ECG; each is shortened where the page is too narrow for it.

    Attributes:
        title: on top.
        simulated: whether the title must say so.
        patient: age and sex, on the right of the title; empty where unknown.
        measured: rate, intervals and axis, one entry each.
        notes: what is doubtful, missing or not shown.
        colours: of several curves, word → colour.
        filters: what was filtered before drawing, for the foot.
    """

    title: str
    simulated: bool = False
    patient: str = ""
    measured: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    colours: tuple[tuple[str, str], ...] = ()
    filters: str = "no filter"


def title_of(record: ECGRecord, title: str | None) -> str:
    """The title that was asked for, or the name of the recording's file without its folder; one line."""
    text = title
    if text is None:
        text = record.source or "ECG"
        if not text.startswith("simulated:"):
            text = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    return printable(text).strip() or "ECG"


def is_simulated(record: ECGRecord) -> bool:
    """Whether a recording says that it was simulated; a folder of that name says nothing."""
    source = (record.source or "").lower()
    return source.endswith("(simulated)") or re.match(r"simulated(?![\w/\\.-])", source) is not None


def patient_of(record: ECGRecord) -> str:
    """Age and sex as far as they are known: `63 years, female`."""
    words = []
    if record.age is not None and math.isfinite(record.age):
        age = "over 89" if record.age == _OVER_89 else f"{record.age:.3g}"
        words.append(f"{age} years" if age != "1" else "1 year")
    if record.sex:
        words.append(record.sex)
    return ", ".join(words)


def measured_words(found: Measurements) -> tuple[str, ...]:
    """Rate, intervals and axis; a dash for what could not be told, and nothing for what no library is there for."""
    overall = found.overall

    def shown(value: float | None, unit: str) -> str:
        return _NOT_KNOWN if value is None else f"{value:.0f}{unit}".replace("-", "−")

    words = [f"HR {shown(overall.heart_rate, '/min')}"]
    waves = network_available()
    if waves:
        words.append(f"PR {shown(overall.pr_ms, ' ms')}")
    words.append(f"QRS {shown(overall.qrs_ms, ' ms')}")
    if waves:
        corrected = overall.qtc_fridericia_ms
        both = f"{shown(overall.qt_ms, '')}/{shown(corrected, ' ms (Fridericia)')}"
        words.append(f"QT/QTc {_NOT_KNOWN if overall.qt_ms is None else both}")
    words.append(f"axis {shown(overall.axis_deg, '°')}")
    return tuple(words)


def finding_notes(findings: tuple[Finding, ...]) -> list[str]:
    """What the checks found, in few words: which check, and its leads unless they are many."""
    words = [
        finding.check.replace("_", " ") + (f" {', '.join(finding.leads)}" if 0 < len(finding.leads) <= 3 else "")
        for finding in findings
    ]
    return [f"doubtful: {', '.join(words)}"] if words else []
