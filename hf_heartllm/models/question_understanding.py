"""Which trained question a question in other words is, or that it is none: `questions.json` in a checkpoint's folder.

A small language model answers the wordings that it was trained on, and answers anything else just as surely. So a
question is put to it as it was trained, or not at all. Nothing is guessed by likeness: every word of a question must be
known, and all of them together must be the name of one finding (`question_words`), or the question is declined.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .question_text import folded, replaced, singular, spelled, words
from .question_words import (
    AND,
    AUXILIARIES,
    COMMANDS,
    DENIALS,
    FILLERS,
    NAMES,
    OPEN,
    OPPOSITES,
    OR,
    PHRASES,
    SEEN,
    WHICH,
    WORDS,
    spelled_out,
)

QUESTIONS_FILE = "questions.json"
FORMAT, FORMAT_VERSION = "heartllm trained questions", 1
TERM, FIRST, SECOND = "{term}", "{first}", "{second}"

LONGEST = 600  # characters of a question in other words; none that was trained is near it
_MOST_SLIPS = 3
_NEAREST = 3
_SIGNS = re.compile(r"[<>=+*{}|\\@#$%^~`]")


class QuestionsError(ValueError):
    """The file of trained questions cannot be used; the message is one line."""


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
class NotUnderstood:
    """A question that was not trained.

    Attributes:
        reason: in one line.
        nearest: up to three trained questions that come nearest.
    """

    reason: str
    nearest: tuple[str, ...]


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
class TrainedQuestions:
    """What a checkpoint was trained to answer."""

    groups: tuple[TrainedGroup, ...]
    _index: _Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _Index(self.groups))  # whole before anyone reads it: threads share it

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
        return {"format": FORMAT, "format_version": FORMAT_VERSION, "groups": groups}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> TrainedQuestions:
        """What `document` gave.

        Raises:
            QuestionsError: if it is no such document.
        """
        if document.get("format") != FORMAT or document.get("format_version") != FORMAT_VERSION:
            raise QuestionsError(f"not of the format {FORMAT!r}, version {FORMAT_VERSION}")
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
        return cls(groups)

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
        index = self._index
        found = index.as_trained(question, exact=True) or index.as_trained(folded(question), exact=False)
        if found is not None:
            return found
        if len(question) > LONGEST:
            return NotUnderstood(f"it is longer than {LONGEST} characters", index.nearest(()))
        signs = _SIGNS.search(question)
        tokens = index.read(question)
        understood: UnderstoodQuestion | str
        if signs is not None:
            understood = f"the sign {signs[0]!r} stands in no trained question"
        else:
            understood = index.parse(tokens)
        return (
            understood
            if isinstance(understood, UnderstoodQuestion)
            else NotUnderstood(understood, index.nearest(tokens))
        )


def read_trained_questions(source: str | os.PathLike[str]) -> TrainedQuestions | None:
    """The trained questions of a checkpoint; None where it does not say them.

    Args:
        source: its folder, or its repository on the Hub.

    Raises:
        QuestionsError: if the file is there and cannot be used.
    """
    path: str | Path | None = Path(source) / QUESTIONS_FILE
    if not Path(source).is_dir():
        from transformers.utils import cached_file

        path = cached_file(
            os.fspath(source),
            QUESTIONS_FILE,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    if path is None or not Path(path).is_file():
        return None
    try:
        return TrainedQuestions.from_document(json.loads(Path(path).read_text(encoding="utf-8")))
    except (ValueError, AttributeError) as error:
        raise QuestionsError(f"{path}: {error}") from None


@dataclass(frozen=True)
class _Wording:
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
        at = body.find(between)
        while at >= 0:  # "or" stands in some terms too
            pair = self.attributes.get(body[:at]), self.attributes.get(body[at + len(between) :])
            if pair[0] is not None and pair[1] is not None and pair[0] != pair[1]:
                return pair[0], pair[1]
            at = body.find(between, at + 1)
        return None


class _Index:
    """Everything that `TrainedQuestions` looks up, made once."""

    def __init__(self, groups: Sequence[TrainedGroup]) -> None:
        self.exact = [self._wording(group, wording, fold=False) for group in groups for wording in group.wordings]
        self.folded = [self._wording(group, wording, fold=True) for group in groups for wording in group.wordings]
        self.asking: dict[str, TrainedGroup] = {}  # of each attribute, the group of its yes/no question
        self.open: dict[tuple[str, str, str], TrainedGroup] = {}
        self.choosing = [group for group in groups if group.question_type == "choose"]
        for group in groups:
            for attribute in group.terms:
                if group.question_type == "verify":
                    self.asking.setdefault(attribute, group)
                elif group.question_type in ("query", "report"):
                    self.open.setdefault((group.question_type, group.attribute_type, attribute), group)
        self.names: dict[frozenset[str], tuple[str, bool]] = {}  # → attribute, whether it is the opposite of it
        self.open_names: dict[frozenset[str], tuple[tuple[str, str, str], bool]] = {}
        for pattern, key, either in OPEN:
            if key in self.open:
                self.open_names.update(dict.fromkeys(spelled_out(pattern), (key, either)))
        self.known = self._words_of(groups)
        self._name_findings()
        self._canonical = [group.question(group.wordings[0], (name,), True).text for name, group in self.asking.items()]
        self._canonical += [group.question(group.wordings[0], (key[2],), True).text for key, group in self.open.items()]
        self._content = [self._without_fillers(self.read(text)) for text in self._canonical]
        for place, attribute in enumerate(self.asking):
            names = [name for name, (named, opposite) in self.names.items() if named == attribute and not opposite]
            self._content[place] = self._content[place].union(*names)
        counts = Counter(word for content in self._content for word in content)
        self._rarity = {word: math.log(1 + len(self._content) / count) for word, count in counts.items()}

    @staticmethod
    def _wording(group: TrainedGroup, wording: str, fold: bool) -> _Wording:
        pieces = re.split("|".join(map(re.escape, (TERM, FIRST, SECOND))), wording)
        if not fold:
            return _Wording(group, wording, tuple(pieces), {term: name for name, term in group.terms.items()})
        plain = [folded(piece) for piece in pieces]
        inner = [f" {piece} " for piece in plain[1:-1]]
        ends = (f"{plain[0]} ".lstrip(), *inner, f" {plain[-1]}".rstrip()) if len(plain) > 1 else (plain[0],)
        return _Wording(group, wording, ends, {folded(term): name for name, term in group.terms.items()})

    @staticmethod
    def _words_of(groups: Sequence[TrainedGroup]) -> frozenset[str]:
        """All words that mean something here, plurals only where they are no plural of another."""
        texts = [*PHRASES.values(), *WORDS, *WORDS.values(), AND, "not nt how free negative out"]
        found = {word for text in texts for word in words(text)}
        for names in (NAMES, OPPOSITES):
            found.update(*(name for of in names.values() for pattern in of for name in spelled_out(pattern)))
        found.update(*(name for pattern, _, _ in OPEN for name in spelled_out(pattern)))
        found |= FILLERS | WHICH | COMMANDS | AUXILIARIES | DENIALS | OR | SEEN
        more = [*PHRASES, *(term for group in groups for term in group.terms.values())]
        return frozenset(found | {singular(word, found) for text in more for word in words(text)})

    def _name_findings(self) -> None:
        """What each finding is called; a name that two of them have is none."""
        found: dict[frozenset[str], set[tuple[str, bool]]] = {}
        for attribute, group in self.asking.items():
            own = self._without_fillers(self.read(group.terms[attribute]))
            others = {name for pattern in NAMES.get(attribute, ()) for name in spelled_out(pattern)}
            if own not in others and own - {"ecg"} not in others:
                others = set()  # this checkpoint's attribute is another thing than ours of that code
            else:
                for name in (n for pattern in OPPOSITES.get(attribute, ()) for n in spelled_out(pattern)):
                    found.setdefault(name, set()).add((attribute, True))
            for name in others | {own}:
                found.setdefault(name, set()).add((attribute, False))
        self.names = {name: next(iter(of)) for name, of in found.items() if name and len(of) == 1}

    @staticmethod
    def _without_fillers(tokens: Sequence[str]) -> frozenset[str]:
        return frozenset(tokens) - FILLERS - WHICH

    def as_trained(self, text: str, exact: bool) -> UnderstoodQuestion | None:
        """The question that a text is in a trained wording; None where there is none."""
        for wording in self.exact if exact else self.folded:
            attributes = wording.asked_in(text)
            if attributes is not None:
                return wording.group.question(wording.wording, attributes, exact)
        return None

    def read(self, text: str) -> list[str]:
        """The words of a text in their basic form, slips of the pen put right."""
        slips = 0
        read = []
        for word in words(text):
            right = singular(word, self.known)
            if right not in self.known and slips < _MOST_SLIPS:
                right = spelled(right, self.known)
                slips += right != word
            read.append(right)
        return replaced(read, self.known)

    def parse(self, tokens: Sequence[str]) -> UnderstoodQuestion | str:
        """The trained question that the words ask, or why they ask none."""
        denied = _without_denial(tokens)
        if isinstance(denied, str):
            return denied
        left, negated = denied
        if AND in left:
            return "it asks for more than one thing"
        for before, article, noun in zip(left, left[1:], left[2:]):
            if noun == "ecg" and article in ("a", "an") and before in _GENERAL:
                return "it asks about ECGs in general, not about this one"
        if any(word in OR for word in left):
            return "it denies a choice" if negated else self._choice(left)
        content = self._without_fillers(left)
        which = not WHICH.isdisjoint(left)
        key = self._open(content, left, which)
        if key is not None:
            if negated:
                return "it denies what is not answered by yes or no"
            group = self.open[key]
            return group.question(group.wordings[0], key[2:], exact=False)
        unknown = next((word for word in left if word not in self.known), None)
        if unknown is not None:
            return f'"{unknown[:40]}" is no part of a trained question'
        if not content - {"ecg"}:
            return "it names nothing that was trained"
        found = None if which else self._finding(content)
        if found is None:
            named = " ".join(dict.fromkeys(word for word in left if word in content))
            return f'nothing that was trained is asked for by "{named[:80]}"'
        attribute, opposite = found
        if opposite and negated:
            return "it denies twice"
        group = self.asking[attribute]
        return group.question(group.wordings[0], (attribute,), exact=False, negated=opposite != negated)

    def _open(self, content: frozenset[str], tokens: Sequence[str], which: bool) -> tuple[str, str, str] | None:
        """The open question that is asked."""
        asked = which or not COMMANDS.isdisjoint(tokens) or not (tokens and tokens[0] in AUXILIARIES)
        if which and content == {"ecg"} and not {"see", "show", "shown", "seen"}.isdisjoint(tokens):
            content = frozenset(["report"])  # "What do you see on this ECG?"
        for name in (content, content - {"ecg"}):
            if name in self.open_names:
                key, either = self.open_names[name]
                return key if asked or either else None
        return None

    def _finding(self, content: frozenset[str]) -> tuple[str, bool] | None:
        """The finding that words name and whether they name its opposite."""
        for name in (content, content - {"ecg"}):
            if name in self.names:
                return self.names[name]
        found = self.names.get(content - _OF_RHYTHM)
        return found if found is not None and self.asking[found[0]].attribute_type == "rhythm" else None

    def _choice(self, tokens: Sequence[str]) -> UnderstoodQuestion | str:
        """The choice between two findings that is asked."""
        sides: list[list[str]] = [[]]
        for word in tokens:
            if word in OR:
                sides.append([])
            else:
                sides[-1].append(word)
        found = [self._finding(self._without_fillers(side) - _OF_CHOICE) for side in sides]
        named = [one[0] for one in found if one is not None and not one[1]]
        if len(sides) != 2 or len(named) != 2:
            return "it is no choice between two trained findings"
        for group in self.choosing:
            if named[0] != named[1] and all(name in group.terms for name in named):
                return group.question(group.wordings[0], named, exact=False)
        return "that choice was not trained"

    def nearest(self, tokens: Sequence[str]) -> tuple[str, ...]:
        """The trained questions that share most with some words, the rarer the more; then the first ones."""
        content = self._without_fillers(tokens)
        shared = [sum(self._rarity[word] for word in content & one) for one in self._content]
        order = sorted(range(len(shared)), key=lambda place: -shared[place])
        found = dict.fromkeys(self._canonical[place] for place in order if shared[place] > 0)
        usual = [
            text for key, group in self.open.items() for text in [group.question(group.wordings[0], key[2:], True).text]
        ]
        return tuple(dict.fromkeys([*list(found)[:_NEAREST], *usual, *self._canonical]))[:_NEAREST]


_GENERAL = frozenset(["on", "in", "from", "by", "can", "does", "do", "could", "would"])
_OF_RHYTHM = frozenset(["ecg", "rhythm", "heart", "cardiac", "heartbeat"])
_OF_CHOICE = frozenset(["diagnosis", "finding", "class"])


def _without_denial(tokens: Sequence[str]) -> tuple[list[str], bool] | str:
    """The words without those that deny, and whether they deny; or why it cannot be said what they deny.

    "Isn't this …?" asks whether it is; "Is … not seen?" whether it is absent; "Is this not …?" may be either.
    """
    left: list[str] = []
    denied = 0
    skip = False
    for place, word in enumerate(tokens):
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        if skip:
            skip = False
        elif word == "nt" and place == 1:
            pass
        elif word in ("not", "nt"):
            if after not in SEEN:
                return '"not" leaves open what a yes would mean'
            denied += 1
        elif (word == "free" and after in ("of", "from")) or (word == "negative" and after == "for"):
            denied, skip = denied + 1, True
        elif word == "no" and not after:
            return '"no" at the end leaves open what a yes would mean'
        elif word in DENIALS or (word == "rule" and "out" in tokens):
            denied += 1
        elif not (word == "out" and "rule" in tokens):
            left.append(word)
    return "it denies twice" if denied > 1 else (left, denied == 1)


def _filled(text: str, slots: Mapping[str, str]) -> str:
    """A wording with its terms; a term that holds a slot's name stays as it is."""
    if not slots:
        return text
    return re.sub("|".join(map(re.escape, slots)), lambda found: slots[found[0]], text)
