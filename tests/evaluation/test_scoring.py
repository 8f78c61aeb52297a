from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen3Config,
)

import hf_heartllm as hl
from hf_heartllm.inference import Prompt
from hf_heartllm.models import sequence_likelihoods
from hf_heartllm.models.answer_scores import score_answers, score_groups
from hf_heartllm.models.ecg_prompts import PromptIds
from tests.tiny import tiny_model_and_tokenizer

SIZES = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.3,
}
CONFIGS = {
    "llama": LlamaConfig(**SIZES),
    "qwen3": Qwen3Config(**SIZES),
    "mistral": MistralConfig(**SIZES),
    "mistral, short window": MistralConfig(**SIZES, sliding_window=16),
    "gemma3": Gemma3TextConfig(**SIZES),
    "gpt2": GPT2Config(vocab_size=128, n_embd=32, n_layer=2, n_head=4, n_positions=256, initializer_range=0.3),
}
SHARED = [3 + index % 100 for index in range(60)]
PROMPTS = [[*SHARED, 5, 7, 8, 9], [*SHARED, 5, 7, 2, 11, 12, 30], [*SHARED, 44], list(SHARED)]
ANSWERS = [("yes", "no"), ("a", "bcd", "efgh"), ("yes", "yes, never"), ("none", "both")]


class Letters:
    """A tokenizer with a token a letter."""

    eos_token_id = 1

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [2 + ord(letter) % 90 for letter in text]


def by_hand(model, prompt, answer) -> float:
    target = [*Letters().encode(answer), Letters.eos_token_id]
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *target]])).logits[0].double().log_softmax(-1)
    return sum(float(logits[len(prompt) - 1 + step, token]) for step, token in enumerate(target))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", CONFIGS)
def test_both_ways_give_the_likelihood_computed_by_hand(name, attention):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[name], attn_implementation=attention).eval()
    [fast] = score_groups(model, Letters(), [(PROMPTS, ANSWERS)])
    for prompt, answers, quick in zip(PROMPTS, ANSWERS, fast, strict=True):
        expected = np.array([by_hand(model, prompt, answer) for answer in answers])
        slow = score_answers(model, Letters(), prompt, answers)
        np.testing.assert_allclose(slow.log_likelihoods, expected, atol=1e-4)
        np.testing.assert_allclose(quick.log_likelihoods, expected, atol=1e-4)
        assert quick.probabilities.sum() == pytest.approx(1)
        assert quick.best == answers[int(expected.argmax())] == quick.ranked()[0][0]
        assert quick.probability(answers[1]) == pytest.approx(np.exp(expected[1]) / np.exp(expected).sum(), abs=1e-4)


def test_many_questions_are_scored_in_several_passes_as_in_one(monkeypatch):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS["llama"]).eval()
    prompts, answers = PROMPTS * 5, ANSWERS * 5
    [whole] = score_groups(model, Letters(), [(prompts, answers)])
    monkeypatch.setattr(sequence_likelihoods, "PASS_TOKENS", 70)
    [parts] = score_groups(model, Letters(), [(prompts, answers)])
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.log_likelihoods, other.log_likelihoods, atol=1e-4)


@pytest.fixture(scope="module")
def tiny():
    return tiny_model_and_tokenizer()


def test_questions_about_one_ecg_are_scored_as_one_by_one(tiny):
    model, tokenizer = tiny
    answerer, ids = tokenizer.answerer(model), PromptIds(tokenizer)
    record = hl.read_ecg("example:af")
    ecg, reading = tokenizer.encode_ecg(record), answerer.read(record)
    questions = {
        "Does this ECG show atrial fibrillation?": ("yes", "no"),
        "What rhythm does this ECG show?": ("sinus rhythm", "atrial fibrillation", "none"),
    }
    firsts = []
    for shown, tokens in ((reading, ecg), (None, None)):
        together = answerer.score([Prompt(shown, question) for question in questions], list(questions.values()))
        firsts.append(together[0].log_likelihoods)
        for (question, answers), quick in zip(questions.items(), together, strict=True):
            slow = score_answers(model, tokenizer, ids(tokens, question), answers)
            np.testing.assert_allclose(quick.log_likelihoods, slow.log_likelihoods, atol=1e-4)
    assert abs(firsts[0] - firsts[1]).max() > 1e-3  # the ECG is in the prompt


def test_a_set_that_makes_no_sense_is_refused(tiny):
    model, tokenizer = tiny
    for answers, message in (([], "empty"), (["yes", "yes"], "twice"), (["yes", ""], "an answer is empty")):
        with pytest.raises(ValueError, match=message):
            score_answers(model, tokenizer, [5, 6], answers)
        with pytest.raises(ValueError, match=message):
            score_groups(model, tokenizer, [([[5, 6]], [answers])])
    with pytest.raises(ValueError, match="prompt is empty"):
        score_answers(model, tokenizer, [], ["yes"])
