"""An adapter of lower rank: learning something often takes a higher rank than holding what was learned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from hf_heartllm.models.adapter_checkpoint import ADAPTER_CONFIG, ADAPTER_WEIGHTS, fits, value_of_module
from hf_heartllm.models.whole_files import write_whole, written_whole

_A, _B = ".lora_A.weight", ".lora_B.weight"


def lower_ranks(checkpoint: Path, ranks: Mapping[str, int]) -> float:
    """Replace the LoRA matrices of some modules by the nearest ones of a lower rank, in place.

    The nearest product in squared error keeps the largest singular values (Eckart and Young, 1936). The scale of each
    module (alpha / rank) stays what it was.

    Args:
        checkpoint: folder with peft's `adapter_config.json` and `adapter_model.safetensors`.
        ranks: rank of the modules that a regular expression names, as in peft's `rank_pattern`; the first that fits.

    Returns:
        Which share of the squared size of these modules' products is gone.

    Raises:
        ValueError: if the folder holds no LoRA adapter, a pattern names no module, or modules of different scales, or
            a module whose rank is lower already.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    config_file, weights_file = checkpoint / ADAPTER_CONFIG, checkpoint / ADAPTER_WEIGHTS
    if not config_file.is_file() or not weights_file.is_file():
        raise ValueError(f"{checkpoint}: no adapter is there ({ADAPTER_CONFIG} and {ADAPTER_WEIGHTS})")
    settings = json.loads(config_file.read_text(encoding="utf-8"))
    if settings.get("peft_type") != "LORA" or settings.get("use_rslora"):
        raise ValueError(f"{checkpoint}: no LoRA adapter whose scale is alpha / rank")
    with safe_open(weights_file, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(weights_file)
    before = {name.removesuffix(_A): len(value) for name, value in tensors.items() if name.endswith(_A)}
    scales: dict[str, float] = {}
    whole = kept = 0.0
    for module, old in before.items():
        pattern = next((one for one in ranks if fits(one, module)), None)
        if pattern is None:
            continue
        rank = ranks[pattern]
        if not 0 < rank <= old:
            raise ValueError(f"rank {rank} of {pattern}: {module} has rank {old}")
        scale = value_of_module(settings.get("alpha_pattern"), module, settings["lora_alpha"]) / old
        if scales.setdefault(pattern, scale) != scale:
            raise ValueError(f"{pattern} names modules of different scales, {scales[pattern]:g} and {scale:g}")
        tensors[module + _A], tensors[module + _B], values = _nearest(tensors[module + _A], tensors[module + _B], rank)
        whole, kept = whole + float(values.square().sum()), kept + float(values[:rank].square().sum())
    missing = [pattern for pattern in ranks if pattern not in scales]
    if missing:
        raise ValueError(f"{checkpoint}: {missing[0]} names none of its modules")
    settings["rank_pattern"] = {**ranks, **_others(settings.get("rank_pattern"), ranks, before)}
    alphas = {pattern: scales[pattern] * rank for pattern, rank in ranks.items()}
    settings["alpha_pattern"] = {**alphas, **_others(settings.get("alpha_pattern"), ranks, before)}
    with written_whole(weights_file) as part:
        save_file(tensors, part, metadata)
    write_whole(config_file, json.dumps(settings, indent=2) + "\n")
    return 1 - kept / whole if whole else 0.0


def _nearest(a: Tensor, b: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices (rank, in) and (out, rank) whose product is nearest to b @ a; all singular values of that product."""
    left, upper = torch.linalg.qr(b.double())
    right, lower = torch.linalg.qr(a.double().T)
    u, values, v = torch.linalg.svd(upper @ lower.T)
    root = values[:rank].sqrt()
    return (
        (root[:, None] * (v[:rank] @ right.T)).to(a.dtype).contiguous(),
        ((left @ u[:, :rank]) * root).to(b.dtype).contiguous(),
        values,
    )


def _others(patterns: Mapping[str, float] | None, ranks: Mapping[str, int], modules: Iterable[str]) -> dict[str, float]:
    """The patterns that still name a module. The first that fits counts, and peft writes them sorted by their text, so
    no module may have two.

    Raises:
        ValueError: if one names modules of the new patterns and others.
    """
    kept = {}
    for pattern, value in (patterns or {}).items():
        new = {any(fits(one, module) for one in ranks) for module in modules if fits(pattern, module)}
        if new == {True, False}:
            raise ValueError(f"{pattern} names modules of {', '.join(ranks)} and others: name all of them")
        if new == {False}:
            kept[pattern] = value
    return kept
