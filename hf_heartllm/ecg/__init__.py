"""What one does with recordings, without torch: read, simulate, draw."""

from __future__ import annotations

from ..models.ecg_leads import STANDARD_LEADS, standard_lead_name
from ..models.ecg_record import ECGError, ECGRecord
from .plot import plot_ecg
from .readers import read_ecg
from .simulate import EXAMPLES, SimulationTruth, example_names, simulate_ecg
from .writers import write_ecg

__all__ = [
    "EXAMPLES",
    "STANDARD_LEADS",
    "ECGError",
    "ECGRecord",
    "SimulationTruth",
    "example_names",
    "plot_ecg",
    "read_ecg",
    "simulate_ecg",
    "standard_lead_name",
    "write_ecg",
]
