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

from .model_cache import cache_argument, cache_of

PASS_TOKENS = 2048  # tokens of one row at most; bounds the memory of the attention mask and the logits
CPU_BATCH_TOKENS, BATCH_TOKENS = 768, 8192  # of several rows in one pass; more of them is slower on a CPU


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
    cache = cache_of(first)
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
        input_ids=fed, attention_mask=attended, position_ids=positions, use_cache=True, **cache_argument(model, cache)
    ).logits
    totals = []
    for row, ids in enumerate(targets):
        predicted = torch.cat([first.logits[0, -1:], logits[row, : len(ids) - 1]])
        totals.append(_log_likelihood(predicted, ids))
    return summarise(answers, totals)


class _Tree:
    """Token sequences that begin alike, each shared token once; `ids`, `parents` and `depths` of its nodes.

    A node sees its ancestors and itself, so its prediction is that of the sequence alone. The root, -1, stands for what
    lies before all sequences.
    """

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self.wanted: list[tuple[int, int, int]] = []  # (node, token that it should predict, number of the answer)
        self.answers = 0
        self._children: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def walk(self, node: int, ids: Sequence[int]) -> int:
        """The node that these tokens lead to from a node, made where it is not there."""
        for token in ids:
            child = self._children.get((node, token))
            if child is None:
                child = self._children[node, token] = len(self.ids)
                self.ids.append(token)
                self.parents.append(node)
                self.depths.append(0 if node < 0 else self.depths[node] + 1)
            node = child
        return node

    def add(self, prompt: Sequence[int], targets: Sequence[Sequence[int]]) -> None:
        """A prompt, of at least one token, with its answers (the last token of each is predicted, never read)."""
        asked = self.walk(-1, prompt)
        for target in targets:
            node = asked
            for token in target[:-1]:
                self.wanted.append((node, token, self.answers))
                node = self.walk(node, (token,))
            self.wanted.append((node, target[-1], self.answers))
            self.answers += 1

    def visible(self) -> np.ndarray:
        """Which node sees which, bool (nodes, nodes)."""
        seen = np.zeros((len(self), len(self)), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node, :node] = seen[parent, :node]
            seen[node, node] = True
        return seen


def _score_trees(model: Any, trees: Sequence[_Tree], cache: Any = None, past: int = 0) -> list[np.ndarray]:
    """The log-likelihood of each tree's answers, float64 (answers,), in one pass.

    Args:
        model: the language model.
        trees: one row each, padded on the right; a single one where there is a cache.
        cache: keys and values of what lies before the tree; it stays as it is.
        past: number of these tokens.
    """
    width = max(map(len, trees))
    ids = np.zeros((len(trees), width), dtype=np.int64)
    positions = np.full((len(trees), width), past, dtype=np.int64)
    visible = np.zeros((len(trees), width, past + width), dtype=bool)
    visible[:, :, :past] = True
    visible[:, np.arange(width), past + np.arange(width)] = True  # padding sees itself: no row of the mask is empty
    for row, tree in enumerate(trees):
        ids[row, : len(tree)] = tree.ids
        positions[row, : len(tree)] += np.asarray(tree.depths)
        visible[row, : len(tree), past : past + len(tree)] = tree.visible()
    mask = torch.zeros(visible.shape, dtype=model.dtype).masked_fill_(
        torch.from_numpy(~visible), torch.finfo(model.dtype).min
    )
    logits = model(
        input_ids=torch.from_numpy(ids).to(model.device),
        attention_mask=mask[:, None].to(model.device),
        position_ids=torch.from_numpy(positions).to(model.device),
        use_cache=cache is not None,
        **cache_argument(model, copy.deepcopy(cache)),
    ).logits
    totals = []
    for row, tree in enumerate(trees):
        nodes, tokens, answers = np.array(tree.wanted, dtype=np.int64).T
        asked, place = np.unique(nodes, return_inverse=True)
        predicted = logits[row, torch.from_numpy(asked).to(logits.device)].double().log_softmax(-1)
        chosen = predicted[torch.from_numpy(place), torch.from_numpy(tokens)].cpu().numpy()
        totals.append(np.bincount(answers, weights=chosen, minlength=tree.answers))
    return totals


