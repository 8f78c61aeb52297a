"""How likely a language model finds each answer of a closed set: no sampling, no parsing of generated text.

The score of an answer is log p(answer, end token | prompt), summed over its tokens. The end token is part of it, so
that "yes" and "yes, paced" are rivals and not one the start of the other. The probability of an answer is the softmax
of these sums over the set: how likely it is, given that the answer is one of the set. Length is not compensated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .sequence_likelihoods import (
    TokenTree,
    batch_tokens,
    cache_is_right,
    cached_likelihoods,
    fits_one_pass,
    likelihoods_behind_cache,
    tree_likelihoods,
    trees_are_right,
    whole_likelihoods,
)


@dataclass(frozen=True)
class AnswerScores:
    """The scores of one closed answer set.

    Attributes:
        answers: the texts, in the order they were given.
        log_likelihoods: float64 (answers,), natural logarithm of p(answer, end token | prompt).
        probabilities: float64 (answers,), softmax of the log-likelihoods; they sum to 1.
    """

    answers: tuple[str, ...]
    log_likelihoods: np.ndarray
    probabilities: np.ndarray

    @property
    def best(self) -> str:
        """The most likely answer; the first one given where two are equal."""
        return self.answers[int(np.argmax(self.log_likelihoods))]

    def probability(self, answer: str) -> float:
        """The probability of one answer of the set.

        Raises:
            ValueError: if the set does not hold it.
        """
        return float(self.probabilities[self.answers.index(answer)])

    def ranked(self) -> list[tuple[str, float]]:
        """All answers with their probabilities, the most likely first."""
        order = np.argsort(-self.log_likelihoods, kind="stable")
        return [(self.answers[index], float(self.probabilities[index])) for index in order]


def answer_token_ids(tokenizer: Any, answer: str) -> list[int]:
    """The ids of an answer and the end token, as they follow a prompt."""
    ids = list(tokenizer.encode(answer, add_special_tokens=False))
    if not ids:
        raise ValueError("an answer is empty: give at least one word")
    return [*ids, tokenizer.eos_token_id]


def summarise(answers: Sequence[str], log_likelihoods: Sequence[float]) -> AnswerScores:
    """The scores of a set from its log-likelihoods."""
    totals = np.asarray(log_likelihoods, dtype=np.float64)
    weights = np.exp(totals - totals.max())
    return AnswerScores(tuple(answers), totals, weights / weights.sum())


def _check_answers(answers: Sequence[str]) -> None:
    if not answers:
        raise ValueError("the answer set is empty")
    if len(set(answers)) != len(answers):
        raise ValueError(f"the answer set holds an answer twice: {', '.join(answers)}")


@torch.inference_mode()
def score_answers(model: Any, tokenizer: Any, prompt_ids: Sequence[int], answers: Sequence[str]) -> AnswerScores:
    """Score a closed answer set behind one prompt.

    The prompt runs through the model once; its keys and values are repeated for the answers, which follow as one
    right-padded batch. A model whose cache cannot be repeated reads the prompt with each answer anew.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its tokenizer (the end token is `tokenizer.eos_token_id`).
        prompt_ids: token ids of the whole prompt, ECG included, without padding.
        answers: the texts to compare, all different.

    Raises:
        ValueError: if the prompt or the set is empty, or the set holds an answer twice.
    """
    _check_answers(answers)
    if not len(prompt_ids):
        raise ValueError("the prompt is empty")
    targets = [answer_token_ids(tokenizer, answer) for answer in answers]
    likelihoods = cached_likelihoods if cache_is_right(model) else whole_likelihoods
    return summarise(answers, likelihoods(model, prompt_ids, targets))


Group = tuple[Sequence[Sequence[int]], Sequence[Sequence[str]]]
"""Prompts that begin alike, and the closed answer set of each."""


@torch.inference_mode()
def score_groups(model: Any, tokenizer: Any, groups: Sequence[Group]) -> list[list[AnswerScores]]:
    """Score groups of prompts that begin alike (many questions on one ECG), each prompt with a closed set of its own.

    What prompts or answers of a group share runs through the model once: all of them follow as one row of tokens whose
    attention mask shows each token what lies before it in its own sequence only. Several groups go in one pass; nothing
    is shared between them. Equal to `score_answers` for each prompt up to rounding. Where the attention has a window
    shorter than the sequences, an implementation without such masks, or the architecture does not heed them
    (`sequence_likelihoods`), `score_answers` is called for each prompt.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its tokenizer.
        groups: token ids of each whole prompt, without padding, and for each prompt the texts to compare.

    Raises:
        ValueError: if a prompt or a set is empty, or a set holds an answer twice.
    """
    found: list[list[AnswerScores]] = [[] for _ in groups]
    trees: list[tuple[int, TokenTree]] = []
    for number, (prompts, answer_sets) in enumerate(groups):
        if len(prompts) != len(answer_sets):
            raise ValueError(f"{len(prompts)} prompts but {len(answer_sets)} answer sets")
        rows = [list(map(int, prompt)) for prompt in prompts]
        if not all(rows):
            raise ValueError("a prompt is empty")
        for answers in answer_sets:
            _check_answers(answers)
        if not rows:
            continue
        targets = [[answer_token_ids(tokenizer, answer) for answer in answers] for answers in answer_sets]
        longest = max(map(len, rows)) + max(len(ids) for answers in targets for ids in answers)
        if not trees_are_right(model, longest):
            found[number] = [
                score_answers(model, tokenizer, prompt, answers)
                for prompt, answers in zip(rows, answer_sets, strict=True)
            ]
            continue
        tree = TokenTree()
        for row, answers_ids in zip(rows, targets, strict=True):
            tree.add(row, answers_ids)
        if not fits_one_pass(tree):
            found[number] = _split(likelihoods_behind_cache(model, rows, targets), answer_sets)
            continue
        trees.append((number, tree))
    trees.sort(key=lambda numbered: len(numbered[1]))  # equal lengths together: little padding
    most = batch_tokens(model)
    first = 0
    while first < len(trees):
        last = first + 1
        while last < len(trees) and (last + 1 - first) * len(trees[last][1]) <= most:
            last += 1
        batch = trees[first:last]
        for (number, _), totals in zip(batch, tree_likelihoods(model, [tree for _, tree in batch]), strict=True):
            found[number] = _split(totals, groups[number][1])
        first = last
    return found


def _split(totals: np.ndarray, answer_sets: Sequence[Sequence[str]]) -> list[AnswerScores]:
    """Log-likelihoods of all answers → the scores of each set."""
    ends = np.cumsum([len(answers) for answers in answer_sets])
    parts = np.split(totals, ends[:-1])
    return [summarise(answers, part.tolist()) for answers, part in zip(answer_sets, parts, strict=True)]
