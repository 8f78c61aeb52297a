"""A first question sampler: questions with closed answers from the SCP statements of a record.

Three types, as in ECG-QA (Oh et al., NeurIPS 2023): ``verify`` (yes or no), ``choose`` (one of two, both, none) and
``query`` (all statements of a category). A statement with any likelihood counts as stated, also with 0.0.

Without its ECG a question must tell nothing about its answer. So in expectation over the table that ``Prevalence``
was counted on, each verify question is answered yes as often as no, and each pair of alternatives is answered with the
one as often as with the other. Half of the "no" records have, where there are enough of them, another abnormal
statement of the same kind: a model that only sees that something is wrong cannot answer.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hf_heartllm.labels.ptbxl import stated_codes
from hf_heartllm.labels.scp import DIAGNOSES, FORMS, RHYTHMS, STATEMENTS, SUPERCLASSES, in_report_order, superclasses

from . import wording

if TYPE_CHECKING:
    import pandas as pd

_CODES = {"rhythm": RHYTHMS, "form": FORMS, "diagnosis": DIAGNOSES, "superclass": tuple(SUPERCLASSES)}
ATTRIBUTE_TYPES = tuple(_CODES)

# A "no" would be wrong or a matter of words where one of these is stated instead: the statement is implied by the
# other, or is a vaguer name for it. Such questions are not asked.
_VAGUE: dict[str, tuple[str, ...]] = {
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
}


@dataclass(frozen=True)
class Question:
    """A question about one ECG.

    Attributes:
        question: The wording.
        answer: The right answer; several statements are joined by ", " in the order of reports.
        answers: The closed set of possible answers, which holds ``answer``. Empty where the possible lists of
            statements are too many to be named (``query`` about form and diagnosis).
        question_type: ``"verify"``, ``"choose"`` or ``"query"``.
        attribute_type: ``"rhythm"``, ``"form"``, ``"diagnosis"`` or ``"superclass"``; ECG-QA's rows bring their own.
        attribute: The SCP code or superclass asked for; two joined by "|" in ``choose``; the attribute type in
            ``query``.
    """

    question: str
    answer: str
    answers: tuple[str, ...]
    question_type: str
    attribute_type: str
    attribute: str


@dataclass(frozen=True)
class Prevalence:
    """What the sampler needs to know of a whole table to be balanced.

    Attributes:
        counts: For each attribute type, the number of records that have each attribute, in the order of reports.
        rates: For each (attribute type, attribute), the share of the records with it, of the hard records without it
            and of the other records without it that are asked, each in [0, 1].
        expected: Expected number of questions per record if all of them are kept.
    """

    counts: dict[str, dict[str, int]]
    rates: dict[tuple[str, str], tuple[float, float, float]]
    expected: float


def _attributes(codes: Collection[str]) -> dict[str, frozenset[str]]:
    """The record's attributes of each type. Raises ``KeyError`` for an unknown code."""
    stated = frozenset(in_report_order(codes))
    result = {kind: stated.intersection(_CODES[kind]) for kind in ("rhythm", "form", "diagnosis")}
    return result | {"superclass": frozenset(superclasses(stated))}


def _verified() -> Iterator[tuple[str, str]]:
    """All attributes that can be verified, each once: "normal ecg" and the four double statements as diagnoses only."""
    for kind, codes in _CODES.items():
        for code in codes:
            if (kind == "form" and code in DIAGNOSES) or (kind == "superclass" and code == "NORM"):
                continue
            yield kind, code


_VERIFIED = tuple(_verified())

# Shares of the stated attributes that get a question with two alternatives, and of the records that get one about two
# absent ones: they make "none" the answer of a fifth to a quarter of these questions.
_SHARE_STATED = 2 / 3
_SHARE_ABSENT = 1 / 3


def _stratum(kind: str, attribute: str, codes: frozenset[str], has: dict[str, frozenset[str]]) -> int | None:
    """0: the record has the attribute, 1: hard to tell from one that has it, 2: easy, None: the answer is doubtful."""
    if attribute in has[kind]:
        return 0
    if kind == "rhythm" and not has["rhythm"]:
        return None  # no rhythm was stated at all, which does not mean that there was none
    if not codes.isdisjoint(_VAGUE.get(attribute, ())):
        return None
    if kind == "diagnosis":
        superclass = STATEMENTS[attribute].superclass
        return 1 if any(STATEMENTS[code].superclass == superclass for code in has["diagnosis"]) else 2
    return 1 if has[kind] - {"SR", "NORM"} else 2


