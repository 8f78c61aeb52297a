"""LoRA adapters (Hu et al., arXiv:2106.09685) on any base, with the rows and norms that HeartLLM trains beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def target_modules(model: nn.Module) -> list[str] | str:
    """The paper's seven projections where the base has them all, else every linear layer (GPT-2 has other names)."""
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    return list(PROJECTIONS) if names.issuperset(PROJECTIONS) else "all-linear"


def norm_modules(model: HeartLLMForCausalLM) -> list[str]:
    """Last parts of the names of all normalisation layers that hold weights."""
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if "norm" in type(module).__name__.lower() and any(True for _ in module.parameters(recurse=False))
        }
    )


def add_lora(
    model: HeartLLMForCausalLM,
    r: int = 64,
    lora_alpha: int = 16,
    lora_dropout: float = 0.05,
    train_norms: bool = True,
    train_rows: str = "ecg",
    rank_pattern: Mapping[str, int] | None = None,
) -> Any:
    """Wrap a model in a LoRA adapter.

    Args:
        model: the base, with its ECG rows.
        r: rank.
        lora_alpha: scale times rank.
        lora_dropout: in front of the adapters.
        train_norms: whether every normalisation layer is trained and saved with the adapter.
        train_rows: `"ecg"` trains the ECG rows of the vocabulary, `"all"` the whole matrix, `"none"` no row.
        rank_pattern: rank of some modules, by a regular expression over their names, at the same scale times rank.

    Returns:
        A `peft.PeftModel`; `merge_and_unload()` gives back a model without adapters.

    Raises:
        ValueError: for another `train_rows`.
    """
    from peft import LoraConfig, get_peft_model

    if train_rows not in ("ecg", "all", "none"):
        raise ValueError(f"train_rows must be 'ecg', 'all' or 'none', got {train_rows!r}")
    saved = norm_modules(model) if train_norms else []
    indices: Any = None
    if train_rows == "ecg":
        indices = model.trainable_token_indices()
    elif train_rows == "all":
        indices = list(range(model.get_input_embeddings().weight.shape[0]))
        if not model.config.tie_word_embeddings:
            indices = dict.fromkeys(model.trainable_token_indices(), indices)
    config = LoraConfig(
        r=r,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        rank_pattern=dict(rank_pattern or {}),
        alpha_pattern={name: lora_alpha * rank / r for name, rank in (rank_pattern or {}).items()},
        target_modules=target_modules(model),
        modules_to_save=saved or None,
        trainable_token_indices=indices,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def add_lora_behind_soft_tokens(model: Any, settings: Mapping[str, Any]) -> Any:
    """Wrap an ECG-LM's language model in a LoRA adapter; its encoder and projection go on being trained.

    Args:
        model: an `ECGLMForCausalLM`.
        settings: `r`, `lora_alpha`, `lora_dropout`; rows and norms stay as they are.

    Returns:
        A `peft.PeftModel` of it.
    """
    from peft import LoraConfig, get_peft_model

    targets = target_modules(model.language_model)
    names = rf"language_model\..*\.({'|'.join(targets)})" if isinstance(targets, list) else r"language_model\..*"
    linear = [
        name
        for name, module in model.named_modules()
        if re.fullmatch(names, name) and isinstance(module, nn.Linear) and module is not model.get_output_embeddings()
    ]
    kept = {name: settings[name] for name in ("r", "lora_alpha", "lora_dropout")}
    wrapped = get_peft_model(model, LoraConfig(**kept, target_modules=linear, task_type="CAUSAL_LM"))
    for part in (model.encoder, model.projector):
        part.requires_grad_(True)
    return wrapped


def run_lower_layers(model: Any, layers: int) -> Callable[[], None]:
    """Leave the upper layers of a model with an adapter out: norm and output matrix follow on a lower one.

    What is asked of an ECG is then learned by few layers, for a part of what the whole model costs; a residual stream
    carries it on to the end.

    Args:
        model: a `peft.PeftModel` of a `HeartLLMForCausalLM`.
        layers: how many of the lowest stay.

    Returns:
        What gives the upper layers back.

    Raises:
        ValueError: if the model has no layers by that name, or fewer.
    """
    backbone = model.get_base_model().backbone
    every = getattr(backbone, "layers", None)
    if every is None or not 0 < layers <= len(every):
        have = "no `layers`" if every is None else f"{len(every)} layers"
        raise ValueError(f"layers {layers}: the model has {have}")
    backbone.layers = every[:layers]

    def restore() -> None:
        backbone.layers = every

    return restore


def freeze_lower_layers(model: Any, layers: int) -> None:
    """Stop training the lowest layers of a model with an adapter, and its ECG rows, which stay as they were grounded.

    Nothing below the first trained layer needs a gradient, so a step costs less.

    Args:
        model: a `peft.PeftModel` of a `HeartLLMForCausalLM`.
        layers: how many.

    Raises:
        ValueError: if the model has no layers by that name, or none would be trained.
    """
    heart = model.get_base_model()
    every = getattr(heart.backbone, "layers", None)
    if every is None or not 0 < layers < len(every):
        have = "no `layers`" if every is None else f"{len(every)} layers"
        raise ValueError(f"frozen_layers {layers}: the model has {have}, and some must be trained")
    for part in (heart.get_input_embeddings(), heart.get_output_embeddings(), *every[:layers]):
        part.requires_grad_(False)
