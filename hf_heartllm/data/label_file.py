"""Recordings and labels of any collection as a CSV file.

One row a recording. Columns, of which `path` or `record_id` must be there:

| column | what |
| --- | --- |
| `path` | of the recording, from the folder of this file, with or without suffix; any format that is read |
| `patient` | names the patient; without it each recording counts as a patient of its own |
| `labels` | SCP codes, their phrases, SNOMED CT codes (`AFIB; LVH?`, `atrial fibrillation`, `164889003`) |
| `record_id` | names the recording, unique; default: `path` |
| `split` | `train`, `validation`, `test` or another name; without the column drawn by patient (80, 10, 10 %) |
| `age`, `sex`, `height`, `weight` | years, `male` or `female`, cm, kg |
| `report`, `report_language` | the report, and its language where its words leave doubt (`en`, `de`, …) |
| `sampling_rate`, `units`, `leads` | where the recording's format does not say: Hz, `mV` or `uV`, `I,II,…` |
| `time`, `device` | when (ISO 8601) and with what it was recorded |
| `rhythm`, `form`, `diagnosis`, `superclass`, `heart_axis`, `noise`, `noise_in_lead`, `extra_systole`, `stage_of_infarction` | labels by type: SCP codes, or the collection's own names, lower case |
| `rr_ms`, `p_duration_ms`, `pr_ms`, `qrs_ms`, `qt_ms`, `qtc_fridericia_ms` | measured durations in ms; empty where doubtful |

Several labels are parted by ";". A "?" behind a label means possible. `none` means that it was looked for and nothing
found; an empty cell, that nobody looked: nothing is asked then. A label that no row has is not asked for. Words of
`labels` that are in no table are listed and not guessed at; what is not stated beside them counts as unknown. Commas,
semicolons or tabs part the cells. `patient_id` and `statements` are other names of `patient` and `labels`.
"""  # noqa: E501

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..ecg.readers.formats import FORMATS
from ..labels.english_reports import UNDETERMINED, report_language
from ..labels.record_ids import record_text
from .label_names import ATTRIBUTE_TYPES, STATEMENT_TYPES, statement_labels
from .label_terms import Stated, labels_of, leave_open, stated_by, statement_code, terms_of
from .measured import DURATIONS, durations
from .record import Record, Report, check_patients
from .splits import split_name, with_drawn_splits
from .table_rows import read_table

NONE_FOUND = "none"
_SAME = {"patient": "patient_id", "labels": "statements"}
_PEOPLE = ("age", "sex", "height", "weight")
_READING = ("sampling_rate", "units", "leads")
_PLAIN = ("record_id", "patient_id", "split", "path", "statements", "report", "report_language", "time", "device")
COLUMNS = (*_PLAIN, *_PEOPLE, *_READING, *ATTRIBUTE_TYPES, *DURATIONS)
_SEXES = {**dict.fromkeys(("male", "m"), "male"), **dict.fromkeys(("female", "f"), "female")}
_NO_SEX = ("unknown", "other", "u", "x", "nan", "n/a", "na")
_NEED_READING = tuple(suffix for one in FORMATS for suffix in one.suffixes if "sampling_rate" in one.arguments)
"""Suffixes of recordings whose format does not say all: their rate and units may stand in the table."""

_MOST_YEARS = 130
_OVER_89 = 300  # PTB-XL's value


@dataclass
class LabelFile:
    """What a label file holds.

    Attributes:
        records: in its order.
        notes: what was decided or left out, each a sentence.
    """

    records: list[Record]
    notes: list[str] = field(default_factory=list)