def count_prevalence(records: Iterable[Collection[str]]) -> Prevalence:
    """Count the attributes of a table, given the stated codes of each record.

    Raises:
        ValueError: If there is no record.
        KeyError: If a code is unknown.
    """
    records = [tuple(record) for record in records]
    if not records:
        raise ValueError("no records to count statements in")
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in _CODES}
    strata = {key: [0, 0, 0] for key in _VERIFIED}
    for record in records:
        codes, has = frozenset(record), _attributes(record)
        for kind in _CODES:
            counts[kind].update(has[kind])
        for key in _VERIFIED:
            stratum = _stratum(*key, codes, has)
            if stratum is not None:
                strata[key][stratum] += 1
    ordered = {kind: {code: counts[kind][code] for code in codes} for kind, codes in _CODES.items()}
    everything = Prevalence(ordered, {key: _rates(*strata[key]) for key in _VERIFIED}, expected=1.0)
    # The mean number of questions has no short formula; a thousand records tell it to a few per cent.
    sample = records[:: max(1, len(records) // 1000)]
    asked = sum(len(questions_for(codes, seed=i, count=1.0, prevalence=everything)) for i, codes in enumerate(sample))
    return replace(everything, expected=max(asked / len(sample), 1.0))


def _rates(with_it: int, hard: int, easy: int) -> tuple[float, float, float]:
    """Shares to ask of, so that yes and no come equally often and, where possible, half of the no are hard ones."""
    asked = min(with_it, hard + easy)
    if not asked:
        return 0.0, 0.0, 0.0
    from_hard = min(hard, max(asked / 2, asked - easy))
    return asked / with_it, from_hard / hard if hard else 0.0, (asked - from_hard) / easy if easy else 0.0


def phrase_of(kind: str, attribute: str) -> str:
    """The phrase of an attribute, as in ``phrase_of("rhythm", "AFIB")``."""
    return SUPERCLASSES[attribute] if kind == "superclass" else STATEMENTS[attribute].phrase


def verify_question(kind: str, attribute: str, present: bool, paraphrase: int = 0) -> Question:
    """The yes-or-no question about one attribute; paraphrase 0 is "Does this ECG show {phrase}?"."""
    forms = wording.VERIFY_NORMAL if attribute == "NORM" else wording.VERIFY
    text = forms[paraphrase % len(forms)].format(phrase=phrase_of(kind, attribute))
    return Question(text, wording.NO_YES[present], wording.NO_YES, "verify", kind, attribute)


def _verify(
    codes: frozenset[str], has: dict[str, frozenset[str]], prevalence: Prevalence, rng: random.Random
) -> Iterator[Question]:
    for key in _VERIFIED:
        stratum = _stratum(*key, codes, has)
        if stratum is not None and rng.random() < prevalence.rates[key][stratum]:
            yield verify_question(*key, present=stratum == 0, paraphrase=rng.randrange(60))


def _choose(
    codes: frozenset[str], has: dict[str, frozenset[str]], prevalence: Prevalence, rng: random.Random
) -> Iterator[Question]:
    """Pairs of alternatives: one that is stated and one by its prevalence, or two that are both absent.

    So the pair (a, b) is answered "a" in proportion to n_a n_b, and "b" as well.
    """
    for kind in _CODES:
        names = list(prevalence.counts[kind])
        weights = list(itertools.accumulate(prevalence.counts[kind].values()))
        if not weights[-1]:
            continue  # no record of the table has any of these
        asked = [name for name in names if name in has[kind] and rng.random() < _SHARE_STATED]
        pairs = [(name, rng.choices(names, cum_weights=weights)[0]) for name in asked]
        if rng.random() < _SHARE_ABSENT:
            drawn = rng.choices(names, cum_weights=weights, k=2)
            if has[kind].isdisjoint(drawn):
                pairs.append((drawn[0], drawn[1]))
        for pair in pairs:
            if _is_choice(kind, pair, codes, has):
                yield _choose_question(kind, pair, has[kind], rng)


def _is_choice(kind: str, pair: tuple[str, str], codes: frozenset[str], has: dict[str, frozenset[str]]) -> bool:
    first, second = pair
    # Two names of nearly the same thing are no choice, even where neither or both are stated.
    if first == second or first in _VAGUE.get(second, ()) or second in _VAGUE.get(first, ()):
        return False
    return all(_stratum(kind, name, codes, has) is not None for name in pair)


def _choose_question(kind: str, pair: tuple[str, str], stated: frozenset[str], rng: random.Random) -> Question:
    pair = (pair[1], pair[0]) if rng.random() < 0.5 else pair
    first, second = (phrase_of(kind, name) for name in pair)
    right = [phrase_of(kind, name) for name in pair if name in stated]
    answer = right[0] if len(right) == 1 else wording.BOTH if right else wording.NONE
    text = rng.choice(wording.CHOOSE[kind]).format(first=first, second=second)
    return Question(text, answer, (first, second, wording.BOTH, wording.NONE), "choose", kind, "|".join(pair))


def _superclass_answers() -> tuple[str, ...]:
    phrases = tuple(SUPERCLASSES.values())
    sets = itertools.chain.from_iterable(itertools.combinations(phrases, k) for k in range(1, len(phrases) + 1))
    return (*(wording.SEPARATOR.join(names) for names in sets), wording.NONE)


RHYTHM_ANSWERS = tuple(STATEMENTS[code].phrase for code in RHYTHMS)
SUPERCLASS_ANSWERS = _superclass_answers()


def _query(has: dict[str, frozenset[str]], rng: random.Random) -> Iterator[Question]:
    for kind, codes in _CODES.items():
        phrases = [phrase_of(kind, code) for code in codes if code in has[kind]]
        answers: tuple[str, ...] = ()
        if kind == "rhythm":
            if len(phrases) != 1:
                continue  # the closed set names one rhythm; two, or none stated, are not asked for
            answers = RHYTHM_ANSWERS
        elif kind == "superclass":
            answers = SUPERCLASS_ANSWERS
        answer = wording.SEPARATOR.join(phrases) or wording.NONE
        yield Question(rng.choice(wording.QUERY[kind]), answer, answers, "query", kind, kind)


def questions_for(codes: Collection[str], *, seed: int | str, count: float, prevalence: Prevalence) -> list[Question]:
    """Questions about one record, in random order.

    Args:
        codes: The stated SCP codes of the record, whatever their likelihoods.
        seed: The same seed, codes and prevalence give the same questions. Should differ from record to record.
        count: Mean number of questions over the table. A record has more of them the more statements it has, because
            every rare statement is asked for; 14 keeps nearly all that the labels give.
        prevalence: From ``count_prevalence`` over the table that must be balanced.

    Raises:
        KeyError: If a code is unknown.
    """
    rng = random.Random(f"{seed}")
    stated, has = frozenset(codes), _attributes(codes)
    questions = [*_verify(stated, has, prevalence, rng), *_choose(stated, has, prevalence, rng), *_query(has, rng)]
    # Kept independently of the answer, so that fewer questions are as balanced as all.
    kept = [question for question in questions if rng.random() < count / prevalence.expected]
    rng.shuffle(kept)
    return kept


def question_rows(
    table: pd.DataFrame, *, seed: int, per_record: float, prevalence: Prevalence | None = None
) -> Iterator[tuple[int, int, Question]]:
    """Questions about every record of a table, as (ecg_id, fold, question), record by record.

    Args:
        table: From ``read_ptbxl_table``, restricted to the wanted folds.
        seed: Of all questions; a record's questions also depend on its ``ecg_id``, not on the other rows.
        per_record: Mean number of questions for a record.
        prevalence: What to balance over; counted on the table itself by default.
    """
    codes = [stated_codes(value) for value in table["scp_codes"]]
    balance = prevalence or count_prevalence(codes)
    for ecg_id, fold, stated in zip(table["ecg_id"], table["strat_fold"], codes, strict=True):
        for question in questions_for(stated, seed=f"{seed}:{ecg_id}", count=per_record, prevalence=balance):
            yield int(ecg_id), int(fold), question
