"""What the caller states about numbers in a file or in memory: sampling rate, units and lead names."""

from __future__ import annotations

import contextlib
import math
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from ...models.ecg_record import ECGError
from .lead_choice import LeadChoice, Leads, lead_choice
from .units import millivolts_per_unit

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Statements:
    """What the caller states.

    Attributes:
        rate: Hz.
        units: mV, uV, nV or V; None where the names of the columns may say it.
        leads: which leads, and what they are called; None where nothing was said.
    """

    rate: float
    units: str | None
    leads: LeadChoice | None

    def names(self, where: object) -> list[str]:
        """Names for leads that have none, in their order.

        Raises:
            ECGError: if none are given, or pairs.
        """
        if self.leads is None:
            raise ECGError(f"{where}: the lead names are not stated: give them in their order (leads=…, --leads)")
        if self.leads.renamed:
            pair = "=".join(next(iter(self.leads.renamed.items())))
            raise ECGError(
                f"{where}: its leads have no names, so {pair} names none: give names in their order (leads=…, --leads)"
            )
        return list(self.leads.names)

    def required_units(self, where: object) -> str:
        """The units.

        Raises:
            ECGError: if none are given.
        """
        if self.units is None:
            raise ECGError(f"{where}: the units are not stated: mV, uV, nV or V (units=…, --units)")
        return self.units


def statements(where: object, sampling_rate: float | str | None, units: str | None, leads: Leads | None) -> Statements:
    """Check the arguments for numbers that state nothing themselves.

    Args:
        where: the recording, for messages.
        sampling_rate: Hz.
        units: None where names of columns may state them.
        leads: names or pairs.

    Raises:
        ECGError: if the sampling rate is missing, or an argument has no meaning.
    """
    if sampling_rate is None:
        raise ECGError(f"{where}: the sampling rate in Hz is not stated (sampling_rate=…, --sampling-rate)")
    if units is not None:
        millivolts_per_unit(units, str(where))
    return Statements(_hertz(where, sampling_rate), units, lead_choice(where, leads))


def require_file(path: Path) -> None:
    """That a file is there.

    Raises:
        ECGError: if it is not.
    """
    if is_missing(path):
        raise ECGError(f"{path}: no such file")
    require_regular(path, path)


def is_missing(path: Path) -> bool:
    """Whether nothing lies there; what a name that no file can have, or a link that leads nowhere, says too."""
    try:
        path.stat()
    except (OSError, ValueError) as error:
        return not isinstance(error, PermissionError)
    return False


def require_regular(path: Path, where: object) -> None:
    """That a path is a file with an end, before it is opened: a pipe would be waited for, a device read for ever.

    Args:
        path: there, perhaps by a link.
        where: the recording, for messages.

    Raises:
        ECGError: if it is anything else.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ECGError(f"{where}: cannot read {path.name}: {error.strerror or error}") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device, no file that could be read twice"
        raise ECGError(f"{where}: {'this' if path == where else path.name[:60]} is {kind}")


def part_bounds(samples: int, rate: float, seconds: float) -> list[tuple[int, int]]:
    """First and last sample (behind it) of equally long parts of at most so many seconds, and one sample at least."""
    count = min(samples, math.ceil(samples / max(1, math.floor(seconds * rate))))
    return [(place * samples // count, (place + 1) * samples // count) for place in range(count)]


def _hertz(where: object, stated: float | str) -> float:
    """A positive number of Hz; a number that came as text (from a table or a YAML file) has one meaning too."""
    value = math.nan
    if isinstance(stated, str):
        value = float(stated) if _NUMBER.fullmatch(stated.strip()) else math.nan
    elif type(stated).__name__ not in ("bool", "bool_"):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            value = float(stated)
    if not (math.isfinite(value) and value > 0):
        shown = str(stated) if isinstance(stated, int | float) else repr(stated)
        raise ECGError(f"{where}: the sampling rate must be a positive number of Hz, got {shown[:40]}")
    return value
