"""What sets of questions share: the types that are asked for, and a question as a row holds it."""

from __future__ import annotations

from typing import Any

from hf_heartllm.data.label_names import ATTRIBUTE_TYPES, STATEMENT_TYPES
from hf_heartllm.data.question import Question

TYPE_SETS = {"statements": STATEMENT_TYPES, "all": ATTRIBUTE_TYPES}


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
