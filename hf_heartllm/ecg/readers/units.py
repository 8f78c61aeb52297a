"""Physical units of an electrocardiogram, converted to millivolts; any other unit is refused, never guessed."""

from __future__ import annotations

import re

from ...models.record_from_array import MILLIVOLTS, millivolts_per_unit

__all__ = ["is_unit", "is_voltage", "millivolts_per_unit", "name_and_unit"]

# Units of other quantities, where a column's name ends in one.
_OTHER_UNITS = {
    "mmhg", "cmh2o", "kpa", "pa", "bar", "nu", "%", "bpm", "1/min", "/min", "pm", "ohm", "kohm", "degc", "deg",
    "°c", "°f", "g", "mg", "m/s2", "m/s^2", "m/s²", "deg/s", "dps", "°/s", "rad/s", "l", "ml", "l/min", "ml/s", "l/s",
    "us", "µs", "ms", "s", "hz", "lux", "db", "adu", "adc", "lsb", "counts", "count", "digits", "raw", "a.u.", "au",
}  # fmt: skip
_LONGEST_NAME = 200  # characters; what is longer is no name
_IN_BRACKETS = re.compile(r"(?P<name>.*?)[\s_]*[(\[{](?P<unit>[^()\[\]{}]*)[)\]}]")
_AT_THE_END = re.compile(r"(?P<name>.+?)[\s_/,]+(?P<unit>[mnuµμ][vV])")


def is_voltage(units: str) -> bool:
    """Whether a unit is one that `millivolts_per_unit` knows."""
    return units.strip() in MILLIVOLTS


def is_unit(text: str) -> bool:
    """Whether a text is a unit of a voltage or of another quantity."""
    return is_voltage(text) or text.strip().casefold() in _OTHER_UNITS


def _seems_a_voltage(text: str) -> bool:
    """Whether a text is meant as a unit of a voltage, though none that is known: `microvolts`, `UV`."""
    lower = text.strip().casefold()
    return "volt" in lower or lower in {one.casefold() for one in MILLIVOLTS}


def name_and_unit(text: str) -> tuple[str, str | None]:
    """A column's name and the unit that stands behind it: `V1 (mV)` → `V1` and `mV`; None without a unit.

    Brackets that hold something else (`EEG (C4-A1)`) belong to the name.
    """
    if len(text) > _LONGEST_NAME:
        return text.strip(), None
    found = _IN_BRACKETS.fullmatch(text.strip())
    if found and (is_unit(found["unit"]) or _seems_a_voltage(found["unit"])):
        return found["name"].strip(), found["unit"].strip()
    found = _AT_THE_END.fullmatch(text.strip())
    return (found["name"].strip(), found["unit"]) if found else (text.strip(), None)