class _CellError(ValueError):
    """What is wrong with the cell of a column."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(f"column {column}: {what}")


def read_label_file(path: str | Path, root: str | Path | None = None) -> LabelFile:
    """Read the records of a label file (`hf_heartllm.data.label_file` says what its columns are).

    Args:
        path: the CSV file.
        root: the folder that the paths in it begin from; its own when None.

    Raises:
        FileNotFoundError: if the file is not there.
        ValueError: if it is no such file, a cell cannot be read, or a patient is in two parts; one line that names the
            file and, where there is one, the line and the column.
    """
    path = Path(path)
    names, rows = read_table(path)
    columns, notes = _columns(path, names)
    folder = path.parent if root is None else Path(root)
    records: list[Record] = []
    stated: dict[str, Stated] = {}
    lines: dict[str, int] = {}
    unused = 0
    for line, cells in rows:
        row = {column: cells[name] for name, column in columns.items()}
        try:
            record, said = _record(row, folder)
        except ValueError as error:
            raise ValueError(f"{path}, line {line}, {error}") from None
        unused += any(row.get(name) for name in ("sampling_rate", "units")) and not record.reading
        if said is not None:
            stated[record.record_id] = said
        if (first := lines.setdefault(record.record_id, line)) != line:
            raise ValueError(f"{path}, line {line}: record {record.record_id!r} occurs more than once (line {first})")
        records.append(record)
    if not records:
        raise ValueError(f"{path}: holds no recording below its header")
    try:
        check_patients(records)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if "split" not in columns.values():
        records, drawn = with_drawn_splits(records)
        notes.append(drawn)
    notes += _notes(records, stated)
    if unused:
        notes.append(f"sampling_rate and units of {unused} recordings are not used: their format says its own.")
    return LabelFile(leave_open(records, stated), notes)


def _columns(path: Path, names: list[str]) -> tuple[dict[str, str], list[str]]:
    """The columns that are read, by their names in the file, and a note about the others."""
    columns: dict[str, str] = {}
    others = []
    for name in names:
        column = _SAME.get(name, name)
        if column in columns.values():
            raise ValueError(f"{path}: has the column {column!r} under two names; leave one out")
        if column in COLUMNS:
            columns[name] = column
            continue
        if near := difflib.get_close_matches(name, (*COLUMNS, *_SAME), 1, 0.8):
            raise ValueError(
                f"{path}: has the unknown column {name!r}; is {near[0]!r} meant? Else give it another name"
            )
        others.append(name)
    if not {"path", "record_id"} & set(columns.values()):
        raise ValueError(f"{path}: has no column 'path' or 'record_id'; columns are {', '.join(COLUMNS)}")
    return columns, [f"Columns that are not read: {', '.join(others)}."] if others else []


def _record(row: Mapping[str, str], folder: Path) -> tuple[Record, Stated | None]:
    name = row.get("path", "")
    record_id = record_text(row.get("record_id", "") or name)
    if record_id is None:
        raise _CellError("record_id" if "record_id" in row else "path", "is empty")
    patient = record_text(unicodedata.normalize("NFC", row.get("patient_id", "")))
    labels, possible, said = _all_labels(row)
    path = _path(name, folder) if name else None
    return Record(
        record_id=record_id,
        patient_id=patient,
        split=_split(row),
        labels=labels,
        possible=possible,
        measurements=_measurements(row),
        reports=_reports(row),
        path=path,
        root=folder if path is not None else None,
        reading=_reading(row, path),
        age=_age(row),
        sex=_sex(row),
        height=_number(row, "height"),
        weight=_number(row, "weight"),
        device=row.get("device") or None,
        time=_time(row),
    ), said


def _labels(cell: str) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Labels of a cell, and those of them that are possible only; None where nobody looked."""
    if not cell:
        return None, frozenset()
    if cell.lower() == NONE_FOUND:
        return frozenset(), frozenset()
    names = [name.strip() for name in cell.split(";") if name.strip()]
    possible = frozenset(name.removesuffix("?").strip() for name in names if name.endswith("?"))
    return frozenset(name.removesuffix("?").strip() for name in names), possible


def _all_labels(
    row: Mapping[str, str],
) -> tuple[dict[str, frozenset[str] | None], dict[str, frozenset[str]], Stated | None]:
    """Labels and possible labels by type, and what the terms of `labels` say."""
    labels: dict[str, frozenset[str] | None] = {}
    possible: dict[str, frozenset[str]] = {}
    cell, said = row.get("statements", ""), None
    if cell:
        terms = [] if cell.lower() == NONE_FOUND else terms_of(cell)
        said = stated_by(term.rstrip("? ") for term in terms)
        sure = labels_of(stated_by(term for term in terms if not term.endswith("?")))
        labels = labels_of(said)
        if said.unknown and not (said.codes or said.classes):
            labels, said = {}, Stated(unknown=said.unknown)  # nothing that was understood
        possible = {kind: (labels.get(kind) or frozenset()) - (sure[kind] or frozenset()) for kind in STATEMENT_TYPES}
    for kind in ATTRIBUTE_TYPES:
        found, doubtful = _labels(row.get(kind, ""))
        if found is not None:
            labels[kind], possible[kind] = (frozenset(_own(kind, one) for one in names) for names in (found, doubtful))
    diagnoses = labels.get("diagnosis")
    if row.get("diagnosis") and diagnoses is not None and not row.get("superclass"):
        if all(statement_code(name) for name in diagnoses):
            classes, sure_classes = (
                statement_labels(codes)["superclass"] or frozenset()
                for codes in (diagnoses, diagnoses - possible.get("diagnosis", frozenset()))
            )
            labels["superclass"], possible["superclass"] = classes, classes - sure_classes
        else:
            labels.pop("superclass", None)  # of which class a name of the collection's own is, is not known
    return labels, possible, said


