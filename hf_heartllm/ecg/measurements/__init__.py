"""Intervals, axis, amplitudes and ST levels of a recording: `measure(record)`."""

from __future__ import annotations

from .assemble import measure
from .result import COLUMNS, Fiducials, GlobalMeasurements, LeadMeasurements, Measurements

__all__ = ["COLUMNS", "Fiducials", "GlobalMeasurements", "LeadMeasurements", "Measurements", "measure"]
