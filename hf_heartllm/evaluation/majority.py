"""The answer that the training rows give most often to a question of the same kind: what needs no ECG at all."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ..data.question import Question
from ..data.token_file import load_rows
from .controlled import MAJORITY, MAJORITY_AGE_SEX
from .people import MIN_SUPPORT, Person


class MajorityAnswers:
    """The most frequent training answer of each template.

    A template is the question type with the attribute asked for, whatever the wording; of two alternatives the order
    does not count. Where training has no such question, that of the question type and attribute type stands in; where
    there is none either, there is no majority.
    """

    def __init__(self) -> None:
        self._counts: dict[Hashable, Counter[str]] = defaultdict(Counter)

    def add(self, question: Question, group: Hashable = None) -> None:
        """Count one training question; `group` is the patient's age band and sex."""
        kind, template = _template(question)
        for key in (kind, template, (*template, group)):
            self._counts[key][question.answer] += 1

    def answer(self, question: Question, group: Hashable = None) -> str | None:
        """The most frequent answer among the question's closed set; the first of the set where two are equal.

        None where no training question of its kind has one of these answers.
        """
        kind, template = _template(question)
        keys: list[tuple[Hashable, int]] = [(template, 1), (kind, 1)]
        if group is not None:
            keys.insert(0, ((*template, group), MIN_SUPPORT))
        for key, least in keys:
            seen = self._counts.get(key, Counter())
            counts = [seen[answer] for answer in question.answer_set]
            if sum(counts) >= least:
                return question.answer_set[counts.index(max(counts))]
        return None

    def columns(self, asked: Iterable[tuple[Question, Person]]) -> dict[str, list[str | None]]:
        """Control → its answer to each question about a record of this person."""
        asked = list(asked)
        return {
            MAJORITY: [self.answer(question) for question, _ in asked],
            MAJORITY_AGE_SEX: [self.answer(question, person.group) for question, person in asked],
        }


def _template(question: Question) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    """Its question and attribute type, and these with the attribute."""
    kind = question.question_type.removeprefix("single-"), question.attribute_type
    return kind, (*kind, tuple(sorted(question.attribute.split("|"))))


def read_training_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Rows of training with `record_id`, `patient_id`, `questions` and `report` (`data.token_file.load_rows`).

    Raises:
        ValueError: if a column is absent.
    """
    rows = load_rows(path, ("record_id", "patient_id", "questions", "report"))
    if rows and (absent := {"patient_id", "questions", "report"} - rows[0].keys()):
        raise ValueError(f"{path}: no column {', '.join(sorted(absent))}; give rows of dataset_builders.training_rows")
    return rows


def majority_answers(rows: Iterable[Mapping[str, Any]], persons: Mapping[str, Person]) -> MajorityAnswers:
    """Count the questions of training rows.

    Args:
        rows: from `read_training_rows`.
        persons: of the training records.
    """
    found = MajorityAnswers()
    for row in rows:
        person = persons.get(row["record_id"])
        for question in row["questions"]:
            found.add(question, person and person.group)
    return found
