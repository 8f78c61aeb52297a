"""Which ids are ECG tokens, what is refused, and what a saved configuration says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import LlamaConfig

import hf_heartllm as hl
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig


def base(rows: int, **settings) -> LlamaConfig:
    return LlamaConfig(vocab_size=rows, hidden_size=8, num_attention_heads=1, **settings)


def test_start_and_end_come_right_before_the_codes():
    for text_config in (None, base(86)):
        config = HeartLLMConfig(text_config, ecg_token_offset=62, ecg_codebook_size=24)
        assert (config.ecg_start_token_id, config.ecg_end_token_id) == (60, 61)
        assert config.ecg_token_ids == list(range(60, 86))


def test_start_and_end_may_lie_elsewhere():
    config = HeartLLMConfig(base(30), 12, 8, ecg_start_token_id=25, ecg_end_token_id=3)
    assert config.ecg_token_ids == [3, *range(12, 20), 25]
    assert HeartLLMConfig(base(30), 12, 8, ecg_start_token_id=0).ecg_token_ids == [0, *range(11, 20)]
    assert HeartLLMConfig(base(30), 12, 8, ecg_end_token_id=0).ecg_token_ids == [0, 10, *range(12, 20)]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ((85, 62, 24), "reach 85 but the vocabulary of text_config has 85 rows"),
        ((86, 62, 24, 70), "overlap: start 70, end 61, 24 codes from 62"),
        ((86, 62, 24, 61), "overlap: start 61, end 61"),
        ((86, 1, 24), "overlap: start -1"),
        ((86, 62, 0), "overlap"),
    ],
)
def test_ids_that_overlap_or_have_no_row_are_refused(ids, said):
    rows, *rest = ids
    with pytest.raises(ValueError, match=said):
        HeartLLMConfig(base(rows), *rest)


def test_the_lowest_ids_and_a_single_code_are_none_the_worse():
    assert HeartLLMConfig(base(3), 2, 1).ecg_token_ids == [0, 1, 2]


@pytest.mark.parametrize("given", [{}, {"ecg_token_offset": 5}, {"ecg_codebook_size": 5}])
def test_without_ecg_tokens_none_are_named(given):
    config = HeartLLMConfig(base(9), **given)
    with pytest.raises(ValueError, match="names no ECG tokens"):
        config.ecg_token_ids  # noqa: B018
    some = {"ecg_codebook_size": 4, "ecg_start_token_id": 1, "ecg_end_token_id": 2} | given
    if "ecg_token_offset" not in given:
        with pytest.raises(ValueError, match="names no ECG tokens"):
            HeartLLMConfig(base(9), **some).ecg_token_ids  # noqa: B018


@pytest.mark.parametrize("tied", [True, False])
def test_whether_the_matrices_are_tied_is_the_inner_models_word(tied):
    for said in (True, False):
        config = HeartLLMConfig(base(9, tie_word_embeddings=tied), tie_word_embeddings=said)
        assert config.tie_word_embeddings is tied
        assert HeartLLMConfig(tie_word_embeddings=said).tie_word_embeddings is said
    assert not HeartLLMConfig().tie_word_embeddings


def test_saved_and_loaded_it_is_the_same(tmp_path):
    settings = {"seen_in_training": ["labels"], "base_model": {"name": "a/b", "sha256": "0" * 64}}
    config = HeartLLMConfig(base(86), 62, 24, custom_pipelines={"x": {"impl": "y.Z"}}, **settings)
    config.save_pretrained(tmp_path)
    loaded = HeartLLMConfig.from_pretrained(tmp_path)
    assert loaded.to_dict() == config.to_dict()
    assert (loaded.seen_in_training, loaded.base_model) == tuple(settings.values())
    assert isinstance(loaded.text_config, LlamaConfig)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert "custom_pipelines" not in saved  # the package registers its own
    assert "vocab_size" not in {name for name in saved if name != "text_config"}
    # whoever reads the shipped checkpoint reads what is saved now
    shipped = json.loads((Path(hl.checkpoint()) / "config.json").read_text())
    assert saved["format_version"] == shipped["format_version"]
