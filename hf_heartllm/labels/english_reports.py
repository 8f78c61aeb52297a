"""English reports of PTB-XL's records, offline: from a record's SCP statements, or from the wording of its report.

PTB-XL's reports are German, English and Swedish (Wagner et al., Scientific Data 7, 154, 2020), most of them in the
small vocabulary of ECG devices. `translate_report` uses a glossary, `report_glossary.tsv`, made from folds 1 to 7.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .scp import STATEMENTS, in_report_order, phrase

GLOSSARY_PATH = Path(__file__).with_name("report_glossary.tsv")
"""The glossary; whoever keeps translations should make them anew when it changes."""
LANGUAGES = ("de", "sv", "en")
"""German, Swedish, English: the languages of PTB-XL's reports."""
UNDETERMINED = "und"
"""ISO 639-2's code of a language that could not be told."""

_POSSIBLE_BELOW = 50.0
_ENDINGS = {"de": ("", "e", "em", "en", "er", "es"), "sv": ("", "t", "a")}
_CUT_OFF = "cut"  # words that the field's length cut off, at the very end of a report
_FOLD = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_TOKEN = re.compile(r"(?P<space>\s*)(?P<text>[^\W\d_]+|\d+(?:[.,:]\d+)*|\S)")
_BROKEN_UMLAUT = re.compile(r"#(?=[^\W\d_])|(?<=[^\W\d_])#")
_SLOT = re.compile(r"\{(\w+)\}")


def report_from_statements(scp_codes: Mapping[str, float] | Iterable[str], *, hedged: bool = False) -> str:
    """Render SCP statements as an English report, lower case: rhythm first, then diagnoses, then form.

    Args:
        scp_codes: Codes, or codes with their likelihoods in per cent (0.0: unknown).
        hedged: Put "possible" before statements with a known likelihood below 50 %. Needs likelihoods. Off by default,
            because the likelihoods are not known for every row.

    Returns:
        For example ``"sinus rhythm. complete left bundle branch block. non-specific st changes."``; empty without
        codes.

    Raises:
        KeyError: If a code is unknown.
        ValueError: If ``hedged`` without likelihoods.
    """
    likelihoods = scp_codes if isinstance(scp_codes, Mapping) else None
    if hedged and likelihoods is None:
        raise ValueError("a hedged report needs the likelihoods of the statements")
    sentences = []
    for code in in_report_order(scp_codes):
        unsure = hedged and likelihoods is not None and 0.0 < likelihoods[code] < _POSSIBLE_BELOW
        sentences.append(f"possible {phrase(code)}." if unsure else f"{phrase(code)}.")
    return " ".join(sentences)


@dataclass(frozen=True)
class Translation:
    """A report in English.

    Attributes:
        text: English wording, lower case, single blanks. Words that the glossary does not hold stand in brackets, as
            they were.
        language: Of the report: ``"de"``, ``"sv"``, ``"en"``, or ``"und"`` if no word of it is known.
        uncovered: The words in brackets, in order, with repetitions.
    """

    text: str
    language: str
    uncovered: tuple[str, ...]


def report_words(text: str) -> tuple[str, ...]:
    """The words of a report, lower case: runs of letters. Numbers, punctuation and the digits of V1 are none."""
    return tuple(token.text for token in _tokens(text) if token.is_word)


def report_language(text: str) -> str:
    """The language that most words of a report belong to: ``"de"``, ``"sv"``, ``"en"``; ``"und"`` if none is known.

    Between equals English goes first, then German. Remarks behind ``edit:``, which a cardiologist added, count only
    where nothing stands before them.
    """
    report, _, remark = _lower(text).partition("edit:")
    for part in (report, remark):
        words = [_folded(word) for word in report_words(part)]
        scores = {language: sum(word in _words_of(language) for word in words) for language in ("en", "de", "sv")}
        best = max(scores, key=lambda language: scores[language])
        if scores[best]:
            return best
    return UNDETERMINED


