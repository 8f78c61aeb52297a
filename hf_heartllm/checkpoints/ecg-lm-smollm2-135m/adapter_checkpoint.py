"""A checkpoint that holds what was trained alone: peft's LoRA adapter, ECG rows and norms, without the base's weights.

Loading adds them to the base, so that a model without adapters answers, and peft is not needed.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint_files import file_beside

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

_PREFIX = "base_model.model."
_LORA = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_ROWS = ".token_adapter.trainable_tokens_delta"
_ONLY_PEFT = ("use_dora", "use_qalora", "lora_bias", "alora_invocation_tokens", "layer_replication", "megatron_config")


def merge_adapter(model: nn.Module, source: str | os.PathLike[str], revision: str | None = None) -> None:
    """Add a LoRA adapter to the weights that it was trained on, in place.

    Args:
        model: the model that `peft.get_peft_model` was given.
        source: folder or repository on the Hub with peft's `adapter_config.json` and `adapter_model.safetensors`.
        revision: of the repository.

    Raises:
        ValueError: if a file is absent, does not fit the model, or holds what only peft can read.
    """
    from safetensors.torch import load_file

    config_file, weights_file = (file_beside(source, name, revision) for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS))
    if config_file is None or weights_file is None:
        raise ValueError(f"{source}: no {ADAPTER_CONFIG if config_file is None else ADAPTER_WEIGHTS}")
    settings = json.loads(config_file.read_text(encoding="utf-8"))
    strange = [name for name in _ONLY_PEFT if settings.get(name)]
    if settings.get("peft_type") != "LORA" or strange:
        kind = strange[0] if strange else settings.get("peft_type")
        raise ValueError(f"{source}: an adapter with {kind} is read by peft alone: PeftModel.from_pretrained(base, …)")
    tensors = {name.removeprefix(_PREFIX): value for name, value in load_file(weights_file).items()}
    modules = dict(model.named_modules())
    with torch.no_grad():
        for name, value in tensors.items():
            found = _LORA.fullmatch(name)
            if found and found["side"] == "B":
                continue
            owner = name.removesuffix(_ROWS) if name.endswith(_ROWS) else name.rpartition(".")[0]
            module = modules.get(found["module"] if found else owner)
            if module is None:
                raise ValueError(f"{source}: the adapter has {name}, which this base has not")
            try:
                if found:
                    other = tensors[f"{found['module']}.lora_B.weight"]
                    scale = _scale(settings, found["module"], len(value))
                    _add_product(module, value, other, scale, settings)
                elif name.endswith(_ROWS):
                    module.weight[torch.tensor(_indices(settings, owner))] = value.to(module.weight)
                else:
                    getattr(module, name.rpartition(".")[2]).copy_(value)
            except (KeyError, RuntimeError, IndexError) as error:
                raise ValueError(f"{source}: {name} does not fit this base ({str(error).splitlines()[0]})") from None
            except ValueError as error:
                raise ValueError(f"{source}: {error}") from None


def _add_product(module: Any, a: Tensor, b: Tensor, scale: float, settings: Mapping[str, Any]) -> None:
    product = scale * (b.float() @ a.float())
    if settings.get("fan_in_fan_out"):
        product = product.T
    module.weight.copy_((module.weight.float() + product.to(module.weight.device)).to(module.weight.dtype))


def _scale(settings: Mapping[str, Any], module: str, rank: int) -> float:
    """What the product of the two matrices of a module is multiplied by.

    Raises:
        ValueError: if the settings name another rank, and so perhaps another alpha.
    """
    stated = value_of_module(settings.get("rank_pattern"), module, settings.get("r", rank))
    if stated != rank:
        raise ValueError(f"{module} has rank {rank}, and {ADAPTER_CONFIG} says {stated:g}")
    alpha = value_of_module(settings.get("alpha_pattern"), module, settings["lora_alpha"])
    return float(alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank))


def fits(pattern: str, module: str) -> bool:
    """Whether a pattern of peft names a module, by its dotted name."""
    return re.match(rf"(.*\.)?({pattern})$", module) is not None


def value_of_module(patterns: Mapping[str, float] | None, module: str, otherwise: float) -> float:
    """What a rank or alpha pattern gives a module, as peft looks it up: the first pattern that fits."""
    return next((value for one, value in (patterns or {}).items() if fits(one, module)), otherwise)


def _indices(settings: Mapping[str, Any], module: str) -> list[int]:
    """Which rows of a matrix were trained."""
    rows = settings["trainable_token_indices"]
    return list(rows[module.rpartition(".")[2]] if isinstance(rows, dict) else rows)


__all__ = ["ADAPTER_CONFIG", "ADAPTER_WEIGHTS", "fits", "merge_adapter", "value_of_module"]
