"""Further layers below those that a language model has: they read ECGs, and the others stay what they are."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

_INNER = ("self_attn.o_proj", "mlp.down_proj")
"""What a layer adds to its input comes out of these."""


@torch.no_grad()
def put_layers_below(model: Any, count: int, seed: int = 42) -> None:
    """Give a model new lowest layers, which pass on what they are given until they are trained.

    Args:
        model: a `HeartLLMForCausalLM` whose layers are built like Llama's.
        count: how many.
        seed: of their weights.

    Raises:
        ValueError: if the layers are built otherwise.
    """
    backbone = model.backbone
    own: list[Any] = list(getattr(backbone, "layers", ()))
    names = {name for name, _ in own[0].named_modules()} if own else set()
    if not names.issuperset(_INNER):
        raise ValueError(f"new_layers: the layers of {model.config.get_text_config().model_type} are not like Llama's")
    config = model.config.get_text_config()
    generator = torch.Generator().manual_seed(seed)
    new = [copy.deepcopy(own[0]) for _ in range(count)]
    for layer in new:
        for name, module in layer.named_modules():
            if isinstance(module, nn.Linear):
                module.weight.normal_(std=module.in_features**-0.5, generator=generator)
                if name in _INNER:
                    for one in module.parameters():
                        one.zero_()
    backbone.layers = nn.ModuleList([*new, *own])
    for index, layer in enumerate(backbone.layers):
        layer.self_attn.layer_idx = index
    for one in {id(one): one for one in (config, model.language_model.config.get_text_config())}.values():
        one.num_hidden_layers = len(backbone.layers)
        if getattr(one, "layer_types", None):
            one.layer_types = [*one.layer_types[:1] * count, *one.layer_types]
