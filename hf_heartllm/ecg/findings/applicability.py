"""Whose ECG it is, and what of it may be compared with the usual ranges at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..measurements.result import Measurements
from .ranges import NormalRanges

SINUS, FIBRILLATION, FLUTTER, PACED, OTHER = "sinus rhythm", "atrial fibrillation", "atrial flutter", "paced", "other"
RHYTHMS: dict[str, tuple[str, ...]] = {
    SINUS: ("sinus", "sr", "sbrad", "stach", "sarrh"),
    FIBRILLATION: ("af", "afib"),
    FLUTTER: ("flutter", "aflt"),
    PACED: ("pacing", "pacemaker", "pace"),
    OTHER: ("svarr", "svtac", "psvt", "bigu", "trigu"),
}
"""Rhythms that may be stated, with other words for them, among them SCP-ECG statements."""

PRE_EXCITATION = "pre-excitation"
CONDUCTIONS: dict[str, tuple[str, ...]] = {
    "left bundle branch block": ("lbbb", "clbbb"),
    "right bundle branch block": ("rbbb", "crbbb"),
    PRE_EXCITATION: ("preexcitation", "wpw"),
}
"""Disturbances of conduction that may be stated, likewise."""

Sex = Literal["male", "female"]


@dataclass(frozen=True)
class Case:
    """A recording's measurements, with all that decides which limits hold for them.

    Attributes:
        measured: the measurements.
        sex: None if unknown.
        age: years; None if unknown.
        ranges: the limits.
        no_p: why nothing is said of P and PR; None where it may be.
        no_qtc: likewise of QTc.
        no_repolarisation: likewise of Q, ST, T and the voltages of the ventricles.
    """

    measured: Measurements
    sex: Sex | None
    age: float | None
    ranges: NormalRanges
    no_p: str | None = None
    no_qtc: str | None = None
    no_repolarisation: str | None = None

    @property
    def doubtful(self) -> bool:
        """Whether the checks of the recording warned."""
        return bool(self.measured.warnings)


def case_of(
    measured: Measurements,
    sex: str | None,
    age: float | None,
    rhythm: str | None,
    conduction: str | None,
    ranges: NormalRanges,
) -> Case:
    """Decide what may be judged.

    Raises:
        ValueError: if sex, age, rhythm or conduction is none that is known.
    """
    if sex not in ("male", "female", None):
        raise ValueError(f"sex: male, female or None is needed, got {sex!r}")
    if age is not None and not (math.isfinite(age) and age >= 0):
        raise ValueError(f"age: years from 0 or None are needed, got {age!r}")
    stated = _stated("rhythm", rhythm, RHYTHMS)
    conducted = _stated("conduction", conduction, CONDUCTIONS)
    no_p = _no_p(measured, stated, ranges)
    no_repolarisation = _no_repolarisation(measured, stated, conducted, ranges)
    no_qtc = no_repolarisation
    if no_p in (FIBRILLATION, NO_P_WAVES):
        no_qtc = no_qtc or f"{no_p}: it would have to be averaged over more beats"
    return Case(measured, sex, age, ranges, no_p, no_qtc, no_repolarisation)  # type: ignore[arg-type]


NO_P_WAVES = "irregular rhythm without P waves before most beats"


def _stated(what: str, name: str | None, known: dict[str, tuple[str, ...]]) -> str | None:
    if name is None:
        return None
    for canonical, others in known.items():
        if str(name).strip().casefold() in (canonical, *others):
            return canonical
    raise ValueError(f"{what}: one of {', '.join(known)} or None is needed, got {name!r}")


def _no_p(measured: Measurements, rhythm: str | None, ranges: NormalRanges) -> str | None:
    """Why nothing is said of P and PR. A stated sinus rhythm is believed; without one the measurements decide."""
    if rhythm in (FIBRILLATION, FLUTTER):
        return rhythm
    if rhythm == PACED:
        return "paced rhythm"
    overall = measured.overall
    irregular = overall.rr_irregularity is not None and round(overall.rr_irregularity, 2) > ranges.rr_irregularity
    if rhythm is None and irregular and (overall.p_share is None or overall.p_share < ranges.p_share):
        return NO_P_WAVES
    return None


def _no_repolarisation(
    measured: Measurements, rhythm: str | None, conduction: str | None, ranges: NormalRanges
) -> str | None:
    """Why nothing is said of Q, ST, T and voltages: they follow from an altered way through the ventricles."""
    if rhythm == PACED:
        return "paced rhythm"
    qrs = measured.overall.qrs_ms
    if (qrs is not None and qrs >= ranges.wide_qrs) or (conduction is not None and conduction != PRE_EXCITATION):
        return "wide QRS"
    return conduction