def translate_report(text: str) -> Translation:
    """Translate a report of PTB-XL to English with the glossary.

    The longest entry that fits goes first, single words last. Entries may begin a statement, which the devices write
    without any mark between: a full stop is put before it. Numbers and punctuation pass. Negations and hedges are
    entries like others ("nicht auszuschliessen": cannot be excluded; "kan ej uteslutas"; "möglich": possible). The
    devices' version number and "unconfirmed report" are kept (``models.report_text`` takes them out). English reports
    are returned as they are, in lower case with single blanks; a remark behind ``edit:``, where cardiologists wrote
    German, is translated in them too. SCP acronyms stay acronyms.

    Args:
        text: A report; German, Swedish or English, in any case.

    Returns:
        The translation; text and ``uncovered`` are empty for an empty report.
    """
    language = report_language(text)
    if language != "en":
        english, uncovered = _translate(_tokens(text), _glossary("de" if language == UNDETERMINED else language))
        return Translation(english, language, uncovered)
    report, mark, remark = _lower(text).partition("edit:")
    english = " ".join(report.split())
    uncovered = ()
    if mark:
        translated, uncovered = _translate(_tokens(mark + remark), _glossary("de"))
        english = f"{english} {translated}".strip()
    return Translation(english, language, uncovered)


# --- text to tokens


@dataclass(frozen=True)
class _Token:
    text: str
    space: str

    @property
    def is_word(self) -> bool:
        return self.text[0].isalpha()


def _lower(text: str) -> str:
    # Some files have "#" where an "ü" was.
    return _BROKEN_UMLAUT.sub("ü", unicodedata.normalize("NFC", text).lower())


def _folded(word: str) -> str:
    """One spelling for "ä" and "ae" and so on: the reports have both."""
    return word.translate(_FOLD)


def _tokens(text: str) -> list[_Token]:
    return [_Token(found["text"], found["space"]) for found in _TOKEN.finditer(_lower(text).rstrip())]


# --- glossary


@dataclass(frozen=True)
class _Entry:
    english: str
    starts_statement: bool = False
    is_open: bool = False
    at_end_only: bool = False


@dataclass
class _Node:
    """A node of the tree of phrases: edges are words, or slots that stand for any entry of a kind."""

    words: dict[str, _Node] = field(default_factory=dict)
    slots: dict[str, _Node] = field(default_factory=dict)
    entry: _Entry | None = None


@dataclass(frozen=True)
class _Glossary:
    phrases: _Node
    kinds: Mapping[str, _Node]


@dataclass(frozen=True)
class _Row:
    language: str
    kind: str
    source: str
    english: str

    @property
    def is_cut_off(self) -> bool:
        """Whether the entry is the beginning of words that the field's length cut off."""
        return _CUT_OFF in self.kind.split()

    @property
    def slot(self) -> str | None:
        """The slot that the entry may fill, such as ``region``."""
        names = [name for name in self.kind.split() if name not in ("word", "open", "statement", _CUT_OFF)]
        return names[0] if names else None


@cache
def _rows() -> tuple[_Row, ...]:
    header, *lines = GLOSSARY_PATH.read_text(encoding="utf-8").splitlines()
    if header != "language\tkind\tsource\tenglish":
        raise ValueError(f"{GLOSSARY_PATH}: its first line does not name the four columns")
    return tuple(_Row(*line.split("\t")) for line in lines)


def _spellings(row: _Row) -> list[str]:
    """The source with all adjective endings where it has ``~``."""
    if "~" not in row.source:
        return [row.source]
    return [row.source.replace("~", ending) for ending in _ENDINGS[row.language]]


def _pattern(source: str) -> list[str]:
    """Words, punctuation and slots of a source. Hyphens are left out: they match with and without."""
    parts: list[str] = []
    for index, part in enumerate(_SLOT.split(source)):
        if index % 2:
            parts.append(f"{{{part}}}")
        else:
            parts.extend(_folded(token.text) for token in _tokens(part) if token.text != "-")
    return parts


@cache
def _words_of(language: str) -> frozenset[str]:
    rows = (row for row in _rows() if row.language == language and not row.is_cut_off)
    found = (word for row in rows for text in _spellings(row) for word in _pattern(text))
    return frozenset(word for word in found if word[0].isalpha() and len(word) > 1)


@cache
def _glossary(language: str) -> _Glossary:
    phrases = _Node()
    kinds: dict[str, _Node] = {}
    # Entries of the language itself go before those of all languages, and those before words that English shares.
    for code in STATEMENTS:
        _insert(phrases, _pattern(code.lower().strip("_")), _Entry(code.lower().strip("_")))
    for wanted in ("en", "*", language):
        rows = [row for row in _rows() if row.language == wanted]
        for row in sorted(rows, key=lambda row: "~" not in row.source):  # an exact spelling goes before an ending
            entry = _Entry(row.english, "statement" in row.kind, "open" in row.kind, row.is_cut_off)
            for source in _spellings(row):
                pattern = _pattern(source)
                if row.is_cut_off:
                    _insert(phrases, pattern, entry, replace=False)
                elif slot := row.slot:
                    _insert(kinds.setdefault(slot, _Node()), pattern, entry)
                    _insert(phrases, pattern, entry, replace=False)
                elif wanted != "en" or len(source) > 3:  # short English words are often something else in German
                    _insert(phrases, pattern, entry)
    return _Glossary(phrases, kinds)


