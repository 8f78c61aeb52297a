"""Wordings that were trained, with places for the terms that stood in them, and the questions they make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .question_text import folded

OTHER_QUESTIONS = "other questions"
"""In a checkpoint's `seen_in_training`: it was trained on questions that no ECG answers, too."""

TERM, FIRST, SECOND = "{term}", "{first}", "{second}"


@dataclass(frozen=True)
class UnderstoodQuestion:
    """A question as it was trained.

    Attributes:
        text: the wording to be put to the model.
        negated: the question asked for the opposite: yes and no of the answer are to be exchanged.
        answers: the closed answer set of the trained question; None: free text.
        attribute_type: such as `"rhythm"`.
        attribute: what is asked for: an SCP code, a superclass, a quantity; two joined by "|" in a choice.
        exact: it was asked as trained, to the letter.
    """

    text: str
    negated: bool = False
    answers: tuple[str, ...] | None = None
    attribute_type: str | None = None
    attribute: str | None = None
    exact: bool = True


@dataclass(frozen=True)
class TrainedGroup:
    """Wordings that the same terms stand in.

    Attributes:
        question_type: `"verify"`, `"choose"`, `"query"` or `"report"`.
        attribute_type: such as `"rhythm"`.
        answers: the closed answer set, where "{first}" and "{second}" stand for the two terms of a choice; None: free
            text.
        wordings: with "{term}", or "{first}" and "{second}", where the term stands; the first is the one that others
            are mapped to. Without one, the group has one attribute.
        terms: attribute → its term.
    """

    question_type: str
    attribute_type: str
    answers: tuple[str, ...] | None
    wordings: tuple[str, ...]
    terms: Mapping[str, str]

    def question(
        self, wording: str, attributes: Sequence[str], exact: bool, negated: bool = False
    ) -> UnderstoodQuestion:
        """One of its questions."""
        names = (TERM,) if len(attributes) == 1 else (FIRST, SECOND)
        slots = {name: self.terms[attribute] for name, attribute in zip(names, attributes)}
        answers = self.answers and tuple(_filled(answer, slots) for answer in self.answers)
        asked = "|".join(attributes)
        return UnderstoodQuestion(_filled(wording, slots), negated, answers, self.attribute_type, asked, exact)


@dataclass(frozen=True)
class WordingPieces:
    """A wording in pieces, between which its terms stand: as it is, or folded."""

    group: TrainedGroup
    wording: str
    pieces: tuple[str, ...]
    attributes: Mapping[str, str]

    def asked_in(self, text: str) -> tuple[str, ...] | None:
        """The attributes that a text asks for in this wording; None where it is another."""
        first, last = self.pieces[0], self.pieces[-1]
        if len(self.pieces) == 1:
            return tuple(self.group.terms)[:1] if text == first else None
        if not (text.startswith(first) and text.endswith(last) and len(text) > len(first) + len(last)):
            return None
        body = text[len(first) : len(text) - len(last)]
        if len(self.pieces) == 2:
            return (self.attributes[body],) if body in self.attributes else None
        between = self.pieces[1]
        if len(body) > len(between) + 2 * max(map(len, self.attributes)):
            return None
        at = body.find(between)
        while at >= 0:  # "or" stands in some terms too
            pair = self.attributes.get(body[:at]), self.attributes.get(body[at + len(between) :])
            if pair[0] is not None and pair[1] is not None and pair[0] != pair[1]:
                return pair[0], pair[1]
            at = body.find(between, at + 1)
        return None

    @classmethod
    def of(cls, group: TrainedGroup, wording: str, fold: bool) -> WordingPieces:
        """A wording of a group, to be compared with texts as they are or with folded ones."""
        pieces = re.split("|".join(map(re.escape, (TERM, FIRST, SECOND))), wording)
        if not fold:
            return cls(group, wording, tuple(pieces), {term: name for name, term in group.terms.items()})
        plain = [folded(piece) for piece in pieces]
        inner = [f" {piece} " for piece in plain[1:-1]]
        ends = (f"{plain[0]} ".lstrip(), *inner, f" {plain[-1]}".rstrip()) if len(plain) > 1 else (plain[0],)
        return cls(group, wording, ends, {folded(term): name for name, term in group.terms.items()})


def _filled(text: str, slots: Mapping[str, str]) -> str:
    """A wording with its terms; a term that holds a slot's name stays as it is."""
    if not slots:
        return text
    return re.sub("|".join(map(re.escape, slots)), lambda found: slots[found[0]], text)
