"""What every sampler makes: questions with their answers and closed answer sets."""

from __future__ import annotations

from dataclasses import dataclass

FROM_LABELS = "labels"
MEASURED = "measured"
"""Sources of answers: the labels of the data set, or our own measurement of the recording."""


@dataclass(frozen=True)
class Question:
    """A question about one ECG, or about two.

    Attributes:
        question: The wording.
        answer: The right answer; several names are joined by ", " in the order of their vocabulary.
        answers: The closed set of possible answers, which holds ``answer``. Empty where the possible lists of
            names are too many to be named (``query`` about form and diagnosis, for example).
        question_type: ``"verify"``, ``"choose"`` or ``"query"``.
        attribute_type: One of ``sampler.records.ATTRIBUTE_TYPES``, ``"numeric_feature"`` or ``"beats"``; ECG-QA's rows
            bring their own.
        attribute: The attribute asked for, such as an SCP code; two joined by "|" in ``choose``; the attribute type or
            a part of it in ``query``.
    """

    question: str
    answer: str
    answers: tuple[str, ...]
    question_type: str
    attribute_type: str
    attribute: str


@dataclass(frozen=True)
class PairQuestion:
    """A question that compares two ECGs.

    Attributes:
        first: ``record_id`` of the first ECG.
        second: ``record_id`` of the second ECG.
        same_patient: True where the second is the patient's next recording.
        question: The question itself.
    """

    first: str
    second: str
    same_patient: bool
    question: Question
