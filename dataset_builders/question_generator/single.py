"""Questions about one ECG from its labels: verify (yes, no, not sure), choose (one of two), query (list them).

Three types, as in ECG-QA (Oh et al., NeurIPS 2023). Balanced by ``balance``; the wording stands in ``wording``.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from hf_heartllm.data.label_names import (
    ANY_NOISE,
    NOISES,
    STATEMENT_TYPES,
    UNKNOWN_STAGE,
    Vocabulary,
    in_lead,
    phrase_of,
)
from hf_heartllm.data.question import NOT_SURE, Question
from hf_heartllm.data.record import Record
from hf_heartllm.models.ecg_leads import STANDARD_LEADS

from . import wording
from .attributes import STATED, UNSURE, all_lists, is_choice, list_answer, stratum, verified
from .prevalence import Prevalence, rate

# Shares of the stated attributes that get a question with two alternatives, and of the records that get one about two
# absent ones: they make "none" the answer of a fifth to a quarter of these questions.
_SHARE_STATED = 2 / 3
_SHARE_ABSENT = 1 / 3

# A noisy record has noise in several leads, each of which would be asked for.
_SHARE_OF_TYPE = {"noise_in_lead": 0.2}
_MAX_LISTED = 5  # of the names in an open question whose closed set is still written out: 2^5 lists


def verify_question(
    kind: str, attribute: str, present: bool | None, paraphrase: int = 0, not_sure: bool = False
) -> Question:
    """The yes-or-no question about one attribute; paraphrase 0 is "Does this ECG show {phrase}?".

    Args:
        kind: Type of the attribute.
        attribute: The attribute.
        present: None for "not sure".
        paraphrase: Number of the wording.
        not_sure: Whether "not sure" is in the closed answer set.
    """
    forms = wording.VERIFY_NORMAL if attribute == "NORM" else wording.VERIFY
    text = forms[paraphrase % len(forms)].format(phrase=phrase_of(kind, attribute))
    answer = NOT_SURE if present is None else wording.NO_YES[present]
    answers = wording.NO_NOT_SURE_YES if not_sure else wording.NO_YES
    return Question(text, (answer,), answers, "verify", kind, attribute)


def _verify(record: Record, prevalence: Prevalence, kinds: tuple[str, ...], rng: random.Random) -> Iterator[Question]:
    for key in verified(prevalence.vocabulary, kinds):
        kind, attribute = key
        found = stratum(record, kind, attribute, prevalence.not_sure)
        share = _SHARE_OF_TYPE.get(kind, 1.0)
        if found is not None and rng.random() < share * rate(prevalence, key, found):
            present = None if found == UNSURE else found == STATED
            # The set is a matter of the type, not of the record: it must tell nothing about the answer.
            yield verify_question(kind, attribute, present, rng.randrange(60), prevalence.not_sure and kind in _GRADED)


_GRADED = frozenset({"diagnosis", "form", "rhythm", "superclass", "stage_of_infarction"})


def _choose(record: Record, prevalence: Prevalence, kinds: tuple[str, ...], rng: random.Random) -> Iterator[Question]:
    """Pairs of alternatives: one that is stated and one by its prevalence, or two that are both absent.

    So the pair (a, b) is answered "a" in proportion to n_a n_b, and "b" as well.
    """
    for kind in kinds:
        names = list(prevalence.counts[kind])
        weights = list(itertools.accumulate(prevalence.counts[kind].values()))
        if not weights or not weights[-1]:
            continue  # no record of the table has any of these
        share, stated = _SHARE_OF_TYPE.get(kind, 1.0), record.stated(kind)
        asked = [name for name in names if name in stated and rng.random() < _SHARE_STATED * share]
        pairs = [(name, rng.choices(names, cum_weights=weights)[0]) for name in asked]
        if rng.random() < _SHARE_ABSENT * share:
            drawn = rng.choices(names, cum_weights=weights, k=2)
            if stated.isdisjoint(drawn):
                pairs.append((drawn[0], drawn[1]))
        for pair in pairs:
            if UNKNOWN_STAGE not in pair and is_choice(record, kind, pair, prevalence.not_sure):
                yield _choose_question(kind, pair, stated, rng)


def _choose_question(kind: str, pair: tuple[str, str], stated: frozenset[str], rng: random.Random) -> Question:
    pair = (pair[1], pair[0]) if rng.random() < 0.5 else pair
    first, second = (phrase_of(kind, name) for name in pair)
    right = [phrase_of(kind, name) for name in pair if name in stated]
    answer = right[0] if len(right) == 1 else wording.BOTH if right else wording.NONE
    text = rng.choice(wording.CHOOSE[kind]).format(first=first, second=second)
    return Question(text, (answer,), (first, second, wording.BOTH, wording.NONE), "choose", kind, "|".join(pair))


def open_answers(record: Record, kind: str, vocabulary: Vocabulary) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What open questions about a record could ask: (what is asked, answer, closed answer set).

    What is asked is the type itself, or for noise by lead a lead or a kind of noise. Nothing where an answer would be
    incomplete or doubtful.
    """
    has = record.labels.get(kind)
    if has is None:
        return
    if kind == "noise_in_lead":
        yield from _noise_answers(record, has)
        return
    if kind == "rhythm" and len(has) != 1:
        return  # the closed set names one rhythm; two are not asked for
    if record.unknown.get(kind) or (kind not in STATEMENT_TYPES and record.possible.get(kind)):
        return
    names = vocabulary.attributes[kind]
    answers: tuple[str, ...] = ()
    if kind in ("rhythm", "heart_axis"):
        answers = tuple(phrase_of(kind, name) for name in names)
        if not has:
            return
    elif kind == "extra_systole":
        # "Extrasystoles" alone: of what kind was not said.
        has = frozenset(has - {names[0]} or has)
        answers = (names[0], *all_lists(kind, names[1:]))
    elif kind not in ("form", "diagnosis") and len(names) <= _MAX_LISTED:
        answers = all_lists(kind, names)
    yield kind, list_answer(kind, tuple(name for name in names if name in has)), answers


