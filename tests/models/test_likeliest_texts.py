"""The likeliest texts: nothing but text, and probabilities that are those of the model, for one beam and several."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from hf_heartllm.models.likeliest_texts import greedy_pieces, likeliest_texts
from tests.tiny import tiny_model_and_tokenizer


@pytest.fixture(scope="module")
def tiny():
    return tiny_model_and_tokenizer()


@pytest.fixture(scope="module")
def eager_for_ecgs():
    """A model that writes ECG tokens wherever it may, and whose `generation_config` does not keep it from it."""
    model, tokenizer = tiny_model_and_tokenizer(seed=1)
    prompt = tokenizer("What rhythm does this ECG show?")["input_ids"]
    with torch.no_grad():
        hidden = model.backbone(input_ids=torch.tensor([prompt])).last_hidden_state[0, -1]
        head = model.get_output_embeddings()
        head.weight = torch.nn.Parameter(head.weight.clone())  # not tied any more: what is read stays
        head.weight[model.config.ecg_token_ids] += 20 * hidden / hidden.norm()
    model.generation_config.suppress_tokens = None
    return model, tokenizer, prompt


@pytest.mark.parametrize("beams", [1, 3])
def test_what_is_written_is_text_whatever_the_model_would_like(eager_for_ecgs, beams: int) -> None:
    model, tokenizer, prompt = eager_for_ecgs
    ids = torch.tensor([prompt])
    unheld = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False)
    ecg = set(model.config.ecg_token_ids)
    assert ecg & set(unheld[0, len(prompt) :].tolist())

    (texts,) = likeliest_texts(model, tokenizer, [prompt], max_new_tokens=6, beams=beams)

    assert texts
    assert not ecg & {token for _, written, _ in texts for token in written}
    assert all(written for _, written, _ in texts)


def test_what_is_written_piece_by_piece_is_that_text(eager_for_ecgs) -> None:
    model, tokenizer, prompt = eager_for_ecgs
    ((text, _, _),) = likeliest_texts(model, tokenizer, [prompt], max_new_tokens=6, beams=1)[0]
    assert "".join(greedy_pieces(model, tokenizer, prompt, 6)).strip() == text


@pytest.mark.parametrize("beams", [1, 4])
def test_the_probability_of_a_text_is_the_product_of_its_tokens(tiny, beams: int) -> None:
    """Not their mean: a text is no likelier for being longer."""
    model, tokenizer = tiny
    prompts = [tokenizer(text)["input_ids"] for text in ("Write the report.", "What rhythm does this ECG show?")]
    found = likeliest_texts(model, tokenizer, prompts, max_new_tokens=5, beams=beams)
    for prompt, texts in zip(prompts, found, strict=True):
        assert texts
        for _, written, score in texts:
            assert len(written) > 1
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[*prompt, *written]])).logits[0].double().log_softmax(-1)
            steps = [logits[len(prompt) - 1 + at, token].item() for at, token in enumerate(written)]
            assert score == pytest.approx(sum(steps), abs=1e-3)
        assert all(first[2] >= second[2] for first, second in pairwise(texts))
