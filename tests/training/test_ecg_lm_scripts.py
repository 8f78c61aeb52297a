"""ECG-LM's training scripts as a user runs them: an encoder, a projection before a language model, questions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hf_heartllm.cli import main as heartllm
from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
from tests.tiny import tiny_ecg_lm
from tests.training.test_scripts import RECIPES, run, settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> tuple[Path, Path, Path]:
    """Simulated recordings, their rows, a language model."""
    folder = tmp_path_factory.mktemp("ecg-lm")
    run("-m", "dataset_builders.simulated", "--records", "27", "--output", folder / "data")
    rows = ("--ptbxl", folder / "data", "--output", folder / "rows.parquet")
    run("-m", "dataset_builders.training_rows", *rows)
    model, processor = tiny_ecg_lm()
    model.language_model.save_pretrained(folder / "base")
    processor.tokenizer.save_pretrained(folder / "base")
    return folder / "data", folder / "rows.parquet", folder / "base"


def test_from_recordings_to_answers(material, tmp_path, capsys):
    data, rows, base = material
    few = settings(max_steps=2, save_steps=1, logging_steps=1, per_device_train_batch_size=4)
    encoder = ("training/train_encoder.py", "--recipe", RECIPES / "encoder.yaml", "--records", data)
    told = run(
        *encoder, "--output", tmp_path / "encoder", *few, "--set", "data.soft_label_share=0", "data.at_least=2",
        "encoder.hidden_sizes=[8,16]", "encoder.depths=[1,1]",
    )  # fmt: skip
    assert "statements" in told
    untrained = ("--base", base, "--projector", "time", "--ecg-tokens", "4", "--output", tmp_path / "untrained")
    run("training/make_ecg_lm.py", "--encoder", tmp_path / "encoder" / "model", *untrained)
    fresh = ("--base", base, "--new-encoder", "--output", tmp_path / "fresh")
    run("training/make_ecg_lm.py", "--encoder", tmp_path / "encoder" / "model", *fresh)
    made = [ECGLMForCausalLM.from_pretrained(tmp_path / name) for name in ("untrained", "fresh")]
    assert made[0].config.encoder_config.to_dict() == made[1].config.encoder_config.to_dict()
    assert not torch.equal(*(next(model.encoder.parameters()) for model in made))
    finetune = ("training/finetune_ecg_lm.py", "--recipe", RECIPES / "finetune_ecg_lm_tiny.yaml", "--records", data)
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"input": "Hello?", "output": "Yes?"}\n{"input": "Hello?", "output": "Take 5 mg."}\n')
    small = ("--set", "data.statements.at_least=2", "data.statements.soft_label_share=0", "data.max_length=1024")
    tune = (*finetune, "--model", tmp_path / "untrained", "--rows", rows, *few, *small)
    run(*tune, "data.dialogues.share=0.5", "--output", tmp_path / "tuned")
    run(*tune, "frozen_encoder=true", "data.statements.terse=3", "--output", tmp_path / "projected")
    chat = ("data.chats.share=0.1", "--chats", chats, "--output", tmp_path / "with-lora")
    assert "error: data.chats.share: the language model is frozen" in run(*tune, *chat, expected=2, errors=True)
    told = run(*tune, "lora={r: 2, lora_alpha: 4, lora_dropout: 0.0}", *chat)
    assert f"left out: 1 of 2 rows of {chats} name drugs, doses or procedures in an answer" in told
    before, frozen, projected, with_lora = (
        ECGLMForCausalLM.from_pretrained(tmp_path / name, dtype=torch.float32).state_dict()
        for name in ("untrained", "tuned/model", "projected/model", "with-lora/model")
    )

    def changed(after: dict) -> set[str]:
        same = {name for name in before if torch.equal(before[name].bfloat16(), after[name].bfloat16())}
        return {name.split(".")[0] for name in before.keys() - same}

    assert changed(frozen) == {"encoder", "projector"}, "the language model is frozen"
    assert changed(projected) == {"projector"}
    assert with_lora.keys() == before.keys(), "the adapter is in the weights"
    assert {"encoder", "projector"} <= changed(with_lora)
    of_data = ("--ptbxl", data, "--sampling-rate", "100", "--output", tmp_path / "measured.csv")
    run("-m", "dataset_builders.measurements", *of_data)
    numbers = ("--measured-text", "--base", base, "--output", tmp_path / "with-numbers")
    run("training/make_ecg_lm.py", "--encoder", tmp_path / "encoder" / "model", *numbers)
    model = ("--model", tmp_path / "with-numbers", "--output", tmp_path / "numbers")
    tune = (*finetune, *model, "--rows", rows, *few, *small)
    assert "reads measured numbers: give --measurements" in run(*tune, expected=2, errors=True)
    assert "records without a row of --measurements" not in run(*tune, "--measurements", tmp_path / "measured.csv")
    for name in ("tuned", "numbers"):
        answered(str(tmp_path / name / "model"), capsys)


def answered(model: str, capsys) -> None:
    assert heartllm(["ask", "example:af", "Does this ECG show atrial fibrillation?", "--model", model]) == 0
    assert capsys.readouterr().out.split()[0] in ("yes", "no")
    assert heartllm(["info", "--model", model]) == 0
    assert "tokens_per_ecg" in capsys.readouterr().out
