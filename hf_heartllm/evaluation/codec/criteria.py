"""Named criteria on measurements, and agreement between two sets of verdicts or beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ...ecg import Measurements
from ...models.ecg_leads import LIMB_LEADS

SOKOLOW_LYON = 3.5  # mV, S in V1 + R in V5 or V6 (Sokolow and Lyon, Am. Heart J. 37, 161, 1949)
CORNELL = {"male": 2.8, "female": 2.0}  # mV, above: R in aVL + S in V3 (Casale et al., Circulation 75, 565, 1987)
LOW_LIMB_VOLTAGE = 0.5  # mV, below in every limb lead, from the highest to the lowest point of QRS
ST_ELEVATION = 0.1  # mV at J (0.2 in V2 and V3)
ST_DEPRESSION = -0.05  # mV at J + 60 ms
BEAT_TOLERANCE = 0.05  # s


def r_amplitude(measured: Measurements, lead: str) -> float | None:
    """The largest positive deflection of QRS in mV."""
    found = measured.leads.get(lead)
    if found is None or found.r_mv is None:
        return None
    return max(found.r_mv, found.r_prime_mv or 0.0)


def s_amplitude(measured: Measurements, lead: str) -> float | None:
    """The depth of S in mV, at least 0; of the whole complex where there is no R (QS)."""
    found = measured.leads.get(lead)
    if found is None or found.s_mv is None or found.r_mv is None:
        return None
    depth = -found.s_mv
    if found.r_mv == 0 and found.q_mv is not None:
        depth = max(depth, -found.q_mv)
    return max(depth, 0.0)


def sokolow_lyon(measured: Measurements) -> bool | None:
    """S in V1 plus the larger R of V5 and V6 reaches 3.5 mV; None where one cannot be told."""
    s, r5, r6 = s_amplitude(measured, "V1"), r_amplitude(measured, "V5"), r_amplitude(measured, "V6")
    if s is None or r5 is None or r6 is None:
        return None
    return s + max(r5, r6) >= SOKOLOW_LYON


def cornell(measured: Measurements, sex: str | None) -> bool | None:
    """R in aVL plus S in V3 exceeds 2.8 mV in men and 2.0 mV in women; None where one cannot be told."""
    r, s = r_amplitude(measured, "aVL"), s_amplitude(measured, "V3")
    if r is None or s is None or sex not in CORNELL:
        return None
    return r + s > CORNELL[sex]


def low_limb_voltage(measured: Measurements) -> bool | None:
    """QRS is below 0.5 mV from peak to peak in all six limb leads; None where one cannot be told."""
    sizes = []
    for lead in LIMB_LEADS:
        found = measured.leads.get(lead)
        r = r_amplitude(measured, lead)
        if found is None or r is None or found.s_mv is None:
            return None
        sizes.append(r + max(-found.s_mv, -(found.q_mv or 0.0)))
    return all(size < LOW_LIMB_VOLTAGE for size in sizes)


def st_verdicts(measured: Measurements) -> dict[str, tuple[bool, bool]]:
    """Of each lead that is measured: whether ST is elevated, and whether it is depressed."""
    verdicts = {}
    for lead, found in measured.leads.items():
        if found.st_j_mv is None or found.st_j60_mv is None:
            continue
        limit = 2 * ST_ELEVATION if lead in ("V2", "V3") else ST_ELEVATION
        verdicts[lead] = (found.st_j_mv >= limit, found.st_j60_mv <= ST_DEPRESSION)
    return verdicts


def cohen_kappa(a: ArrayLike, b: ArrayLike) -> float | None:
    """Agreement beyond chance of two sets of yes/no verdicts (Cohen, 1960); None where both are all the same."""
    first, second = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if not len(first):
        return None
    agreed = float((first == second).mean())
    p, q = first.mean(), second.mean()
    chance = float(p * q + (1 - p) * (1 - q))
    return None if chance == 1 else (agreed - chance) / (1 - chance)


def matched_beats(truth: Sequence[float], found: Sequence[float], tolerance: float = BEAT_TOLERANCE) -> int:
    """How many beats have a partner within the tolerance in seconds, each used once; both ascending."""
    pairs, i, j = 0, 0, 0
    while i < len(truth) and j < len(found):
        if abs(truth[i] - found[j]) <= tolerance:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif truth[i] < found[j]:
            i += 1
        else:
            j += 1
    return pairs
