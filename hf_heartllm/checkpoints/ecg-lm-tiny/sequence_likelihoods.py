"""Log-likelihoods of token sequences behind prompts, in three ways of which each model is given the fastest right one.

Whole: each prompt with each sequence is a row, which any causal model reads. Cached: the prompt is read once and its
cache repeated. Trees: what prompts and sequences share is read once, under a mask of four dimensions and with positions
that say how deep a token lies, which not every architecture heeds.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from .language_models import is_known
from .model_cache import cache_argument, cache_of

PASS_TOKENS = 2048  # tokens of one row at most; bounds the memory of the attention mask and the logits
CPU_BATCH_TOKENS, BATCH_TOKENS = 768, 8192  # of several rows in one pass; more of them is slower on a CPU


def _log_likelihood(logits: torch.Tensor, ids: Sequence[int]) -> float:
    """Sum of the log-probabilities of `ids`, whose predictions are the rows of `logits` (len(ids), vocabulary)."""
    chosen = logits[torch.arange(len(ids)), torch.tensor(ids, device=logits.device)]
    return float((chosen.double() - torch.logsumexp(logits.double(), dim=-1)).sum())


def batch_tokens(model: Any) -> int:
    """How many tokens of several rows go in one pass."""
    return CPU_BATCH_TOKENS if model.device.type == "cpu" else BATCH_TOKENS


def fits_one_pass(tree: TokenTree) -> bool:
    """Whether a tree is short enough to be read as one row."""
    return len(tree) <= PASS_TOKENS


def whole_likelihoods(model: Any, prompt: Sequence[int], targets: Sequence[Sequence[int]]) -> list[float]:
    """The log-likelihood of each target behind a prompt, without cache, mask or positions.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        prompt: token ids, at least one.
        targets: token ids that follow it.
    """
    together = max(1, batch_tokens(model) // (len(prompt) + max(map(len, targets))))
    totals = []
    for first in range(0, len(targets), together):
        rows = targets[first : first + together]
        width = max(map(len, rows)) - 1  # the last token is predicted, never read
        # padded on the right, which nothing before it sees
        ids = torch.tensor([[*prompt, *row[:-1], *[prompt[-1]] * (width - len(row) + 1)] for row in rows])
        logits = model(input_ids=ids.to(model.device), use_cache=False).logits
        for row, target in enumerate(rows):
            totals.append(_log_likelihood(logits[row, len(prompt) - 1 : len(prompt) - 1 + len(target)], target))
    return totals


def cached_likelihoods(model: Any, prompt_ids: Sequence[int], targets: Sequence[Sequence[int]]) -> list[float]:
    """The same; the prompt runs once, its keys and values are repeated for the targets, a batch padded on the right."""
    device = model.device
    prompt = torch.tensor([list(prompt_ids)], device=device)
    first = model(input_ids=prompt, use_cache=True)
    cache = cache_of(first)
    cache.batch_repeat_interleave(len(targets))
    width = max(len(ids) for ids in targets) - 1  # the last token is predicted, never read
    fed = torch.zeros((len(targets), width), dtype=torch.long, device=device)
    mask = torch.zeros_like(fed)
    for row, ids in enumerate(targets):
        fed[row, : len(ids) - 1] = torch.tensor(ids[:-1], device=device)
        mask[row, : len(ids) - 1] = 1
    attended = torch.cat([torch.ones((len(targets), prompt.shape[1]), dtype=torch.long, device=device), mask], dim=1)
    positions = torch.arange(prompt.shape[1], prompt.shape[1] + width, device=device).expand(len(targets), -1)
    logits = model(
        input_ids=fed, attention_mask=attended, position_ids=positions, use_cache=True, **cache_argument(model, cache)
    ).logits
    totals = []
    for row, ids in enumerate(targets):
        predicted = torch.cat([first.logits[0, -1:], logits[row, : len(ids) - 1]])
        totals.append(_log_likelihood(predicted, ids))
    return totals


class TokenTree:
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


def tree_likelihoods(model: Any, trees: Sequence[TokenTree], cache: Any = None, past: int = 0) -> list[np.ndarray]:
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
    kept = np.array(sorted({node for tree in trees for node, _, _ in tree.wanted}))  # the output matrix is large
    logits = model(
        input_ids=torch.from_numpy(ids).to(model.device),
        attention_mask=mask[:, None].to(model.device),
        position_ids=torch.from_numpy(positions).to(model.device),
        use_cache=cache is not None,
        logits_to_keep=torch.from_numpy(kept).to(model.device),
        **cache_argument(model, copy.deepcopy(cache)),
    ).logits
    totals = []
    for row, tree in enumerate(trees):
        nodes, tokens, answers = np.array(tree.wanted, dtype=np.int64).T
        asked, place = np.unique(np.searchsorted(kept, nodes), return_inverse=True)
        predicted = logits[row, torch.from_numpy(asked).to(logits.device)].double().log_softmax(-1)
        chosen = predicted[torch.from_numpy(place), torch.from_numpy(tokens)].cpu().numpy()
        totals.append(np.bincount(answers, weights=chosen, minlength=tree.answers))
    return totals


def likelihoods_behind_cache(model: Any, rows: list[list[int]], targets: list[list[list[int]]]) -> np.ndarray:
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
    tree = TokenTree()
    for row, answers in zip(rows, targets, strict=True):
        most = len(row) - shared + sum(len(ids) - 1 for ids in answers)
        if len(tree) and len(tree) + most > PASS_TOKENS:
            totals += tree_likelihoods(model, [tree], cache, shared)
            tree = TokenTree()
        tree.add(row[shared:], answers)
    totals += tree_likelihoods(model, [tree], cache, shared)
    return np.concatenate(totals)


# ---------------------------------------------------------------------- which way is right

_WINDOWS = ("sliding_window", "attention_chunk_size", "window_size", "attention_window_size", "local_attention")
_RIGHT: weakref.WeakKeyDictionary[Any, dict[tuple[str, str], bool]] = weakref.WeakKeyDictionary()


def attention_window(model: Any) -> int | None:
    """The window of the model's attention in tokens, or None where every token sees all before it."""
    config = model.config.get_text_config()
    if getattr(config, "use_sliding_window", True) is False:
        return None
    reach = [getattr(config, name, None) for name in _WINDOWS]
    return min((tokens for tokens in reach if isinstance(tokens, int) and tokens > 0), default=None)


