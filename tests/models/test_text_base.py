"""Rows without an ECG: of a checkpoint that holds an adapter they are its base's, to the letter."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import AutoModelForCausalLM

from hf_heartllm.models.base_model import BaseModel, folder_sha256
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.text_base import by_rows
from hf_heartllm.training.stages import save_adapter
from tests.models.test_adapter_checkpoint import adapted
from tests.tiny import tiny_model_and_tokenizer

TEXTS = [[5, 6, 7, 8], [9, 10, 11, 12]]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    model, _ = tiny_model_and_tokenizer()
    model.language_model.resize_token_embeddings(min(model.config.ecg_token_ids))
    model.language_model.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(base, tmp_path):
    model, tokenizer = adapted()
    save_adapter(model, tokenizer, tmp_path / "adapter", BaseModel("somebody/Tiny", folder_sha256(base)))
    return tmp_path / "adapter"


@pytest.fixture
def model(folder, base):
    return HeartLLMForCausalLM.from_pretrained(folder, base_model=base, dtype=torch.float32)


@pytest.fixture
def plain(base):
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()


def with_ecg(text, codes=(3, 1, 4)):
    _, tokenizer = tiny_model_and_tokenizer()
    ecg = [tokenizer.ecg_start_token_id, *tokenizer.codes_to_ids(list(codes)), tokenizer.ecg_end_token_id]
    return [*text[:1], *ecg, *text[1:]]


def written(model, ids, **options):
    rows = torch.tensor(ids)
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": 1} | options
    return model.generate(input_ids=rows, attention_mask=(rows != 0).long(), **options)


@torch.no_grad()
def test_texts_are_the_bases_and_ecgs_are_the_adapters(model, plain):
    ids = torch.tensor(TEXTS)
    found, expected = model(input_ids=ids, labels=ids), plain(input_ids=ids, labels=ids)
    words = expected.logits.shape[-1]
    assert torch.equal(found.logits[..., :words], expected.logits)
    assert found.loss == expected.loss
    assert found.logits.shape[-1] == model.get_input_embeddings().num_embeddings
    assert (found.logits.softmax(-1)[..., words:] == 0).all()
    assert not torch.allclose(model.reading_alone()(input_ids=ids).logits[..., :words], expected.logits, atol=1e-2)
    row = torch.tensor([with_ecg(TEXTS[0])])
    assert torch.equal(model(input_ids=row).logits, model.language_model(input_ids=row).logits)


@torch.no_grad()
def test_a_text_goes_on_with_the_bases_own_cache(model, plain):
    ids = torch.tensor(TEXTS)
    first = model(input_ids=ids[:, :3], use_cache=True)
    second = model(input_ids=ids[:, 3:], past_key_values=first.past_key_values, use_cache=True)
    expected = plain(input_ids=ids).logits[:, 3:]
    torch.testing.assert_close(second.logits[..., : expected.shape[-1]], expected)
    read = model(input_ids=torch.tensor([with_ecg(TEXTS[0])]), use_cache=True)
    after = model(input_ids=ids[:1, 3:], past_key_values=read.past_key_values)
    assert (after.logits.softmax(-1)[..., expected.shape[-1] :] > 0).any()


def test_each_row_of_a_batch_is_written_as_it_would_be_alone(model, plain):
    rows = [with_ecg(TEXTS[0]), TEXTS[1], with_ecg(TEXTS[1]), TEXTS[0]]
    width = max(map(len, rows))
    padded = [[0] * (width - len(row)) + row for row in rows]
    together = written(model, padded)[:, width:]
    for row, new in zip(rows, together.tolist(), strict=True):
        alone = written(model, [row])[0, len(row) :].tolist()
        assert new[: len(alone)] == alone
        assert not any(new[len(alone) :])
    for place, text in ((1, TEXTS[1]), (3, TEXTS[0])):
        alone = written(plain, [text])[0, len(text) :].tolist()
        assert together[place, : len(alone)].tolist() == alone
    beams = written(model, padded, num_beams=2, num_return_sequences=2)
    assert torch.equal(beams[2:4], written(model, padded[1:2], num_beams=2, num_return_sequences=2))
    told = written(model, padded, return_dict_in_generate=True, output_scores=True)
    assert len(told.sequences) == len(rows)


def test_what_keeps_ecg_tokens_from_being_written_is_not_asked_of_the_base(model):
    ecg = model.config.ecg_token_ids
    settings = copy.deepcopy(model.generation_config)
    settings.suppress_tokens = [7, *ecg]
    assert model._text_base.settings(settings).suppress_tokens == [7]
    settings.suppress_tokens = list(ecg)
    assert model._text_base.settings(settings).suppress_tokens is None


@torch.no_grad()
def test_a_model_that_is_trained_answers_texts_itself(model, plain):
    ids = torch.tensor(TEXTS)
    model.train()
    model.eval()
    own = model.language_model(input_ids=ids).logits
    assert torch.equal(model(input_ids=ids).logits, own)
    assert not torch.allclose(own[..., : plain.config.vocab_size], plain(input_ids=ids).logits, atol=1e-2)


@torch.no_grad()
def test_saved_whole_the_adapter_is_in_every_row(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = HeartLLMForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    ids = torch.tensor(TEXTS)
    torch.testing.assert_close(again(input_ids=ids).logits, model.reading_alone()(input_ids=ids).logits)
    row = torch.tensor([with_ecg(TEXTS[0])])
    torch.testing.assert_close(again(input_ids=row).logits, model(input_ids=row).logits)


def test_a_question_without_its_ecg_is_a_control_of_the_weights_that_read_ecgs(model):
    _, tokenizer = tiny_model_and_tokenizer()
    answerer = tokenizer.answerer(model)
    used, _ = answerer._pass()
    assert used._text_base is None
    assert answerer.model._text_base is not None
    assert used.get_input_embeddings() is model.get_input_embeddings()


def test_parts_of_a_batch_are_put_in_order():
    rows = torch.tensor([False, True, False])
    whole = by_rows(rows, lambda which, kind: which.repeat_interleave(2)[:, None].repeat(1, 1 + kind), fill=9)
    assert whole.tolist() == [[0, 9], [0, 9], [1, 1], [1, 1], [2, 9], [2, 9]]
