"""What the sampler reads: records of any labelled set, and the vocabulary of their labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from hf_heartllm.labels.scp import DIAGNOSES, FORMS, RHYTHMS, STATEMENTS, SUPERCLASSES, superclasses
from hf_heartllm.models.ecg_leads import STANDARD_LEADS

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


@dataclass(frozen=True)
class LabelledRecord:
    """One recording with its labels. Any labelled set can fill it; ``sampler.label_file`` reads it from a CSV file.

    Attributes:
        record_id: Names the recording; unique in the set.
        patient_id: Names the patient, or None where it is not known: then each record counts as a patient of its own.
        split: The part of the set, such as ``"train"``. Questions never compare records of two parts.
        attributes: For each type of ``ATTRIBUTE_TYPES`` what the record has: SCP codes or the set's own names. An
            empty set means that it was looked for and nothing found; None or an absent type, that nobody looked.
        uncertain: Those of ``attributes`` that the labels call possible (in PTB-XL a likelihood above 0 and below 100).
        unknown: Attributes that the labels neither state nor deny, for example the leads of a noise noted without
            them. They are not asked for.
        measurements: Durations in ms by name (``sampler.numeric.FEATURES``); None or absent: doubtful or not measured.
        sex: ``"male"``, ``"female"`` or None; some normal ranges depend on it.
        time: When it was recorded, as text that sorts (ISO 8601), or None. Needed to tell a patient's recordings apart
            as earlier and later.
        path: The record's path without suffix, or None.
        fold: Its fold, or None.
    """

    record_id: str
    patient_id: str | None
    split: str
    attributes: Mapping[str, frozenset[str] | None]
    uncertain: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unknown: Mapping[str, frozenset[str]] = field(default_factory=dict)
    measurements: Mapping[str, float | None] = field(default_factory=dict)
    sex: str | None = None
    time: str | None = None
    path: str | None = None
    fold: int | None = None

    def stated(self, kind: str) -> frozenset[str]:
        """The attributes of a type, empty also where nobody looked."""
        return self.attributes.get(kind) or frozenset()

    @property
    def codes(self) -> frozenset[str]:
        """All stated rhythms, forms and diagnoses."""
        return self.stated("rhythm") | self.stated("form") | self.stated("diagnosis")


def statement_attributes(codes: Collection[str]) -> dict[str, frozenset[str] | None]:
    """The attributes of the four statement types that SCP codes amount to.

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


def vocabulary_of(records: Iterable[LabelledRecord]) -> Vocabulary:
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


def check_patients(records: Iterable[LabelledRecord]) -> None:
    """See that no patient is in two parts of a set, and no record_id occurs twice.

    Raises:
        ValueError: Naming the patient or the record.
    """
    splits: dict[str, str] = {}
    seen: set[str] = set()
    for record in records:
        if record.record_id in seen:
            raise ValueError(f"record {record.record_id!r} occurs more than once")
        seen.add(record.record_id)
        if record.patient_id is None:
            continue
        other = splits.setdefault(record.patient_id, record.split)
        if other != record.split:
            raise ValueError(
                f"patient {record.patient_id!r} has records in both {other!r} and {record.split!r}; "
                "a patient must be in one part only"
            )
