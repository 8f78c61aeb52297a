"""Durations that were measured on recordings, from a CSV table."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .record import Record

DURATIONS = ("rr_ms", "p_duration_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms")
"""Columns of a table of measurements that questions are made from, in ms."""


def durations(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, float | None]:
    """The `measurements` of a record from a row of a table; empty and NaN cells are None.

    Raises:
        ValueError: if a cell is no number.
    """
    found: dict[str, float | None] = {}
    for name in columns:
        value = row.get(name)
        number = None if value is None or value == "" else float(value)
        found[name] = None if number is None or number != number else number
    return found


def with_measurements(records: Sequence[Record], path: Path) -> Iterator[Record]:
    """The records with the durations of a table.

    Raises:
        FileNotFoundError: If the table is not there.
        ValueError: If it has no column `record_id` or `ecg_id`, or none of the durations.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        names = reader.fieldnames or []
        key = next((name for name in ("record_id", "ecg_id") if name in names), None)
        columns = [name for name in DURATIONS if name in names]
        if key is None or not columns:
            raise ValueError(f"{path}: no table of durations (record_id or ecg_id, and some of rr_ms, pr_ms, …)")
        found = {row[key]: durations(row, columns) for row in reader}
    for record in records:
        yield replace(record, measurements={**record.measurements, **found.get(record.record_id, {})})
