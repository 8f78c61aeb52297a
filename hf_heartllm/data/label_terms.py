"""What the words of a label say: SCP codes, our phrases, SNOMED CT codes, the words of other collections."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from ..labels.foreign_terms import Meaning, challenge_meaning
from ..labels.scp import STATEMENTS, SUPERCLASSES, superclasses
from .label_names import STATEMENT_TYPES, statement_labels
from .record import Record

_CODES = {code.lower(): code for code in STATEMENTS} | {one.phrase: code for code, one in STATEMENTS.items()}
_CLASSES = {code.lower(): code for code in SUPERCLASSES} | {words: code for code, words in SUPERCLASSES.items()}


def statement_code(term: str) -> str | None:
    """The SCP code that a term is, or whose phrase it is; None for any other.

    >>> statement_code("Atrial fibrillation"), statement_code("afib"), statement_code("tired")
    ('AFIB', 'AFIB', None)
    """
    return _CODES.get(" ".join(term.lower().split()))


def term_meaning(term: str) -> Meaning | None:
    """What a term says in PTB-XL's terms; None for what is in no table, which is not guessed at.

    >>> sorted(term_meaning("164889003").codes), term_meaning("myocardial infarction").classes, term_meaning("odd")
    (['AFIB'], frozenset({'MI'}), None)
    """
    code = statement_code(term)
    if code is not None:
        return Meaning(frozenset([code]), frozenset(superclasses([code])))
    name = _CLASSES.get(" ".join(term.lower().split()))
    return challenge_meaning(term) if name is None else Meaning(classes=frozenset([name]))


@dataclass(frozen=True)
class Stated:
    """What the terms of a record say.

    Attributes:
        codes: SCP statements.
        classes: diagnostic superclasses, those of `codes` among them.
        unclear: SCP statements and superclasses that a term leaves open.
        unknown: terms that are in no table; with one of them nothing that is not stated counts as absent.
    """

    codes: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    unclear: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()


def stated_by(terms: Iterable[str], meaning_of: Callable[[str], Meaning | None] = term_meaning) -> Stated:
    """What some terms say together."""
    codes, classes, unclear, unknown = set[str](), set[str](), set[str](), dict[str, None]()
    for term in terms:
        meaning = meaning_of(term)
        if meaning is None:
            unknown[term] = None
        else:
            codes |= meaning.codes
            classes |= meaning.classes
            unclear |= meaning.unclear
    return Stated(frozenset(codes), frozenset(classes), frozenset(unclear), tuple(unknown))


def terms_of(cell: str) -> list[str]:
    """The terms of one cell: semicolons or bars part them, and commas or blanks where each part alone is known.

    >>> terms_of("AFIB; LVH?"), terms_of("sinus rhythm, normal ecg"), terms_of("164889003 59118001")
    (['AFIB', 'LVH?'], ['sinus rhythm', 'normal ecg'], ['164889003', '59118001'])
    """
    terms: list[str] = []
    for term in (part.strip() for part in re.split(r"[;|]", cell)):
        for mark in (",", None):
            parts = [part.strip() for part in term.split(mark) if part.strip()]
            if len(parts) > 1 and term_meaning(term) is None and all(term_meaning(one.rstrip("? ")) for one in parts):
                terms += parts
                break
        else:
            terms += [term] if term else []
    return terms


def labels_of(stated: Stated) -> dict[str, frozenset[str] | None]:
    """The labels of the four statement types."""
    labels = statement_labels(stated.codes)
    return {**labels, "superclass": (labels["superclass"] or frozenset()) | stated.classes}


def leave_open(records: Collection[Record], stated: dict[str, Stated]) -> list[Record]:
    """The records, with what their terms leave open as `unknown`.

    Args:
        records: of a collection.
        stated: by `record_id`, where terms were read.
    """
    used = {kind: frozenset[str]().union(*(one.stated(kind) for one in records)) for kind in STATEMENT_TYPES}
    made = []
    for record in records:
        said = stated.get(record.record_id)
        if said is not None and (said.unknown or said.unclear):
            unknown = dict(record.unknown)
            unclear = statement_labels(said.unclear & STATEMENTS.keys()) | {
                "superclass": said.unclear & SUPERCLASSES.keys()
            }
            for kind, names in used.items():
                of_kind = (unclear.get(kind) or frozenset()) | (names if said.unknown else frozenset())
                if left := of_kind - record.stated(kind):
                    unknown[kind] = left
            record = replace(record, unknown=unknown)
        made.append(record)
    return made
