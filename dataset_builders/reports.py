"""The rows that the HeartLLM authors published as samples: reports in English, and questions, of PTB-XL's records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_heartllm.data.question import Question
from hf_heartllm.labels.english_reports import report_from_statements as report_from_codes

__all__ = [
    "Background",
    "SampleRecord",
    "background_text",
    "parse_background",
    "read_english_reports",
    "read_sample_records",
    "report_from_codes",
]

SPLITS = ("train", "valid", "test")
_FIELD = re.compile(r"- (Age|Sex|Height|Weight): ([^;.]+(?:\.\d+)?)")


@dataclass(frozen=True)
class Background:
    """What is known of a patient; None where it is not.

    Attributes:
        age: years; 300 is PTB-XL's value for over 89.
        sex: 0 male, 1 female, as PTB-XL has it.
        height: in cm.
        weight: in kg.
    """

    age: float | None = None
    sex: int | None = None
    height: float | None = None
    weight: float | None = None


@dataclass
class SampleRecord:
    """All sample rows of one record.

    Attributes:
        ecg_id: PTB-XL's.
        path: the record below PTB-XL's folder, at 500 Hz.
        background: age, sex, height and weight of the row; nothing else of its text is kept.
        report: in English, white space made single; None if the record has only questions.
        report_split: the authors' split of the report row.
        questions: of the record, with the authors' split of each.
    """

    ecg_id: int
    path: str
    background: Background
    report: str | None = None
    report_split: str | None = None
    questions: list[tuple[str, Question]] = field(default_factory=list)


def parse_background(text: str) -> Background:
    """Read age, sex, height and weight from a `background` text; ids, dates and devices in it are left behind.

    Raises:
        ValueError: If a value is no number.
    """
    found: dict[str, float | None] = {}
    for name, value in _FIELD.findall(text):
        number = float(value)
        found[name.lower()] = None if number != number else number
    sex = found.get("sex")
    return Background(found.get("age"), None if sex is None else int(sex), found.get("height"), found.get("weight"))


def background_text(background: Background) -> str | None:
    """The background in words, such as ``"age 56 years, female, weight 63 kg"``; None if nothing is known."""
    parts = []
    if background.age is not None:
        parts.append("age over 89 years" if background.age > 89 else f"age {background.age:g} years")
    if background.sex is not None:
        parts.append("female" if background.sex == 1 else "male")
    if background.height is not None:
        parts.append(f"height {background.height:g} cm")
    if background.weight is not None:
        parts.append(f"weight {background.weight:g} kg")
    return ", ".join(parts) or None


def _rows(folder: Path, kind: str, name: str) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    for split in SPLITS:
        path = folder / kind / "ptbxl" / name.format(split=split)
        if path.is_file():
            for row in json.loads(path.read_text(encoding="utf-8")):
                yield split, path, row


def read_sample_records(folder: str | Path) -> dict[int, SampleRecord]:
    """Read the authors' PTB-XL rows, `report` and `ecgqa`, by record.

    The rows of MIMIC-IV-ECG are never read: their licence is another one.

    Args:
        folder: The ``dataset`` folder of their repository, with ``report/ptbxl/*.json`` and ``ecgqa/ptbxl/*.json``.

    Returns:
        By ``ecg_id``, in its order.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a row lacks a field, or two rows give different reports of one record.
    """
    folder = Path(folder)
    records: dict[int, SampleRecord] = {}
    path: Path = folder
    try:
        for split, path, row in _rows(folder, "report", "{split}.json"):  # noqa: B007  (errors name it)
            record = _record(records, int(row["ecg_id"]), row["filepath"], row["background"])
            report = " ".join(str(row["report"]).split())
            if record.report is not None and record.report != report:
                raise ValueError(f"another row has a different report of ecg_id {record.ecg_id}")
            record.report, record.report_split = report, record.report_split or split
        for split, path, row in _rows(folder, "ecgqa", "template_{split}_background.json"):  # noqa: B007
            (ecg_id,) = row["ecg_id"]
            record = _record(records, int(ecg_id), row["ecg_path"], row["background"])
            answers = tuple(str(answer) for answer in row["answer"])
            question = Question(
                row["question"], answers, (), row["question_type"], row["attribute_type"], "", (str(ecg_id),)
            )
            record.questions.append((split, question))
    except KeyError as error:
        raise ValueError(f"{path}: a row has no field {error}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not records:
        raise FileNotFoundError(f"{folder}: holds no rows in report/ptbxl/*.json or ecgqa/ptbxl/*.json")
    return dict(sorted(records.items()))


def _record(records: dict[int, SampleRecord], ecg_id: int, path: str, background: str) -> SampleRecord:
    return records.setdefault(ecg_id, SampleRecord(ecg_id, str(path), parse_background(background)))


def read_english_reports(folder: str | Path) -> dict[int, str]:
    """Read the authors' English reports of PTB-XL's records, by ``ecg_id``, white space made single.

    Args:
        folder: The ``dataset`` folder of their repository, with ``report/ptbxl/*.json``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If two rows give different reports of one record, or a row lacks a field.
    """
    files = sorted((Path(folder) / "report" / "ptbxl").glob("*.json"))
    if not files:
        raise FileNotFoundError(f"{folder}: holds no report/ptbxl/*.json")
    reports: dict[int, str] = {}
    for path in files:
        for row in json.loads(path.read_text(encoding="utf-8")):
            ecg_id, report = int(row["ecg_id"]), " ".join(str(row["report"]).split())
            if reports.setdefault(ecg_id, report) != report:
                raise ValueError(f"{path}: another file has a different report of ecg_id {ecg_id}")
    return reports
