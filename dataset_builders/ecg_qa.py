"""ECG-QA's question files in their official layout (Oh et al., NeurIPS 2023, CC BY 4.0).

``template/{train,valid,test}/*.json`` and ``paraphrased/...``, plain or compressed with gzip, beside
``answers_for_each_template.csv``. Questions that compare two ECGs are read, but not made into training questions yet.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import wording
from .questions import Question

ANSWER_SETS_NAME = "answers_for_each_template.csv"
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class ECGQARow:
    """One row as ECG-QA has it, with the split whose file it stands in."""

    template_id: int
    question_id: int
    sample_id: int
    question_type: str
    attribute_type: str
    question: str
    answer: tuple[str, ...]
    ecg_id: tuple[int, ...]
    attribute: tuple[str, ...] | None
    split: str


def _ptbxl_folder(folder: str | Path) -> Path:
    """The folder with ``template`` and ``paraphrased`` in it: the one given, its ``ptbxl`` or its ``ecgqa/ptbxl``."""
    for candidate in (Path(folder), Path(folder) / "ptbxl", Path(folder) / "ecgqa" / "ptbxl"):
        if (candidate / "template").is_dir() or (candidate / "paraphrased").is_dir():
            return candidate
    raise FileNotFoundError(f"{folder}: holds neither template/ nor paraphrased/; give ECG-QA's folder of PTB-XL")


def read_ecg_qa(folder: str | Path, version: Literal["template", "paraphrased"] = "template") -> Iterator[ECGQARow]:
    """Read all rows of one version, split by split, file by file in the order of their numbers.

    Files that are absent are not missed: compare the counts with the paper's (231,536 questions on one ECG) yourself.

    Args:
        folder: ECG-QA's folder of PTB-XL, or one that holds it as ``ptbxl`` or ``ecgqa/ptbxl``.
        version: ``"template"`` or ``"paraphrased"``.

    Raises:
        FileNotFoundError: If the version is not there.
        ValueError: If a file is no list of such rows; names the file.
    """
    root = _ptbxl_folder(folder) / version
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    for split in SPLITS:
        paths = [path for path in (root / split).glob("*") if path.name.endswith((".json", ".json.gz"))]
        for path in sorted(paths, key=lambda path: (len(path.name.split(".")[0]), path.name)):
            yield from _read_file(path, split)


def _read_file(path: Path, split: str) -> list[ECGQARow]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
            rows = json.load(file)
        return [
            ECGQARow(
                template_id=int(row["template_id"]),
                question_id=int(row["question_id"]),
                sample_id=int(row["sample_id"]),
                question_type=str(row["question_type"]),
                attribute_type=str(row["attribute_type"]),
                question=str(row["question"]),
                answer=tuple(row["answer"]),
                ecg_id=tuple(int(ecg_id) for ecg_id in row["ecg_id"]),
                attribute=None if row["attribute"] is None else tuple(row["attribute"]),
                split=split,
            )
            for row in rows
        ]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a question file of ECG-QA ({type(error).__name__}: {error})") from None


def read_answer_sets(folder: str | Path) -> dict[int, tuple[str, ...]]:
    """The closed set of answers of each template, from ``answers_for_each_template.csv``.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it cannot be read.
    """
    path = _ptbxl_folder(folder) / ANSWER_SETS_NAME
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; it stands beside ECG-QA's question folders")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {int(row["template_id"]): tuple(ast.literal_eval(row["classes"])) for row in csv.DictReader(file)}
    except (ValueError, SyntaxError, KeyError, TypeError):
        raise ValueError(f"{path}: not ECG-QA's list of answers (columns template_id, classes)") from None


def single_ecg_questions(
    rows: Iterable[ECGQARow], answer_sets: Mapping[int, tuple[str, ...]]
) -> Iterator[tuple[int, Question]]:
    """The questions about one ECG, as (ecg_id, question); rows that compare two ECGs are left out.

    The answer set is the template's. An answer of several statements is joined by ", " in the order of the answer set;
    as it is none of the set's own members, ``answers`` is then empty.

    Raises:
        ValueError: If an answer is not in its template's set.
    """
    for row in rows:
        if not row.question_type.startswith("single-") or len(row.ecg_id) != 1:
            continue
        allowed = answer_sets.get(row.template_id, ())
        if not row.answer or not set(row.answer) <= set(allowed):
            raise ValueError(
                f"ECG-QA sample {row.sample_id} ({row.split}): its answer is not among template {row.template_id}'s"
            )
        ordered = [answer for answer in allowed if answer in row.answer]
        yield (
            row.ecg_id[0],
            Question(
                question=row.question,
                answer=wording.SEPARATOR.join(ordered),
                answers=allowed if len(ordered) == 1 else (),
                question_type=row.question_type.removeprefix("single-"),
                attribute_type=row.attribute_type,
                attribute="|".join(row.attribute or ()),
            ),
        )
