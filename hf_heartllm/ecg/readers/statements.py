"""What the caller states about a CSV or NPY file: sampling rate, units and lead names."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...models.ecg_record import ECGError
from .units import millivolts_per_unit

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Statements:
    """What the caller states.

    Attributes:
        rate: Hz.
        units: mV, uV or V.
        leads: names as they were given, or None.
    """

    rate: float
    units: str
    leads: list[str] | None

    def names(self, path: Path) -> list[str]:
        """The lead names, or an ECGError where none are given."""
        if self.leads is None:
            raise ECGError(f"{path}: the file does not state its lead names: give them in its order (leads=…, --leads)")
        return self.leads


def statements(
    path: Path, sampling_rate: float | str | None, units: str | None, leads: Sequence[str] | str | None
) -> Statements:
    """Check the arguments for a file that states nothing itself.

    Raises:
        ECGError: if the file is not there, or an argument is missing or has no meaning.
    """
    if not path.is_file():
        raise ECGError(f"{path}: {'this is a folder' if path.is_dir() else 'no such file'}")
    kind = path.suffix.lower().lstrip(".").upper()
    if sampling_rate is None:
        raise ECGError(f"{path}: {kind} files do not state the sampling rate in Hz (sampling_rate=…, --sampling-rate)")
    if units is None:
        raise ECGError(f"{path}: {kind} files do not state the units: mV, uV or V (units=…, --units)")
    millivolts_per_unit(units, str(path))
    return Statements(_hertz(path, sampling_rate), units, None if leads is None else _names(path, leads))


def _hertz(path: Path, stated: float | str) -> float:
    """A positive number of Hz; a number that came as text (from a table or a YAML file) has one meaning too."""
    value = math.nan
    if isinstance(stated, str):
        value = float(stated) if _NUMBER.fullmatch(stated.strip()) else math.nan
    elif type(stated).__name__ not in ("bool", "bool_"):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            value = float(stated)
    if not (math.isfinite(value) and value > 0):
        shown = str(stated) if isinstance(stated, int | float) else repr(stated)
        raise ECGError(f"{path}: the sampling rate must be a positive number of Hz, got {shown[:40]}")
    return value


def _names(path: Path, leads: Sequence[str] | str) -> list[str]:
    try:
        names = [name.strip() for name in (leads.split(",") if isinstance(leads, str) else leads)]
    except (TypeError, AttributeError):
        raise ECGError(f"{path}: lead names must be texts, got {str(leads)[:40]} (leads=…, --leads)") from None
    if not names or not all(names):
        raise ECGError(f"{path}: a lead name is empty (leads=…, --leads)")
    return names
