"""The shipped ecg-lm-tiny: soft tokens before a language model that stayed as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import hf_heartllm as hl
from hf_heartllm import cli

NAME = "ecg-lm-tiny"


@pytest.fixture(scope="module")
def ask() -> Any:
    return hl.pipeline("ecg-question-answering", model=hl.checkpoint(NAME))


def p_yes(ask: Any, record: Any, question: str) -> float:
    answer = ask(record, question)
    return float(answer.probability if answer.text == "yes" else 1 - answer.probability)


def test_it_reads_ecgs(ask: Any) -> None:
    slow, _ = hl.simulate_ecg(heart_rate=42)
    fast, _ = hl.simulate_ecg(heart_rate=135)
    for statement, order in (("sinus tachycardia", 1), ("sinus bradycardia", -1)):
        found = [p_yes(ask, record, f"Does this ECG show {statement}?") for record in (slow, fast)]
        assert (found[1] - found[0]) * order > 0.2
    asked = "Does this ECG show atrial fibrillation?"
    assert p_yes(ask, hl.read_ecg("example:af"), asked) > p_yes(ask, hl.read_ecg("example:normal"), asked) + 0.3


@pytest.mark.parametrize("leads", [["I"], ["II", "V2"], ["I", "II", "III", "aVR", "aVL", "aVF"]])
def test_any_leads_and_lengths_are_read(ask: Any, leads: list[str]) -> None:
    for seconds in (2.5, 60.0):
        record, _ = hl.simulate_ecg(rhythm="atrial fibrillation", duration=seconds, sampling_rate=250)
        assert ask(record.select(leads), "Is this ECG normal?").text in ("yes", "no")


def test_the_language_model_is_text_tiny_byte_for_byte() -> None:
    whole = load_file(Path(hl.checkpoint(NAME), "model.safetensors"))
    text = load_file(Path(hl.checkpoint("text-tiny"), "model.safetensors"))
    inside = {name.removeprefix("language_model."): one for name, one in whole.items() if "language_model" in name}
    assert inside.keys() == text.keys()
    assert all(torch.equal(inside[name], one) and inside[name].dtype == one.dtype for name, one in text.items())


def test_the_commands_take_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "example:af", "Does this ECG show atrial fibrillation?", "--model", NAME, "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[0] in ("yes", "no")
    assert cli.main(["report", "example:lbbb", "--model", NAME, "--quiet"]) == 0
    assert capsys.readouterr().out.strip()
    assert cli.main(["info", "--model", NAME]) == 0
    assert "tokens_per_ecg" in capsys.readouterr().out
    assert cli.main(["ask", "example:af", "What is the capital of France?", "--model", NAME, "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("no answer")


def test_it_has_no_ecg_tokens_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tokenize", "example:af", "--model", NAME]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "without tokens" in line
