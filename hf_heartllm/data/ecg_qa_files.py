"""ECG-QA's files in their official layout (Oh et al., NeurIPS 2023, CC BY 4.0), and how complete a copy is.

``template/{train,valid,test}/*.json`` and ``paraphrased/...``, plain or compressed with gzip, beside
``answers_for_each_template.csv``, in a folder for the records of PTB-XL (``ptbxl``) and one for those of MIMIC-IV-ECG
(``mimic-iv-ecg``).
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from .question import AS_WRITTEN, Question

ANSWER_SETS_NAME = "answers_for_each_template.csv"
SPLITS = ("train", "valid", "test")
SINGLE_TYPES = ("single-verify", "single-choose", "single-query")
COMPARISON_TYPES = (
    "comparison_consecutive-verify",
    "comparison_consecutive-query",
    "comparison_irrelevant-verify",
    "comparison_irrelevant-query",
)
QUESTION_TYPES = (*SINGLE_TYPES, *COMPARISON_TYPES)
"""All seven. Consecutive recordings are of one patient, irrelevant ones of two."""

FOLDERS = {"ptb-xl": "ptbxl", "mimic-iv-ecg": "mimic-iv-ecg"}
"""The folder of the questions about each data set's records."""

Records = Literal["ptb-xl", "mimic-iv-ecg"]
Version = Literal["template", "paraphrased"]

ECG_QA = "ecg-qa"
"""What its questions' ``source`` says."""

PAPER_ROWS = 414_348
PAPER_SINGLE_ROWS = {"train": 159_306, "valid": 31_137, "test": 41_093}
"""Rows over PTB-XL as the paper counts them: all, and those on one ECG."""


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


def question_folder(folder: str | Path, records: Records = "ptb-xl") -> Path:
    """The folder with ``template`` and ``paraphrased`` in it: the one given, or its folder for these records.

    Raises:
        FileNotFoundError: If there is none.
    """
    name = FOLDERS[records]
    for candidate in (Path(folder) / "ecgqa" / name, Path(folder) / name, Path(folder)):
        if (candidate / "template").is_dir() or (candidate / "paraphrased").is_dir():
            return candidate
    raise FileNotFoundError(f"{folder}: holds neither template/ nor paraphrased/; give ECG-QA's folder of {records}")


def question_files(
    folder: str | Path, version: Version = "template", records: Records = "ptb-xl"
) -> list[tuple[str, Path]]:
    """The question files of one version as (split, path), split by split in the order of their numbers.

    Raises:
        FileNotFoundError: If the version is not there.
    """
    root = question_folder(folder, records) / version
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    found: list[tuple[str, Path]] = []
    for split in SPLITS:
        paths = [*(root / split).glob("*"), *root.glob(f"{split}.json*")]  # the first release had one file a split
        paths = [path for path in paths if path.name.endswith((".json", ".json.gz"))]
        paths.sort(key=lambda path: (len(path.name.split(".")[0]), path.name))
        found += [(split, path) for path in paths]
    return found


def read_ecg_qa(folder: str | Path, version: Version = "template", records: Records = "ptb-xl") -> Iterator[ECGQARow]:
    """Read all rows of one version, split by split, file by file in the order of their numbers.

    Files that are absent are not missed; ``completeness`` compares the counts with the paper's.

    Args:
        folder: ECG-QA's folder of these records, or one that holds it as ``ptbxl`` or ``ecgqa/ptbxl``.
        version: ``"template"`` or ``"paraphrased"``.
        records: ``"ptb-xl"`` or ``"mimic-iv-ecg"``.

    Raises:
        FileNotFoundError: If the version is not there.
        ValueError: If a file is no list of such rows; names the file.
    """
    for split, path in question_files(folder, version, records):
        yield from read_question_file(path, split)


def read_question_file(path: Path, split: str) -> list[ECGQARow]:
    """All rows of one file.

    Raises:
        ValueError: If it is no list of such rows; names the file.
    """
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


def read_answer_sets(folder: str | Path, records: Records = "ptb-xl") -> dict[int, tuple[str, ...]]:
    """The closed set of answers of each template, from ``answers_for_each_template.csv``.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it cannot be read.
    """
    path = question_folder(folder, records) / ANSWER_SETS_NAME
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; it stands beside ECG-QA's question folders")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {int(row["template_id"]): tuple(ast.literal_eval(row["classes"])) for row in csv.DictReader(file)}
    except (ValueError, SyntaxError, KeyError, TypeError):
        raise ValueError(f"{path}: not ECG-QA's list of answers (columns template_id, classes)") from None


def question_of(row: ECGQARow, answer_sets: Mapping[int, tuple[str, ...]]) -> Question:
    """A row in the form of the project's own questions.

    The answer set is the template's. An answer of several statements is joined by ", " in the order of the answer set;
    as it is none of the set's own members, ``answer_set`` is then empty. ``question_type`` is the part behind the dash.

    Raises:
        ValueError: If an answer is not in its template's set.
    """
    allowed = answer_sets.get(row.template_id, ())
    if not row.answer or not set(row.answer) <= set(allowed):
        raise ValueError(
            f"ECG-QA sample {row.sample_id} ({row.split}): its answer is not among template {row.template_id}'s"
        )
    ordered = [answer for answer in allowed if answer in row.answer]
    return Question(
        text=row.question,
        answers=tuple(ordered),
        answer_set=allowed if len(ordered) == 1 else (),
        question_type=row.question_type.rpartition("-")[2],
        attribute_type=row.attribute_type,
        attribute="|".join(row.attribute or ()),
        record_ids=tuple(map(str, row.ecg_id)),
        source=ECG_QA,
        question_set=AS_WRITTEN,
    )


def single_ecg_questions(
    rows: Iterable[ECGQARow], answer_sets: Mapping[int, tuple[str, ...]]
) -> Iterator[tuple[int, Question]]:
    """The questions about one ECG, as (ecg_id, question of ``question_of``); rows that compare two are left out.

    Raises:
        ValueError: If an answer is not in its template's set.
    """
    for row in rows:
        if row.question_type in SINGLE_TYPES and len(row.ecg_id) == 1:
            yield row.ecg_id[0], question_of(row, answer_sets)


class Completeness(NamedTuple):
    """How the rows of a copy compare with the paper's.

    Attributes:
        counts: (part, rows of the copy, rows of the paper).
        complete: Whether all of them are equal.
    """

    counts: tuple[tuple[str, int, int], ...]
    complete: bool

    def __str__(self) -> str:
        lacking = [f"{name}: {copy:,} of {paper:,}" for name, copy, paper in self.counts if copy != paper]
        return "complete copy" if self.complete else f"incomplete copy ({'; '.join(lacking)})"


def completeness(read: Mapping[tuple[str, str], int]) -> Completeness:
    """Compare a copy of ECG-QA over PTB-XL with the counts of the paper.

    Args:
        read: Rows of one version by (split, question type).
    """
    single: Counter[str] = Counter()
    for (split, kind), number in read.items():
        if kind in SINGLE_TYPES:
            single[split] += number
    counts = [("all", sum(read.values()), PAPER_ROWS), ("on one ECG", single.total(), sum(PAPER_SINGLE_ROWS.values()))]
    counts += [(f"on one ECG, {split}", single[split], paper) for split, paper in PAPER_SINGLE_ROWS.items()]
    return Completeness(tuple(counts), all(copy == paper for _, copy, paper in counts))
