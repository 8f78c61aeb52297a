"""The fixed questions of an evaluation, joined to the records that they are about."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..data.question import Question
from ..data.question_rows import read_question
from ..data.record import Record, id_order
from ..hashes import sha256_of
from ..labels.record_ids import record_text

Item = TypeVar("Item")

_NEEDED = ("question", "answers", "question_type", "attribute_type", "attribute")
_IDS = ("record_ids", "record_id", "ecg_id")
"""Columns that say which record a question is about; the last is that of older files, which ask about PTB-XL."""


@dataclass(frozen=True)
class AskedRecord:
    """A record with the questions about it, each with one right answer and a closed set that holds it."""

    record: Record
    questions: tuple[Question, ...]

    @property
    def record_id(self) -> str:
        """Names the record."""
        return self.record.record_id


@dataclass(frozen=True)
class QuestionSet:
    """What a question file asks of a collection.

    Attributes:
        asked: by `record_id`, numbers first; those of at least one question.
        notes: what was left out, each a sentence with its number.
    """

    asked: list[AskedRecord]
    notes: tuple[str, ...] = field(default=())


def read_questions(path: str | os.PathLike[str], records: Iterable[Record]) -> QuestionSet:
    """Read a question file and join it to the records.

    Args:
        path: Parquet, a row a question, with the columns of `data.question.question_features` or those of
            `dataset_builders.evaluation_questions`.
        records: of the collection that the questions are about.

    Raises:
        ValueError: if it is no such file, no question is about a record, an answer is not in its closed set, or the
            file names another patient than the record.
    """
    rows = _rows(path)
    if not rows:
        raise ValueError(f"{path}: no questions")
    if absent := [name for name in _NEEDED if name not in rows[0]]:
        raise ValueError(f"{path}: no column {', '.join(absent)}; give rows of dataset_builders.evaluation_questions")
    name = next((name for name in _IDS if name in rows[0]), None)
    if name is None:
        raise ValueError(f"{path}: no column record_ids, which says which record a question is about")
    known = {record.record_id: record for record in records}
    found: dict[str, list[Question]] = defaultdict(list)
    lost: Counter[str] = Counter()
    for row in rows:
        ids = [one for value in (row[name] if name == "record_ids" else [row[name]]) if (one := record_text(value))]
        question = read_question(row, ids)
        why = _unasked(question, ids, known)
        if why is not None:
            lost[why] += 1
            continue
        (record_id,) = ids
        if question.answer not in question.answer_set:
            raise ValueError(f"{path}: record {record_id}: {question.answer!r} is not in the closed answer set")
        _check_patient(path, row, known[record_id])
        found[record_id].append(question)
    said = [f"{count} of {len(rows)} questions of {os.path.basename(path)} {why}" for why, count in lost.items()]
    if not found:
        raise ValueError(f"{path}: no question can be asked: {'; '.join(said)}")
    asked = [AskedRecord(known[one], tuple(found[one])) for one in sorted(found, key=id_order)]
    return QuestionSet(asked, tuple(f"{one}: left out." for one in said))


def _unasked(question: Question, ids: Sequence[str], known: Mapping[str, Record]) -> str | None:
    """Why a question is left out."""
    if not ids:
        return "name no record"
    if len(ids) > 1:
        return "compare two records"
    if ids[0] not in known:
        return "are about records that are not among those given"
    if not question.answer_set:
        return "have no closed answer set"
    return "have several right answers" if len(question.answers) != 1 else None


def _check_patient(path: str | os.PathLike[str], row: Mapping[str, Any], record: Record) -> None:
    """A file of other patients than the records' would be found apart from those of training."""
    patient = record_text(row.get("patient_id"))
    if patient is not None and record.patient_id is not None and patient != record.patient_id:
        raise ValueError(
            f"{path}: record {record.record_id} is of patient {patient}, among the records of {record.patient_id}: "
            "give the patients of the records, or leave the column patient_id out"
        )


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


def evenly_spaced(items: Sequence[Item], count: int | None) -> list[Item]:
    """`count` of them spread over all, so that they stand for the whole; all where there are not more."""
    if count is None or count >= len(items):
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def _rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except pa.ArrowInvalid:
        built = " but a folder: write one file, such as --split test --output questions.parquet"
        raise ValueError(f"{path}: no Parquet file of questions{built if os.path.isdir(path) else ''}") from None
    return rows
