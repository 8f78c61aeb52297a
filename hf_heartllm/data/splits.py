"""Parts of a collection that names none: each patient is in one, drawn from the patient's own name."""

from __future__ import annotations

import hashlib
import re

SPLITS = ("train", "validation", "test")
_BELOW = ((0.8, "train"), (0.9, "validation"), (1.0, "test"))
_OTHER_NAMES = {
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("testing", "eval", "evaluation"), "test"),
}
DRAWN = "80 % of the patients are train, 10 % validation, 10 % test, drawn from each patient's name"


def drawn_split(patient: str) -> str:
    """The part of a patient: train for 80 %, validation for 10 %, test for 10 % of all names.

    It depends on nothing but the name, so it stays when recordings are added, and every command draws the same.

    >>> drawn_split("Z-9") == drawn_split("Z-9")
    True
    """
    number = int.from_bytes(hashlib.sha256(f"split of {patient}".encode()).digest()[:8], "big") / 2**64
    return next(name for below, name in _BELOW if number < below)


def split_name(text: str) -> str:
    """A split as a table writes it, in the usual name.

    Raises:
        ValueError: if it is no name of a split: letters, digits and underscores.

    >>> split_name("Valid")
    'validation'
    """
    name = text.strip()
    plain = name.lower()
    if plain in SPLITS or plain in _OTHER_NAMES:
        return _OTHER_NAMES.get(plain, plain)
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"{name!r} is no name of a split: train, validation, test, or letters, digits and underscores")
    return name
