"""How likely a language model finds each answer of a closed set: no sampling, no parsing of generated text.

The score of an answer is log p(answer, end token | prompt), summed over its tokens. The end token is part of it, so
that "yes" and "yes, paced" are rivals and not one the start of the other. The probability of an answer is the softmax
of these sums over the set: how likely it is, given that the answer is one of the set. Length is not compensated.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

TAIL_TOKENS = 2048  # tokens scored in one pass behind a shared prefix; bounds the attention mask's memory


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


def _summarise(answers: Sequence[str], log_likelihoods: Sequence[float]) -> AnswerScores:
    totals = np.asarray(log_likelihoods, dtype=np.float64)
    weights = np.exp(totals - totals.max())
    return AnswerScores(tuple(answers), totals, weights / weights.sum())


def _check_answers(answers: Sequence[str]) -> None:
    if not answers:
        raise ValueError("the answer set is empty")
    if len(set(answers)) != len(answers):
        raise ValueError(f"the answer set holds an answer twice: {', '.join(answers)}")


def _log_likelihood(logits: torch.Tensor, ids: Sequence[int]) -> float:
    """Sum of the log-probabilities of `ids`, whose predictions are the rows of `logits` (len(ids), vocabulary)."""
    chosen = logits[torch.arange(len(ids)), torch.tensor(ids, device=logits.device)]
    return float((chosen.double() - torch.logsumexp(logits.double(), dim=-1)).sum())


@torch.inference_mode()
def score_answers(model: Any, tokenizer: Any, prompt_ids: Sequence[int], answers: Sequence[str]) -> AnswerScores:
    """Score a closed answer set behind one prompt.

    The prompt runs through the model once; its keys and values are repeated for the answers, which follow as one
    right-padded batch.

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
    device = model.device
    prompt = torch.tensor([list(prompt_ids)], device=device)
    first = model(input_ids=prompt, use_cache=True)
    cache = first.past_key_values
    cache.batch_repeat_interleave(len(answers))
    width = max(len(ids) for ids in targets) - 1  # the last token is predicted, never read
    fed = torch.zeros((len(answers), width), dtype=torch.long, device=device)
    mask = torch.zeros_like(fed)
    for row, ids in enumerate(targets):
        fed[row, : len(ids) - 1] = torch.tensor(ids[:-1], device=device)
        mask[row, : len(ids) - 1] = 1
    attended = torch.cat([torch.ones((len(answers), prompt.shape[1]), dtype=torch.long, device=device), mask], dim=1)
    positions = torch.arange(prompt.shape[1], prompt.shape[1] + width, device=device).expand(len(answers), -1)
    logits = model(
        input_ids=fed, attention_mask=attended, position_ids=positions, past_key_values=cache, use_cache=True
    ).logits
    totals = []
    for row, ids in enumerate(targets):
        predicted = torch.cat([first.logits[0, -1:], logits[row, : len(ids) - 1]])
        totals.append(_log_likelihood(predicted, ids))
    return _summarise(answers, totals)


@dataclass(frozen=True)
class _Branch:
    """One prompt's own part behind the shared prefix, with its answers."""

    stem: list[int]
    targets: list[list[int]]

    @property
    def tokens(self) -> int:
        return len(self.stem) + sum(len(ids) - 1 for ids in self.targets)


def _attention_window(model: Any) -> int | None:
    """The sliding window of the model's attention in tokens, or None where every token sees all before it."""
    config = model.config.get_text_config()
    if getattr(config, "use_sliding_window", True) is False:
        return None
    return getattr(config, "sliding_window", None)


