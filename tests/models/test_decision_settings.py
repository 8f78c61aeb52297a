"""transformers' decision pipeline on the plain export: our answers, or one line that says why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, pipeline
from transformers.decision import DecisionConfig

import hf_heartllm as hl
from hf_heartllm.models.ecg_chat import AS_WRITTEN, ECGS_FIRST
from tests.tiny import tiny_model_and_tokenizer

QUESTION = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def ours() -> Any:
    return hl.pipeline("ecg-question-answering")


@pytest.fixture(scope="module")
def folder(ours: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    saved: Path = ours.model.save_language_model(tmp_path_factory.mktemp("export") / "plain", ours.tokenizer)
    return saved


@pytest.fixture(scope="module")
def decide(folder: Path) -> Any:
    return pipeline("decision", model=str(folder))


@pytest.fixture(scope="module")
def states(ours: Any) -> dict[str, str]:
    """Recordings in their text form."""
    return {name: in_text(ours.tokenizer, hl.read_ecg(name)) for name in ("example:af", "example:lbbb")}


def in_text(tokenizer: Any, record: Any) -> str:
    ids = [tokenizer.ecg_start_token_id, *tokenizer.encode_ecg(record), tokenizer.ecg_end_token_id]
    return str(tokenizer.ecg_ids_to_text(ids))


def request(state: Any, **question: Any) -> dict[str, Any]:
    return {"state": state, "questions": {"one": {"type": "noul", "instructions": QUESTION, **question}}}


def test_it_answers_as_the_model_does_in_process(ours: Any, decide: Any, states: dict[str, str]) -> None:
    for name, state in states.items():
        for question in (QUESTION, "Does this ECG show left bundle branch block?"):
            answer = ours(hl.read_ecg(name), question)
            scored = dict(answer.uncalibrated)["yes"]
            found = decide(request(f"{state}\n", instructions=answer.asked))["one"]["noul"]
            assert found == pytest.approx(scored, abs=1e-4), (name, question)


@pytest.mark.parametrize("own", [DecisionConfig(), None], ids=["without our settings", "ours, but cleaned"])
def test_an_ecg_that_was_spelt_is_refused(own: Any, folder: Path, states: dict[str, str], decide: Any) -> None:
    if own is None:
        own = DecisionConfig.from_pretrained(folder)
        own.sanitize_control_tokens = True
    spelling = pipeline("decision", model=decide.model, tokenizer=decide.tokenizer, decision_config=own)
    with pytest.raises(TemplateError, match="read as letters, not as ECG tokens"):
        spelling(request(states["example:af"]))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request("no ECG at all"), "the state holds no ECG"),
        (request({"ecg": "<|start_ecg|><ecg_0001><|end_ecg|>"}), "the state holds no ECG"),
        (request("<|start_ecg|><ecg_0001><|end_ecg|>", instructions=None), "the question is missing"),
        (request("<|start_ecg|><ecg_0001><|end_ecg|>", instructions=" "), "the question is missing"),
        (request("<|start_ecg|><ecg_0001><|end_ecg|>", criteria={"true": "irregular"}), "criteria .* are not read"),
        (request("<|start_ecg|><ecg_0001><|end_ecg|>", instructions="<ecg_0001>?"), "stands in state"),
        (request("<|start_ecg|><ecg_0001><|end_ecg|>", type="choice", criteria={"a": "A"}), "yes/no questions"),
        (request("<|start_ecg|><ecg_0001><|end_ecg|>", type="choice", criteria={"a": "A", "b": "B"}), "at most 1"),
        (request("<|start_ecg|><ecg_0001><|end_ecg|>", type="score", criteria=["low", "high"]), "at most 1"),
    ],
)
def test_what_it_cannot_answer_is_one_line(asked: dict[str, Any], why: str, decide: Any) -> None:
    with pytest.raises((TemplateError, ValueError), match=why) as refused:
        decide(asked)
    assert "\n" not in str(refused.value)


def test_our_own_tokenizer_refuses_in_one_line(ours: Any, states: dict[str, str]) -> None:
    decide = pipeline("decision", model=ours.model, tokenizer=ours.tokenizer)
    with pytest.raises(ValueError, match=r'pipeline\("ecg-question-answering"\), or the plain export') as refused:
        decide(request(states["example:af"]))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("ecg_chat", [AS_WRITTEN, ECGS_FIRST])
def test_the_prompt_is_the_one_of_a_conversation(ecg_chat: str, tmp_path: Path) -> None:
    model, tokenizer = tiny_model_and_tokenizer()
    tokenizer.ecg_chat = ecg_chat
    model.save_language_model(tmp_path, tokenizer)
    decide = pipeline("decision", model=AutoModelForCausalLM.from_pretrained(tmp_path), tokenizer=str(tmp_path))
    [(inputs, _)] = decide.preprocess(request("<|start_ecg|><ecg_01><ecg_00><|end_ecg|>"))["prompts"]
    words = {"type": "text", "text": QUESTION}
    message = {"role": "user", "content": [{"type": "ecg", "codes": [1, 0]}, words]}
    ours = tokenizer.apply_chat_template([message], add_generation_prompt=True)["input_ids"]
    assert inputs["input_ids"][0].tolist() == ours
