"""What the configuration of a system answers for the language model inside it."""

from __future__ import annotations

from typing import Any

ANSWERED = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
    "use_cache",
)
"""Attributes that trainers and servers ask of any language model's configuration."""


def _answered(name: str) -> property:
    def get(config: Any) -> Any:
        text_config = config.__dict__.get("text_config")
        if text_config is None and name == "vocab_size":
            return None  # peft reads the base's own configuration as one of ours, to compare vocabularies
        if text_config is None:
            raise AttributeError(f"{type(config).__name__} has no text_config, and so no {name}")
        return getattr(text_config, name)

    def set_(config: Any, value: Any) -> None:
        text_config = config.__dict__.get("text_config")
        if text_config is None:
            raise AttributeError(f"{type(config).__name__} has no text_config, and so no {name} to set")
        setattr(text_config, name, value)

    return property(get, set_, doc=f"`text_config.{name}`; it is saved there alone.")


class TextSettings:
    """Those attributes, read from `text_config` and set there; one that it has not is none of this either."""


for _name in ANSWERED:
    setattr(TextSettings, _name, _answered(_name))


def without_answered(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as older versions saved them, without what `text_config` decides."""
    return {name: value for name, value in settings.items() if name not in ANSWERED}
