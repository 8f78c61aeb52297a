"""Who records are of and what they were recorded with: for subgroups, and for the control without an ECG."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.record import Record, id_order
from ..labels.ptbxl import AGE_OVER_89
from ..models.prompts import background_text
from .groups import groups_of

UNKNOWN = "unknown"
AGE_BANDS = ("< 50", "50–64", "65–79", "≥ 80")
MIN_SUPPORT = 5
"""What is counted of an age band and sex falls back to all where there are fewer training rows of it."""
_UPPER = (50, 65, 80)


@dataclass(frozen=True)
class Person:
    """What is known of one record's patient and device.

    Attributes:
        sex: `"male"`, `"female"` or `"unknown"`.
        age_band: one of `AGE_BANDS`, or `"unknown"`.
        device: family by its first two letters (`"CS"`, `"AT"`), or `"unknown"`.
        background: `models.prompts.background_text` of age and sex; empty if neither is known.
    """

    sex: str
    age_band: str
    device: str
    background: str

    @property
    def group(self) -> tuple[str, str]:
        """Age band and sex."""
        return self.age_band, self.sex


def age_band(age: float) -> str:
    """The band of an age in years (PTB-XL's 300: over 89); not-a-number is unknown."""
    return UNKNOWN if np.isnan(age) else AGE_BANDS[int(np.searchsorted(_UPPER, age, side="right"))]


def people(records: Iterable[Record]) -> dict[str, Person]:
    """By record_id."""
    found = {}
    for record in records:
        told = background_text(age=None if record.age is None else min(record.age, AGE_OVER_89), sex=record.sex)
        band = UNKNOWN if record.age is None else age_band(record.age)
        device = (record.device or "").strip()
        found[record.record_id] = Person(record.sex or UNKNOWN, band, device[:2].upper() or UNKNOWN, told)
    return found


def subgroups(persons: Iterable[Person]) -> dict[str, list[int]]:
    """Rows of each sex, age band and device family that occurs, by name."""
    persons = list(persons)
    columns = {"sex": [one.sex for one in persons], "age": [one.age_band for one in persons]}
    rows = groups_of({**columns, "device": [one.device for one in persons]})
    order = ["sex male", "sex female", *(f"age {band}" for band in AGE_BANDS)]
    return {name: rows[name] for name in sorted(rows, key=lambda n: (order.index(n) if n in order else len(order), n))}


def patient_numbers(names: Sequence[str]) -> np.ndarray:
    """A number for each name, int64 (names,), in their order: names of digits by their value, then others."""
    places = {name: place for place, name in enumerate(sorted(set(names), key=id_order))}
    return np.array([places[name] for name in names], dtype=np.int64)


def id_number(name: str) -> int:
    """A whole number that stands for an id in a seeded draw: its value, or a hash where it is no number."""
    return int(name) if name.isascii() and name.isdigit() else zlib.crc32(name.encode())
