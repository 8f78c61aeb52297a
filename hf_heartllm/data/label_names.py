"""The names of labels: types, those of PTB-XL in their order, and the vocabulary that a collection uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ..labels.scp import DIAGNOSES, FORMS, RHYTHMS, STATEMENTS, SUPERCLASSES, superclasses
from ..models.ecg_leads import STANDARD_LEADS
from .record import Record

STATEMENT_TYPES = ("rhythm", "form", "diagnosis", "superclass")
NOTE_TYPES = ("heart_axis", "noise", "noise_in_lead", "extra_systole", "stage_of_infarction")
ATTRIBUTE_TYPES = (*STATEMENT_TYPES, *NOTE_TYPES)
"""The types of labels, in ECG-QA's words where it has one; ``numeric_feature`` comes from measurements."""

AXES = ("normal heart axis", "left axis deviation", "right axis deviation", "extreme axis deviation")
NOISES = ("baseline drift", "static noise", "burst noise", "electrode problems")
ANY_NOISE = "any noise"
STAGES = (
    "early stage of myocardial infarction",
    "middle stage of myocardial infarction",
    "old stage of myocardial infarction",
    "unknown stage of myocardial infarction",
)
UNKNOWN_STAGE = STAGES[3]
EXTRA_SYSTOLES = ("extrasystoles", "supraventricular extrasystoles", "ventricular extrasystoles")
"""The first means extra beats of any kind: a record with one of the other two has it as well."""


def in_lead(noise: str, lead: str) -> str:
    """The attribute of noise in a lead, as ``"static noise in lead V1"``."""
    return f"{noise} in lead {lead}"


def statement_labels(codes: Collection[str]) -> dict[str, frozenset[str] | None]:
    """The labels of the four statement types that SCP codes amount to.

    A record for which no rhythm was stated has no known rhythm, which is not the same as none.

    Raises:
        KeyError: If a code is unknown.
    """
    found = superclasses(codes)  # raises for an unknown code
    stated = frozenset(codes)
    rhythm = stated.intersection(RHYTHMS)
    return {
        "rhythm": rhythm or None,
        "form": stated.intersection(FORMS),
        "diagnosis": stated.intersection(DIAGNOSES),
        "superclass": frozenset(found),
    }


@dataclass(frozen=True)
class Vocabulary:
    """All attributes that the labels of a set can name, by type, in the order of list answers.

    Only for these does the absence of a label mean "no".
    """

    attributes: Mapping[str, tuple[str, ...]]

    def phrase(self, kind: str, attribute: str) -> str:
        """The phrase of an attribute, lower case; the set's own names are their own phrases."""
        return phrase_of(kind, attribute)

    @property
    def types(self) -> tuple[str, ...]:
        """The types that have attributes."""
        return tuple(kind for kind in ATTRIBUTE_TYPES if self.attributes.get(kind))


def phrase_of(kind: str, attribute: str) -> str:
    """The phrase of an attribute, as in ``phrase_of("rhythm", "AFIB")``; the set's own names are their own phrases."""
    if kind == "superclass" and attribute in SUPERCLASSES:
        return SUPERCLASSES[attribute]
    if kind in STATEMENT_TYPES and attribute in STATEMENTS:
        return STATEMENTS[attribute].phrase
    return attribute


_NOISE_IN_LEADS = tuple(in_lead(noise, lead) for noise in (*NOISES, ANY_NOISE) for lead in STANDARD_LEADS)
PTBXL_VOCABULARY = Vocabulary(
    {
        "rhythm": RHYTHMS,
        "form": FORMS,
        "diagnosis": DIAGNOSES,
        "superclass": tuple(SUPERCLASSES),
        "heart_axis": AXES,
        "noise": NOISES,
        "noise_in_lead": _NOISE_IN_LEADS,
        "extra_systole": EXTRA_SYSTOLES,
        "stage_of_infarction": STAGES,
    }
)


def vocabulary_of(records: Iterable[Record]) -> Vocabulary:
    """The vocabulary that a set's own records use: known names in their usual order, then the others by alphabet."""
    found: dict[str, set[str]] = {kind: set() for kind in ATTRIBUTE_TYPES}
    for record in records:
        for kind in ATTRIBUTE_TYPES:
            found[kind] |= record.stated(kind) | record.unknown.get(kind, frozenset())
    ordered = {}
    for kind, names in found.items():
        known = [name for name in PTBXL_VOCABULARY.attributes[kind] if name in names]
        ordered[kind] = (*known, *sorted(names.difference(known)))
    return Vocabulary(ordered)
