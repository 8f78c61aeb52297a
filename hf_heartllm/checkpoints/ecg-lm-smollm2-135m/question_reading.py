"""From the words of a question to the trained one that it asks.

Nothing is guessed by likeness: every word must be known, and all of them together must be the name of one finding
(`question_names`), or the question is none that was trained.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from .question_names import NAMES, OPEN, OPPOSITES, spelled_out
from .question_text import Speller, replaced, singular, words
from .question_words import (
    AND,
    ASKING,
    AUXILIARIES,
    COMMANDS,
    DENIABLE,
    DENIALS,
    FILLERS,
    OR,
    PERSONS,
    PHRASES,
    POSSIBLE,
    SEEN,
    WHICH,
    WORDS,
)
from .trained_wordings import TrainedGroup, UnderstoodQuestion, WordingPieces

_MOST_SLIPS = 3
_NEAREST = 3
_ASKING_MORE = frozenset(["why", "how", "what", "which", "when", "where", "who", "explain", "describe"])
_GENERAL = frozenset(["on", "in", "from", "by", "can", "does", "do", "could", "would"])
_OF_RHYTHM = frozenset(["ecg", "rhythm", "heart", "cardiac", "heartbeat"])
_OF_CHOICE = frozenset(["diagnosis", "finding", "class"])
_NOW = frozenset(["now", "currently", "today", "suffering"])


class QuestionReader:
    """Reads questions in any words; everything that it looks up is made once, so threads may share it."""

    def __init__(self, groups: Sequence[TrainedGroup]) -> None:
        self.exact = [WordingPieces.of(group, wording, fold=False) for group in groups for wording in group.wordings]
        self.folded = [WordingPieces.of(group, wording, fold=True) for group in groups for wording in group.wordings]
        self.asking: dict[str, TrainedGroup] = {}  # of each attribute, the group of its yes/no question
        self.open: dict[tuple[str, str, str], TrainedGroup] = {}
        self.choosing = [group for group in groups if group.question_type == "choose"]
        for group in groups:
            for attribute in group.terms:
                if group.question_type == "verify":
                    one = self.asking.setdefault(attribute, group)
                    if len(group.terms) == 1 < len(one.terms):  # its own, such as "Is this ECG normal?"
                        self.asking[attribute] = group
                elif group.question_type in ("query", "report"):
                    self.open.setdefault((group.question_type, group.attribute_type, attribute), group)
        self.names: dict[frozenset[str], tuple[str, bool]] = {}  # → attribute, whether it is the opposite of it
        self.open_names: dict[frozenset[str], tuple[tuple[str, str, str], bool]] = {}
        for pattern, key, either in OPEN:
            if key in self.open:
                self.open_names.update(dict.fromkeys(spelled_out(pattern), (key, either)))
        self.known = self._words_of(groups)
        self._spelled = Speller(self.known)
        self._name_findings()
        self._nameable: list[tuple[str, set[frozenset[str]]]] = []  # trained questions and what they are called
        for attribute in self.asking:
            text = self._plainly(attribute)
            called = {name for name, found in self.names.items() if found == (attribute, False)}
            self._nameable.append((text, called | {self._without_fillers(self.read(text)) - {"ecg"}}))
        for key, group in self.open.items():
            text = group.question(group.wordings[0], key[2:], True).text
            called = {name for name, (found, _) in self.open_names.items() if found == key}
            self._nameable.append((text, called | {self._without_fillers(self.read(text)) - {"ecg"}}))
        words_of = [frozenset().union(*called) for _, called in self._nameable]
        counts = Counter(word for one in words_of for word in one)
        self._rarity = {word: math.log(1 + len(words_of) / count) for word, count in counts.items()}
        usual = [("query", "rhythm", "rhythm"), ("query", "beats", "heart rate"), *self.open]
        first = [
            self.open[key].question(self.open[key].wordings[0], key[2:], True).text for key in usual if key in self.open
        ]
        if "NORM" in self.asking:
            first.insert(1, self._plainly("NORM"))
        self._usual = tuple(dict.fromkeys([*first, *(text for text, _ in self._nameable)]))

    def _plainly(self, attribute: str) -> str:
        """The yes/no question about an attribute."""
        group = self.asking[attribute]
        return group.question(group.wordings[0], (attribute,), True).text

    @staticmethod
    def _words_of(groups: Sequence[TrainedGroup]) -> frozenset[str]:
        """All words that mean something here, plurals only where they are no plural of another."""
        texts = [*PHRASES.values(), *WORDS, *WORDS.values(), AND, "not nt how free negative out"]
        found = {word for text in texts for word in words(text)}
        for names in (NAMES, OPPOSITES):
            found.update(*(name for of in names.values() for pattern in of for name in spelled_out(pattern)))
        found.update(*(name for pattern, _, _ in OPEN for name in spelled_out(pattern)))
        found |= FILLERS | ASKING | WHICH | COMMANDS | AUXILIARIES | DENIALS | OR | SEEN
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
                right = self._spelled(right)
                slips += right != word
            read.append(right)
        return replaced(read, self.known)

    def parse(self, tokens: Sequence[str]) -> UnderstoodQuestion | str:
        """The trained question that the words ask, or why they ask none."""
        denied = _without_denial(tokens)
        if isinstance(denied, str):
            return denied
        left, negated = denied
        if left[-1:] == ["i"]:
            return "it names a lead"
        if left[:1] == [AND]:
            left = left[1:]  # "And the rhythm?"
        if AND in left:
            return "it asks for more than one thing"
        for before, article, noun in zip(left, left[1:], left[2:]):
            if noun == "ecg" and article in ("a", "an") and before in _GENERAL:
                return "it asks about ECGs in general, not about this one"
        if any(word in OR for word in left):
            return "it denies a choice" if negated else self._choice(left)
        content = self._without_fillers(left) - ASKING
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
            return "no trained finding or quantity is called that"
        if not ASKING.isdisjoint(left) and "if" not in left:
            return "it gives an order that was not trained"
        attribute, opposite = found
        if negated and not DENIABLE.isdisjoint(left):
            return "it may deny something else than the finding"
        beyond = _beyond_the_ecg(attribute, "ecg" in content, left)
        if beyond is not None:
            return beyond
        if opposite and negated:
            return "it denies what is itself the opposite of a trained finding"
        group = self.asking[attribute]
        return group.question(group.wordings[0], (attribute,), exact=False, negated=opposite != negated)

    def denies(self, tokens: Sequence[str]) -> bool:
        """Whether words deny, or may deny, a trained finding that they name; not where they ask why or what."""
        if not _ASKING_MORE.isdisjoint(tokens[:1]) or not self.names_a_finding(tokens):
            return False
        denied = _without_denial(tokens)
        return isinstance(denied, str) or denied[1]

    def names_a_finding(self, tokens: Sequence[str]) -> bool:
        """Whether all words of the name of a trained finding, or of an open question, stand among others."""
        there = frozenset(tokens)
        return any(name <= there for name in (*self.names, *self.open_names))

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
        for name in (content, content - {"ecg"}, content - _OF_CHOICE, content - _OF_CHOICE - {"ecg"}):
            if name in self.names:
                return self.names[name]
        found = self.names.get(content - _OF_RHYTHM)
        return found if found is not None and self.asking[found[0]].attribute_type == "rhythm" else None

    def terms_named(self, text: str) -> set[str]:
        """The terms of the finding that a text names, such as "AF"; empty where it names none, or one's opposite."""
        found = self._finding(self._without_fillers(self.read(text)))
        if found is None or found[1]:
            return set()
        groups = (self.asking[found[0]], *self.choosing)
        return {group.terms[found[0]] for group in groups if found[0] in group.terms}

    def _choice(self, tokens: Sequence[str]) -> UnderstoodQuestion | str:
        """The choice between two findings that is asked."""
        sides: list[list[str]] = [[]]
        for word in tokens:
            if word in OR:
                sides.append([])
            else:
                sides[-1].append(word)
        found = [self._finding(self._without_fillers(side)) for side in sides]
        named = [one[0] for one in found if one is not None and not one[1]]
        if len(sides) != 2 or len(named) != 2:
            return "it is no choice between two trained findings"
        for group in self.choosing:
            if named[0] != named[1] and all(name in group.terms for name in named):
                return group.question(group.wordings[0], named, exact=False)
        return "that choice was not trained"

    def nearest(self, tokens: Sequence[str]) -> tuple[str, ...]:
        """The trained questions whose names share most with some words, rare words most; then the usual ones."""
        content = {word for word in self._without_fillers(tokens) if word in self._rarity}
        if not content:
            return self._usual[:_NEAREST]
        asked = self._weight(content)
        scores = [
            max(self._weight(content & name) / (asked + self._weight(name)) for name in called if name)
            for _, called in self._nameable
        ]
        order = sorted(range(len(scores)), key=lambda place: -scores[place])
        found = [self._nameable[place][0] for place in order[:_NEAREST] if scores[place] > 0]
        return tuple(dict.fromkeys([*found, *self._usual]))[:_NEAREST]

    def _weight(self, content: Iterable[str]) -> float:
        return sum(self._rarity.get(word, 0.0) for word in content)


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
        elif (word in ("free", "clear") and after in ("of", "from")) or (word == "negative" and after == "for"):
            denied, skip = denied + 1, True
        elif word == "clear" and after in PERSONS and tokens[place + 2 : place + 3] == ["of"]:
            return '"clear of" may be an order'
        elif word == "no" and not after:
            return '"no" at the end leaves open what a yes would mean'
        elif word in DENIALS or (word == "rule" and "out" in tokens):
            denied += 1
        elif not (word == "out" and "rule" in tokens):
            left.append(word)
    return "it denies twice" if denied > 1 else (left, denied == 1)


