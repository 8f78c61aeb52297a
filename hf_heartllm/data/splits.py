"""Parts of a collection that names none: each patient is in one, drawn by the patients' names."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .record import Record

SPLITS = ("train", "validation", "test")
_OTHER_NAMES = {
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("testing", "eval", "evaluation"), "test"),
}
DRAWN = (
    "80 % of the patients are train, 10 % validation, 10 % test, drawn by their names; write a column `split` to keep "
    "this when patients are added"
)


def drawn_splits(patients: Iterable[str]) -> dict[str, str]:
    """The part of each patient: test and validation for a tenth of them each, train for the others.

    The draw depends on the names alone, so every command that reads the same collection draws the same. Of three
    patients or more, one at least is in each part.

    >>> sorted(drawn_splits(["a", "b", "c"]).values())
    ['test', 'train', 'validation']
    """
    names = sorted(set(patients), key=lambda name: hashlib.sha256(f"split of {name}".encode()).digest())
    tenth = max(1, round(len(names) / 10)) if len(names) > 2 else 0
    parts = ("test",) * tenth + ("validation",) * tenth
    return {name: parts[place] if place < len(parts) else "train" for place, name in enumerate(names)}


def with_drawn_splits(records: Sequence[Record]) -> tuple[list[Record], str]:
    """The records with the parts that were drawn for their patients, and a sentence on it."""
    parts = drawn_splits(record.patient for record in records)
    made = [replace(record, split=parts[record.patient]) for record in records]
    counts = Counter(record.split for record in made)
    shown = ", ".join(f"{counts[name]} {name}" for name in SPLITS)
    return made, f"No splits are named: {DRAWN}: {shown} recordings."


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