def _attention_window(model: Any) -> int | None:
    """The sliding window of the model's attention in tokens, or None where every token sees all before it."""
    config = model.config.get_text_config()
    if getattr(config, "use_sliding_window", True) is False:
        return None
    return getattr(config, "sliding_window", None)


Group = tuple[Sequence[Sequence[int]], Sequence[Sequence[str]]]
"""Prompts that begin alike, and the closed answer set of each."""


@torch.inference_mode()
def score_groups(model: Any, tokenizer: Any, groups: Sequence[Group]) -> list[list[AnswerScores]]:
    """Score groups of prompts that begin alike (many questions on one ECG), each prompt with a closed set of its own.

    What prompts or answers of a group share runs through the model once: all of them follow as one row of tokens whose
    attention mask shows each token what lies before it in its own sequence only. Several groups go in one pass; nothing
    is shared between them. Equal to `score_answers` for each prompt up to rounding. Where the attention has a window
    shorter than the sequences, or an implementation without such masks, `score_answers` is called for each prompt.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its tokenizer.
        groups: token ids of each whole prompt, without padding, and for each prompt the texts to compare.

    Raises:
        ValueError: if a prompt or a set is empty, or a set holds an answer twice.
    """
    found: list[list[AnswerScores]] = [[] for _ in groups]
    trees: list[tuple[int, _Tree]] = []
    window = _attention_window(model)
    implementation = getattr(model.config.get_text_config(), "_attn_implementation", "eager")
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
        if implementation not in ("sdpa", "eager") or (window is not None and window < longest):
            found[number] = [
                score_answers(model, tokenizer, prompt, answers)
                for prompt, answers in zip(rows, answer_sets, strict=True)
            ]
            continue
        tree = _Tree()
        for row, answers_ids in zip(rows, targets, strict=True):
            tree.add(row, answers_ids)
        if len(tree) > PASS_TOKENS:
            found[number] = _split(_score_behind_cache(model, rows, targets), answer_sets)
            continue
        trees.append((number, tree))
    trees.sort(key=lambda numbered: len(numbered[1]))  # equal lengths together: little padding
    most = CPU_BATCH_TOKENS if model.device.type == "cpu" else BATCH_TOKENS
    first = 0
    while first < len(trees):
        last = first + 1
        while last < len(trees) and (last + 1 - first) * len(trees[last][1]) <= most:
            last += 1
        batch = trees[first:last]
        for (number, _), totals in zip(batch, _score_trees(model, [tree for _, tree in batch]), strict=True):
            found[number] = _split(totals, groups[number][1])
        first = last
    return found


def _score_behind_cache(model: Any, rows: list[list[int]], targets: list[list[list[int]]]) -> np.ndarray:
    """Score more than one pass holds: what all prompts share first, then tree after tree behind it."""
    # the last token of every prompt stays in its own tree: it predicts the first token of the answers
    shared = min(map(len, rows)) - 1
    while any(row[:shared] != rows[0][:shared] for row in rows):
        shared -= 1
    cache = None
    if shared:
        beginning = torch.tensor([rows[0][:shared]], device=model.device)
        cache = cache_of(model(input_ids=beginning, use_cache=True, logits_to_keep=1))
    totals: list[np.ndarray] = []
    tree = _Tree()
    for row, answers in zip(rows, targets, strict=True):
        most = len(row) - shared + sum(len(ids) - 1 for ids in answers)
        if len(tree) and len(tree) + most > PASS_TOKENS:
            totals += _score_trees(model, [tree], cache, shared)
            tree = _Tree()
        tree.add(row[shared:], answers)
    totals += _score_trees(model, [tree], cache, shared)
    return np.concatenate(totals)


def _split(totals: np.ndarray, answer_sets: Sequence[Sequence[str]]) -> list[AnswerScores]:
    """Log-likelihoods of all answers → the scores of each set."""
    ends = np.cumsum([len(answers) for answers in answer_sets])
    parts = np.split(totals, ends[:-1])
    return [summarise(answers, part.tolist()) for answers, part in zip(answer_sets, parts, strict=True)]
