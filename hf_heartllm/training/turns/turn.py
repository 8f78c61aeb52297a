"""A question and its answer, as an example of training holds them."""

from __future__ import annotations

from typing import NamedTuple


class Turn(NamedTuple):
    """A question and its answer.

    Attributes:
        question: the text.
        answer: that is learned.
        instead: another answer that is learned with the probability `share`; None: `answer` alone.
        share: below one half.
        then: further questions and their answers, in the same conversation.
        goes_on: whether the answer is cut off, so that its end is not learned.
    """

    question: str
    answer: str
    instead: str | None = None
    share: float = 0.0
    then: tuple[tuple[str, str], ...] = ()
    goes_on: bool = False
