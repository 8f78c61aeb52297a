"""A small reader of ECG-QA's question files, for baselines that look at no ECG.

ECG-QA (Oh et al., NeurIPS 2023, CC BY 4.0): `template/{train,valid,test}/*.json` and `paraphrased/...`, plain or gzip.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

QUESTION_TYPES = (
    "single-verify",
    "single-choose",
    "single-query",
    "comparison_consecutive-verify",
    "comparison_consecutive-query",
    "comparison_irrelevant-verify",
    "comparison_irrelevant-query",
)
SPLITS = ("train", "valid", "test")
VERSIONS = ("template", "paraphrased")
PAPER_ROWS = 414_348
PAPER_SINGLE_ROWS = {"train": 159_306, "valid": 31_137, "test": 41_093}
"""Rows over PTB-XL as the papers count them: all, and those on one ECG."""


@dataclass(frozen=True)
class QuestionRow:
    """One question with its answers, the split it stands in and the recordings it is about."""

    question: str
    answer: tuple[str, ...]
    question_type: str
    attribute_type: str
    template: str
    ecg_ids: tuple[int, ...]
    split: str


def ecg_qa_root(folder: str | os.PathLike[str]) -> Path:
    """The folder with `template` and `paraphrased` over PTB-XL: the one given, its `ptbxl` or its `ecgqa/ptbxl`.

    Raises:
        FileNotFoundError: if there is none.
    """
    for candidate in (Path(folder) / "ecgqa" / "ptbxl", Path(folder) / "ptbxl", Path(folder)):
        if any((candidate / version).is_dir() for version in VERSIONS):
            return candidate
    raise FileNotFoundError(f"{folder}: holds neither template/ nor paraphrased/; give ECG-QA's folder")


def read_question_rows(folder: str | os.PathLike[str], version: str = "template") -> list[QuestionRow]:
    """All rows of one version, split by split, file by file in the order of their numbers.

    Args:
        folder: ECG-QA's, see `ecg_qa_root`.
        version: `"template"` or `"paraphrased"`.

    Raises:
        FileNotFoundError: if the version is not there, or has no files.
        ValueError: if a file is no list of ECG-QA's rows; names the file.
    """
    root = ecg_qa_root(folder) / version
    rows: list[QuestionRow] = []
    for split in SPLITS:
        # The first release had one file a split.
        paths = [*(root / split).glob("*.json*"), *root.glob(f"{split}.json*")]
        for path in sorted(paths, key=lambda path: (len(path.name.split(".")[0]), path.name)):
            rows += _read(path, split)
    if not rows:
        raise FileNotFoundError(f"{root}: holds no question files")
    return rows


def _read(path: Path, split: str) -> list[QuestionRow]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return [
            QuestionRow(
                question=row["question"],
                answer=tuple(row["answer"]),
                question_type=row["question_type"],
                attribute_type=row["attribute_type"],
                template=str(row["template_id"]),
                ecg_ids=tuple(map(int, row["ecg_id"])),
                split=split,
            )
            for row in json.loads(content)
        ]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a question file of ECG-QA ({type(error).__name__}: {error})") from None


def read_closed_sets(folder: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """The closed set of answers of each template; empty without `answers_for_each_template.csv`.

    Raises:
        ValueError: if the file cannot be read.
    """
    path = ecg_qa_root(folder) / "answers_for_each_template.csv"
    if not path.is_file():
        return {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {row["template_id"]: tuple(ast.literal_eval(row["classes"])) for row in csv.DictReader(file)}
    except (ValueError, SyntaxError, KeyError, TypeError):
        raise ValueError(f"{path}: not ECG-QA's list of answers (columns template_id, classes)") from None


def completeness(rows: Iterable[QuestionRow]) -> str:
    """How many of the rows that the papers count are here, in words."""
    found = list(rows)
    single = Counter(row.split for row in found if row.question_type.startswith("single"))
    lacking = [f"{len(found):,} of {PAPER_ROWS:,} rows"] if len(found) != PAPER_ROWS else []
    lacking += [
        f"{single[split]:,} of {count:,} on one ECG in {split}"
        for split, count in PAPER_SINGLE_ROWS.items()
        if single[split] != count
    ]
    return f"incomplete copy of ECG-QA: {', '.join(lacking)}" if lacking else "complete copy of ECG-QA"


def read_patients_and_folds(folder: str | os.PathLike[str]) -> Mapping[int, tuple[str, int]]:
    """Patient and fold of each record of PTB-XL whose patient its table names: ecg_id → (patient, fold).

    Raises:
        FileNotFoundError: if there is no `ptbxl_database.csv`.
        ValueError: if it lacks a column.
    """
    path = Path(folder) / "ptbxl_database.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give PTB-XL's folder")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {
                int(row["ecg_id"]): (str(int(float(row["patient_id"]))), int(row["strat_fold"]))
                for row in csv.DictReader(file)
                if row["patient_id"].strip()
            }
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"{path}: lacks ecg_id, patient_id or strat_fold") from None
