"""Which trained question a question in other words is, or that it is none: `questions.json` in a checkpoint's folder.

A small language model answers the wordings that it was trained on, and answers anything else just as surely. So a
question is put to it as it was trained, or not at all. Nothing is guessed by likeness: every word of a question must be
known, and all of them together must be the name of one finding (`question_names`), or the question is declined.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .checkpoint_files import file_beside
from .format_versions import FormatVersionError, check_format_version
from .question_manner import AGREED, why_left_open
from .question_reading import QuestionReader
from .question_text import folded, words
from .trained_wordings import FIRST, TrainedGroup, UnderstoodQuestion

QUESTIONS_FILE = "questions.json"
FORMAT, FORMAT_VERSION = "heartllm trained questions", 1

AS_WRITTEN = "as written"

LONGEST_MESSAGE = 300
_FEW = 5  # answers that a line names
LONGEST = 600  # characters of a question in other words; none that was trained is near it
_SIGNS = re.compile(r"[<>=+*{}|\\@#$%^~`]")


class QuestionsError(ValueError):
    """The file of trained questions cannot be used; the message is one line."""


@dataclass(frozen=True)
class NotUnderstood:
    """A question that was not trained.

    Attributes:
        reason: in one line.
        nearest: up to three trained questions that come nearest.
        ambiguous: it names a trained finding and denies it, or leaves open what a yes would mean.
    """

    reason: str
    nearest: tuple[str, ...]
    ambiguous: bool = False

    def __str__(self) -> str:
        """One line of at most 300 characters: that it was not trained, why, and as many of the nearest as fit."""
        text = f"not a question that this checkpoint was trained on: {self.reason}"
        for place, one in enumerate(self.nearest):
            more = f"{'; ' if place else '; nearest: '}{one}"
            text += more if len(text) + len(more) <= LONGEST_MESSAGE else ""
        return text


@dataclass(frozen=True)
class TrainedQuestions:
    """What a checkpoint was trained to answer.

    Attributes:
        groups: wordings and what they ask for.
        others_as_written: whether it was trained on other questions too, so that one that is none of these is put to it
            as it is, unless it is ambiguous; else that one is declined.
    """

    groups: tuple[TrainedGroup, ...]
    others_as_written: bool = False
    _reader: QuestionReader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_reader", QuestionReader(self.groups)
        )  # whole before anyone reads it: threads share it

    def document(self) -> dict[str, Any]:
        """For JSON."""
        groups = [
            {
                "question_type": group.question_type,
                "attribute_type": group.attribute_type,
                "answers": None if group.answers is None else list(group.answers),
                "wordings": list(group.wordings),
                "terms": dict(group.terms),
            }
            for group in self.groups
        ]
        others = {"others": AS_WRITTEN} if self.others_as_written else {}
        return {"format": FORMAT, "format_version": FORMAT_VERSION, **others, "groups": groups}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> TrainedQuestions:
        """What `document` gave.

        Raises:
            QuestionsError: if it is no such document.
        """
        if document.get("format") != FORMAT:
            raise QuestionsError(f"not of the format {FORMAT!r}, version {FORMAT_VERSION}")
        try:
            check_format_version("list of trained questions", document.get("format_version"), FORMAT_VERSION, __name__)
        except FormatVersionError as error:
            raise QuestionsError(str(error)) from None
        try:
            groups = tuple(
                TrainedGroup(
                    str(one["question_type"]),
                    str(one["attribute_type"]),
                    None if one["answers"] is None else tuple(map(str, one["answers"])),
                    tuple(map(str, one["wordings"])),
                    {str(attribute): str(term) for attribute, term in one["terms"].items()},
                )
                for one in document["groups"]
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise QuestionsError(f"not a whole list of trained questions: {error}") from None
        if not all(group.wordings and group.terms for group in groups):
            raise QuestionsError("a group of trained questions has no wording or no term")
        return cls(groups, document.get("others") == AS_WRITTEN)

    def all_questions(self) -> Iterator[UnderstoodQuestion]:
        """Every trained question; of a choice every ordered pair of terms."""
        for group in self.groups:
            for wording in group.wordings:
                if FIRST in wording:
                    pairs = ((a, b) for a in group.terms for b in group.terms if a != b)
                    yield from (group.question(wording, pair, exact=True) for pair in pairs)
                else:
                    yield from (group.question(wording, (attribute,), exact=True) for attribute in group.terms)

    def understand(self, question: str) -> UnderstoodQuestion | NotUnderstood:
        """The trained question that a question is, or why it is none.

        A trained wording is itself, to the letter. In another case, other blanks or punctuation it is that wording too.
        """
        reader = self._reader
        found = reader.as_trained(question, exact=True) or reader.as_trained(folded(question), exact=False)
        if found is not None:
            return found
        if len(question) > LONGEST:
            return NotUnderstood(f"it is longer than {LONGEST} characters", reader.nearest(()))
        signs = _SIGNS.search(question)
        tokens = reader.read(question)
        said = words(question)
        left_open = why_left_open(said)
        understood: UnderstoodQuestion | str
        if signs is not None:
            understood = f"the sign {signs[0]!r} stands in no trained question"
        elif left_open is not None:
            understood = left_open
        else:
            understood = reader.parse(tokens)
            if isinstance(understood, str) and not AGREED.isdisjoint(said[-1:]):  # "There is AF, right?"
                without = reader.parse(reader.read(" ".join(said[:-1])))
                understood = understood if isinstance(without, str) else without
        if isinstance(understood, UnderstoodQuestion):
            return understood
        ambiguous = reader.denies(tokens) or (left_open is not None and reader.names_a_finding(tokens))
        return NotUnderstood(understood, reader.nearest(tokens), ambiguous)

    def answers_as_trained(self, question: UnderstoodQuestion, wished: Sequence[str]) -> dict[str, str] | str:
        """The answers of a question that other words for them mean.

        Args:
            question: of `understand`.
            wished: answers to choose from.

        Returns:
            Trained answer → wished one, in the order of the wished; or why there are none, in one line.
        """
        found: dict[str, str] = {}
        kind = question.attribute_type
        if question.answers is None and question.attribute != kind:  # neither a list nor a report: its set is not known
            return {one: one for one in wished}
        verified = [group for group in self.groups if group.question_type == "verify" and group.attribute_type == kind]
        trained = question.answers or [term for group in verified for term in group.terms.values()]
        by_words = {folded(one): one for one in trained}
        for one in wished:
            answer = by_words.get(folded(one))
            if answer is None:
                named = [term for term in self._reader.terms_named(one) if term in trained]
                answer = named[0] if len(named) == 1 else None
            if answer is None:
                usual = ", ".join(list(question.answers or ())[:_FEW])
                more = ", …" if len(question.answers or ()) > _FEW else ""
                return f"{one[:40]!r} is no answer that was trained{f': {usual}{more}' if usual else ''}"
            if answer in found:
                return f"{found[answer][:40]!r} and {one[:40]!r} mean the same"
            found[answer] = one
        return found


def read_trained_questions(source: str | os.PathLike[str], revision: str | None = None) -> TrainedQuestions | None:
    """The trained questions of a checkpoint; None where it does not say them.

    Args:
        source: its folder, or its repository on the Hub.
        revision: of the repository.

    Raises:
        QuestionsError: if the file is there and cannot be used.
    """
    path = file_beside(source, QUESTIONS_FILE, revision)
    if path is None:
        return None
    try:
        return TrainedQuestions.from_document(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, AttributeError) as error:
        raise QuestionsError(f"{path}: {error}") from None
