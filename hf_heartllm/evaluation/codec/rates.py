"""Bits: how many an entropy coder would need for the codes, and how evenly a codebook is used."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

START_COUNT = 0.5
"""What the adaptive model counts for every symbol before it has seen one (Krichevsky and Trofimov, 1981)."""


def code_levels(codes: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """The levels that codes spell, dimension 0 the least significant: int (...) → int (..., dimensions)."""
    basis = np.array([math.prod(levels[:index]) for index in range(len(levels))])
    spelt: np.ndarray = np.asarray(codes)[..., None] // basis % np.array(levels)
    return spelt


def adaptive_bits(symbols: np.ndarray, size: int, contexts: np.ndarray | None = None) -> float:
    """Code length of a sequence under adaptive counts, the decoder learning along.

    Every symbol costs −log2((count + 1/2) / (total + size/2)) with the counts so far; where contexts are given, with
    those of its context alone. The sum does not depend on the order within a context, so it has a closed form.

    Args:
        symbols: int (symbols,) in [0, size).
        size: of the alphabet.
        contexts: int (symbols,), at least 0, or None for one context.

    Returns:
        Bits of the whole sequence.
    """
    from scipy.special import gammaln

    symbols = np.asarray(symbols, dtype=np.int64).ravel()
    if contexts is None:
        contexts = np.zeros_like(symbols)
    contexts = np.asarray(contexts, dtype=np.int64).ravel()
    counts = np.zeros((int(contexts.max(initial=0)) + 1, size))
    np.add.at(counts, (contexts, symbols), 1)
    nats = gammaln(counts.sum(axis=1) + START_COUNT * size) - gammaln(START_COUNT * size)
    nats = nats - (gammaln(counts + START_COUNT) - gammaln(START_COUNT)).sum(axis=1)
    return float(nats.sum() / math.log(2))


def codebook_bits(codes: Sequence[np.ndarray], levels: Sequence[int], order: int) -> float:
    """Bits of one codebook of many recordings, each level dimension coded by itself.

    Args:
        codes: of each recording int (tokens,).
        levels: of the codebook's dimensions.
        order: 0, or 1 for counts that depend on the same dimension's level one token before (the first token of a
            recording has a context of its own).
    """
    total = 0.0
    for dimension, size in enumerate(levels):
        rows = [code_levels(one, levels)[:, dimension] for one in codes]
        contexts = None
        if order == 1:
            contexts = np.concatenate([np.r_[size, row[:-1]] for row in rows])
        total += adaptive_bits(np.concatenate(rows), size, contexts)
    return total


def perplexity(codes: np.ndarray) -> float:
    """exp of the entropy of the codes' empirical distribution; as many codes, used evenly, would be as diverse."""
    _, counts = np.unique(np.asarray(codes), return_counts=True)
    shares = counts / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
