"""Questions that compare two ECGs: the patient's next one, or another patient's.

What is new in the second, what has gone, what both have. Each attribute's question is answered yes as often as no. The
two recordings are always of one part of the set; a patient's recordings are paired where it is known which came first.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from hf_heartllm.data.label_names import Vocabulary, phrase_of
from hf_heartllm.data.question import FROM_LABELS, MEASURED, Question
from hf_heartllm.data.record import Record

from . import wording
from .attributes import EASY, HARD, STATED, stratum, verified
from .numeric import FEATURES, TYPE, places

CONSECUTIVE, IRRELEVANT = "comparison_consecutive", "comparison_irrelevant"
"""How question types begin: a patient's recording and the next one, or recordings of two patients."""

CHANGES = ("new", "gone", "same")
_ANSWER = {"new": (False, True), "gone": (True, False), "same": (True, True)}
_STATES = ((False, False), (False, True), (True, False), (True, True))
_LISTED = ("rhythm", "diagnosis", "form", "superclass", "noise", "extra_systole", TYPE)
_SHARE_NONE = 0.25
_TRIES = 20

Pair = tuple[Record, Record]


def consecutive(records: Sequence[Record]) -> list[Pair]:
    """Each recording with the patient's next one, where both have a time and the times differ."""
    by_patient: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.patient_id is not None and record.time is not None:
            by_patient[record.patient_id].append(record)
    pairs: list[Pair] = []
    for found in by_patient.values():
        found.sort(key=lambda record: (record.time or "", record.record_id))
        pairs += [(first, second) for first, second in pairwise(found) if first.time != second.time]
    return pairs


def _has(record: Record, kind: str, attribute: str) -> bool | None:
    """Whether a record has an attribute; None where the labels leave doubt."""
    if kind == TYPE:
        name, _, place = attribute.partition("|")
        found = places(record).get(name)
        return None if found is None else found == place
    state = stratum(record, kind, attribute, not_sure=True)
    return None if state is None else {STATED: True, HARD: False, EASY: False}.get(state)


