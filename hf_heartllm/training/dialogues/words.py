"""The word lists of dialogues, package data: what both say, symptoms, findings in plain words, drugs and doses."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hf_heartllm.labels.scp import STATEMENTS

_ROOM = files("hf_heartllm.training.dialogues")
_NAMES_OF_DRUGS = re.compile("|".join(re.escape(STATEMENTS[code].phrase) for code in ("DIG", "EL")), re.IGNORECASE)


@dataclass(frozen=True)
class Symptom:
    """Something that a patient may feel.

    Attributes:
        name: as the assistant calls it, such as `chest pain`.
        red_flag: whether one who tells it is sent to get help now.
        mention: what reads it from a text.
    """

    name: str
    red_flag: bool
    mention: re.Pattern[str]


@cache
def wordings(held_out: bool = False) -> Mapping[str, tuple[str, ...]]:
    """Section → its lines: of the dialogues that are trained, or of those that are measured."""
    sections: dict[str, list[str]] = {}
    for line in _lines(f"wordings_{'held_out' if held_out else 'train'}.txt"):
        if line.startswith("["):
            sections[line.strip("[]")] = []
        else:
            sections[list(sections)[-1]].append(line)
    return {name: tuple(lines) for name, lines in sections.items()}


@cache
def symptoms() -> Mapping[str, Symptom]:
    """Every symptom by name."""
    return {
        row["symptom"]: Symptom(row["symptom"], row["red_flag"] == "yes", re.compile(rf"\b(?:{row['mention']})"))
        for row in csv.DictReader(_lines("symptoms.tsv"), delimiter="\t")
    }


@cache
def plain_words() -> Mapping[str, str]:
    """SCP code → what it means, without the words of doctors."""
    return {row["code"]: row["plain"] for row in csv.DictReader(_lines("plain_words.tsv"), delimiter="\t")}


@cache
def _drugs() -> re.Pattern[str]:
    """Families of substances, by their endings, stand together, so that a word is tried once for all of them."""
    lines, family = _lines("drug_words.txt"), r"\w{2,}"
    endings = [line.removeprefix(family) for line in lines if line.startswith(family)]
    others = [line for line in lines if not line.startswith(family)]
    words = "|".join([*others, rf"{family}(?:{'|'.join(endings)})"])
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


def drug_words(text: str) -> list[str]:
    """The words of drugs, doses and procedures in a text; names of ECG statements are none.

    >>> drug_words("Take 5 mg of bisoprolol twice daily.")
    ['5 mg', 'bisoprolol', 'twice daily']
    >>> drug_words("The ECG shows: sinus rhythm, digitalis effect.")
    []
    """
    return [match[0] for match in _drugs().finditer(_NAMES_OF_DRUGS.sub(" ", text))]


def _lines(name: str) -> list[str]:
    """The lines of a file of this room, without comments and empty ones."""
    text = (_ROOM / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
