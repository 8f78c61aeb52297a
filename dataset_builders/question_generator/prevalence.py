"""What the question generator knows of a whole table while it asks about one record of it; `balance` counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hf_heartllm.data.label_names import Vocabulary

from .attributes import EASY, HARD, STATED, UNSURE


@dataclass(frozen=True)
class Prevalence:
    """What the question generator needs to know of a whole table to be balanced.

    Attributes:
        vocabulary: What the labels of the table can name.
        types: The attribute types that are asked for.
        not_sure: Whether possible attributes are asked for as such; they count as stated otherwise.
        counts: For each attribute type, the number of records that have each attribute, in the vocabulary's order.
        rates: For each (attribute type, attribute), the share of the records with it, of the hard records without it
            and of the other records without it that are asked, each in [0, 1].
        query_rates: For each open question (attribute type and what is asked) and answer, the share of the records
            that are asked; 1 where nothing stands here.
        expected: Expected number of questions per record if all of them are kept.
    """

    vocabulary: Vocabulary
    types: tuple[str, ...]
    not_sure: bool
    counts: Mapping[str, Mapping[str, int]]
    rates: Mapping[tuple[str, str], tuple[float, float, float]]
    query_rates: Mapping[tuple[str, str], Mapping[str, float]]
    expected: float


def rate(prevalence: Prevalence, key: tuple[str, str], found: int) -> float:
    """The share of the records of a stratum that are asked for an attribute; possible ones as the stated ones."""
    return prevalence.rates[key][{STATED: 0, HARD: 1, EASY: 2, UNSURE: 0}[found]]
