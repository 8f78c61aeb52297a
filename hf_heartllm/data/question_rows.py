"""Questions from rows of any age: those of `question_features`, of single files, of older token sets, of ECG-QA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .question import FROM_LABELS, SAMPLED, Question


def read_question(row: Mapping[str, Any], record_ids: Sequence[Any] = ()) -> Question:
    """The question of a row.

    In rows of `question_features`, `answers` are the right ones and `answer_set` is closed. Other rows name the right
    one `answer`, a text or (ECG-QA's) a list; their closed set is `answer_set` or, in older rows, `answers`. A right
    answer of several statements is no member of its template's closed set, which is then empty.

    Args:
        row: of a table.
        record_ids: of the recordings that it is about, where the row itself does not say.
    """
    answer, closed = row.get("answer"), row.get("answer_set")
    if answer is None:
        answers = tuple(row.get("answers") or ())
    elif isinstance(answer, str):
        answers, closed = (answer,), row.get("answers") if closed is None else closed
    else:
        answers, closed = tuple(answer), closed if len(answer) == 1 else ()
    attribute = row.get("attribute")
    return Question(
        text=row["question"],
        answers=answers,
        answer_set=tuple(closed or ()),
        question_type=(row.get("question_type") or "").removeprefix("single-"),
        attribute_type=row.get("attribute_type") or "",
        attribute=attribute or "" if attribute is None or isinstance(attribute, str) else "|".join(attribute),
        record_ids=tuple(str(one) for one in row.get("record_ids") or record_ids),
        source=row.get("source") or FROM_LABELS,
        question_set=row.get("question_set") or row.get("set") or SAMPLED,
    )
