"""What a check of a recording says."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .ecg_record import ECGWarning


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a recording.

    Attributes:
        check: which check speaks, one of the names in docs/checks.md.
        message: one line of at most 200 characters, without the record's name: what is wrong, how it was treated,
            what to do.
        leads: the leads it is about; empty for all.
        certainty: `certain` or `likely`.
        fatal: whether no answer can be given.
    """

    check: str
    message: str
    leads: tuple[str, ...] = ()
    certainty: str = "certain"
    fatal: bool = False


def warn_of(findings: Iterable[Finding], where: str, stacklevel: int = 3) -> None:
    """Warn of each finding (`ECGWarning`) about the recording that is called `where`; as if the caller's caller did."""
    for finding in findings:
        warnings.warn(f"{where}: {finding.message}", ECGWarning, stacklevel=stacklevel)


def named(leads: tuple[str, ...]) -> str:
    """`lead V2 is` or `leads V2, V4 are`; of many leads the first five."""
    listed = ", ".join(leads[:5]) + (f" and {len(leads) - 5} more" if len(leads) > 5 else "")
    return f"leads {listed} are" if len(leads) > 1 else f"lead {listed} is"


def shared(shares: Mapping[str, float]) -> str:
    """`40 %`, or `up to 40 %` of several leads."""
    return f"{'up to ' if len(shares) > 1 else ''}{max(shares.values()):.0%}".replace("%", " %")
