"""What of the measurements lies outside its usual range, in sentences: `find(measured, sex=…, age=…)`."""

from __future__ import annotations

from .find import FINDING_NAMES, find
from .ranges import NormalRanges, range_table, source_list
from .result import Findings, NotJudged, SignalFinding

__all__ = [
    "FINDING_NAMES",
    "Findings",
    "NormalRanges",
    "NotJudged",
    "SignalFinding",
    "find",
    "range_table",
    "source_list",
]
