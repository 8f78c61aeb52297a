"""What PTB-XL's table says of a record's patient and device, for subgroups and for the control without an ECG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..labels.ptbxl import AGE_OVER_89, SEX
from ..models.prompts import background_text

if TYPE_CHECKING:
    import pandas as pd

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


def people(table: pd.DataFrame) -> dict[int, Person]:
    """By ecg_id, from `labels.ptbxl.read_ptbxl_table`. The device is null where the row was reconstructed."""
    found = {}
    devices = table["device"] if "device" in table.columns else [None] * len(table)
    for ecg_id, age, sex, device in zip(table["ecg_id"], table["age"], table["sex"], devices, strict=True):
        years = float(age) if age == age else float("nan")
        word = SEX.get(int(sex)) if _is_known(sex) else None
        told = background_text(age=None if np.isnan(years) else min(years, AGE_OVER_89), sex=word)
        family = device.strip()[:2].upper() if isinstance(device, str) and device.strip() else UNKNOWN
        found[int(ecg_id)] = Person(word or UNKNOWN, age_band(years), family, told)
    return found


def _is_known(value: object) -> bool:
    import pandas as pd

    return not bool(pd.isna(value))  # type: ignore[call-overload]


def subgroups(persons: Iterable[Person]) -> dict[str, list[int]]:
    """Rows of each sex, age band and device family that occurs, by name."""
    rows: dict[str, list[int]] = {}
    for index, person in enumerate(persons):
        for words, value in (("sex", person.sex), ("age", person.age_band), ("device", person.device)):
            rows.setdefault(f"{words} {value}", []).append(index)
    order = ["sex male", "sex female", *(f"age {band}" for band in AGE_BANDS)]
    return {name: rows[name] for name in sorted(rows, key=lambda n: (order.index(n) if n in order else 99, n))}
