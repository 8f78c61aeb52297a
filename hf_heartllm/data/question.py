"""A question about one recording, or comparing two: one class and one table schema for all that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets

FROM_LABELS, MEASURED = "labels", "measured"
"""Sources of answers: the labels of a collection, or our own measurement of the recording."""

SAMPLED, EVERY_RECORD, AS_WRITTEN = "sampled", "every-record", "ecg-qa"
"""Sets of questions: drawn and balanced; asked of every record, for an AUROC; as others wrote them, not balanced."""

YES_NO = frozenset({"yes", "no"})
NOT_SURE = "not sure"
"""What is answered where a label calls a statement possible."""


@dataclass(frozen=True)
class Question:
    """A question with its answers.

    Attributes:
        text: the wording.
        answers: all right answers; most questions have one.
        answer_set: the closed set of possible answers, which holds `answers`. Empty where the possible answers are too
            many to be named.
        question_type: `"verify"`, `"choose"` or `"query"`; ECG-QA's rows bring their own (`"single-verify"`).
        attribute_type: `"rhythm"`, `"form"`, `"diagnosis"`, `"superclass"`, `"numeric_feature"` …
        attribute: what is asked for, such as an SCP code; two joined by "|" in `choose`; the attribute type or a part
            of it in `query`.
        record_ids: of the recordings that it is about, one or two, in the order of the text; empty where the record
            holds its questions itself.
        source: where the answer comes from: `FROM_LABELS`, `MEASURED`, or a data set's name.
        question_set: one of `SAMPLED`, `EVERY_RECORD` and `AS_WRITTEN`.

    Examples:
        >>> question = Question("Is this ECG normal?", ("no",), ("yes", "no"), "verify", "superclass", "NORM", ("17",))
        >>> question.answer, question.is_yes_no
        ('no', True)
        >>> Question.from_row(question.row()) == question
        True
    """

    text: str
    answers: tuple[str, ...]
    answer_set: tuple[str, ...]
    question_type: str
    attribute_type: str
    attribute: str
    record_ids: tuple[str, ...] = ()
    source: str = FROM_LABELS
    question_set: str = SAMPLED

    @property
    def answer(self) -> str:
        """The right answer; several are joined by ", "."""
        return ", ".join(self.answers)

    @property
    def is_yes_no(self) -> bool:
        """Whether it is answered yes or no; "not sure" may stand beside them in the closed set."""
        return YES_NO <= set(self.answer_set) <= {*YES_NO, NOT_SURE} and YES_NO.issuperset(self.answers)

    @property
    def every_record(self) -> bool:
        """Whether every record is asked it."""
        return self.question_set == EVERY_RECORD

    @property
    def balanced(self) -> bool:
        """False for questions as others wrote them, whose words alone may say which answer is likely."""
        return self.question_set != AS_WRITTEN

    def row(self) -> dict[str, Any]:
        """The question as a row of `question_features`."""
        return {
            "record_ids": list(self.record_ids),
            "question_type": self.question_type,
            "attribute_type": self.attribute_type,
            "attribute": self.attribute,
            "question": self.text,
            "answers": list(self.answers),
            "answer_set": list(self.answer_set),
            "source": self.source,
            "question_set": self.question_set,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Question:
        """The question of a row of `question_features`."""
        return cls(
            text=row["question"],
            answers=tuple(row["answers"]),
            answer_set=tuple(row["answer_set"]),
            question_type=row["question_type"],
            attribute_type=row["attribute_type"],
            attribute=row["attribute"],
            record_ids=tuple(row["record_ids"]),
            source=row.get("source") or FROM_LABELS,
            question_set=row.get("question_set") or SAMPLED,
        )


def question_features() -> datasets.Features:
    """The schema of a table of questions."""
    import datasets

    text, texts = datasets.Value("string"), datasets.List(datasets.Value("string"))
    return datasets.Features(
        {
            "record_ids": texts,
            "question_type": text,
            "attribute_type": text,
            "attribute": text,
            "question": text,
            "answers": texts,
            "answer_set": texts,
            "source": text,
            "question_set": text,
        }
    )