def trees_are_right(model: Any, longest: int) -> bool:
    """Whether `tree_likelihoods` are those of whole rows for sequences of at most so many tokens."""
    window = attention_window(model)
    if window is not None and window < longest:
        return False
    return _implementation(model) in ("sdpa", "eager") and _is_right(model, "trees", _tree_trial)


def cache_is_right(model: Any) -> bool:
    """Whether `cached_likelihoods` are those of whole rows."""
    return _is_right(model, "cached", _cached_trial)


def _implementation(model: Any) -> str:
    return getattr(model.config.get_text_config(), "_attn_implementation", None) or "eager"


def _is_right(model: Any, way: str, trial: Callable[[Any, Any, Any], list[float]]) -> bool:
    """Found out once for each language model, with one tiny prompt; nothing is tried where the family is known."""
    language_model = getattr(model, "language_model", model)
    if is_known(language_model):
        return True
    found = _RIGHT.setdefault(language_model, {})
    key = (way, _implementation(model))
    if key not in found:
        found[key] = _agrees(model, trial)
    return found[key]


def _agrees(model: Any, trial: Callable[[Any, Any, Any], list[float]]) -> bool:
    vocabulary = model.config.get_text_config().vocab_size
    ids = [1 + index * (vocabulary - 2) // 16 for index in range(16)]
    prompts, targets = [ids[:7], [*ids[:4], *ids[9:12]]], [ids[5:8], ids[12:14], ids[2:6]]
    expected = [total for prompt in prompts for total in whole_likelihoods(model, prompt, targets)]
    try:
        got = trial(model, prompts, targets)
    except Exception:  # whatever the code of an architecture raises at what it does not know
        return False
    rounding = max(1e-3, 8 * torch.finfo(model.dtype).eps)
    return bool(np.allclose(got, expected, rtol=1e-5, atol=rounding))


def _tree_trial(model: Any, prompts: Any, targets: Any) -> list[float]:
    tree = TokenTree()
    for prompt in prompts:
        tree.add(prompt, targets)
    behind = likelihoods_behind_cache(model, prompts, [targets] * len(prompts))
    [together] = tree_likelihoods(model, [tree])
    if not np.allclose(together, behind, atol=max(1e-3, 8 * torch.finfo(model.dtype).eps)):
        raise ValueError("trees behind a cache differ from trees without one")
    return [float(total) for total in together]


def _cached_trial(model: Any, prompts: Any, targets: Any) -> list[float]:
    return [total for prompt in prompts for total in cached_likelihoods(model, prompt, targets)]
