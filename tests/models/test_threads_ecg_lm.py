"""Several threads that use one processor, answerer or pipeline of ECG-LM at once get what one thread gets."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hf_heartllm as hl
from hf_heartllm.inference import Prompt
from hf_heartllm.models import pipeline_ecg, sequence_likelihoods
from hf_heartllm.models.ecg_lm_answerer import SoftTokenAnswerer
from hf_heartllm.models.ecg_record import ECGRecord
from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
from hf_heartllm.models.pipeline_ecg import pipeline
from tests.families import ANSWERS, Ids, base_of
from tests.threads import at_once
from tests.tiny import tiny_ecg_lm

THREADS = 4
QUESTION = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def soft() -> tuple[Any, Any]:
    return tiny_ecg_lm(num_ecg_tokens=3)


def record(seed: int) -> ECGRecord:
    return hl.simulate_ecg(seed=seed, sampling_rate=100)[0]


def chat(*ecgs: Any) -> list[dict[str, Any]]:
    parts = [{"type": "ecg", "ecg": ecg} for ecg in ecgs]
    return [
        {"role": "user", "content": [*parts, {"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": "Yes, no, or none."},
    ]


def read(processor: Any, thread: int) -> list[Any]:
    """Calls of every kind, in an order of the thread's own."""
    one, two = record(thread), [record(thread), record(thread + 1)]
    text = QUESTION * (1 + thread)
    calls = [
        partial(processor.apply_chat_template, chat(*two)),
        partial(processor.apply_chat_template, chat(one), add_generation_prompt=True),
        partial(processor.apply_chat_template, chat(one), return_assistant_tokens_mask=True),
        partial(processor.apply_chat_template, [chat(one), chat(*two)], padding=True),
        partial(processor, "<ecg> " * 2 + text, ecgs=two),
        partial(processor, ["<ecg> " + text, text], ecgs=[one, None], padding=True),
        partial(processor, [text, QUESTION], padding=True, ecgs=False),
        partial(processor, text),
        partial(processor.ecg_ids, one),
    ]
    return [plain(call()) for call in calls[thread:] + calls[:thread]]


def plain(value: Any) -> Any:
    if hasattr(value, "keys"):
        return {name: plain(value[name]) for name in value}
    return value.tobytes() if isinstance(value, np.ndarray) else value


def test_a_fresh_processor_gives_every_thread_what_one_thread_gets(soft) -> None:
    alone, fresh = copy.deepcopy(soft[1]), copy.deepcopy(soft[1])
    expected = [read(alone, thread) for thread in range(THREADS)]
    assert at_once([partial(read, fresh, thread) for thread in range(THREADS)]) == expected


def test_what_was_measured_is_told_to_every_thread_as_to_one(soft) -> None:
    pytest.importorskip("openecg")
    processor = copy.deepcopy(soft[1])
    processor.measured_text = True
    records = [record(seed) for seed in range(3)]
    expected = [processor.ecg_ids(one) for one in records]
    assert len(expected[0]) > processor.num_ecg_tokens
    assert at_once([partial(processor.ecg_ids, one) for one in records]) == expected


def numbers_of(answerer: Any, thread: int) -> tuple[list[str], list[float]]:
    """What an answerer scores and writes."""
    reading = answerer.read(record(thread))
    prompts = [Prompt(reading, QUESTION), Prompt(reading, "Which?" * (1 + thread)), Prompt(None, QUESTION)]
    scores = answerer.score(prompts, [("yes", "no"), ("sinus rhythm", "none", "both"), ("yes", "no")])
    texts = [one for of in answerer.generate(prompts[:2], 4, beams=2) for one in of]
    said = "".join(answerer.converse(reading.readable[0], [("Write the report.", "yes")], QUESTION, 4)[0])
    numbers = [float(value) for one in scores for value in one.log_likelihoods]
    return [*(one.text for one in texts), said], numbers


@pytest.mark.slow
def test_an_answerer_scores_and_writes_for_every_thread_as_for_one(soft) -> None:
    model, processor = soft
    expected = [numbers_of(SoftTokenAnswerer(model, copy.deepcopy(processor)), thread) for thread in range(THREADS)]
    answerer = SoftTokenAnswerer(model, copy.deepcopy(processor))
    for (texts, numbers), (words, values) in zip(
        at_once([partial(numbers_of, answerer, thread) for thread in range(THREADS)]), expected, strict=True
    ):
        assert texts == words
        assert numbers == pytest.approx(values, rel=1e-4)


@pytest.mark.slow
def test_pipelines_answer_every_thread_as_they_answer_one(soft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_ecg, "MAX_ANSWER_TOKENS", 4)
    monkeypatch.setattr(pipeline_ecg, "MAX_REPORT_TOKENS", 8)
    model, processor = soft

    def made() -> tuple[Any, Any]:
        fresh = copy.deepcopy(processor)
        return (
            pipeline("ecg-question-answering", model, fresh),
            pipeline("ecg-report", model, fresh),
        )

    def work(pipes: tuple[Any, Any], thread: int) -> tuple[list[str], list[float]]:
        closed, free = pipes[0](record(thread), QUESTION), pipes[0](record(thread), "What rhythm does this ECG show?")
        ranked = [*closed.alternatives, *free.alternatives]
        return [*(text for text, _ in ranked), pipes[1](record(thread)).text], [share for _, share in ranked]

    expected = [work(made(), thread) for thread in range(THREADS)]
    shared = made()
    for (texts, shares), (words, values) in zip(
        at_once([partial(work, shared, thread) for thread in range(THREADS)]), expected, strict=True
    ):
        assert texts == words
        assert shares == pytest.approx(values, rel=1e-4)


def test_models_loaded_at_once_are_whole(soft, tmp_path: Path) -> None:
    soft[0].save_pretrained(tmp_path)
    expected = soft[0].state_dict()
    for model in at_once([partial(ECGLMForCausalLM.from_pretrained, tmp_path)] * 4):
        assert not any(weight.requires_grad for weight in model.language_model.parameters())
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_an_unknown_family_is_tried_by_several_threads_at_once() -> None:
    prompts = [[5, 6, 7, 8], [5, 6, 30]]

    def scores(model: Any) -> list[float]:
        [found] = sequence_likelihoods_of(model, prompts)
        return [float(value) for one in found for value in one.log_likelihoods]

    expected = scores(base_of("mpt"))
    fresh = base_of("mpt")
    for got in at_once([partial(scores, fresh)] * THREADS):
        assert got == pytest.approx(expected, rel=1e-5)
    assert len(sequence_likelihoods._RIGHT[fresh]) == 2  # trees and caches


def sequence_likelihoods_of(model: Any, prompts: list[list[int]]) -> Any:
    from hf_heartllm.models.answer_scores import score_groups

    return score_groups(model, Ids(), [(prompts, [ANSWERS] * len(prompts))])