def _own(kind: str, name: str) -> str:
    """A label in a column of its type: the SCP code that it is or whose phrase it is, else its own name."""
    code = statement_code(name)
    return code if code is not None and kind in ("rhythm", "form", "diagnosis") else name


def _path(name: str, folder: Path) -> str:
    """The path as `read_ecg` takes it; the suffix is found where it was left out.

    A path that is not there is returned as it is: who reads it says so.
    """
    for written in dict.fromkeys((name, name.replace("\\", "/"))):
        place = folder / written
        if place.is_file() or place.with_name(f"{place.name}.hea").is_file():
            return written
        found = [place.with_name(f"{place.name}{suffix}") for suffix in _NEED_READING]
        found = [path for path in found if path.is_file()]
        if len(found) > 1:
            raise _CellError("path", f"{name} is {' and '.join(path.name for path in found)}; name one of them")
        if found:
            return f"{written}{found[0].suffix}"
    return name


def _reading(row: Mapping[str, str], path: str | None) -> dict[str, Any]:
    """What the format of a recording does not say."""
    if (rate := _number(row, "sampling_rate")) is not None and rate <= 0:
        raise _CellError("sampling_rate", f"{rate:g} is no rate in Hz")
    reading: dict[str, Any] = {"leads": row["leads"]} if row.get("leads") else {}
    if path is not None and Path(path).suffix.lower() in _NEED_READING:
        reading |= {} if rate is None else {"sampling_rate": rate}
        reading |= {"units": row["units"]} if row.get("units") else {}
    return reading


def _split(row: Mapping[str, str]) -> str:
    if "split" not in row:
        return "train"  # drawn when all are read
    if not row["split"]:
        raise _CellError("split", "is empty; fill it, or leave the column out and it is drawn by patient")
    try:
        return split_name(row["split"])
    except ValueError as error:
        raise _CellError("split", str(error)) from None


def _number(row: Mapping[str, str], column: str) -> float | None:
    cell = row.get(column, "")
    if not cell or cell.lower() in ("nan", "na", "n/a"):
        return None
    try:
        return float(cell.replace(",", ".") if cell.count(",") == 1 else cell)
    except ValueError:
        raise _CellError(column, f"{cell!r} is no number") from None


def _measurements(row: Mapping[str, str]) -> dict[str, float | None]:
    there = [name for name in DURATIONS if name in row]
    return durations({name: _number(row, name) for name in there}, there)


def _age(row: Mapping[str, str]) -> float | None:
    age = _number(row, "age")
    if age is not None and age != _OVER_89 and not 0 <= age <= _MOST_YEARS:
        raise _CellError("age", f"{age:g} is no age in years")
    return age


def _sex(row: Mapping[str, str]) -> str | None:
    sex = row.get("sex", "").lower()
    if sex and sex not in _SEXES and sex not in _NO_SEX:
        raise _CellError("sex", f"{row['sex']!r} is neither 'male' nor 'female' (m, f; empty where it is not known)")
    return _SEXES.get(sex)


def _time(row: Mapping[str, str]) -> str | None:
    time = row.get("time", "")
    try:
        if time:
            datetime.fromisoformat(time)
    except ValueError:
        raise _CellError("time", f"{time!r} is no date and time in ISO 8601, such as 2024-05-17 08:30") from None
    return time or None


def _reports(row: Mapping[str, str]) -> tuple[Report, ...]:
    text = row.get("report", "")
    if not text:
        return ()
    language = row.get("report_language", "").lower() or report_language(text)
    return (Report(text, None if language == UNDETERMINED else language),)


def _notes(records: Collection[Record], stated: Mapping[str, Stated]) -> list[str]:
    """What was decided for the reader."""
    lines = []
    if alone := sum(record.patient_id is None for record in records):
        lines.append(f"{alone} of {len(records)} recordings name no patient: each counts as a patient of its own.")
    unknown = Counter(term for said in stated.values() for term in said.unknown)
    if unknown:
        touched = sum(bool(said.unknown) for said in stated.values())
        shown = ", ".join(f"{term!r} ({number})" for term, number in unknown.most_common(10))
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        lines.append(
            f"Labels that are in no table, in {touched} of {len(records)} recordings: {shown}{more}. They are not "
            "asked for, and what is not stated beside them counts as unknown; columns such as `diagnosis` take own "
            "names."
        )
    without = sum(not any(labels is not None for labels in record.labels.values()) for record in records)
    if without:
        lines.append(
            f"{without} of {len(records)} recordings have no label that is understood: nothing is asked of them."
        )
    return lines
