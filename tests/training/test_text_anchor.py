"""A model in training is held to what its base makes of plain texts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from hf_heartllm.training.grounding import GroundedLayers, quiet_rows
from hf_heartllm.training.lora import add_lora
from hf_heartllm.training.text_anchor import LEAST_LIKELY, TextAnchor, anchor_texts
from tests.tiny import tiny_model_and_tokenizer

TEXTS = [[5, 6, 7, 8, 9], [10, 11, 12], [20, 21, 22, 23, 24, 25]]


def adapted():
    model, tokenizer = tiny_model_and_tokenizer()
    return add_lora(model, r=2, lora_alpha=4, lora_dropout=0.0), tokenizer


def test_the_loss_is_how_far_hidden_states_move_and_training_on_it_brings_them_back():
    model, _ = adapted()
    heart = model.get_base_model()

    def encode(ids, mask):
        return heart.backbone(input_ids=ids, attention_mask=mask).last_hidden_state

    anchor = TextAnchor(TEXTS, encode, model.disable_adapter, at_once=3, weight=2.0)
    assert anchor.loss().item() == pytest.approx(0.0, abs=1e-9)
    with torch.no_grad():
        for name, one in model.named_parameters():
            if "lora_B" in name:
                one.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    moved = anchor.loss().item()
    assert moved > 0.02
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        anchor.loss().backward()
        optimizer.step()
    assert anchor.loss().item() < 0.2 * moved


def test_grown_ecg_rows_are_made_unlikely_in_text_without_losing_their_differences():
    model, _ = adapted()
    heart = model.get_base_model()
    rows = heart.get_input_embeddings().token_adapter.trainable_tokens_delta["default"]
    with torch.no_grad():
        states = heart.backbone(input_ids=torch.tensor([TEXTS[2]])).last_hidden_state[0, 1:]
        rows += 3 * states.mean(dim=0) / states.mean(dim=0).norm()
    quiet = quiet_rows(heart, TEXTS, model.disable_adapter)
    before = quiet.loss(rows.detach()).item()
    layers = GroundedLayers(model, 1, [4, 4, 4], np.array([0.5, 0.1]), 1, texts=TEXTS)
    shown = layers.ecg_rows().detach()
    assert quiet.loss(shown).item() < 0.2 * before
    layers.levels.data.zero_()
    torch.testing.assert_close(layers.ecg_rows()[1:] - layers.ecg_rows()[:1], rows[1:] - rows[:1])
    layers.finish()
    first = min(heart.config.ecg_token_ids)
    logits = model(input_ids=torch.tensor([TEXTS[2]])).logits[0, 2:]
    of_ecg, of_words = (part.logsumexp(dim=-1) for part in (logits[:, first:], logits[:, :first]))
    assert float((of_ecg - of_words).median()) < -LEAST_LIKELY + 2


def test_texts_come_from_the_base(tmp_path):
    _, tokenizer = adapted()
    path = tmp_path / "turns.jsonl"
    rows = [{"question": "What rhythm?", "answer": "no", "finished": True}, {"text": "sinus rhythm " * 100}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said, written = anchor_texts(tokenizer, path)
    assert "What rhythm?" in tokenizer.decode(said)
    assert len(written) == 128
    path.write_text('{"something": "else"}\n')
    with pytest.raises(ValueError, match=r"no answers of training/general_turns\.py"):
        anchor_texts(tokenizer, path)