def _noise_answers(record: Record, has: frozenset[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    unknown = record.unknown.get("noise_in_lead", frozenset())
    kinds = all_lists("noise", NOISES)
    for noise in (*NOISES, ANY_NOISE):
        leads = {in_lead(noise, lead): lead for lead in STANDARD_LEADS}
        found = [lead for name, lead in leads.items() if name in has]
        if found and unknown.isdisjoint(leads):
            yield noise, wording.SEPARATOR.join(found), ()
    for lead in STANDARD_LEADS:
        named = {in_lead(noise, lead): noise for noise in NOISES}
        if unknown.isdisjoint(named):
            yield lead, list_answer("noise", tuple(noise for name, noise in named.items() if name in has)), kinds


def _query(record: Record, prevalence: Prevalence, kinds: tuple[str, ...], rng: random.Random) -> Iterator[Question]:
    for kind in kinds:
        for part, answer, answers in open_answers(record, kind, prevalence.vocabulary):
            share = prevalence.query_rates.get((kind, part), {}).get(answer, 1.0) * _SHARE_OF_TYPE.get(kind, 1.0)
            if share < 1 and rng.random() >= share:
                continue
            if kind != "noise_in_lead":
                text = rng.choice(wording.QUERY[kind])
            elif part in STANDARD_LEADS:
                text = rng.choice(wording.QUERY_NOISE_OF_LEAD).format(lead=part)
            else:
                text = rng.choice(wording.QUERY_LEADS).format(noise=part)
            yield Question(text, (answer,), answers, "query", kind, part)


def questions_for(
    record: Record, *, seed: int | str, count: float | None = None, prevalence: Prevalence
) -> list[Question]:
    """Questions about one record, in random order.

    Args:
        record: The record.
        seed: The same seed, record and prevalence give the same questions. Should differ from record to record.
        count: Mean number of questions over the table. A record has more of them the more labels it has, because
            every rare statement is asked for. None keeps all.
        prevalence: From ``count_prevalence`` over the table that must be balanced.
    """
    rng = random.Random(f"{seed}")
    statements = tuple(kind for kind in prevalence.types if kind in STATEMENT_TYPES)
    questions: list[Question] = []
    for make in (_verify, _choose, _query):
        questions += make(record, prevalence, statements, rng)
    for kind in prevalence.types:
        if kind not in statements:  # a stream of its own: adding a type leaves the others' questions as they are
            own = random.Random(f"{seed}:{kind}")
            for make in (_verify, _choose, _query):
                questions += make(record, prevalence, (kind,), own)
    if count is not None:
        # Kept independently of the answer, so that fewer questions are as balanced as all.
        questions = [question for question in questions if rng.random() < count / prevalence.expected]
    rng.shuffle(questions)
    return questions