def _insert(node: _Node, pattern: list[str], entry: _Entry, replace: bool = True) -> None:
    for part in pattern:
        edges = node.slots if part[0] == "{" else node.words
        node = edges.setdefault(part.strip("{}") or part, _Node())
    if replace or node.entry is None:
        node.entry = entry


# --- translation


@dataclass(frozen=True)
class _Match:
    end: int
    entry: _Entry


def _longest(tokens: list[_Token], start: int, node: _Node, glossary: _Glossary) -> _Match | None:
    """The longest entry below a node that fits the tokens from ``start`` on."""
    best = None
    if node.entry is not None and (not node.entry.at_end_only or start == len(tokens)):
        best = _Match(start, node.entry)
    at = _next_word(tokens, start)
    if at < len(tokens) and (child := node.words.get(_folded(tokens[at].text))) is not None:
        best = _longer(best, _longest(tokens, at + 1, child, glossary))
    for kind, child in node.slots.items():
        for filler in _all_matches(tokens, start, glossary.kinds[kind]):
            rest = _longest(tokens, filler.end, child, glossary)
            if rest is not None:
                # The innermost call fills the last slot of its kind.
                before, slot, after = rest.entry.english.rpartition(f"{{{kind}}}")
                english = f"{before}{filler.entry.english}{after}" if slot else rest.entry.english
                entry = _Entry(english, rest.entry.starts_statement, rest.entry.is_open)
                best = _longer(best, _Match(rest.end, entry))
    return best


def _longer(first: _Match | None, second: _Match | None) -> _Match | None:
    if first is None or second is None:
        return first or second
    return second if second.end > first.end else first


def _all_matches(tokens: list[_Token], start: int, node: _Node) -> list[_Match]:
    """Every entry of a tree without slots that fits from ``start`` on."""
    found = [_Match(start, node.entry)] if node.entry is not None else []
    at = _next_word(tokens, start)
    if at < len(tokens) and (child := node.words.get(_folded(tokens[at].text))) is not None:
        found.extend(_all_matches(tokens, at + 1, child))
    return found


def _next_word(tokens: list[_Token], at: int) -> int:
    """Skip a hyphen beside a word: "a-v block", "av- block", "av block"."""
    if 0 < at < len(tokens) - 1 and tokens[at].text == "-" and (tokens[at - 1].is_word or tokens[at + 1].is_word):
        return at + 1
    return at


_NO_STOP_AFTER = ".:,;(/-&+=<>!?"
_SPACE_AFTER = ".,:;!?)"


def _translate(tokens: list[_Token], glossary: _Glossary) -> tuple[str, tuple[str, ...]]:
    text = ""
    uncovered: list[str] = []
    open_before = False
    at = 0
    while at < len(tokens):
        token = tokens[at]
        match = _longest(tokens, at, glossary.phrases, glossary) if token.text != "-" else None
        if match is not None and match.end > at:
            english, is_open, starts = match.entry.english, match.entry.is_open, match.entry.starts_statement
            at = match.end
        else:
            english, is_open, starts = token.text, False, False
            if token.is_word:
                uncovered.append(token.text)
                english = f"[{token.text}]"
            at += 1
        text += _joint(text, token, starts, open_before) + english
        open_before = is_open
    if text and (text[-1].isalnum() or text[-1] in ")]"):
        text += "."
    return text, tuple(uncovered)


def _joint(text: str, token: _Token, starts_statement: bool, open_before: bool) -> str:
    """What stands between the English so far and the next piece: nothing, a blank, a comma, a full stop."""
    if not text:
        return ""
    wordlike = token.is_word or token.text[0].isdigit() or token.text == "("
    if not (open_before or text[-1] in _NO_STOP_AFTER) and (token.is_word or starts_statement):
        # Devices indent what belongs to the statement before by four or five blanks.
        indented = 3 <= len(token.space) <= 6
        if starts_statement:
            return ", " if indented else ". "
        if indented or len(token.space) > 6:
            return ", "
    if token.space and wordlike:
        return " "
    if token.is_word and (text[-1] in _SPACE_AFTER or text[-1].isalpha()):
        return " "
    return " " if token.space and token.text in "<>=+-&/" else ""
