"""Questions about every record of a set: each part balanced by itself, none across parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hf_heartllm.data.label_names import ATTRIBUTE_TYPES, STATEMENT_TYPES, Vocabulary
from hf_heartllm.data.question import Question
from hf_heartllm.data.record import Record

from .balance import count_prevalence
from .prevalence import Prevalence
from .single import questions_for

TYPE_SETS = {"statements": STATEMENT_TYPES, "all": ATTRIBUTE_TYPES}


@dataclass(frozen=True)
class Asking:
    """What is asked.

    Attributes:
        types: The attribute types, some of ``ATTRIBUTE_TYPES``.
        per_record: Mean number of questions from labels for a record; None keeps all that the labels give.
        not_sure: Whether what the labels call possible is asked for with the answer "not sure"; it counts as stated
            otherwise.
        seed: Of all questions; a record's also depend on its ``record_id``, not on the other rows.
    """

    types: tuple[str, ...] = ATTRIBUTE_TYPES
    per_record: float | None = None
    not_sure: bool = True
    seed: int = 0


def plain_row(question: Question) -> dict[str, Any]:
    """A question as single files of rows hold it: `answer` is the right one, `answers` the closed set."""
    return {
        "question": question.text,
        "answer": question.answer,
        "answers": question.answer_set,
        "question_type": question.question_type,
        "attribute_type": question.attribute_type,
        "attribute": question.attribute,
    }


def question_rows(
    records: Sequence[Record],
    vocabulary: Vocabulary,
    asking: Asking,
    prevalence: Prevalence | None = None,
) -> Iterator[tuple[Record, Question]]:
    """Questions about every record of one part, record by record.

    Args:
        records: Of one part; the questions are balanced over them.
        vocabulary: What the labels of the set can name.
        asking: What is asked.
        prevalence: What to balance over instead.

    Raises:
        ValueError: If there is no record.
    """
    balance = prevalence or count_prevalence(records, vocabulary, asking.types, asking.not_sure)
    for record in records:
        seed = f"{asking.seed}:{record.record_id}"
        for question in questions_for(record, seed=seed, count=asking.per_record, prevalence=balance):
            yield record, question
