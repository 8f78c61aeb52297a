"""The published HeartLLM codec's weights → a `PaperCodecModel`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel

_BRANCHES = {"b1": "conv3", "b2": "conv5", "b3": "conv7", "b4": "pool_projection"}
_LEAD = "encoder.lead_encoders.0"


def _our_name(published: str) -> str:
    """`enc.blocks.0.0.inc.b1.weight` → `encoder.lead_encoders.0.blocks.0.branches.conv3.weight`, and so on."""
    parts = published.split(".")
    match parts:
        case ["enc", "blocks", index, "0", "inc", branch, kind]:
            return f"{_LEAD}.blocks.{index}.branches.{_BRANCHES[branch]}.{kind}"
        case ["enc", "blocks", index, "0", "match", kind]:
            return f"{_LEAD}.blocks.{index}.shortcut.{kind}"
        case ["enc", "blocks", index, "0", "norm", kind]:
            return f"{_LEAD}.blocks.{index}.norm.{kind}"
        case ["enc", "blocks", index, "1", kind]:
            return f"{_LEAD}.downsamples.{index}.{kind}"
        case ["enc", "bottleneck", "inc", branch, kind]:
            return f"{_LEAD}.bottleneck.branches.{_BRANCHES[branch]}.{kind}"
        case ["enc", "bottleneck", "norm", kind]:
            return f"{_LEAD}.bottleneck.norm.{kind}"
        case ["enc", "to_code", kind]:
            return f"encoder.to_latents.{kind}"
        case ["dec", "expand", kind]:
            return f"decoder.from_values.{kind}"
        case ["dec", "up", index, kind]:
            return f"decoder.upsamples.{index}.{kind}"
        case ["dec", "dec", index, "inc", branch, kind]:
            return f"decoder.blocks.{index}.branches.{_BRANCHES[branch]}.{kind}"
        case ["dec", "dec", index, "norm", kind]:
            return f"decoder.blocks.{index}.norm.{kind}"
        case ["dec", "final", kind]:
            return f"decoder.to_leads.{kind}"
    raise ValueError(f"{published} is not a tensor of the published HeartLLM codec")


def convert_heartllm_codec(state_dict: Mapping[str, torch.Tensor]) -> PaperCodecModel:
    """Build the codec from a state dict under the published names.

    Args:
        state_dict: the 73 tensors of the published codec, any float dtype.

    Returns:
        The codec in float32 and evaluation mode.

    Raises:
        ValueError: if a tensor is missing, unknown or of the wrong shape.
    """
    model = PaperCodecModel(PaperCodecConfig())
    expected = model.state_dict()
    converted: dict[str, torch.Tensor] = {}
    for published, tensor in state_dict.items():
        try:
            name = _our_name(published)
        except KeyError:
            raise ValueError(f"{published} is not a tensor of the published HeartLLM codec") from None
        if name not in expected or expected[name].shape != tensor.shape:
            raise ValueError(f"{published}: shape {tuple(tensor.shape)} does not fit the published HeartLLM codec")
        converted[name] = tensor.float()
    missing = sorted(set(expected) - set(converted))
    if missing:
        raise ValueError(f"{len(missing)} tensors of the codec are missing, among them {missing[0]}")
    model.load_state_dict(converted)
    model.eval()
    return model


def load_heartllm_codec(path: str | Path) -> PaperCodecModel:
    """Read a codec checkpoint in the published format.

    Args:
        path: a `.safetensors` file, or a torch pickle (`best.pt`), which is read with `weights_only=True`: no code
            in it is ever run. Tensors may lie at the top, under `model`, or be prefixed with `weights.`.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        tensors = load_file(path)
    else:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        tensors = loaded.get("model", loaded) if isinstance(loaded, dict) else {}
    if any(name.startswith("weights.") for name in tensors):
        tensors = {name[len("weights.") :]: t for name, t in tensors.items() if name.startswith("weights.")}
    return convert_heartllm_codec(tensors)
