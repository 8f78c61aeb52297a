"""Which causal language models can be a base, and which of them need no trial."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from .model_cache import cache_argument, cache_of

# fmt: off
KNOWN = frozenset({
    "apertus", "arcee", "biogpt", "bitnet", "codegen", "cohere", "cohere2", "ctrl", "deepseek_v2",
    "deepseek_v3", "diffllama", "ernie4_5", "exaone4", "gemma", "gemma2", "gemma3_text", "gemma3n_text",
    "glm", "glm4", "gpt2", "gpt_bigcode", "gpt_neox", "gpt_oss", "gptj", "granite", "helium",
    "hunyuan_v1_dense", "llama", "mistral", "mixtral", "nanochat", "nemotron", "olmo", "olmo2", "olmo3",
    "olmoe", "opt", "persimmon", "phi", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "seed_oss",
    "smollm3", "stablelm", "starcoder2", "xglm",
})
# fmt: on
"""`model_type` of families whose every configuration works in full (docs/language-models.md has these and others).

Others, and code that does not come with transformers, are tried with a few tokens before they are used.
"""

_TOKENS, _PADDING = 12, 4
_NO_LIMIT = 10**9  # transformers says 1e30 where a tokenizer knows no longest text


def is_known(language_model: Any) -> bool:
    """Whether a model is of a family in `KNOWN`, in transformers' own code."""
    config = getattr(language_model, "config", None)
    ours = type(language_model).__module__.startswith("transformers.models.")
    return ours and getattr(config, "model_type", None) in KNOWN


def decoder_of(language_model: Any) -> Any:
    """The decoder without its output matrix."""
    decoder = language_model.base_model
    if decoder is language_model:  # Llama 4's text model gives its decoder another name than it says
        inner = [child for child in language_model.children() if isinstance(child, PreTrainedModel)]
        return inner[0] if len(inner) == 1 else language_model
    return decoder


def fit_to_positions(tokenizer: Any, language_model: Any) -> None:
    """Tells a tokenizer that knows no longest text how many positions the model has, where that is known."""
    known = getattr(language_model.config.get_text_config(), "max_position_embeddings", None)
    if isinstance(known, int) and getattr(tokenizer, "model_max_length", 0) > _NO_LIMIT:
        tokenizer.model_max_length = known


def check_base(language_model: Any, embeds: bool = False) -> None:
    """That a causal language model does what reading ECGs asks of it.

    Args:
        language_model: in evaluation mode.
        embeds: whether it is to read embeddings instead of ids.

    Raises:
        ValueError: if it has no matrix of embeddings or none of outputs, does not use transformers' cache, reads tokens
            that come later, or reads rows that are padded on the left, or continued from a cache, in another way than
            the same rows alone.
    """
    reason = _missing(language_model, embeds)
    if reason is None and not is_known(language_model):
        try:
            reason = _tried(language_model, embeds)
        except Exception as error:  # whatever the code of a stranger raises
            text = str(error).strip() or type(error).__name__
            line = text.splitlines()[0]
            what = "embeddings" if embeds else "tokens"
            reason = f"its own code fails on a few {what}: {line[:117] + '…' if len(line) > 118 else line}"
    if reason:
        kind = getattr(language_model.config, "model_type", "?")
        raise ValueError(f"{type(language_model).__name__} ({kind}) cannot be the base: {reason}")


def _missing(language_model: Any, embeds: bool) -> str | None:
    """What it has not; None: nothing."""
    for name in ("input", "output"):
        try:
            matrix = getattr(language_model, f"get_{name}_embeddings")()
        except (AttributeError, NotImplementedError):
            matrix = None
        if getattr(matrix, "weight", None) is None:
            return f"transformers finds no matrix of its {name} embeddings"
    parameters = inspect.signature(type(language_model).forward).parameters
    supported = getattr(language_model, "_supports_default_dynamic_cache", lambda: True)()
    if not supported or not {"past_key_values", "cache"} & set(parameters):
        return "it does not use transformers' cache (past_key_values), so generation would go wrong"
    if "position_ids" not in parameters and not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return "its forward takes no position_ids"
    if embeds and "inputs_embeds" not in parameters:
        return "it reads ids alone, no embeddings (inputs_embeds), and so no soft tokens"
    return None


@torch.no_grad()
def _tried(language_model: Any, embeds: bool) -> str | None:
    """What it does wrong with a few tokens; None: nothing."""
    weight = language_model.get_input_embeddings().weight
    if any(parameter.device.type == "meta" for parameter in language_model.parameters()):
        return None  # weights that are elsewhere, or nowhere yet
    vocabulary = min(weight.shape[0], language_model.config.get_text_config().vocab_size)
    ids = (torch.arange(1, 1 + _TOKENS, device=weight.device) * vocabulary // (_TOKENS + 2))[None]

    def given(tokens: Tensor) -> dict[str, Tensor]:
        if not embeds:
            return {"input_ids": tokens}
        # soft tokens are no rows of the matrix: code that looks for the row of each must fail here
        return {"inputs_embeds": 1.01 * language_model.get_input_embeddings()(tokens)}

    whole = language_model(**given(ids), use_cache=False).logits.float()
    scale = float(whole.abs().max())
    tolerance = max(1e-2, 16 * torch.finfo(language_model.dtype).eps) * max(scale, 1e-3)

    def same(logits: Tensor, expected: Tensor) -> bool:
        return float((logits.float() - expected).abs().max()) <= tolerance

    other = ids.clone()
    other[0, -1] = ids[0, 0]
    if not same(language_model(**given(other), use_cache=False).logits[:, :-1], whole[:, :-1]):
        return "it reads tokens that come later, so it is no causal model (is_decoder=False?)"

    short = ids[:, _PADDING:]
    padded = torch.cat([ids[:, :1].expand(1, _PADDING), short], dim=1)
    mask = torch.ones_like(padded)
    mask[:, :_PADDING] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    alone = language_model(**given(short), use_cache=False).logits.float()
    row = language_model(**given(padded), attention_mask=mask, position_ids=positions, use_cache=False).logits
    if not same(row[:, _PADDING:], alone):
        return "a row padded on the left gives other logits than the row alone, so batches would be wrong"

    cache = cache_of(language_model(**given(ids[:, :-_PADDING]), use_cache=True))
    if cache is None:
        return "it gives no cache (past_key_values), so generation would go wrong"
    for place in range(_TOKENS - _PADDING, _TOKENS):  # token by token, as texts are written
        step = language_model(
            **given(ids[:, place : place + 1]),
            attention_mask=torch.ones_like(ids[:, : place + 1]),
            position_ids=torch.full_like(ids[:, :1], place),
            use_cache=True,
            **cache_argument(language_model, cache),
        )
        if not same(step.logits, whole[:, place : place + 1]):
            return "it gives other logits behind its cache than without one, so generation would go wrong"
        cache = cache_of(step)
    return None
