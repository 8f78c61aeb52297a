"""Groups of rows: by question type, by sex, by whatever else is said of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence


def groups_of(columns: Mapping[str, Sequence[str | None]]) -> dict[str, list[int]]:
    """Rows of each value of each column, by "column value", numbers by their size; a row with None is in no group."""
    groups = {}
    for words, values in columns.items():
        rows: dict[str, list[int]] = defaultdict(list)
        for row, value in enumerate(values):
            if value is not None:
                rows[value].append(row)
        # Template 9 before template 10.
        for value in sorted(rows, key=lambda value: (int(value) if value.isdigit() else 0, value)):
            groups[f"{words} {value}".strip()] = rows[value]
    return groups
