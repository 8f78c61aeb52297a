"""Which classes a codec's `config.json` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .codec_config import CodecConfig
from .configuration_ecg_codec import ECGCodecConfig
from .configuration_paper_codec import PaperCodecConfig

if TYPE_CHECKING:
    from .ecg_codec import ECGCodec


def codec_config(values: Mapping[str, Any]) -> CodecConfig:
    """A codec's configuration, of the class that its `model_type` names; needs no torch.

    Codecs that are not of this project are found where `AutoConfig.register` has put them.

    Args:
        values: what `config.json` holds.

    Raises:
        ValueError: for a `model_type` that nobody has registered, or that is no codec's.
    """
    values = dict(values)
    name = values.get("model_type") or ECGCodecConfig.model_type
    for ours in (ECGCodecConfig, PaperCodecConfig):
        if name == ours.model_type:
            config: CodecConfig = ours.from_dict(values)
            return config
    from transformers import CONFIG_MAPPING

    if name not in CONFIG_MAPPING:
        raise ValueError(
            f"no codec of type {name!r} is known here; import the module that registers it with AutoConfig and "
            "AutoModel before the tokenizer is loaded"
        )
    registered = CONFIG_MAPPING[name].from_dict(values)
    if not isinstance(registered, CodecConfig):
        raise ValueError(f"model_type {name!r} is that of a {type(registered).__name__}, which is no codec's")
    return registered


def codec_model(config: CodecConfig) -> ECGCodec:
    """A codec of these sizes with fresh weights, of the class that belongs to the configuration's.

    Raises:
        ValueError: if `AutoModel.register` has joined no class to it.
    """
    from .modeling_ecg_codec import ECGCodecModel
    from .modeling_paper_codec import PaperCodecModel

    for ours in (ECGCodecModel, PaperCodecModel):
        if type(config) is ours.config_class:
            return ours(config)
    from transformers import MODEL_MAPPING

    if type(config) not in MODEL_MAPPING:
        raise ValueError(f"no codec is known for a {type(config).__name__}; AutoModel.register joins them")
    codec: ECGCodec = MODEL_MAPPING[type(config)](config)
    return codec
