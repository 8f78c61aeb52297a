"""What was measured on recordings before, as findings and in words: from a table of dataset_builders.measurements."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from hf_heartllm.data.record import Record
from hf_heartllm.ecg.findings import Findings, find
from hf_heartllm.ecg.measurements import Measurements
from hf_heartllm.models.measured_text import MEASURED, measured_text

RHYTHMS = ("PACE", "AFIB", "AFLT", "SR", "SBRAD", "STACH", "SARRH")
CONDUCTIONS = ("WPW", "CLBBB", "CRBBB")
"""Statements that decide what is judged, the first that is stated."""


def findings_of(record: Record, measured: Measurements) -> Findings:
    """What lies outside its usual range, judged by the record's age, sex, rhythm and conduction."""
    return find(
        measured,
        sex=record.sex,
        age=record.age,
        rhythm=next((code for code in RHYTHMS if code in record.codes), None),
        conduction=next((code for code in CONDUCTIONS if code in record.codes), None),
    )


def findings_in_table(records: Iterable[Record], path: str | Path) -> dict[str, Findings]:
    """The findings of records by `record_id`: of those that were measured.

    Args:
        records: who was recorded, and which rhythm and conduction are stated.
        path: CSV table.

    Raises:
        ValueError: if the table lacks the columns of leads, or a cell is no number.
    """
    known = {one.record_id: one for one in records}
    found = {}
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if "II_r_mv" not in (reader.fieldnames or ()):
            raise ValueError(f"{path}: no column II_r_mv; dataset_builders.measurements writes one")
        for row in reader:
            record = known.get(str(row.get("record_id") or row.get("ecg_id")))
            if record is not None and row["II_r_mv"]:
                found[record.record_id] = findings_of(record, Measurements.from_columns(row))
    return found


def measured_texts(path: str | Path) -> dict[str, str]:
    """`measured_text` of the recordings of a table, by `record_id`.

    Args:
        path: CSV table.

    Raises:
        ValueError: if the table lacks a column, or a cell is no number.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if lacking := [name for name in MEASURED if name not in (reader.fieldnames or ())]:
            raise ValueError(f"{path}: no column {lacking[0]}; dataset_builders.measurements writes one")
        return {str(row.get("record_id") or row.get("ecg_id")): measured_text(row) for row in reader}
