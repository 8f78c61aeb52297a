"""The computed cost of a training against models that are there: parameters, FLOP, and what is trained."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from benchmarks.training_cost import (
    EIGHT_B,
    SMOLLM2_135M,
    THREE_B,
    Decoder,
    Setting,
    cost,
    forward_flops,
    table,
)


def model_of(decoder: Decoder, device: str = "meta"):
    config = LlamaConfig(
        vocab_size=decoder.vocabulary,
        hidden_size=decoder.hidden,
        intermediate_size=decoder.feed_forward,
        num_hidden_layers=decoder.layers,
        num_attention_heads=decoder.heads,
        num_key_value_heads=decoder.key_heads,
        tie_word_embeddings=decoder.tied,
    )
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("decoder", [SMOLLM2_135M, THREE_B, EIGHT_B], ids=lambda one: one.name)
def test_parameters_are_those_of_the_model(decoder):
    assert sum(one.numel() for one in model_of(decoder).parameters()) == decoder.parameters


def test_known_sizes():
    assert SMOLLM2_135M.parameters == 134_515_008
    assert EIGHT_B.parameters == 8_030_261_248


def test_lora_trains_as_many_parameters_as_peft():
    from hf_heartllm.training.lora import add_lora
    from tests.tiny import tiny_model_and_tokenizer

    model, tokenizer = tiny_model_and_tokenizer()
    config = model.config.get_text_config()
    tiny = Decoder("tiny", 32, 2, 4, 2, 64, config.vocab_size, tied=True)
    assert sum(one.numel() for one in model.parameters()) == tiny.parameters
    adapted = add_lora(model, r=4)
    trained = sum(one.numel() for one in adapted.parameters() if one.requires_grad)
    assert trained == tiny.lora(4, tokenizer.ecg_codebook_size + 2)


def test_flops_are_those_that_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    decoder = Decoder("small", 64, 3, 4, 2, 160, 500, tied=True)
    model, tokens = model_of(decoder, "cpu"), 96
    model.set_attn_implementation("eager")  # of other kernels torch counts nothing on a CPU
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=False)
    # it looks at every place, and a kernel that leaves out what a token may not see at half of them
    attention = 2 * decoder.layers * tokens * tokens * decoder.hidden
    assert counter.get_total_flops() == pytest.approx(forward_flops(decoder, tokens, tokens) + attention, rel=0.01)


def test_more_gpus_take_less_time_and_memory_and_records_take_more():
    one = cost(EIGHT_B, Setting(gpus=1), full=True)
    eight = cost(EIGHT_B, Setting(gpus=8), full=True)
    assert eight.hours == pytest.approx(one.hours / 8)
    assert eight.gigabytes < one.gigabytes / 4
    assert one.gigabytes > 16 * 8.03  # weights, gradients, master copies and moments alone
    lora = cost(EIGHT_B, Setting(gpus=1), full=False)
    assert 16 < lora.gigabytes < 40
    assert 0.6 < lora.hours / one.hours < 0.7
    assert cost(EIGHT_B, replace(Setting(gpus=1), records=1_600_000), full=True).hours == pytest.approx(2 * one.hours)


def test_the_table_has_a_row_for_each():
    lines = table(Setting()).splitlines()
    assert len(lines) == 6
    assert lines[1].split()[:2] == ["model", "trained"]
    with pytest.raises(ValueError, match="gpus must be above 0"):
        Setting(gpus=0)


@pytest.mark.parametrize("name", ["fsdp.yaml", "zero3.yaml"])
def test_accelerate_reads_the_recipes_that_were_not_run(name, tmp_path):
    from accelerate.commands.config.config_args import ClusterConfig

    page = (Path(__file__).resolve().parents[2] / "docs" / "larger-models.md").read_text(encoding="utf-8")
    file = tmp_path / name
    file.write_text(page.partition(f"<!-- file: {name} -->\n```yaml\n")[2].partition("```")[0])
    config = ClusterConfig.from_yaml_file(str(file))
    assert config.num_processes == 8
    if name == "fsdp.yaml":
        from accelerate.utils import FullyShardedDataParallelPlugin

        known = inspect.signature(FullyShardedDataParallelPlugin).parameters
        own = {"fsdp_transformer_layer_cls_to_wrap": "transformer_cls_names_to_wrap"}
        assert {own.get(one, one.removeprefix("fsdp_")) for one in config.fsdp_config} <= {
            *known,
            "version",
            "fsdp_version",
        }