def _attributes(vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    types = tuple(kind for kind in vocabulary.types if kind != "noise_in_lead")
    yield from verified(vocabulary, types)
    for feature in FEATURES:
        yield TYPE, f"{feature.name}|above"
        if feature.low is not None:
            yield TYPE, f"{feature.name}|below"


def _phrase(kind: str, attribute: str) -> str:
    if kind != TYPE:
        return f"a {phrase_of(kind, attribute)}" if attribute == "NORM" else phrase_of(kind, attribute)
    name, _, place = attribute.partition("|")
    feature = next(feature for feature in FEATURES if feature.name == name)
    return f"a {feature.phrase} {place} the normal range"


def _of_two_patients(first: Record, second: Record) -> bool:
    if first.record_id == second.record_id:
        return False
    return first.patient_id is None or first.patient_id != second.patient_id


def _drawn(firsts: list[Record], seconds: list[Record], rng: random.Random) -> Pair | None:
    """One of each list, of two patients; None where a few tries find none."""
    for _ in range(_TRIES if firsts and seconds else 0):
        pair = rng.choice(firsts), rng.choice(seconds)
        if _of_two_patients(*pair):
            return pair
    return None


def _verify_others(
    records: Sequence[Record], kind: str, attribute: str, change: str, limit: int, rng: random.Random
) -> Iterator[tuple[Pair, bool]]:
    """As many pairs of two patients with yes as with no."""
    having: dict[bool, list[Record]] = {True: [], False: []}
    for record in records:
        found = _has(record, kind, attribute)
        if found is not None:
            having[found].append(record)
    yes = _ANSWER[change]
    others = [state for state in _STATES if state != yes]
    # As many as the rarer of both kinds of record would give without repeating one.
    number = min(limit, min(len(having[state]) for state in yes))
    for _ in range(number):
        right = _drawn(having[yes[0]], having[yes[1]], rng)
        state = rng.choice(others)
        wrong = _drawn(having[state[0]], having[state[1]], rng)
        if right is not None and wrong is not None:
            yield right, True
            yield wrong, False


def _verify_consecutive(
    pairs: Sequence[Pair], kind: str, attribute: str, change: str, limit: int, rng: random.Random
) -> Iterator[tuple[Pair, bool]]:
    """As many pairs of one patient with yes as with no; half of the no have the attribute in one of them at least."""
    yes: list[Pair] = []
    hard: list[Pair] = []
    easy: list[Pair] = []
    for pair in pairs:
        first, second = (_has(record, kind, attribute) for record in pair)
        if first is None or second is None:
            continue
        if (first, second) == _ANSWER[change]:
            yes.append(pair)
        else:
            (hard if first or second else easy).append(pair)
    number = min(limit, len(yes), len(hard) + len(easy))
    from_hard = min(len(hard), max(-(-number // 2), number - len(easy)))
    yield from ((pair, True) for pair in rng.sample(yes, number))
    yield from ((pair, False) for pair in rng.sample(hard, from_hard))
    yield from ((pair, False) for pair in rng.sample(easy, number - from_hard))


def changed(pair: Pair, kind: str, change: str, vocabulary: Vocabulary) -> tuple[str, ...] | None:
    """What is new in the second, has gone, or is the same, by phrase; None where the labels leave doubt.

    Of durations, the abnormal ones, by ECG-QA's names: new are those that were normal in the first.
    """
    if kind == TYPE:
        both = [places(record) for record in pair]
        if any(len(found) < len(FEATURES) for found in both):
            return None
        states = {name: tuple(found[name] != "within" for found in both) for name in both[0]}
        return tuple(name for name, state in states.items() if state == _ANSWER[change])
    sets = []
    for record in pair:
        stated = record.labels.get(kind)
        if stated is None or record.possible.get(kind) or record.unknown.get(kind):
            return None
        sets.append(stated)
    wanted = {"new": sets[1] - sets[0], "gone": sets[0] - sets[1], "same": sets[0] & sets[1]}[change]
    if change != "same":
        without = pair[0] if change == "new" else pair[1]
        if any(_has(without, kind, name) is not False for name in wanted):
            return None  # a vaguer name for what the other shows is no change
    return tuple(phrase_of(kind, name) for name in vocabulary.attributes[kind] if name in wanted)


def _queries(
    source: Iterator[Pair], kind: str, change: str, vocabulary: Vocabulary, limit: int, rng: random.Random
) -> Iterator[tuple[Pair, Question]]:
    """Open questions about pairs as they come, "none" being the answer of a quarter at most."""
    listed = none = 0
    for pair in source:
        if listed + none >= limit:
            return
        names = changed(pair, kind, change, vocabulary)
        if names is None or (not names and none >= _SHARE_NONE / (1 - _SHARE_NONE) * (listed + 1)):
            continue
        listed, none = listed + bool(names), none + (not names)
        text = rng.choice(wording.QUERY_CHANGE[change]).format(names=wording.NAMES[kind])
        answer = wording.SEPARATOR.join(names) or wording.NONE
        yield pair, Question(text, (answer,), (), "query", kind, change)


def questions_on_pairs(
    records: Sequence[Record], vocabulary: Vocabulary, *, seed: int, limit: int = 50
) -> list[Question]:
    """Comparison questions of one part of a set, in a fixed order, each with its two `record_ids`.

    Args:
        records: Of one part.
        vocabulary: What the labels of the set can name.
        seed: The same seed and records give the same questions.
        limit: At most so many questions with yes, and as many with no, for each attribute and change, over pairs of
            two patients and over pairs of one each; and at most four times as many open ones for each type and change.

    Raises:
        ValueError: If the records are of more than one part.
    """
    if len({record.split for record in records}) > 1:
        raise ValueError("pairs are made within one part of a set only")
    everyone, following = list(records), consecutive(records)
    made: list[Question] = []

    def add(pair: Pair, same_patient: bool, question: Question) -> None:
        kind = f"{CONSECUTIVE if same_patient else IRRELEVANT}-{question.question_type}"
        ids, source = (
            (pair[0].record_id, pair[1].record_id),
            MEASURED if question.attribute_type == TYPE else FROM_LABELS,
        )
        made.append(replace(question, record_ids=ids, question_type=kind, source=source))

    for kind, attribute in _attributes(vocabulary):
        for change in CHANGES:
            rng = random.Random(f"{seed}:{kind}:{attribute}:{change}")
            for same, found in (
                (False, _verify_others(records, kind, attribute, change, limit, rng)),
                (True, _verify_consecutive(following, kind, attribute, change, limit, rng)),
            ):
                for pair, yes in found:
                    text = rng.choice(wording.VERIFY_CHANGE[change]).format(phrase=_phrase(kind, attribute))
                    add(pair, same, _verify_question(text, yes, kind, attribute, change))
    for kind in _LISTED:
        if kind == TYPE or vocabulary.attributes.get(kind):
            for change in CHANGES:
                rng = random.Random(f"{seed}:{kind}:{change}")
                tries = limit * 4 * _TRIES
                sources: tuple[tuple[bool, Iterator[Pair]], ...] = (
                    (False, (drawn for _ in range(tries) if (drawn := _drawn(everyone, everyone, rng)))),
                    (True, iter(rng.sample(following, len(following)))),
                )
                for same, source in sources:
                    for pair, question in _queries(source, kind, change, vocabulary, limit * 4, rng):
                        add(pair, same, question)
    return made


def _verify_question(text: str, yes: bool, kind: str, attribute: str, change: str) -> Question:
    answer = wording.NO_YES[yes]
    return Question(text, (answer,), wording.NO_YES, "verify", kind, f"{change} {attribute.replace('|', ' ')}")