def _score_branches(model: Any, cache: Any, past: int, branches: list[_Branch]) -> list[list[float]]:
    """Score many branches as one row of tokens: each token sees the prefix, its own stem and its own answer only."""
    ids: list[int] = []
    positions: list[int] = []
    blocks: list[tuple[int, int, list[tuple[int, int]]]] = []  # stem's start and end, (start, end) of its answers
    for branch in branches:
        start = len(ids)
        ids += branch.stem
        positions += range(past, past + len(branch.stem))
        end = len(ids)
        spans = []
        for target in branch.targets:
            spans.append((len(ids), len(ids) + len(target) - 1))
            ids += target[:-1]
            positions += range(past + len(branch.stem), past + len(branch.stem) + len(target) - 1)
        blocks.append((start, end, spans))
    total = len(ids)
    causal = torch.ones((total, total), dtype=torch.bool).tril()
    allowed = torch.zeros((total, total), dtype=torch.bool)
    for start, end, spans in blocks:
        allowed[start:end, start:end] = causal[start:end, start:end]
        for first, last in spans:
            allowed[first:last, start:end] = True
            allowed[first:last, first:last] = causal[first:last, first:last]
    visible = torch.cat([torch.ones((total, past), dtype=torch.bool), allowed], dim=1)
    mask = torch.zeros(visible.shape, dtype=model.dtype).masked_fill_(~visible, torch.finfo(model.dtype).min)
    logits = model(
        input_ids=torch.tensor([ids], device=model.device),
        attention_mask=mask[None, None].to(model.device),
        position_ids=torch.tensor([positions], device=model.device),
        past_key_values=copy.deepcopy(cache),  # the prefix stays as it is for the next pass
        use_cache=True,
    ).logits[0]
    scores = []
    for branch, (_, end, spans) in zip(branches, blocks, strict=True):
        rows = []
        for target, (first, last) in zip(branch.targets, spans, strict=True):
            rows.append(_log_likelihood(torch.cat([logits[end - 1 : end], logits[first:last]]), target))
        scores.append(rows)
    return scores


@torch.inference_mode()
def score_prompts(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], answer_sets: Sequence[Sequence[str]]
) -> list[AnswerScores]:
    """Score many prompts that begin alike (many questions on one ECG), each with a closed answer set of its own.

    What the prompts share runs through the model once. Behind it all questions and answers follow as one row whose
    attention mask keeps them apart, so no token is computed twice. Equal to `score_answers` for each prompt up to
    rounding. Where the attention has a window shorter than the rows, or an implementation without such masks,
    `score_answers` is called for each prompt instead.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its tokenizer.
        prompts: token ids of each whole prompt, without padding.
        answer_sets: for each prompt the texts to compare.

    Raises:
        ValueError: if a prompt or a set is empty, or a set holds an answer twice.
    """
    if len(prompts) != len(answer_sets):
        raise ValueError(f"{len(prompts)} prompts but {len(answer_sets)} answer sets")
    if not prompts:
        return []
    rows = [list(map(int, prompt)) for prompt in prompts]
    if not all(rows):
        raise ValueError("a prompt is empty")
    for answers in answer_sets:
        _check_answers(answers)
    # the last token of every prompt stays in its own branch: it predicts the first token of the answers
    shared = min(map(len, rows)) - 1
    while any(row[:shared] != rows[0][:shared] for row in rows):
        shared -= 1
    branches = [
        _Branch(row[shared:], [answer_token_ids(tokenizer, answer) for answer in answers])
        for row, answers in zip(rows, answer_sets, strict=True)
    ]
    window = _attention_window(model)
    longest = max(map(len, rows)) + max(len(ids) for b in branches for ids in b.targets)
    implementation = getattr(model.config.get_text_config(), "_attn_implementation", "eager")
    if shared == 0 or implementation not in ("sdpa", "eager") or (window is not None and window < longest):
        return [
            score_answers(model, tokenizer, prompt, answers)
            for prompt, answers in zip(prompts, answer_sets, strict=True)
        ]
    cache = model(
        input_ids=torch.tensor([rows[0][:shared]], device=model.device), use_cache=True, logits_to_keep=1
    ).past_key_values
    results: list[list[float]] = []
    batch: list[_Branch] = []
    for branch in branches:
        if batch and sum(b.tokens for b in batch) + branch.tokens > TAIL_TOKENS:
            results += _score_branches(model, cache, shared, batch)
            batch = []
        batch.append(branch)
    results += _score_branches(model, cache, shared, batch)
    return [_summarise(answers, rows) for answers, rows in zip(answer_sets, results, strict=True)]
