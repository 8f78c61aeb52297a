"""What one does with recordings, without torch: read, measure, simulate, draw.

The names below are looked up when they are first used, so that the table of formats can be shown without numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..models.ecg_leads import STANDARD_LEADS, standard_lead_name
    from ..models.ecg_record import ECGError, ECGRecord
    from .measurements import Measurements, measure
    from .plot import plot_ecg
    from .quality import LeadQuality, lead_quality
    from .readers import read_ecg, read_ecg_parts
    from .readers.in_memory import ecg_record
    from .simulate import EXAMPLES, SimulationTruth, example_names, simulate_ecg
    from .writers import write_ecg

__all__ = [
    "EXAMPLES",
    "STANDARD_LEADS",
    "ECGError",
    "ECGRecord",
    "LeadQuality",
    "Measurements",
    "SimulationTruth",
    "ecg_record",
    "example_names",
    "lead_quality",
    "measure",
    "plot_ecg",
    "read_ecg",
    "read_ecg_parts",
    "simulate_ecg",
    "standard_lead_name",
    "write_ecg",
]

# Public name → the module it lives in.
_HOME = {
    "STANDARD_LEADS": "..models.ecg_leads",
    "standard_lead_name": "..models.ecg_leads",
    "ECGError": "..models.ecg_record",
    "ECGRecord": "..models.ecg_record",
    "Measurements": ".measurements",
    "measure": ".measurements",
    "plot_ecg": ".plot",
    "LeadQuality": ".quality",
    "lead_quality": ".quality",
    "read_ecg": ".readers",
    "read_ecg_parts": ".readers",
    "ecg_record": ".readers.in_memory",
    "EXAMPLES": ".simulate",
    "SimulationTruth": ".simulate",
    "example_names": ".simulate",
    "simulate_ecg": ".simulate",
    "write_ecg": ".writers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