def _beyond_the_ecg(attribute: str, of_ecg: bool, tokens: Sequence[str]) -> str | None:
    """Why a question about a trained finding is one that no ECG answers, or this one alone does not; else None.

    Args:
        attribute: what is named.
        of_ecg: whether the words say that it is one of an ECG.
        tokens: the words, without those that deny.
    """
    if tokens[:1] == ["did"] and "change" in tokens:
        return "it compares with an earlier recording"
    if attribute == "NORM" and not of_ecg and not PERSONS.isdisjoint(tokens):
        return "it asks about the patient, not about the ECG"
    if attribute == "PACE" and _wishes(tokens):
        return "it asks who is to have one, which no ECG shows"
    now = not _NOW.isdisjoint(tokens) or ("suffer" in tokens and not POSSIBLE.isdisjoint(tokens))
    if attribute.endswith("MI") and now:
        return "it asks for an infarction now; how old one is was not trained"
    return None


def _wishes(tokens: Sequence[str]) -> bool:
    """Whether words ask what someone wants or needs: not "I want to know", "looks like", "indication of"."""
    if "know" in tokens:
        return False
    pairs = set(zip(tokens, [*tokens[1:], ""]))
    wants = any(one == "want" and following != "to" for one, following in pairs)
    likes = "would" in tokens and any(one == "like" and following != "to" for one, following in pairs)
    return wants or likes or any(one == "indication" and following != "of" for one, following in pairs)
