"""A model trained on text alone becomes a plain language model, and a checkpoint of the package."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import hf_heartllm as hl
from hf_heartllm import checkpoints
from hf_heartllm.cli.export import export_checkpoint
from hf_heartllm.hub.cards import checkpoint_facts
from hf_heartllm.hub.model_cards import Measured, render_card
from hf_heartllm.models.ecg_prompts import PromptIds
from hf_heartllm.training.packing import QuestionPrompts
from hf_heartllm.training.text_model import check_saw_no_ecg, save_text_model
from tests.tiny import tiny_model_and_tokenizer

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any]:
    model, tokenizer = tiny_model_and_tokenizer()
    tokenizer.ecg_chat = "one question"
    return model, tokenizer


@pytest.fixture(scope="module")
def plain(trained: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text") / "a model"
    tokens = save_text_model(tiny_model_and_tokenizer()[0], trained[1], folder, torch.float32)
    assert tokens == trained[0].config.ecg_start_token_id
    return folder


def asked(tokenizer: Any, *said: tuple[str, str]) -> list[int]:
    chat = [{"role": role, "content": text} for role, text in said]
    return list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"])


def test_questions_are_shown_as_in_training_and_answered_the_same(trained: tuple[Any, Any], plain: Path) -> None:
    model, tokenizer = trained
    text = AutoTokenizer.from_pretrained(plain)
    prompts = QuestionPrompts(tokenizer)
    ids = [*prompts.prefix(None), *prompts.turn(QUESTION, "no").ids]
    shown = asked(text, ("user", QUESTION))
    assert ids[: len(shown)] == shown == PromptIds(tokenizer)(None, QUESTION)
    earlier = (("system", "Be short."), ("user", "Is this ECG normal?"), ("assistant", "no"))
    assert asked(text, *earlier, ("user", QUESTION)) == shown
    assert asked(text, ("user", f" {QUESTION}")) == shown
    assert asked(text, ("user", QUESTION), ("system", "Be short.")) == shown
    loaded = AutoModelForCausalLM.from_pretrained(plain).eval()
    assert loaded.config.vocab_size == len(text) == model.config.ecg_start_token_id
    with torch.no_grad():
        expected, found = (one(input_ids=torch.tensor([shown])).logits for one in (model, loaded))
    assert torch.equal(found, expected[..., : len(text)])
    assert tokenizer.ecg_chat == "one question"  # what was written from is as it was


def test_no_ecg_token_is_left_and_ecg_tokens_can_be_added(trained: tuple[Any, Any], plain: Path) -> None:
    text = AutoTokenizer.from_pretrained(plain)
    assert not [word for word in text.get_vocab() if "ecg" in word and word.startswith("<")]
    assert {path.suffix for path in plain.iterdir()} == {".json", ".jinja", ".safetensors"}
    assert not (plain / "decision.json").exists()  # it asks about an ECG
    assert "suppress_tokens" not in json.loads((plain / "generation_config.json").read_text())
    again = hl.ECGTokenizer.from_base(text, trained[1].codec, ecg_chat="one question")
    assert again.ecg_token_offset == trained[1].ecg_token_offset
    for ecg in (None, [again.ecg_token_offset]):
        assert PromptIds(again)(ecg, QUESTION) == PromptIds(trained[1])(ecg, QUESTION)
    hl.HeartLLMForCausalLM.from_base(plain, again)


def test_soft_tokens_stand_where_words_stood_in_training(trained: tuple[Any, Any], plain: Path) -> None:
    text = AutoTokenizer.from_pretrained(plain)
    processor = hl.ECGLMProcessor.from_base(text, num_ecg_tokens=4)
    before, after = processor.prompt_ids().around(QUESTION)
    prompts = QuestionPrompts(trained[1])
    words = text.encode(" sinus rhythm.", add_special_tokens=False)
    assert [*before, *words] == prompts.described_prefix("sinus rhythm")
    assert list(after) == prompts.turn(QUESTION, "no").ids[: len(after)]


def test_a_model_that_was_shown_ecgs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert not check_saw_no_ecg(tmp_path / "model")
    for ecg, refused in (("none", False), ("real", True)):
        (tmp_path / "recipe.yaml").write_text(f"data: {{ecg: {ecg}}}\n")
        if refused:
            with pytest.raises(ValueError, match="trained on ECGs"):
                check_saw_no_ecg(tmp_path / "model")
        else:
            assert check_saw_no_ecg(tmp_path / "model")


def embedded(plain: Path, package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plain model as `training/embed_checkpoint.py` puts it into a package that has heartllm-tiny's licence."""
    spec = importlib.util.spec_from_file_location("embed_checkpoint", ROOT / "training" / "embed_checkpoint.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for folder in ("models", "checkpoints/heartllm-tiny"):
        (package / folder).mkdir(parents=True)
    (package / "models" / "prompts.py").write_text("")
    licence = ROOT / "hf_heartllm" / "checkpoints" / "heartllm-tiny" / "LICENSE"
    shutil.copy(licence, package / "checkpoints" / "heartllm-tiny" / "LICENSE")
    monkeypatch.setattr(script, "PACKAGE", package)
    found: Path = script.embed(plain, "text-tiny")
    return found


def test_it_becomes_a_checkpoint_of_the_package(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = embedded(plain, tmp_path / "package", monkeypatch)
    assert not list(folder.glob("*.py"))
    licence = (folder / "LICENSE").read_text(encoding="utf-8")
    assert licence.startswith("The weights of text-tiny (model.safetensors) and its vocabulary")
    assert "The Python files beside" not in licence
    for words in ("Attribution 4.0", "PTB-XL", "ECG-QA"):
        assert words in licence
    template = ROOT / "model_cards" / "text-tiny.md"
    facts = checkpoint_facts(folder)
    told = {**json.loads(template.with_suffix(".json").read_text("utf-8")), **facts}
    card = str(render_card(template, Measured("text-tiny"), told, ROOT))
    assert f"Llama architecture, {facts['parameters']} parameters" in card
    assert "## Results" not in card  # nothing was measured
    monkeypatch.setattr(checkpoints, "__file__", str(folder.parent / "__init__.py"))
    assert hl.checkpoint("text-tiny") == str(folder)
    export_checkpoint(folder, tmp_path / "exported")
    assert {path.name for path in (tmp_path / "exported").iterdir()} == {path.name for path in folder.iterdir()}
    AutoModelForCausalLM.from_pretrained(tmp_path / "exported")
