"""The fixed questions of an evaluation: the Parquet file of `python -m dataset_builders.evaluation_questions`."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..hashes import sha256_of
from ..labels.record_ids import whole_number

EVERY_RECORD = "every-record"  # the rows that every record is asked, for an AUROC
AS_WRITTEN = "ecg-qa"  # the rows of a published set, which nobody balanced
_COLUMNS = (
    *("ecg_id", "patient_id", "filename_lr", "filename_hr", "question", "answer", "answers"),
    *("question_type", "attribute_type", "attribute", "set"),
)
YES_NO = frozenset({"yes", "no"})


@dataclass(frozen=True)
class HeldOutQuestion:
    """One question with a closed answer set.

    Attributes:
        question: in words.
        answer: the true one.
        answers: the closed set, `answer` among them.
        question_type: `"verify"`, `"choose"` or `"query"`.
        attribute_type: `"rhythm"`, `"form"`, `"diagnosis"` or `"superclass"`.
        attribute: the code asked for.
        every_record: True for a question that every record is asked.
        balanced: False for questions as others wrote them, whose words alone may say which answer is likely.
    """

    question: str
    answer: str
    answers: tuple[str, ...]
    question_type: str
    attribute_type: str
    attribute: str
    every_record: bool = False
    balanced: bool = True

    @property
    def is_yes_no(self) -> bool:
        """Whether the closed set is yes and no."""
        return frozenset(self.answers) == YES_NO


@dataclass(frozen=True)
class HeldOutRecord:
    """A record with its questions; `filename_lr` and `filename_hr` are relative to PTB-XL's folder."""

    ecg_id: int
    patient_id: int
    filename_lr: str
    filename_hr: str
    questions: tuple[HeldOutQuestion, ...]


def read_questions(path: str | os.PathLike[str]) -> list[HeldOutRecord]:
    """Read a question file, ordered by `ecg_id`.

    Raises:
        ValueError: if the file has no rows or lacks a column, a row has no ecg_id or patient_id, a question has no
            closed answer set, or its answer is not in the set.
    """
    rows = _rows(path)
    if not rows:
        raise ValueError(f"{path}: no questions")
    if absent := [name for name in _COLUMNS if name not in rows[0]]:
        raise ValueError(f"{path}: no column {', '.join(absent)}; give rows of dataset_builders.evaluation_questions")
    for row in rows:
        row["ecg_id"], row["patient_id"] = whole_number(row["ecg_id"]), whole_number(row["patient_id"])
    for name, use in (
        ("ecg_id", "names its record"),
        ("patient_id", "keeps patients apart from the training's, and makes intervals"),
    ):
        if count := sum(row[name] is None for row in rows):
            raise ValueError(f"{path}: {count} of {len(rows)} rows have no {name}, a whole number, which {use}")
    questions: dict[int, list[HeldOutQuestion]] = defaultdict(list)
    heads: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row["answer"] not in row["answers"]:
            raise ValueError(f"{path}: ecg_id {row['ecg_id']}: {row['answer']!r} is not in the closed answer set")
        heads.setdefault(row["ecg_id"], row)
        questions[row["ecg_id"]].append(
            HeldOutQuestion(
                question=row["question"],
                answer=row["answer"],
                answers=tuple(row["answers"]),
                question_type=row["question_type"],
                attribute_type=row["attribute_type"],
                attribute=row["attribute"],
                every_record=row["set"] == EVERY_RECORD,
                balanced=row["set"] != AS_WRITTEN,
            )
        )
    return [
        HeldOutRecord(
            ecg_id=ecg_id,
            patient_id=heads[ecg_id]["patient_id"],
            filename_lr=heads[ecg_id]["filename_lr"],
            filename_hr=heads[ecg_id]["filename_hr"],
            questions=tuple(questions[ecg_id]),
        )
        for ecg_id in sorted(heads)
    ]


def question_set_hash(path: str | os.PathLike[str]) -> str:
    """Sixteen hexadecimal digits that name a question set: a hash over its rows' text.

    A row's text is JSON with sorted keys; the texts are sorted, so neither the order of rows or columns nor the way
    the file is compressed counts.
    """
    return rows_hash(_rows(path))


def rows_hash(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same over rows at hand."""
    texts = sorted(json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return sha256_of("\n".join(texts))[:16]


def evenly_spaced(records: Sequence[HeldOutRecord], count: int | None) -> list[HeldOutRecord]:
    """`count` records spread over all of them; all where there are not more."""
    if count is None or count >= len(records):
        return list(records)
    return [records[index * len(records) // count] for index in range(count)]


def _rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows
