"""What the trainings share: how a checkpoint is stored."""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hf_heartllm.training.stages import load_checkpoint, save_checkpoint
from tests.tiny import tiny_model_and_tokenizer


def test_weights_may_be_stored_in_bfloat16_and_loaded_in_float32(tmp_path):
    model, tokenizer = tiny_model_and_tokenizer()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    save_checkpoint(model, tokenizer, tmp_path / "small", torch.bfloat16, torch.float32)
    stored = load_file(tmp_path / "small" / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "small")
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, before[name].bfloat16().float())
    asked = AutoModelForCausalLM.from_pretrained(tmp_path / "small", dtype=torch.bfloat16)
    assert asked.dtype == torch.bfloat16
    save_checkpoint(*load_checkpoint(tmp_path / "small"), tmp_path / "again")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "again").dtype == torch.float32


def test_without_a_word_of_it_weights_are_loaded_as_they_are_stored(tmp_path):
    model, tokenizer = tiny_model_and_tokenizer()
    save_checkpoint(model, tokenizer, tmp_path / "half", torch.bfloat16)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "half").dtype == torch.bfloat16


def test_a_stored_model_caches_though_trainers_turn_it_off(tmp_path):
    model, tokenizer = tiny_model_and_tokenizer()
    model.config.get_text_config().use_cache = False
    save_checkpoint(model, tokenizer, tmp_path / "cached")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "cached")
    assert loaded(input_ids=torch.tensor([[5, 6]])).past_key_values is not None
