"""The shipped ecg-lm-smollm2-135m before its base, SmolLM2-135M-Instruct: `make base` fetches it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

import hf_heartllm as hl
from hf_heartllm import cli
from tests.pretrained_base import BASE, MARKS, p_yes, where_the_base_is  # noqa: F401

NAME = "ecg-lm-smollm2-135m"
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
    asked = "Does this ECG show atrial fibrillation?"
    assert p_yes(ask, hl.read_ecg("example:af"), asked) > p_yes(ask, hl.read_ecg("example:normal"), asked)


def test_one_lead_is_read(ask: Any) -> None:
    assert ask(hl.read_ecg("example:af").select(["II"]), "Is this ECG normal?").text in ("yes", "no")


def test_encoder_and_projection_alone_are_stored_and_the_base_is_as_it_was() -> None:
    folder = Path(hl.checkpoint(NAME))
    stored = load_file(folder / "model.safetensors")
    assert {name.split(".")[0] for name in stored} == {"encoder", "projector"}
    inside = AutoModelForCausalLM.from_pretrained(folder).language_model.state_dict()
    plain = AutoModelForCausalLM.from_pretrained(BASE, dtype=inside["lm_head.weight"].dtype).state_dict()
    assert inside.keys() == plain.keys()
    assert all(torch.equal(inside[name], one) for name, one in plain.items())


def test_another_base_of_the_same_shape_is_refused(tmp_path: Path) -> None:
    LlamaForCausalLM(LlamaConfig.from_pretrained(BASE)).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(BASE).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="any_base=True"):
        hl.ECGLMForCausalLM.from_pretrained(hl.checkpoint(NAME), base_model=tmp_path)


def test_the_commands_take_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "example:normal", "Is this ECG normal?", "--model", NAME, "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[0] in ("yes", "no")
    assert cli.main(["info", "--model", NAME]) == 0
    assert "tokens_per_ecg" in capsys.readouterr().out
