"""Simulated recordings by their names, `example:af`."""

from __future__ import annotations

from ...models.ecg_record import ECGRecord
from ..simulate import read_example
from .lead_choice import Leads, chosen_record


def read_simulated(name: str, *, leads: Leads | None = None) -> ECGRecord:
    """A shipped example.

    Args:
        name: `example:NAME`.
        leads: as `read_wfdb`.

    Raises:
        ECGError: if there is no such example, or it lacks a lead.
    """
    return chosen_record(read_example(name), leads)
