"""The shipped examples, `example:normal`, `example:af`, …: names for arguments of `simulate_ecg`."""

from __future__ import annotations

from typing import Any

from ...models.ecg_record import ECGError, ECGRecord
from .generate import simulate_ecg

EXAMPLE_PREFIX = "example:"

EXAMPLES: dict[str, dict[str, Any]] = {
    "normal": {"seed": 1},
    "af": {"rhythm": "atrial fibrillation", "seed": 2},
    "tachycardia": {"heart_rate": 125.0, "seed": 3},
    "bradycardia": {"heart_rate": 45.0, "seed": 4},
    "premature_ventricular": {"premature": "ventricular", "seed": 5},
    "premature_supraventricular": {"premature": "supraventricular", "seed": 6},
    "first_degree_block": {"pr": 260.0, "seed": 7},
    "lbbb": {"conduction": "left bundle branch block", "seed": 8},
    "rbbb": {"conduction": "right bundle branch block", "seed": 9},
    "st_elevation_inferior": {"st_elevation": "inferior", "seed": 10},
    "st_elevation_anterior": {"st_elevation": "anterior", "seed": 11},
    "st_elevation_lateral": {"st_elevation": "lateral", "seed": 12},
    "low_voltage": {"voltage": 0.35, "seed": 13},
    "high_voltage": {"voltage": 2.2, "seed": 14},
    "noisy": {"noise": 0.05, "wander": 0.3, "mains": 0.03, "seed": 15},
}


def example_names() -> tuple[str, ...]:
    """The names that `example:NAME` and `EXAMPLES` know."""
    return tuple(EXAMPLES)


def read_example(name: str) -> ECGRecord:
    """The simulated example `example:NAME` (or `NAME`): 500 Hz, 10 s, twelve leads.

    Raises:
        ECGError: if there is no such example.
    """
    bare = name.removeprefix(EXAMPLE_PREFIX)
    if bare not in EXAMPLES:
        raise ECGError(f"{name}: no such example; there are {', '.join(EXAMPLES)}")
    return simulate_ecg(name=bare, **EXAMPLES[bare])[0]
