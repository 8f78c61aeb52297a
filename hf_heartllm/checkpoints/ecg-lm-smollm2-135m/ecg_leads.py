"""The twelve standard leads: their names, spellings and the two laws that tie the limb leads together.

Einthoven: ``II = I + III``. Goldberger: ``aVR = -(I + II) / 2``, ``aVL = I - II / 2``, ``aVF = II - I / 2``.
Any two of I, II and III therefore give all six limb leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from .printable_text import printable

STANDARD_LEADS: tuple[str, ...] = (
    "I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6",
)  # fmt: skip
LIMB_LEADS: tuple[str, ...] = STANDARD_LEADS[:6]
INDEPENDENT_LEADS: tuple[str, ...] = ("I", "II", *STANDARD_LEADS[6:])
"""The eight leads that determine all twelve: the other four are combinations of I and II."""

_SPELLINGS = {name.casefold(): name for name in STANDARD_LEADS}

# Each limb lead as a combination (a, b) of a * I + b * II.
_FROM_I_AND_II = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}


def standard_lead_name(name: str) -> str:
    """Return the standard spelling of a lead name (``AVR``, ``avr`` and ``Lead aVR`` are all ``aVR``).

    A name that is none of the twelve standard leads (``MLII``, ``ECG1``) is returned stripped, with what cannot be
    printed spelt out, and otherwise as it is.
    """
    bare = name.strip()
    if not bare.isprintable():
        bare = printable(" ".join(bare.split()))
    key = bare.casefold()
    if key.startswith("lead"):
        key = key[4:].strip(" _-")
    return _SPELLINGS.get(key, bare)


def augmented_leads(one: Any, two: Any) -> list[Any]:
    """III, aVR, aVL and aVF from leads I and II: arrays or tensors of any shape and unit."""
    return [a * one + b * two for a, b in list(_FROM_I_AND_II.values())[2:]]


def derive_limb_leads(signal: np.ndarray, leads: Sequence[str]) -> dict[str, np.ndarray]:
    """Derive the limb leads that are absent from those present.

    Args:
        signal: (leads, samples), any unit.
        leads: standard names of the rows of `signal`.

    Returns:
        The derivable limb leads that `leads` does not hold, name → float64 (samples,). Empty when fewer than two
        independent limb leads are present.
    """
    present = [lead for lead in LIMB_LEADS if lead in leads]
    for first_index, first in enumerate(present):
        for second in present[first_index + 1 :]:
            matrix = np.array([_FROM_I_AND_II[first], _FROM_I_AND_II[second]])
            if abs(np.linalg.det(matrix)) < 1e-9:
                continue
            pair = np.stack([signal[leads.index(first)], signal[leads.index(second)]]).astype(np.float64)
            i_and_ii = np.linalg.solve(matrix, pair)
            return {
                lead: _FROM_I_AND_II[lead][0] * i_and_ii[0] + _FROM_I_AND_II[lead][1] * i_and_ii[1]
                for lead in LIMB_LEADS
                if lead not in present
            }
    return {}


def limb_lead_contradiction(signal: np.ndarray, leads: Sequence[str]) -> tuple[float, float, tuple[str, ...]]:
    """How far three of the limb leads are from the law that ties them together.

    Every three limb leads obey one law, since two of them give all. Its coefficients are scaled to a length of 1.

    Args:
        signal: (leads, samples), any unit, without slow drift.
        leads: standard names of the rows of `signal`.

    Returns:
        Of the three leads that contradict each other most: what their law leaves, as a share of what it would leave
        of unrelated signals of their size; the same as root mean square in the signal's unit; their names. (0, 0, ())
        for fewer than three limb leads.
    """
    present = tuple(lead for lead in LIMB_LEADS if lead in leads)
    laws = _laws(present)
    if not len(laws):
        return 0.0, 0.0, ()
    rows = signal[[list(leads).index(lead) for lead in present]].astype(np.float64)
    rows = rows - rows.mean(axis=1, keepdims=True)
    products = rows @ rows.T / rows.shape[1]
    rest = np.sqrt(np.maximum(((laws @ products) * laws).sum(axis=1), 0.0))
    share = rest / np.sqrt(np.maximum(laws**2 @ np.diag(products), 1e-20))
    worst = int(share.argmax())
    return float(share[worst]), float(rest[worst]), tuple(name for name, law in zip(present, laws[worst]) if law)


@lru_cache(maxsize=64)
def _laws(leads: tuple[str, ...]) -> np.ndarray:
    """The law of every three of these limb leads, one a row, of length 1: float64 (laws, leads)."""
    laws = []
    for three in combinations(range(len(leads)), 3):
        a, b, c = (_FROM_I_AND_II[leads[place]] for place in three)
        law = np.zeros(len(leads))
        law[list(three)] = [p[0] * q[1] - p[1] * q[0] for p, q in ((b, c), (c, a), (a, b))]
        laws.append(law / np.linalg.norm(law))
    return np.array(laws)
