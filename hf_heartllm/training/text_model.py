"""A model that was trained on text alone, as a plain language model: without ECG tokens and without our code."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
import yaml

from hf_heartllm.models.ecg_chat import AS_WRITTEN, ONE_QUESTION
from hf_heartllm.models.plain_tokenizer import write_plain_tokenizer
from hf_heartllm.training.stages import whole_folder

_AS_TRAINED = """\
{#- A question stands behind a blank, as in training. -#}
{%- set trained = namespace(messages=[]) -%}
{%- for message in messages -%}
  {%- set shown = message -%}
  {%- if message['role'] == 'user' and message['content'] is string and message['content'][:1] not in ['', ' ', '<'] -%}
    {%- set shown = {'role': 'user', 'content': ' ' + message['content']} -%}
  {%- endif -%}
  {%- if LAST_ALONE and message['role'] == 'user' -%}
    {%- set trained.messages = [] -%}
  {%- endif -%}
  {%- if not (LAST_ALONE and message['role'] in ['system', 'developer']) -%}
    {%- set trained.messages = trained.messages + [shown] -%}
  {%- endif -%}
{%- endfor -%}
{%- set messages = trained.messages -%}
"""


def _arranged(last_alone: bool) -> str:
    return _AS_TRAINED.replace("LAST_ALONE", str(last_alone).lower())


def with_every_turn(template: str) -> str:
    """A chat template of `save_text_model` that shows the last question alone, with earlier turns; another as it is."""
    return template.replace(_arranged(True), _arranged(False))


def check_saw_no_ecg(model: str | Path) -> bool:
    """Whether the run that wrote a checkpoint says that it left the ECGs out.

    Args:
        model: the checkpoint's folder, with `recipe.yaml` of the run beside it.

    Returns:
        False where there is no such file, so that nothing is known.

    Raises:
        ValueError: if ECGs were shown.
    """
    recipe = Path(model).resolve().parent / "recipe.yaml"
    if not recipe.is_file():
        return False
    settings = yaml.safe_load(recipe.read_text(encoding="utf-8")) or {}
    if (settings.get("data") or {}).get("ecg") != "none":
        raise ValueError(f"{model}: {recipe.name} beside it does not say data.ecg=none, so it was trained on ECGs")
    return True


def save_text_model(model: Any, tokenizer: Any, folder: str | Path, dtype: torch.dtype = torch.bfloat16) -> int:
    """Write the language model of a `HeartLLMForCausalLM` without its ECG tokens, whole or not at all.

    Logits of text tokens stay what they are. The chat template shows a question as training did: behind a blank, and
    the last one alone where the tokenizer's `ecg_chat` is "one question".

    Args:
        model: it loses its ECG rows.
        tokenizer: its `ECGTokenizer`.
        folder: replaced where it exists.
        dtype: of the stored weights.

    Returns:
        How many tokens are left.
    """
    text_tokens: int = model.config.ecg_start_token_id  # ECG tokens stand behind the base's vocabulary
    arrange = _arranged(tokenizer.ecg_chat == ONE_QUESTION)
    language_model = model.language_model.to(dtype)
    language_model.resize_token_embeddings(text_tokens)
    language_model.config.use_cache = True  # trainers turn it off
    language_model.generation_config = copy.deepcopy(model.generation_config)
    language_model.generation_config.suppress_tokens = None  # they were the ECG tokens
    plain = copy.deepcopy(tokenizer)
    plain.ecg_chat = AS_WRITTEN  # there are no ECGs to arrange
    own = plain.chat_template
    plain.chat_template = arrange + own if isinstance(own, str) else {name: arrange + one for name, one in own.items()}
    with whole_folder(Path(folder)) as scratch:
        language_model.save_pretrained(scratch)
        write_plain_tokenizer(plain, (), text_tokens, scratch)
    return text_tokens
