"""What others ask of a model that is not a plain language model: its configuration, its decoder, its generation."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, GenerationConfig

import hf_heartllm as hl
from hf_heartllm.models.configuration_ecg_lm import ECGLMConfig
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.text_settings import ANSWERED
from tests.families import Ids, base_of
from tests.tiny import tiny_ecg_lm, tiny_model_and_tokenizer


@pytest.fixture(scope="module")
def tiny() -> tuple[Any, Any]:
    return tiny_model_and_tokenizer()


@pytest.fixture(scope="module")
def soft() -> tuple[Any, Any]:
    return tiny_ecg_lm()


def test_both_configurations_answer_for_the_language_model_and_save_it_once(tiny, soft, tmp_path: Path) -> None:
    for model, folder in ((tiny[0], tmp_path / "tokens"), (soft[0], tmp_path / "soft")):
        config = model.config
        for name in ANSWERED:
            assert getattr(config, name) == getattr(config.text_config, name), name
        config = copy.deepcopy(config)
        config.use_cache = False
        assert config.text_config.use_cache is False
        config.save_pretrained(folder)
        written = json.loads((folder / "config.json").read_text())
        assert not set(ANSWERED) & set(written)
        again = AutoConfig.from_pretrained(folder, max_position_embeddings=77)
        assert again.text_config.max_position_embeddings == again.max_position_embeddings == 77
        assert again.use_cache is False


def test_what_the_base_does_not_say_is_not_said() -> None:
    for config in (HeartLLMConfig(), ECGLMConfig()):
        assert [name for name in ANSWERED if hasattr(config, name)] == ["vocab_size"]
        assert config.vocab_size is None
        with pytest.raises(AttributeError, match="no text_config, and so no vocab_size"):
            config.vocab_size = 3
    bloom = HeartLLMConfig(base_of("bloom").config)
    assert not hasattr(bloom, "max_position_embeddings")
    assert bloom.num_attention_heads == 4
    gpt2 = HeartLLMConfig(base_of("gpt2").config)
    assert (gpt2.hidden_size, gpt2.max_position_embeddings) == (32, 128)


def test_a_configuration_of_older_versions_keeps_what_the_language_model_says() -> None:
    text = base_of("llama").config
    old = {"text_config": text.to_dict(), "use_cache": False, "vocab_size": 3}
    config = HeartLLMConfig.from_dict(old)
    assert (config.use_cache, config.vocab_size) == (text.use_cache, text.vocab_size)


def test_the_decoder_is_the_backbone(tiny, soft) -> None:
    for model in (tiny[0], soft[0], HeartLLMForCausalLM.from_base(base_of("llama4_text"), Ids())):
        decoder = model.get_decoder()
        assert decoder is model.backbone is not model.language_model
        assert decoder(input_ids=torch.tensor([[3, 4, 5]])).last_hidden_state.shape == (1, 3, model.config.hidden_size)
        assert model._can_compile_fullgraph == model.language_model._can_compile_fullgraph
    assert HeartLLMForCausalLM.from_base(base_of("jamba"), Ids())._is_stateful


def test_the_vocabulary_keeps_the_rows_of_ecg_tokens(tiny) -> None:
    model = copy.deepcopy(tiny[0])
    rows = model.config.vocab_size
    for fewer in (10, rows - 1, model.config.ecg_token_offset):
        with pytest.raises(ValueError, match=f"ids of ECG tokens reach {rows - 1}, so keep {rows} at least"):
            model.resize_token_embeddings(fewer)
    assert model.resize_token_embeddings(None).weight.shape[0] == rows
    assert model.resize_token_embeddings(rows + 3, mean_resizing=False).weight.shape[0] == rows + 3
    assert model.resize_token_embeddings(rows - 1, pad_to_multiple_of=64).weight.shape[0] % 64 == 0
    assert model.config.vocab_size == model.get_output_embeddings().weight.shape[0] >= rows


def test_samples_are_text_unless_ecg_tokens_are_asked_for(tiny, tmp_path: Path) -> None:
    model, tokenizer = tiny
    ecg = set(model.config.ecg_token_ids)
    prompt = torch.tensor([tokenizer.encode_ecg(hl.simulate_ecg(seed=1, sampling_rate=100)[0])])
    torch.manual_seed(0)
    sample = partial(
        model.generate, prompt.expand(8, -1), attention_mask=torch.ones_like(prompt).expand(8, -1), do_sample=True,
        top_k=0, max_new_tokens=8, eos_token_id=None,
    )  # fmt: skip
    assert not ecg & set(sample()[:, prompt.shape[1] :].flatten().tolist())
    for none in (None, []):
        assert ecg & set(sample(suppress_tokens=none)[:, prompt.shape[1] :].flatten().tolist())
    model.save_pretrained(tmp_path)
    assert set(GenerationConfig.from_pretrained(tmp_path).suppress_tokens) == ecg


def test_the_shipped_model_writes_text_and_its_tokenizer_knows_its_length() -> None:
    config = AutoConfig.from_pretrained(hl.checkpoint())
    assert GenerationConfig.from_pretrained(hl.checkpoint()).suppress_tokens == config.ecg_token_ids
    assert hl.ECGTokenizer.from_pretrained().model_max_length == config.max_position_embeddings


def test_a_tokenizer_learns_how_many_positions_its_model_has(tiny, soft) -> None:
    assert tiny[1].model_max_length == tiny[0].config.max_position_embeddings == 512
    assert soft[1].tokenizer.model_max_length == 512
