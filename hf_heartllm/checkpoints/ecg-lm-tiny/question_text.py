"""A question's text made comparable: case, blanks, punctuation, contractions, spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from .question_words import FILLERS, LONG_FILLERS, NOT_SLIPS, PHRASES, WORDS

_CONTRACTED = re.compile(r"\b(is|are|does|do|did|was|were|has|have|could|would|should)n'?t\b")
_SPELLED_OUT = (
    (re.compile(r"\bcannot\b"), "can not"),
    (re.compile(r"\bcan'?t\b"), "can nt"),
    (re.compile(r"\b(what|there|it|that|he|she|who|where|how|which)'s\b"), r"\1 is"),
    (re.compile(r"\b(whats|hows)\b"), lambda found: found[0][:-1] + " is"),
    (re.compile(r"\bi'd\b"), "i would"),
    (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"'s?\b"), " "),
)
_BLANKS_FOR = str.maketrans(dict.fromkeys("-‐‑‒–—―−/_\u00ad", " ") | dict.fromkeys("’‘`´", "'"))
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,}")
_DEGREE_SIGN = re.compile(r"\b(1|2|3|i|ii|iii) ?[°º]", re.IGNORECASE)
_TOKEN = re.compile(r"[^\W_]+")
_PERSON = (
    r"(?! (?:am|would|have|had|was|do|did|can|could|should|will|think|want|need|know|wonder|just|guess|mean|see|hope|"
    r"like|ask|suspect|believe)\b)"
)
_DEGREE_AFTER = re.compile(rf"\b(?:av block|avb) (?:(?:grade|degree) )?(1|2|3|ii|iii|i{_PERSON})\b")
"""The degree behind a block, and not the "I" of "AV block? I want to know"."""
_GRADE_BEFORE = re.compile(r"\bgrade (1|2|3|i|ii|iii)(?= av)")
_BRITISH = ((re.compile("aem|æm"), "em"), (re.compile("isation"), "ization"), (re.compile("ognis"), "ogniz"))
_DEGREES = {"1": "first", "i": "first", "2": "second", "ii": "second", "3": "third", "iii": "third"}
_PHRASE = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(PHRASES, key=len, reverse=True))) + r")\b")

SPELLED_FROM, LONGEST_WORD = 6, 30  # letters; a slip in a shorter word is not guessed at


def folded(text: str) -> str:
    """Lower case, without punctuation, one blank between words: what a trained wording may differ in.

    Signs that carry meaning (`<`, `+`, digits) stay.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_BLANKS_FOR).casefold()
    return " ".join(re.findall(r"[^\s.,;:!?¿¡\"'()\[\]]+", plain.replace("'", "")))


def words(text: str) -> list[str]:
    """The words of a question: contractions spelled out ("isn't" is "is nt"), phrases and abbreviations replaced."""
    plain = _DEGREE_SIGN.sub(lambda found: f"{_DEGREES[found[1].lower()]} degree ", text)
    plain = unicodedata.normalize("NFKC", plain).translate(_BLANKS_FOR).casefold()
    plain = _DOTTED.sub(lambda found: found[0].replace(".", "") + " ", plain)
    plain = _CONTRACTED.sub(r"\1 nt", plain)
    for pattern, spelled in _SPELLED_OUT:
        plain = pattern.sub(spelled, plain)
    for pattern, spelled in _BRITISH:
        plain = pattern.sub(spelled, plain)
    return _TOKEN.findall(plain)


def replaced(tokens: Sequence[str], known: Collection[str]) -> list[str]:
    """Words with phrases and abbreviations replaced by what they stand for, plurals by singulars.

    Args:
        tokens: of `words`.
        known: all words that have a meaning here; a plural is one whose singular is among them.
    """
    text = " ".join(tokens)
    for _ in range(2):  # a replacement may complete another phrase
        text = " ".join(_PHRASE.sub(lambda found: PHRASES[found[0]], text).split())
        text = _GRADE_BEFORE.sub(lambda found: f"{_DEGREES[found[1]]} degree", text)
        text = _DEGREE_AFTER.sub(lambda found: f"{_DEGREES[found[1]]} degree av block", text)
        text = " ".join(WORDS.get(word, word) for word in (singular(one, known) for one in text.split()))
    return text.split()


def singular(word: str, known: Collection[str]) -> str:
    """The singular of a plural that is not known itself; else the word."""
    if word in known or not word.endswith("s"):
        return word
    for ending, instead in (("s", ""), ("es", ""), ("ies", "y")):
        if word.endswith(ending) and (one := word.removesuffix(ending) + instead) in known and one != "ecg":
            return one
    return word


class Speller:
    """Puts right one slip of the pen (a letter too many, too few, another, two exchanged) in a word of six letters.

    Args:
        known: the words that a slip may be of.
    """

    def __init__(self, known: Collection[str]) -> None:
        self.known = known
        self._shorter: dict[str, set[str]] = {}  # a word without one of its letters, or whole → the words it may be
        for word in known:
            if len(word) >= SPELLED_FROM:
                for part in _without_a_letter(word):
                    self._shorter.setdefault(part, set()).add(word)

    def __call__(self, word: str) -> str:
        """The word meant; the word itself where that is not certain.

        It is not where more than one known word is so near ("interior" may be anterior or inferior), where the first
        letter differs, or where a word is near that only stands around names ("wandering" is not "wondering").
        """
        if word in self.known or not SPELLED_FROM <= len(word) <= LONGEST_WORD or word in NOT_SLIPS:
            return word
        parts = [self._shorter[part] for part in _without_a_letter(word) if part in self._shorter]
        near = [other for other in set().union(*parts) if one_slip(word, other)]
        if len(near) != 1 or near[0][0] != word[0]:
            return word
        return word if near[0] in FILLERS and near[0] not in LONG_FILLERS else near[0]


def _without_a_letter(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def one_slip(first: str, second: str) -> bool:
    """Whether two words differ by one letter inserted, left out or replaced, or by two neighbours exchanged."""
    if len(first) > len(second):
        first, second = second, first
    at = next((i for i, (a, b) in enumerate(zip(first, second)) if a != b), len(first))
    if len(first) < len(second):
        return len(second) - len(first) == 1 and first[at:] == second[at + 1 :]
    if first[at + 1 :] == second[at + 1 :]:
        return True
    return first[at : at + 2] == second[at : at + 2][::-1] and first[at + 2 :] == second[at + 2 :]
