"""Labels of any set as a CSV file.

One row a recording. Columns, of which only `record_id` must be there:

| column | what |
| --- | --- |
| `record_id` | names the recording, unique |
| `patient_id` | names the patient; without it each recording counts as a patient of its own |
| `split` | `train`, `validation`, `test` or another name without blanks; default `train` |
| `path` | of the recording, without suffix |
| `fold` | a number |
| `time` | when it was recorded, ISO 8601 |
| `sex` | `male` or `female` |
| `statements` | SCP codes (`AFIB;LVH?`), sorted into the four types of statements |
| `rhythm`, `form`, `diagnosis`, `superclass`, `heart_axis`, `noise`, `noise_in_lead`, `extra_systole`, `stage_of_infarction` | SCP codes or the set's own names, lower case |
| `rr_ms`, `p_duration_ms`, `pr_ms`, `qrs_ms`, `qt_ms`, `qtc_fridericia_ms` | measured durations in ms; empty where doubtful |

Several labels are parted by ";". A "?" behind a label means possible. `none` means that it was looked for and nothing
found; an empty cell, that nobody looked: nothing is asked then. A label that no row has is not asked for.
"""  # noqa: E501

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hf_heartllm.labels.scp import STATEMENTS

from .numeric import FEATURES, durations
from .records import ATTRIBUTE_TYPES, STATEMENT_TYPES, LabelledRecord, check_patients, statement_attributes

NONE_FOUND = "none"
_PLAIN = ("record_id", "patient_id", "split", "path", "fold", "time", "sex", "statements")
_DURATIONS = {feature.column: feature.column for feature in FEATURES}
COLUMNS = (*_PLAIN, *ATTRIBUTE_TYPES, *_DURATIONS)


def read_label_file(path: str | Path) -> list[LabelledRecord]:
    """Read the labelled records of a set.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is no such file, names an unknown column or code, or has a patient in two parts; one line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        names = reader.fieldnames or []
        unknown = [name for name in names if name not in COLUMNS]
        if "record_id" not in names or unknown:
            what = f"the unknown column {unknown[0]!r}" if unknown else "no column 'record_id'"
            raise ValueError(f"{path}: has {what}; columns are {', '.join(COLUMNS)}")
        records = []
        for number, row in enumerate(reader, start=2):
            try:
                records.append(_record({name: (value or "").strip() for name, value in row.items() if name}))
            except (ValueError, KeyError) as error:
                raise ValueError(f"{path}, line {number}: {error.args[0]}") from None
    try:
        check_patients(records)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return records


def _labels(cell: str) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Labels of a cell, and those of them that are possible only; None where nobody looked."""
    if not cell:
        return None, frozenset()
    if cell == NONE_FOUND:
        return frozenset(), frozenset()
    names = [name.strip() for name in cell.split(";") if name.strip()]
    possible = frozenset(name.removesuffix("?").strip() for name in names if name.endswith("?"))
    return frozenset(name.removesuffix("?").strip() for name in names), possible


def _record(row: Mapping[str, str]) -> LabelledRecord:
    if not row["record_id"]:
        raise ValueError("record_id is empty")
    attributes: dict[str, frozenset[str] | None] = {}
    uncertain: dict[str, frozenset[str]] = {}
    codes, possible = _labels(row.get("statements", ""))
    if codes is not None:
        attributes |= statement_attributes(codes)
        sure = statement_attributes(codes - possible)
        uncertain = {kind: (attributes[kind] or frozenset()) - (sure[kind] or frozenset()) for kind in STATEMENT_TYPES}
    for kind in ATTRIBUTE_TYPES:
        found, doubtful = _labels(row.get(kind, ""))
        if found is not None:
            attributes[kind], uncertain[kind] = found, doubtful
    diagnoses = attributes.get("diagnosis")
    if diagnoses is not None and "superclass" not in attributes and all(name in STATEMENTS for name in diagnoses):
        attributes["superclass"] = statement_attributes(diagnoses)["superclass"]
        sure = statement_attributes(diagnoses - uncertain.get("diagnosis", frozenset()))
        uncertain["superclass"] = (attributes["superclass"] or frozenset()) - (sure["superclass"] or frozenset())
    sex = row.get("sex") or None
    if sex not in (None, "male", "female"):
        raise ValueError(f"sex is {sex!r}, neither 'male' nor 'female'")
    return LabelledRecord(
        record_id=row["record_id"],
        patient_id=row.get("patient_id") or None,
        split=row.get("split") or "train",
        attributes=attributes,
        uncertain=uncertain,
        measurements=durations(row, {name: name for name in _DURATIONS if name in row}),
        sex=sex,
        time=row.get("time") or None,
        path=row.get("path") or None,
        fold=int(row["fold"]) if row.get("fold") else None,
    )


def with_measurements(records: Sequence[LabelledRecord], path: Path) -> Iterator[LabelledRecord]:
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
        columns = {feature.column: feature.column for feature in FEATURES if feature.column in names}
        if key is None or not columns:
            raise ValueError(f"{path}: no table of durations (record_id or ecg_id, and some of rr_ms, pr_ms, …)")
        found = {row[key]: durations(row, columns) for row in reader}
    for record in records:
        yield replace(record, measurements={**record.measurements, **found.get(record.record_id, {})})
