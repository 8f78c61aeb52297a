"""Which attributes are asked for, and what a record's labels say of one: yes, no, perhaps, or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hf_heartllm.data.label_names import AXES, EXTRA_SYSTOLES, STATEMENT_TYPES, UNKNOWN_STAGE, Vocabulary, phrase_of
from hf_heartllm.data.record import Record
from hf_heartllm.labels.scp import DIAGNOSES, STATEMENTS

from .wording import NONE, SEPARATOR

STATED, HARD, EASY, UNSURE = 0, 1, 2, 3
"""The record has the attribute; has not, but is hard to tell from one that has; has not; has it perhaps."""

# A "no" would be wrong or a matter of words where one of these is stated instead: the statement is implied by the
# other, or is a vaguer name for it. Such questions are not asked.
VAGUE: dict[str, tuple[str, ...]] = {
    "SR": ("STACH", "SBRAD", "SARRH", "BIGU", "TRIGU", "PACE"),
    "SVARR": ("AFIB", "AFLT", "SVTAC", "PSVT"),
    "SVTAC": ("PSVT", "AFLT", "SVARR"),
    "PSVT": ("SVTAC",),
    "STACH": ("SVTAC", "PSVT"),
    "AMI": ("ASMI", "ALMI"),
    "ASMI": ("AMI",),
    "ALMI": ("AMI",),
    "LMI": ("ALMI", "ILMI", "IPLMI"),
    "IMI": ("ILMI", "IPMI", "IPLMI"),
    "ILMI": ("IPLMI",),
    "IPMI": ("IPLMI",),
    "PMI": ("IPMI", "IPLMI"),
    "ISC_": ("ISCAN", "ISCAS", "ISCAL", "ISCLA", "ISCIN", "ISCIL"),
    "ISCAN": ("ISC_", "ISCAS", "ISCAL"),
    "ISCLA": ("ISC_", "ISCAL", "ISCIL"),
    "ISCIN": ("ISC_", "ISCIL"),
    "NST_": ("STD_", "STE_", "NDT", "ISC_"),
    "NDT": ("NT_", "INVT", "LOWT", "TAB_", "NST_"),
    "NT_": ("NDT", "INVT", "LOWT", "TAB_"),
    "TAB_": ("NDT", "NT_", "INVT", "LOWT"),
    "LOWT": ("NDT", "NT_", "TAB_"),
    "INVT": ("NDT", "NT_", "TAB_"),
    "PRC(S)": ("PVC", "PAC"),
    "PVC": ("BIGU", "TRIGU", "PRC(S)"),
    "PAC": ("BIGU", "TRIGU", "PRC(S)"),
    "LPR": ("1AVB", "2AVB", "3AVB"),
    "1AVB": ("LPR",),
    "VCLVH": ("LVH", "HVOLT"),
    "HVOLT": ("LVH", "VCLVH"),
    "QWAVE": tuple(code for code, s in STATEMENTS.items() if s.superclass == "MI"),
    "ABQRS": (*(code for code, s in STATEMENTS.items() if s.superclass == "CD"), "QWAVE"),
    "IVCD": ("CLBBB", "CRBBB", "ILBBB", "IRBBB"),
    EXTRA_SYSTOLES[0]: EXTRA_SYSTOLES[1:],
}

# What is the usual case says nothing against another attribute of its type.
_USUAL = frozenset({"SR", "NORM", AXES[0]})


def verified(vocabulary: Vocabulary, types: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """All (type, attribute) that can be verified, each once.

    "Normal ecg" and the four statements that are both form and diagnosis are asked for as diagnoses only; an unknown
    stage of infarction is no finding to verify.
    """
    diagnoses = vocabulary.attributes.get("diagnosis", ())
    return tuple(
        (kind, name)
        for kind in types
        for name in vocabulary.attributes.get(kind, ())
        if not (kind == "form" and name in DIAGNOSES and name in diagnoses)
        and not (kind == "superclass" and name == "NORM")
        and name != UNKNOWN_STAGE
    )


def stratum(record: Record, kind: str, attribute: str, not_sure: bool = False) -> int | None:
    """What a record says of an attribute.

    Args:
        record: The record.
        kind: Type of the attribute.
        attribute: The attribute.
        not_sure: Whether an attribute that the labels call possible is ``UNSURE``; it is ``STATED`` otherwise.

    Returns:
        ``STATED``, ``HARD``, ``EASY``, ``UNSURE``, or None where the answer is doubtful and not asked for.
    """
    has = record.labels.get(kind)
    if has is None or attribute in record.unknown.get(kind, ()):
        return None
    if attribute in has:
        # A stage between two is one of both: "yes" to either would be a guess.
        doubtful = attribute in record.possible.get(kind, ())
        if doubtful and not not_sure and kind not in STATEMENT_TYPES:
            return None
        return UNSURE if doubtful and not_sure else STATED
    if kind == "stage_of_infarction" and UNKNOWN_STAGE in has:
        return None
    vague = VAGUE.get(attribute, ())
    if vague and not (record.codes.isdisjoint(vague) and has.isdisjoint(vague)):
        return None
    if kind == "diagnosis" and attribute in STATEMENTS:
        superclass = STATEMENTS[attribute].superclass
        return HARD if any(_superclass(name) == superclass for name in has) else EASY
    return HARD if has - _USUAL else EASY


def _superclass(name: str) -> str | None:
    return STATEMENTS[name].superclass if name in STATEMENTS else None


def is_choice(record: Record, kind: str, pair: tuple[str, str], not_sure: bool = False) -> bool:
    """Whether a pair of attributes is a fair choice for a record: two different things, and both known."""
    first, second = pair
    # Two names of nearly the same thing are no choice, even where neither or both are stated.
    if first == second or first in VAGUE.get(second, ()) or second in VAGUE.get(first, ()):
        return False
    return all(stratum(record, kind, name, not_sure) in (STATED, HARD, EASY) for name in pair)


def list_answer(kind: str, names: Iterator[str] | tuple[str, ...]) -> str:
    """Several attributes as one answer; "none" for no attribute."""
    return SEPARATOR.join(phrase_of(kind, name) for name in names) or NONE


def all_lists(kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The closed set of all lists of some attributes, "none" at its end."""
    sets = itertools.chain.from_iterable(itertools.combinations(names, k) for k in range(1, len(names) + 1))
    return (*(list_answer(kind, chosen) for chosen in sets), NONE)
