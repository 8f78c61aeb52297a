"""LoRA as the paper has it: which weights are trained, and that a merged model answers as the trained one."""

from __future__ import annotations

import pytest
import torch

from hf_heartllm.training.lora import (
    PROJECTIONS,
    add_lora,
    add_lora_behind_soft_tokens,
    freeze_lower_layers,
    norm_modules,
    target_modules,
)
from tests.tiny import tiny_model_and_tokenizer


@pytest.mark.parametrize("rows", ["ecg", "all", "none"])
def test_trains_adapters_norms_and_the_chosen_rows(rows):
    model, tokenizer = tiny_model_and_tokenizer()
    assert target_modules(model) == list(PROJECTIONS)
    wrapped = add_lora(model, r=4, lora_alpha=8, lora_dropout=0.0, train_rows=rows)
    trained = {name for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    assert any("lora_A" in name for name in trained)
    assert sum("norm" in name for name in trained) == len(
        [name for name, _ in model.named_parameters() if "norm" in name and "modules_to_save" in name]
    )
    assert any("trainable_tokens" in name for name in trained) == (rows != "none")
    assert all("lora" in name or "modules_to_save" in name or "trainable_tokens" in name for name in trained), (
        "a base weight is trained"
    )

    codes = [tokenizer.ecg_token_offset, tokenizer.ecg_token_offset + 9]
    ids = torch.tensor([[5, tokenizer.ecg_start_token_id, *codes, tokenizer.ecg_end_token_id, 6]])
    text_rows = model.get_input_embeddings().weight.detach()[: tokenizer.ecg_start_token_id].clone()
    optimizer = torch.optim.SGD([p for p in wrapped.parameters() if p.requires_grad], lr=0.5)
    wrapped.train()
    for _ in range(3):
        optimizer.zero_grad()
        wrapped(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    wrapped.eval()
    with torch.no_grad():
        before = wrapped(input_ids=ids).logits
        merged = wrapped.merge_and_unload()
        assert torch.allclose(merged(input_ids=ids).logits, before, atol=1e-4)
    if rows != "all":
        assert torch.equal(merged.get_input_embeddings().weight[: len(text_rows)], text_rows)


def test_gpt2_gets_every_linear_layer():
    from transformers import GPT2Config, GPT2LMHeadModel

    gpt2 = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=50))
    assert target_modules(gpt2) == "all-linear"
    assert norm_modules(gpt2) == ["ln_1", "ln_2", "ln_f"]


def test_refuses_unknown_rows():
    model, _ = tiny_model_and_tokenizer()
    with pytest.raises(ValueError, match="train_rows must be"):
        add_lora(model, train_rows="some")


def test_frozen_lower_layers_get_no_gradient_and_the_others_the_same():
    model, tokenizer = tiny_model_and_tokenizer()
    wrapped = add_lora(model, r=4, lora_alpha=8, lora_dropout=0.0)
    ids = torch.tensor([[5, tokenizer.ecg_token_offset, tokenizer.ecg_token_offset + 9, 6]])
    layers = len(model.backbone.layers)

    def gradients() -> dict[str, torch.Tensor]:
        wrapped.zero_grad()
        wrapped(input_ids=ids, labels=ids).loss.backward()
        return {name: one.grad.clone() for name, one in wrapped.named_parameters() if one.grad is not None}

    every = gradients()
    freeze_lower_layers(wrapped, layers - 1)
    left = gradients()
    gone = every.keys() - left.keys()
    assert any("trainable_tokens" in name for name in gone)
    assert any("layers.0." in name for name in gone)
    assert left
    assert all(f"layers.{layers - 1}." in name or "layers." not in name for name in left)
    for name, value in left.items():
        torch.testing.assert_close(value, every[name])
    with pytest.raises(ValueError, match="some must be trained"):
        freeze_lower_layers(wrapped, layers)


def test_behind_soft_tokens_encoder_projection_and_adapter_learn_and_merge():
    from tests.tiny import tiny_ecg_lm

    model, processor = tiny_ecg_lm()
    wrapped = add_lora_behind_soft_tokens(model, {"r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "train_rows": "ecg"})
    trained = {name.removeprefix("base_model.model.") for name, one in wrapped.named_parameters() if one.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"encoder", "projector", "language_model"}
    assert all("lora_" in name for name in trained if name.startswith("language_model."))
    assert not any("lora_" in name for name in trained if not name.startswith("language_model."))
    inputs = {"input_ids": torch.tensor([[5, processor.ecg_token_id, 6, 7]]), "input_features": torch.randn(1, 12, 300)}
    with torch.no_grad():
        for name, one in wrapped.named_parameters():
            if "lora_B" in name:
                one.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    wrapped.eval()
    before = wrapped(**inputs).logits
    merged = wrapped.merge_and_unload()
    assert torch.allclose(merged(**inputs).logits, before, atol=1e-4)
    assert not any("lora" in name for name, _ in merged.named_parameters())
