"""Fast tokenizers without our code: taking one apart, and writing one that knows ECG tokens as ordinary tokens."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast

from .decision_settings import write_decision_settings
from .ecg_chat import AS_WRITTEN, plain_template
from .whole_files import write_whole


def bare_backend(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    """A copy of a tokenizer's backend that neither cuts nor pads."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    return backend


def tokenizer_settings(tokenizer: PreTrainedTokenizerFast, special_tokens: dict[str, Any]) -> dict[str, Any]:
    """Everything about a tokenizer that its backend does not hold, as arguments of a constructor."""
    named = {name: token for name, token in special_tokens.items() if token is not None}
    standard = PreTrainedTokenizerFast.SPECIAL_TOKENS_ATTRIBUTES
    settings = {name: token for name, token in named.items() if name in standard}
    own = {name: token for name, token in named.items() if name not in standard}
    optional = {
        "model_specific_special_tokens": own,
        "extra_special_tokens": list(tokenizer._extra_special_tokens),
        "chat_template": tokenizer.chat_template,
        "chat_control_tokens": getattr(tokenizer, "chat_control_tokens", None),
        "response_template": getattr(tokenizer, "response_template", None),
    }
    settings.update({name: value for name, value in optional.items() if value})
    for name in (
        "padding_side",
        "truncation_side",
        "model_max_length",
        "model_input_names",
        "clean_up_tokenization_spaces",
        "split_special_tokens",
    ):
        settings[name] = getattr(tokenizer, name)
    return settings


def next_token_id(backend: Tokenizer) -> int:
    """The id that `tokenizers` gives the next added token."""
    size = backend.get_vocab_size(with_added_tokens=False)
    return max([size - 1, *backend.get_added_tokens_decoder()]) + 1


def write_plain_tokenizer(
    tokenizer: PreTrainedTokenizerFast, forms: Sequence[str], first_id: int, save_directory: str | os.PathLike[str]
) -> tuple[str, ...]:
    """Write plain tokenizer files with further special tokens, and how transformers' decision pipeline asks with them.

    Args:
        tokenizer: whose backend and settings are written.
        forms: the further tokens; empty: the language model reads no ECGs.
        first_id: the id that the first of them must get; the others follow.
        save_directory: folder to write.

    Raises:
        ValueError: if a token would get another id.
    """
    backend = bare_backend(tokenizer)
    backend.add_special_tokens([AddedToken(form, special=True, normalized=False) for form in forms])
    for index, form in enumerate(forms):
        if backend.token_to_id(form) != first_id + index:
            raise ValueError(f"{form} has id {backend.token_to_id(form)}, not {first_id + index}")
    settings = tokenizer_settings(tokenizer, tokenizer._special_tokens_map)
    if "chat_template" in settings:
        shown = getattr(tokenizer, "ecg_chat", AS_WRITTEN)
        templates = settings["chat_template"]
        settings["chat_template"] = (
            plain_template(templates, shown)
            if isinstance(templates, str)
            else {name: plain_template(one, shown) for name, one in templates.items()}
        )
    files: tuple[str, ...] = PreTrainedTokenizerFast(tokenizer_object=backend, **settings).save_pretrained(
        save_directory
    )
    config_file = Path(save_directory) / "tokenizer_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"  # the name that every engine knows
    text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_whole(config_file, text)
    templates = settings.get("chat_template")
    shown_alone = templates if isinstance(templates, str) else (templates or {}).get("default")
    if shown_alone is None or not forms:  # nothing to ask with, or no ECG to ask about
        return files
    return (*files, *write_decision_settings(shown_alone, save_directory))
