"""The statements that probes predict, and macro-averaged areas under the ROC curve with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...labels.scp import FORMS, RHYTHMS, SUPERCLASSES, superclasses
from ..intervals import ranked_area
from .records import LabelledRecord

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


def target_matrix(records: Sequence[LabelledRecord]) -> np.ndarray:
    """float32 (records, targets): 1 where the recording holds the statement, whatever its likelihood."""
    rows = []
    for one in records:
        groups = superclasses(one.statements)
        row = [name in groups for name in SUPERCLASSES]
        row += [code in one.statements for code in (*RHYTHMS, *FORMS)]
        row += [bool(one.statements.intersection(codes)) for codes in LISTED.values()]
        rows.append(row)
    return np.array(rows, dtype=np.float32)


def patient_weights(patients: Sequence[int] | np.ndarray, resamples: int, seed: int = 0) -> np.ndarray:
    """Bootstrap over patients: (1 + resamples, rows), the first row all ones."""
    _, index = np.unique(np.asarray(patients), return_inverse=True)
    count = int(index.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.concatenate([np.ones((1, len(index)), dtype=draws.dtype), draws[:, index]])


def group_auroc(
    labels: np.ndarray, scores: np.ndarray, columns: Sequence[int], weights: np.ndarray
) -> tuple[np.ndarray, int]:
    """Mean AUROC over columns and seeds under many weightings.

    Args:
        labels: (rows, targets).
        scores: (seeds, rows, targets).
        columns: of the group; those without both classes are left out.
        weights: (weightings, rows).

    Returns:
        (weightings,) and the number of columns that count.
    """
    judged = [column for column in columns if 0 < labels[:, column].sum() < len(labels)]
    areas = [
        ranked_area(labels[:, column] == 1, labels[:, column] == 0, seed[:, column])(weights)
        for column in judged
        for seed in scores
    ]
    if not areas:
        return np.full(len(weights), np.nan), 0
    there = ~np.isnan(areas)  # a resample may lack a rare statement
    sums, counts = np.where(there, areas, 0).sum(axis=0), there.sum(axis=0)
    return np.divide(sums, counts, out=np.full(len(weights), np.nan), where=counts > 0), len(judged)


def groups() -> dict[str, list[int]]:
    """Name of a row of the table → columns of `target_matrix`."""
    found = {
        f"{kind} macro-AUROC": [i for i, name in enumerate(TARGETS) if name.startswith(f"{kind} ")]
        for kind in ("superclass", "rhythm", "form")
    }
    found |= {f"{name} AUROC": [TARGETS.index(f"listed {name}")] for name in LISTED}
    return found | {"ventricular premature beats AUROC": [TARGETS.index("form PVC")]}
