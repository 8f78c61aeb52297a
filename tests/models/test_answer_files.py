"""What is known about a checkpoint's answers goes where its weights go, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.models.answer_files import ANSWER_FILES

KINDS = (CommitOperationAdd, CommitOperationDelete)
QUESTION = "Can AF be ruled out?"  # only questions.json knows that this is one, only calibration.json its point


@pytest.fixture(scope="module")
def shipped():
    return hl.HeartLLMForCausalLM.from_pretrained(hl.checkpoint()), hl.ECGTokenizer.from_pretrained()


@pytest.fixture(scope="module")
def answer():
    return hl.pipeline("ecg-question-answering")(hl.read_ecg("example:af"), QUESTION)


def test_saved_model_and_tokenizer_answer_as_the_shipped_ones(shipped, answer, tmp_path):
    for part in shipped:
        part.save_pretrained(tmp_path)
    for name in ANSWER_FILES:
        assert (tmp_path / name).read_bytes() == (Path(hl.checkpoint()) / name).read_bytes()
    assert hl.pipeline("ecg-question-answering", tmp_path)(hl.read_ecg("example:af"), QUESTION) == answer
    assert (answer.text, answer.negated, answer.calibrated) == ("no", True, True)


def test_an_exported_folder_answers_as_the_shipped_one(answer, tmp_path):
    assert cli.main(["export", "heartllm", str(tmp_path / "out")]) == 0
    for name in ANSWER_FILES:
        assert (tmp_path / "out" / name).is_file()
    assert hl.pipeline("ecg-question-answering", tmp_path / "out")(hl.read_ecg("example:af"), QUESTION) == answer


def test_a_push_uploads_them_and_deletes_those_of_other_weights(shipped, tmp_path, monkeypatch):
    pushed = []

    def commit(self, repo_id, operations, **_):
        pushed.append({kind: {one.path_in_repo for one in operations if isinstance(one, kind)} for kind in KINDS})

    there = ["README.md", "config.json", "EVALUATION.md", *ANSWER_FILES]
    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", lambda *a, **k: SimpleNamespace(repo_id="a/b"))
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda *a, **k: there)
    monkeypatch.setattr("huggingface_hub.HfApi.create_commit", commit)
    card = SimpleNamespace(save=lambda path: Path(path).touch())
    monkeypatch.setattr("transformers.utils.hub.create_and_tag_model_card", lambda *a, **k: card)
    monkeypatch.setattr("transformers.modeling_utils.create_and_tag_model_card", lambda *a, **k: card, raising=False)
    shipped[0].push_to_hub("a/b")
    shipped[0].save_pretrained(tmp_path, push_to_hub=True, repo_id="a/b")
    changed = hl.HeartLLMForCausalLM.from_pretrained(hl.checkpoint())
    with torch.no_grad():
        next(changed.parameters()).data[0, 0] += 1e-3
    changed.push_to_hub("a/b")
    assert [one[CommitOperationDelete] for one in pushed] == [set(), set(), {"EVALUATION.md", *ANSWER_FILES}]
    assert all({*ANSWER_FILES, "EVALUATION.md", "model.safetensors"} <= one[CommitOperationAdd] for one in pushed[:2])
    assert not {*ANSWER_FILES} & pushed[2][CommitOperationAdd]


def test_other_weights_do_not_take_them_along(tmp_path):
    model = hl.HeartLLMForCausalLM.from_pretrained(hl.checkpoint())
    state = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.no_grad():
        next(model.parameters()).data[0, 0] += 1e-3
    model.save_pretrained(tmp_path / "changed")
    assert not any((tmp_path / "changed" / name).exists() for name in ANSWER_FILES)
    model.save_pretrained(tmp_path / "back", state_dict=state)
    assert all((tmp_path / "back" / name).exists() for name in ANSWER_FILES)
    half = hl.HeartLLMForCausalLM.from_pretrained(hl.checkpoint()).to(torch.bfloat16)
    half.save_pretrained(tmp_path / "half")
    assert not any((tmp_path / "half" / name).exists() for name in ANSWER_FILES)


def test_a_checkpoint_without_them_gains_none(tmp_path, shipped):
    for part in shipped:
        part.save_pretrained(tmp_path / "one")
    for name in ANSWER_FILES:
        (tmp_path / "one" / name).unlink()
    model, info = hl.HeartLLMForCausalLM.from_pretrained(tmp_path / "one", output_loading_info=True)
    assert not info["missing_keys"]
    model.save_pretrained(tmp_path / "two")
    assert not any((tmp_path / "two" / name).exists() for name in ANSWER_FILES)
