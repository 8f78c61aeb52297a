"""How often each question must be asked of whom, so that its wording tells nothing about its answer.

In expectation over the table that a ``Prevalence`` was counted on, each verify question is answered yes as often as
no, and each pair of alternatives is answered with the one as often as with the other. Half of the "no" records have,
where there are enough of them, another abnormal attribute of the same type: a model that only sees that something is
wrong cannot answer. Open questions about noise, extra beats, axis and stage are answered with the commonest answer no
more often than with all others together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from hf_heartllm.data.label_names import STATEMENT_TYPES, Vocabulary
from hf_heartllm.data.record import Record

from .attributes import stratum, verified
from .prevalence import Prevalence
from .single import open_answers, questions_for


def count_prevalence(
    records: Iterable[Record],
    vocabulary: Vocabulary,
    types: tuple[str, ...] = STATEMENT_TYPES,
    not_sure: bool = False,
) -> Prevalence:
    """Count the attributes of a table.

    Args:
        records: The table, or the part of it that is balanced by itself.
        vocabulary: ``PTBXL_VOCABULARY``, or ``vocabulary_of`` the whole set.
        types: The attribute types to ask for.
        not_sure: Ask for attributes that the labels call possible, with the answer "not sure"; without it they count
            as stated.

    Raises:
        ValueError: If there is no record.
    """
    records = list(records)
    if not records:
        raise ValueError("no records to count statements in")
    types = tuple(kind for kind in types if vocabulary.attributes.get(kind))
    asked = verified(vocabulary, types)
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in types}
    strata = {key: [0, 0, 0, 0] for key in asked}
    answers: dict[tuple[str, str], Counter[str]] = {}
    for record in records:
        for kind in types:
            counts[kind].update(record.stated(kind))
        for key in asked:
            found = stratum(record, *key, not_sure)
            if found is not None:
                strata[key][found] += 1
        for kind in types:
            if kind not in STATEMENT_TYPES:
                for part, answer, _ in open_answers(record, kind, vocabulary):
                    answers.setdefault((kind, part), Counter())[answer] += 1
    everything = Prevalence(
        vocabulary=vocabulary,
        types=types,
        not_sure=not_sure,
        counts={kind: {name: counts[kind][name] for name in vocabulary.attributes[kind]} for kind in types},
        rates={key: yes_no_rates(*found[:3]) for key, found in strata.items()},
        query_rates={key: open_rates(found) for key, found in answers.items()},
        expected=1.0,
    )
    # The mean number of questions has no short formula; a thousand records tell it to a few per cent.
    sample = records[:: max(1, len(records) // 1000)]
    number = sum(len(questions_for(r, seed=i, count=1.0, prevalence=everything)) for i, r in enumerate(sample))
    return replace(everything, expected=max(number / len(sample), 1.0))


def yes_no_rates(with_it: int, hard: int, easy: int) -> tuple[float, float, float]:
    """Shares to ask of, so that yes and no come equally often and, where possible, half of the no are hard ones."""
    asked = min(with_it, hard + easy)
    if not asked:
        return 0.0, 0.0, 0.0
    from_hard = min(hard, max(asked / 2, asked - easy))
    return asked / with_it, from_hard / hard if hard else 0.0, (asked - from_hard) / easy if easy else 0.0


def open_rates(answers: Counter[str]) -> dict[str, float]:
    """The commonest answer is asked for no more often than all the others together."""
    (name, count), *_ = answers.most_common(1)
    return {name: min(1.0, (answers.total() - count) / count)}
