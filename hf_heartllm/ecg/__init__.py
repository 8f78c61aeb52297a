"""What one does with recordings, without torch: read, measure, simulate, draw."""

from __future__ import annotations

from ..models.ecg_leads import STANDARD_LEADS, standard_lead_name
from ..models.ecg_record import ECGError, ECGRecord
from .measurements import Measurements, measure
from .plot import plot_ecg
from .quality import LeadQuality, lead_quality
from .readers import read_ecg
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
    "simulate_ecg",
    "standard_lead_name",
    "write_ecg",
]
