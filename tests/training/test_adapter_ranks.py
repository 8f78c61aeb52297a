"""An adapter of lower rank: the nearest one, at the same scale, in files that peft and our own loader read alike."""

import json
import subprocess
import sys

import peft
import pytest
import torch
from safetensors.torch import load_file

from hf_heartllm.models.adapter_checkpoint import ADAPTER_CONFIG, ADAPTER_WEIGHTS, merge_adapter
from hf_heartllm.training.adapter_ranks import lower_ranks
from tests.models.test_adapter_checkpoint import adapted, logits, tiny_model_and_tokenizer

FIRST = r".*\.layers\.0\..*"
"""The first layer, as a recipe would name it."""


def ranks_of(folder):
    tensors = load_file(folder / ADAPTER_WEIGHTS)
    return {name: len(value) for name, value in tensors.items() if name.endswith("lora_A.weight")}


def test_products_of_a_low_rank_lose_nothing(tmp_path):
    model, tokenizer = adapted(r=6, lora_alpha=9, rank_pattern={FIRST: 8}, alpha_pattern={FIRST: 4})
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "layers.0" in name and "lora_A" in name:
                parameter[2:] = parameter[:1]  # two different rows: a product of rank 2
    model.save_pretrained(tmp_path)
    assert lower_ranks(tmp_path, {FIRST: 2}) == pytest.approx(0, abs=1e-6)
    assert {rank for name, rank in ranks_of(tmp_path).items() if "layers.0" in name} == {2}
    assert {rank for name, rank in ranks_of(tmp_path).items() if "layers.0" not in name} == {6}
    merged, _ = tiny_model_and_tokenizer()
    merge_adapter(merged, tmp_path)
    torch.testing.assert_close(logits(merged, tokenizer), logits(model, tokenizer), atol=1e-4, rtol=1e-4)
    by_peft = peft.PeftModel.from_pretrained(tiny_model_and_tokenizer()[0], tmp_path)
    torch.testing.assert_close(logits(by_peft, tokenizer), logits(model, tokenizer), atol=1e-4, rtol=1e-4)


def test_what_is_gone_is_told(tmp_path):
    model, _ = adapted(r=4)
    model.save_pretrained(tmp_path)
    before = load_file(tmp_path / ADAPTER_WEIGHTS)
    told = lower_ranks(tmp_path, {FIRST: 1})
    after = load_file(tmp_path / ADAPTER_WEIGHTS)
    whole = lost = 0.0
    for name in [name for name in before if "layers.0" in name and "lora_A" in name]:
        other = name.replace("lora_A", "lora_B")
        old, new = before[other] @ before[name], after[other] @ after[name]
        whole, lost = whole + old.square().sum().item(), lost + (old - new).square().sum().item()
    assert 0.05 < told < 1
    assert told == pytest.approx(lost / whole, rel=1e-4)


def test_what_cannot_be_lowered_is_said_and_nothing_is_changed(tmp_path):
    adapted(r=3)[0].save_pretrained(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for ranks, told in (
        ({FIRST: 4}, "has rank 3"),
        ({FIRST: 0}, "rank 0"),
        ({FIRST: 2, r".*\.layers\.77\..*": 2}, r"layers\.77\..* names none"),
    ):
        with pytest.raises(ValueError, match=r"\w") as error:
            lower_ranks(tmp_path, ranks)
        assert told in str(error.value)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    config = json.loads((tmp_path / ADAPTER_CONFIG).read_text())
    (tmp_path / ADAPTER_CONFIG).write_text(json.dumps({**config, "use_rslora": True}))
    with pytest.raises(ValueError, match="no LoRA adapter whose scale"):
        lower_ranks(tmp_path, {FIRST: 1})


def test_the_program_writes_a_folder_or_says_why_not(tmp_path):
    adapted(r=3)[0].save_pretrained(tmp_path / "model")
    program = [sys.executable, "-m", "hf_heartllm.scripts.shrink_adapter", "--model", str(tmp_path / "model")]

    def run(*args):
        return subprocess.run([*program, *args], capture_output=True, text=True)

    wrong = run("--output", str(tmp_path / "small"), "--ranks", f"{FIRST}=x")
    assert wrong.returncode == 2
    assert "PATTERN=RANK" in wrong.stderr
    wrong = run("--output", str(tmp_path / "small"), "--ranks", "(=4")
    assert wrong.stderr.startswith("error: --ranks (=4: ( is no regular expression")
    wrong = run("--output", str(tmp_path / "small"), "--ranks", "nothing=1")
    assert wrong.stderr.startswith(f"error: {tmp_path / 'model'}: ")
    assert not (tmp_path / "small").exists()
    done = run("--output", str(tmp_path / "small"), "--ranks", f"{FIRST}=2")
    assert done.returncode == 0, done.stderr
    assert set(ranks_of(tmp_path / "small").values()) == {2, 3}
    assert "is there already" in run("--output", str(tmp_path / "small"), "--ranks", f"{FIRST}=1").stderr


def test_trained_further_and_saved_again_the_ranks_are_told_as_they_are(tmp_path):
    model, tokenizer = adapted(r=2, lora_alpha=4, rank_pattern={r".*\.layers\.(0|7)\..*": 6})
    model.save_pretrained(tmp_path)
    lower_ranks(tmp_path, {r".*\.layers\.0\..*": 3})  # sorted, the other pattern stands first
    again = peft.PeftModel.from_pretrained(tiny_model_and_tokenizer()[0], tmp_path, is_trainable=True)
    again.save_pretrained(tmp_path / "again")
    merged, _ = tiny_model_and_tokenizer()
    merge_adapter(merged, tmp_path / "again")
    torch.testing.assert_close(logits(merged, tokenizer), logits(again, tokenizer), atol=1e-4, rtol=1e-4)
    assert set(ranks_of(tmp_path / "again").values()) == {2, 3}
    with pytest.raises(ValueError, match="and others"):
        lower_ranks(tmp_path, {r".*\.layers\.0\..*\.q_proj": 1})


def test_an_adapter_whose_ranks_are_not_those_it_states_is_refused(tmp_path):
    adapted(r=3)[0].save_pretrained(tmp_path)
    file = tmp_path / ADAPTER_CONFIG
    file.write_text(json.dumps({**json.loads(file.read_text()), "rank_pattern": {FIRST: 8}}))
    with pytest.raises(ValueError, match=r"has rank 3, and adapter_config\.json says 8"):
        merge_adapter(tiny_model_and_tokenizer()[0], tmp_path)
