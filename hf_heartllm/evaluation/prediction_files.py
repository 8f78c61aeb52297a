"""Anyone's predictions: JSON or JSON Lines, one object a question or report; also what the public HeartLLM code writes.

The form is described in docs/evaluation.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ..hashes import sha256_of
from ..labels.record_ids import record_text
from ..labels.scp import STATEMENTS
from .answers import AnsweredQuestion

Prediction = str | tuple[str, ...] | None

_REFERENCES = ("reference", "gt", "report")
_PATIENT = re.compile(r"Patient ID: ([^;\s]+)")  # in the background text of the public code's rows


class PredictionFileError(ValueError):
    """A predictions file cannot be scored; the message is one line: which file, which row, what to do."""


@dataclass(frozen=True)
class Report:
    """A report with what a model wrote.

    Attributes:
        reference: the true report.
        prediction: the model's; empty where it wrote none.
        patient: whose ECG it is.
        labels: SCP codes of the record; None where the file has none.
    """

    reference: str
    prediction: str
    patient: str
    labels: frozenset[str] | None = None


@dataclass(frozen=True)
class PredictionFile:
    """What a file holds.

    Attributes:
        path: of the file.
        sha256: of its bytes.
        kind: `"questions"` or `"reports"`.
        grouped_by: what is resampled for intervals: `"patient"`, `"recording"` or `"row"`, whichever all rows name.
        questions: rows of a file of questions.
        reports: rows of a file of reports.
        controls: predictions of each control for the same rows, by its name.
        probabilities: p(answer) over the closed set for each question, None where the row has none.
        repeated: rows whose recording and question (or reference) an earlier row has.
    """

    path: str
    sha256: str
    kind: Literal["questions", "reports"]
    grouped_by: str
    questions: tuple[AnsweredQuestion, ...] = ()
    reports: tuple[Report, ...] = ()
    controls: Mapping[str, tuple[Prediction, ...]] = field(default_factory=dict)
    probabilities: tuple[Mapping[str, float] | None, ...] = ()
    repeated: int = 0

    @cached_property
    def patients(self) -> list[str]:
        """The resampled unit of each row."""
        return [row.patient for row in (self.questions or self.reports)]


def read_predictions(path: str | os.PathLike[str]) -> PredictionFile:
    """Read a predictions file.

    Raises:
        OSError: if it cannot be read.
        PredictionFileError: if it is not of the documented form.
    """
    content = Path(path).read_bytes()
    try:
        return _parsed(content, os.fspath(path))
    except PredictionFileError as error:
        raise PredictionFileError(f"{path}: {error}") from None


def _parsed(content: bytes, path: str) -> PredictionFile:
    rows = _rows(content)
    kind = _kind(rows)
    units, grouped_by = _units(rows)
    shared: dict[str, Any] = {
        "path": path,
        "sha256": sha256_of(content),
        "kind": kind,
        "grouped_by": grouped_by,
        "controls": _controls(rows),
        "repeated": _repeated(rows),
    }
    numbered = [
        ({**row, "row": number}, unit) for number, (row, unit) in enumerate(zip(rows, units, strict=True), start=1)
    ]
    if kind == "questions":
        questions = tuple(_question(row, unit) for row, unit in numbered)
        return PredictionFile(**shared, questions=questions, probabilities=tuple(map(_probabilities, rows)))
    reports = tuple(_report(row, unit) for row, unit in numbered)
    if len({report.labels is None for report in reports}) > 1:
        raise PredictionFileError("some rows have `labels`, some have none; give them for all rows or none")
    return PredictionFile(**shared, reports=reports)


def _rows(content: bytes) -> list[dict[str, Any]]:
    try:
        text = content.decode("utf-8-sig")
        try:
            found = json.loads(text)
            if isinstance(found, dict) and isinstance(found.get("predictions"), list):
                found = found["predictions"]
            rows = found if isinstance(found, list) else [found]
        except json.JSONDecodeError:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise PredictionFileError(f"neither JSON nor JSON Lines ({error})") from None
    if not rows:
        raise PredictionFileError("holds no predictions")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or "prediction" not in row:
            raise PredictionFileError(f"row {number} is no object with a `prediction` (null for an abstention)")
    return rows


def _kind(rows: Sequence[Mapping[str, Any]]) -> Literal["questions", "reports"]:
    questions = ["answer" in row for row in rows]
    reports = [any(name in row for name in _REFERENCES) for row in rows]
    if all(questions):
        return "questions"
    if all(reports) and not any(questions):
        return "reports"
    number = next(
        index for index, found in enumerate(zip(questions, reports, strict=True), 1) if found != (True, False)
    )
    raise PredictionFileError(
        f"row {number}: every row needs an `answer` (questions), or every row a `reference` (reports)"
    )


def _units(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
    """What is resampled: patients where all rows name theirs, else recordings, else rows."""
    patients = [_patient(row) for row in rows]
    if all(patients):
        return patients, "patient"
    recordings = [_name(row.get("ecg_id")) for row in rows]
    if all(recordings):
        return recordings, "recording"
    return [str(number) for number in range(1, len(rows) + 1)], "row"


def _repeated(rows: Sequence[Mapping[str, Any]]) -> int:
    """Rows that say of which recording they are and have the same one and the same text as an earlier one."""
    texts = ("question", "answer", *_REFERENCES)
    keys = [
        json.dumps([_name(row.get("ecg_id")), *(row.get(name) for name in texts)])
        for row in rows
        if _name(row.get("ecg_id")) and any(row.get(name) for name in ("question", *_REFERENCES))
    ]
    return len(keys) - len(set(keys))


def _patient(row: Mapping[str, Any]) -> str:
    stated = _name(row.get("patient_id"))
    if stated:
        return stated
    found = _PATIENT.search(str(row.get("background") or ""))
    return _name(found[1]) if found else ""


def _name(value: Any) -> str:
    """An id as text: 15709.0, 15709 and "15709" are one; lists are joined; empty where there is none."""
    if isinstance(value, list):
        return "+".join(map(_name, value))
    return record_text(value) or ""


def _controls(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Prediction, ...]]:
    names = dict.fromkeys(name for row in rows for name in row.get("controls") or {})
    for name in names:
        for number, row in enumerate(rows, start=1):
            if name not in (row.get("controls") or {}):
                raise PredictionFileError(f"row {number} has no prediction of the control {name!r}")
    return {name: tuple(_prediction(row["controls"][name]) for row in rows) for name in names}


def _prediction(value: Any) -> Prediction:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise PredictionFileError(f"a prediction is text, a list of texts or null, not {value!r}")


def _texts(value: Any, name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(part, str) for part in values):
        raise PredictionFileError(f"row {row['row']}: `{name}` is text or a list of texts, not {value!r}")
    return tuple(values)


def _question(row: Mapping[str, Any], unit: str) -> AnsweredQuestion:
    try:
        return AnsweredQuestion(
            answer=_texts(row["answer"], "answer", row),
            prediction=_prediction(row["prediction"]),
            patient=unit,
            allowed=_texts(row.get("answers") or [], "answers", row),
            question_type=str(row.get("question_type") or ""),
            attribute_type=str(row.get("attribute_type") or ""),
            template=_name(row.get("template_id")),
            subgroups=tuple((str(name), str(value)) for name, value in (row.get("subgroups") or {}).items()),
        )
    except PredictionFileError:
        raise
    except ValueError as error:
        raise PredictionFileError(f"row {row['row']}: {error}") from None


def _report(row: Mapping[str, Any], unit: str) -> Report:
    reference = next(row[name] for name in _REFERENCES if name in row)
    prediction = _prediction(row["prediction"])
    if not isinstance(reference, str) or not reference.strip():
        raise PredictionFileError(f"row {row['row']}: its reference is no text, or empty")
    if isinstance(prediction, tuple):
        raise PredictionFileError(f"row {row['row']}: a report's prediction is one text")
    labels = row.get("labels")
    codes = None if labels is None else frozenset(_texts(list(labels), "labels", row))
    unknown = sorted((codes or frozenset()) - set(STATEMENTS))
    if unknown:
        raise PredictionFileError(f"row {row['row']}: {unknown[0]!r} in `labels` is no SCP statement of PTB-XL")
    return Report(reference, prediction or "", unit, codes)


def _probabilities(row: Mapping[str, Any]) -> Mapping[str, float] | None:
    found = row.get("probabilities")
    if found is None:
        return None
    try:
        shares = {str(answer): float(share) for answer, share in found.items()}
    except (AttributeError, TypeError, ValueError):
        raise PredictionFileError(f"`probabilities` are an object of answers with numbers, not {found!r}") from None
    if not shares or not all(0 <= share <= 1 for share in shares.values()) or abs(sum(shares.values()) - 1) > 0.01:
        raise PredictionFileError(f"`probabilities` lie between 0 and 1 and sum to 1, unlike {found!r}")
    return shares
