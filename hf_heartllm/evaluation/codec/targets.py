"""The statements that probes predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...data.record import Record
from ...labels.scp import FORMS, RHYTHMS, SUPERCLASSES, superclasses

LISTED = {
    "atrial fibrillation": ("AFIB",),
    "sinus tachycardia": ("STACH",),
    "first-degree block": ("1AVB",),
    "premature beats": ("PVC", "PAC", "PRC(S)", "BIGU", "TRIGU"),
    "complete right bundle branch block": ("CRBBB",),
    "pacemaker": ("PACE",),
}
"""Statements that stand in the table by themselves: name → any of these codes."""

TARGETS: tuple[str, ...] = (
    *(f"superclass {name}" for name in SUPERCLASSES),
    *(f"rhythm {code}" for code in RHYTHMS),
    *(f"form {code}" for code in FORMS),
    *(f"listed {name}" for name in LISTED),
)
"""Names of the columns of `target_matrix`."""


def target_matrix(records: Sequence[Record]) -> np.ndarray:
    """float32 (records, targets): 1 where the recording holds the statement, whatever its likelihood."""
    rows = []
    for one in records:
        groups = superclasses(one.codes)
        row = [name in groups for name in SUPERCLASSES]
        row += [code in one.codes for code in (*RHYTHMS, *FORMS)]
        row += [bool(one.codes.intersection(codes)) for codes in LISTED.values()]
        rows.append(row)
    return np.array(rows, dtype=np.float32)


def judged_columns(labels: np.ndarray, columns: Sequence[int]) -> int:
    """How many of these columns of (rows, targets) have an AUROC: rows with the statement, and without it."""
    return sum(0 < labels[:, column].sum() < len(labels) for column in columns)


def groups() -> dict[str, list[int]]:
    """Name of a row of the table → columns of `target_matrix`."""
    found = {
        f"{kind} macro-AUROC": [i for i, name in enumerate(TARGETS) if name.startswith(f"{kind} ")]
        for kind in ("superclass", "rhythm", "form")
    }
    found |= {f"{name} AUROC": [TARGETS.index(f"listed {name}")] for name in LISTED}
    return found | {"ventricular premature beats AUROC": [TARGETS.index("form PVC")]}
