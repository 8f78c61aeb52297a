"""Texts written in batches are those written one by one."""

from __future__ import annotations

import hf_heartllm as hl
from hf_heartllm.evaluation.conditions import CONDITIONS, ConditionPrompts, condition_prompt
from hf_heartllm.evaluation.generation import generate_texts
from hf_heartllm.evaluation.scoring import question_prompt
from hf_heartllm.models.likeliest_texts import likeliest_texts
from tests.tiny import tiny_model_and_tokenizer

QUESTION = "Does this ECG show sinus rhythm?"


def test_batches_write_what_single_prompts_write():
    model, tokenizer = tiny_model_and_tokenizer()
    ecgs = [tokenizer.encode_ecg(hl.simulate_ecg(seed=seed)[0]) for seed in range(3)]
    prompts = [question_prompt(tokenizer, ids, words) for ids in (*ecgs, None) for words in (QUESTION, "What is it?")]
    alone = [likeliest_texts(model, tokenizer, [prompt], 12, 1)[0][0][0] for prompt in prompts]
    assert len(set(alone)) > 2
    for size in (1, 3, 8):
        found = dict(generate_texts(model, tokenizer, prompts, max_new_tokens=12, batch_size=size))
        assert [found[index] for index in range(len(prompts))] == alone


def test_prompts_show_what_their_condition_says():
    _, tokenizer = tiny_model_and_tokenizer()
    ecg = tokenizer.encode_ecg(hl.simulate_ecg(seed=0)[0])
    told = "Patient: 64 years, male."
    made = {name: condition_prompt(tokenizer, name, QUESTION, ecg, told) for name in CONDITIONS}
    assert made["real"] == made["control"] == question_prompt(tokenizer, ecg, QUESTION)
    quick = ConditionPrompts(tokenizer)
    assert {name: quick(name, QUESTION, ecg, told) for name in CONDITIONS} == made
    texts = {name: tokenizer.decode(ids) for name, ids in made.items()}
    shows_ecg = {name: tokenizer.ecg_start_token_id in ids for name, ids in made.items()}
    assert shows_ecg == {"real": True, "control": True, "blind": False, "deaf": True, "background": False}
    assert {name for name, text in texts.items() if QUESTION in text} == {"real", "control", "blind", "background"}
    assert {name for name, text in texts.items() if told in text} == {"background"}
