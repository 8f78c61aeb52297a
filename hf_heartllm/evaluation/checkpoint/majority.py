"""The answer that the training rows give most often to a question of the same kind: what needs no ECG at all."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ...labels.record_ids import whole_number
from ..people import MIN_SUPPORT
from ..question_file import HeldOutQuestion


class MajorityAnswers:
    """The most frequent training answer of each template.

    A template is the question type with the attribute asked for, whatever the wording; of two alternatives the order
    does not count. Where training has no such question, that of the question type and attribute type stands in; where
    there is none either, there is no majority.
    """

    def __init__(self) -> None:
        self._counts: dict[Hashable, Counter[str]] = defaultdict(Counter)

    def add(self, question: Mapping[str, Any], group: Hashable = None) -> None:
        """Count one training question: its types, attribute and answer; `group` is the patient's age band and sex."""
        kind = question["question_type"].removeprefix("single-"), question["attribute_type"]
        template = (*kind, _attribute(question["attribute"]))
        for key in (kind, template, (*template, group)):
            self._counts[key][question["answer"]] += 1

    def answer(self, question: HeldOutQuestion, group: Hashable = None) -> str | None:
        """The most frequent answer among the question's closed set; the first of the set where two are equal.

        None where no training question of its kind has one of these answers.
        """
        kind = question.question_type.removeprefix("single-"), question.attribute_type
        template = (*kind, _attribute(question.attribute))
        keys: list[tuple[Hashable, int]] = [(template, 1), (kind, 1)]
        if group is not None:
            keys.insert(0, ((*template, group), MIN_SUPPORT))
        for key, least in keys:
            seen = self._counts.get(key, Counter())
            counts = [seen[answer] for answer in question.answers]
            if sum(counts) >= least:
                return question.answers[counts.index(max(counts))]
        return None


def _attribute(name: str) -> tuple[str, ...]:
    return tuple(sorted(name.split("|")))


def read_training_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Rows of `dataset_builders.training_rows`: ecg_id, patient_id, fold and questions.

    Raises:
        ValueError: if a column is absent.
    """
    import pyarrow.parquet as pq

    wanted = ["ecg_id", "patient_id", "strat_fold", "questions", "report"]
    absent = set(wanted) - set(pq.read_schema(path).names)
    if absent:
        raise ValueError(f"{path}: no column {', '.join(sorted(absent))}; give rows of dataset_builders.training_rows")
    rows: list[dict[str, Any]] = pq.read_table(path, columns=wanted).to_pylist()
    return rows


def rows_used(rows: Iterable[Mapping[str, Any]]) -> tuple[set[int], dict[int, str]]:
    """Patients and records of training rows, as `separation.check_separation` takes them."""
    rows = list(rows)
    patients = {number for row in rows if (number := whole_number(row["patient_id"])) is not None}
    records = {number: "" for row in rows if (number := whole_number(row["ecg_id"])) is not None}
    return patients, records


def majority_answers(rows: Iterable[Mapping[str, Any]], groups: Mapping[int, Hashable]) -> MajorityAnswers:
    """Count the questions of training rows.

    Args:
        rows: from `read_training_rows`.
        groups: ecg_id → age band and sex.
    """
    found = MajorityAnswers()
    for row in rows:
        for question in row["questions"]:
            found.add(question, groups.get(row["ecg_id"]))
    return found
