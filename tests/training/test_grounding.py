"""Grounding: the lower layers and ECG rows of a language model learn from probes, and nothing else of it changes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from hf_heartllm.training.grounding import (
    GroundedDataset,
    GroundedLayers,
    grounded_batch,
    grounding_metrics,
    standardised,
)
from hf_heartllm.training.lora import add_lora
from hf_heartllm.training.new_layers import put_layers_below
from tests.forked import run_forked as run
from tests.tiny import tiny_model_and_tokenizer

CODES = {"1": np.arange(32, dtype=np.uint16), "2": np.arange(20, dtype=np.uint16) + 20}


def grounded(layers: int = 1, train_rows: str = "ecg") -> tuple:
    model, tokenizer = tiny_model_and_tokenizer()
    adapted = add_lora(model, r=2, lora_alpha=4, lora_dropout=0.0, train_rows=train_rows)
    return GroundedLayers(adapted, layers, [4, 4, 4], np.array([0.5, 0.1]), 1), adapted, tokenizer


def batch(tokenizer, numbers=((0.5,), (np.nan,))):
    labels = {"1": np.array([1.0, 0.2], np.float32), "2": np.zeros(2, np.float32)}
    measured = {name: np.array(one, np.float32) for name, one in zip("12", numbers)}
    dataset = GroundedDataset(["1", "2"], CODES, labels, measured, tokenizer, [[5, 6, 7]])
    return grounded_batch([dataset[0], dataset[1]])


def test_losses_fall_and_only_what_is_trained_changes():
    layers, adapted, tokenizer = grounded()
    before = dict(grounded(layers=2)[1].named_parameters())  # another of the same seed
    one = batch(tokenizer)
    optimizer = torch.optim.AdamW([p for p in layers.parameters() if p.requires_grad], 0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = layers(**one)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    rows = layers.ecg_rows().detach().clone()
    layers.finish()
    after = dict(adapted.named_parameters())
    assert {name for name in after if name not in before} == {name for name in after if "model.norm." in name}
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed <= {name for name, one in before.items() if one.requires_grad}
    assert any("layers.0." in name for name in changed)
    assert not any("layers.1." in name for name in changed)
    ids = adapted.get_base_model().config.ecg_token_ids
    embedded = adapted.get_base_model().get_input_embeddings()(torch.tensor(ids))
    torch.testing.assert_close(embedded.detach(), rows)
    torch.testing.assert_close(layers.ecg_rows().detach(), rows)


def test_rows_may_begin_as_their_mean_and_are_told_apart_by_training():
    model, tokenizer = tiny_model_and_tokenizer()
    adapted = add_lora(model, r=2, lora_alpha=4, lora_dropout=0.0, train_rows="ecg")
    layers = GroundedLayers(adapted, 1, [4, 4, 4], np.array([0.5, 0.1]), 1, same_rows=True)
    of_codes = layers.ecg_rows()[layers.first_code - layers.first_id :]
    assert torch.equal(of_codes, of_codes[:1].expand_as(of_codes))
    layers(**batch(tokenizer))["loss"].backward()
    with torch.no_grad():
        layers.rows -= 0.1 * layers.rows.grad
    assert len(layers.ecg_rows()[layers.first_code - layers.first_id :].unique(dim=0)) > 1


def test_of_a_whole_model_only_lower_layers_and_ecg_rows_change():
    model, tokenizer = tiny_model_and_tokenizer()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    layers = GroundedLayers(model, 1, [4, 4, 4], np.array([0.5, 0.1]), 1, texts=[list(range(5, 30))])
    one = batch(tokenizer)
    optimizer = torch.optim.AdamW([p for p in layers.parameters() if p.requires_grad], 0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = layers(**one)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    rows = layers.ecg_rows().detach().clone()
    layers.finish()
    after = model.state_dict()
    embeddings = {name for name in after if "embed" in name or "lm_head" in name}
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed - embeddings == {name for name in after if "layers.0." in name}
    first = model.config.ecg_token_ids[0]
    for name in changed & embeddings:
        assert torch.equal(before[name][:first], after[name][:first])
        torch.testing.assert_close(after[name][first:], rows)
    assert all(one.requires_grad for one in model.parameters())


def test_new_layers_pass_on_what_they_are_given():
    model, tokenizer = tiny_model_and_tokenizer()
    ids = torch.tensor([[5, 6, *tokenizer.codes_to_ids([3, 1, 4]), 7]])
    with torch.no_grad():
        before = model(input_ids=ids).logits
        put_layers_below(model, 3)
        torch.testing.assert_close(model(input_ids=ids).logits, before)
        state = model(input_ids=ids[:, :-1], use_cache=True)
        assert len(state.past_key_values) == 5
        last = model(input_ids=ids[:, -1:], past_key_values=state.past_key_values).logits
    torch.testing.assert_close(last[:, -1], before[:, -1], atol=1e-5, rtol=1e-5)
    assert model.config.get_text_config().num_hidden_layers == 5
    from transformers import GPT2Config, GPT2LMHeadModel

    from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM

    gpt2 = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=32, vocab_size=len(tokenizer) - 66))
    with pytest.raises(ValueError, match="the layers of gpt2 are not like Llama's"):
        put_layers_below(HeartLLMForCausalLM.from_base(gpt2, tokenizer), 1)


def test_it_reads_what_the_model_reads():
    layers, adapted, tokenizer = grounded(layers=2)
    one = batch(tokenizer)
    with torch.no_grad():
        layers.levels.zero_()
        hidden = []
        layers.backbone.register_forward_hook(lambda *called: hidden.append(called[2][0]))
        layers(**one)
        adapted.get_base_model().backbone(input_ids=one["input_ids"], attention_mask=one["attention_mask"])
    inside = one["attention_mask"].bool()
    torch.testing.assert_close(hidden[0][inside], hidden[1][inside], atol=1e-5, rtol=1e-5)


def test_padding_and_unmeasured_numbers_change_nothing():
    layers, _, tokenizer = grounded()
    one = batch(tokenizer, numbers=((np.nan,), (np.nan,)))
    first = layers(**{name: value[:1] for name, value in one.items()})
    second = layers(
        **{
            name: value[1:, : one["attention_mask"][1].sum()]
            if value.ndim > 1 and name in ("input_ids", "attention_mask")
            else value[1:]
            for name, value in one.items()
        }
    )
    both = layers(**one)
    torch.testing.assert_close(both["logits"], torch.cat([first["logits"], second["logits"]]), atol=1e-5, rtol=1e-4)
    assert torch.isfinite(both["loss"])


def test_codes_that_share_a_level_share_a_part_of_their_rows():
    layers, _, _ = grounded()
    with torch.no_grad():
        layers.rows.zero_()
        layers.levels.normal_()
    rows = layers.ecg_rows()[2:].detach().reshape(4, 4, 4, -1)  # the last index is the least significant level
    torch.testing.assert_close(rows[0, 1, 2] - rows[3, 1, 2], rows[0, 0, 0] - rows[3, 0, 0])
    assert not layers.ecg_rows()[:2].any()  # start and end have none


def test_rows_that_were_told_apart_already_begin_as_they_are():
    _, adapted, _ = grounded()
    layers = GroundedLayers(adapted, 1, [4, 4, 4], np.array([0.5, 0.1]), 1, shared_levels=False)
    assert torch.equal(layers.ecg_rows(), layers.rows)
    layers.ecg_rows().sum().backward()
    assert layers.levels.grad.abs().sum() > 0, "what they share is still learned"


def test_what_cannot_be_grounded_is_said():
    with pytest.raises(ValueError, match="3 layers: the model has 2"):
        grounded(layers=3)
    with pytest.raises(ValueError, match=r"lora\.train_rows ecg"):
        grounded(train_rows="none")


def test_numbers_are_in_deviations_and_wild_ones_are_cut():
    found = standardised(
        {str(i): [60.0 + i, float("nan") if i == 1 else i] for i in range(20)} | {"wild": [9000.0, 2.0]}
    )
    assert found["wild"][0] == 4
    assert np.isnan(found["1"][1])
    assert found["0"][0] < found["9"][0] < found["19"][0] < 4


def test_metrics_are_areas_of_groups_and_the_numbers_correlation():
    labels, numbers = np.array([[1, 0], [0, 1], [1, 1.0]]), np.array([[1.0], [2.0], [3.0]])
    logits = np.array([[2.0, -1, 1], [-1, 1, 2], [1, 3, 3]])

    class Prediction:
        label_ids, predictions = (labels, numbers), logits

    found = grounding_metrics(["AFIB", "LVH"], {"rhythm": ["AFIB"], "all": ["AFIB", "LVH"]})(Prediction)
    assert found["auroc_rhythm"] == found["auroc_all"] == 1
    found = grounding_metrics(["AFIB", "LVH"], {"form": ["PVC"]})(Prediction)
    assert found == {"correlation_numbers": 1.0}  # nothing is told of a group that no statement is in


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Path:
    """A base, its codec, and a token set of twelve records."""
    folder = tmp_path_factory.mktemp("grounding")
    model, tokenizer = tiny_model_and_tokenizer()
    model.save_pretrained(folder / "codec")
    tokenizer.save_pretrained(folder / "codec")
    from transformers import LlamaConfig, LlamaForCausalLM

    from hf_heartllm.training.vocabulary import train_text_tokenizer
    from tests.tiny import WORDS

    text = train_text_tokenizer(WORDS, vocab_size=320)
    shape = LlamaConfig(
        vocab_size=len(text),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(shape).save_pretrained(folder / "base")
    text.save_pretrained(folder / "base")
    rng = np.random.default_rng(0)
    questions = [
        [
            {
                "question": f"Does this ECG show {name}?",
                "answer": answer,
                "question_type": "verify",
                "attribute_type": "rhythm",
                "attribute": name,
                "source": "labels",
            }
            for name, answer in (("AFIB", "yes" if i % 2 else "no"), ("SR", "no" if i % 2 else "yes"))
        ]
        for i in range(12)
    ]
    columns = {
        "record_id": [str(i) for i in range(12)],
        "split": ["train"] * 12,
        "codes": pa.array([rng.integers(0, 64, 32).tolist() for _ in range(12)], pa.list_(pa.uint16())),
        "codec": [tokenizer.codec.fingerprint()] * 12,
        "questions": questions,
        "report": ["sinus rhythm."] * 12,
    }
    (folder / "tokens").mkdir()
    pq.write_table(pa.table(columns), folder / "tokens" / "train.parquet")
    return folder


def test_a_whole_model_is_grounded_and_loads(ready, tmp_path):
    """The script on a model of our own, given a new layer; it loads with all of its layers."""
    from hf_heartllm.training.stages import load_checkpoint

    settings = ["training.max_steps=4", "training.save_steps=2", "training.per_device_train_batch_size=2"]
    settings += ["data.folds=1", "data.incomplete_share=0", "data.at_least=2", "new_layers=1", "layers=1"]
    script = ("training/ground.py", "--recipe", "ground_tiny", "--tokens", ready / "tokens")
    wrong = run(*script, "--base", ready / "base", "--output", tmp_path / "wrong", expected=2, errors=True)
    assert "error: with lora: null a checkpoint is trained: give --model" in wrong
    script += ("--model", ready / "codec", "--output", tmp_path / "grounded")
    no_questions = pq.read_table(ready / "tokens" / "train.parquet").drop_columns(["questions", "codes"])
    pq.write_table(no_questions, tmp_path / "rows.parquet")
    silent = run(*script, "--rows", tmp_path / "rows.parquet", "--set", *settings, expected=2, errors=True)
    assert "error: none of the rows of these folds has codes and questions" in silent
    run(*script, "--set", *settings)
    model, tokenizer = load_checkpoint(tmp_path / "grounded" / "model")
    untouched, _ = load_checkpoint(ready / "codec")
    assert model.config.get_text_config().num_hidden_layers == 3
    for mine, theirs in zip(model.backbone.layers[1:], untouched.backbone.layers, strict=True):
        for name, value in theirs.state_dict().items():
            assert torch.equal(mine.state_dict()[name], value), name
    ids = torch.tensor([tokenizer.codes_to_ids([3, 1, 4])])
    assert not torch.allclose(model(input_ids=ids).logits, untouched(input_ids=ids).logits, atol=1e-3)


@pytest.mark.slow
def test_a_base_is_grounded_tuned_and_answers_as_one_folder(ready, tmp_path, monkeypatch):
    """The two scripts on a tiny base: the adapter names its base, goes on in stage 3, and the Auto classes load it."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    import hf_heartllm as hl

    small = (
        "--set",
        "training.max_steps=4",
        "--set",
        "training.save_steps=2",
        "--set",
        "data.folds=1",
        "--set",
        "training.per_device_train_batch_size=2",
        "--set",
        "data.incomplete_share=0",
    )
    turns = tmp_path / "turns.jsonl"
    said = [{"question": "What rhythm?", "answer": "no", "finished": True}, {"text": "sinus rhythm, normal ecg"}]
    turns.write_text("".join(json.dumps(row) + "\n" for row in said))
    names = ("--set", "base={name: somebody/tiny, source: make it}", "--set", "lora.rank_pattern={'.*layers.0.*': 3}")
    run(
        "training/ground.py",
        "--recipe",
        "ground_smollm2",
        "--base",
        ready / "base",
        "--codec",
        ready / "codec",
        "--tokens",
        ready / "tokens",
        "--general-turns",
        turns,
        "--output",
        tmp_path / "grounded",
        *small,
        *names,
        "--set",
        "layers=1",
        "--set",
        "data.at_least=2",
    )
    tune = (
        "training/finetune.py",
        "--recipe",
        "finetune_smollm2",
        "--model",
        tmp_path / "grounded" / "model",
        "--tokens",
        ready / "tokens",
        "--output",
        tmp_path / "tuned",
        *small,
        "--set",
        "data.statements.at_least=2",
        "--set",
        "frozen_layers=1",
    )
    assert "error: text_weight needs --general-turns" in run(*tune, expected=2, errors=True)
    tune += ("--general-turns", turns)
    assert "error: the base somebody/tiny is not on this machine" in run(*tune, expected=2, errors=True)
    monkeypatch.setenv("HEARTLLM_BASE", str(ready / "base"))
    lower = ("--set", "layers=1", "--set", "frozen_layers=0", "--output", tmp_path / "lower")
    assert "leaves none of the `layers` 1 to train" in run(*tune, *lower[:2], expected=2, errors=True)
    run(*tune, *lower)
    kept, moved = (load_file(tmp_path / name / "model" / "adapter_model.safetensors") for name in ("grounded", "lower"))
    assert kept.keys() == moved.keys(), "the upper layers are back"
    changed = {name for name in kept if not torch.equal(kept[name].bfloat16(), moved[name].bfloat16())}
    assert any(".layers.0." in name for name in changed)
    assert not any(".layers.1." in name for name in changed)
    run(*tune)
    folder = tmp_path / "tuned" / "model"
    further = ("training/ground.py", "--recipe", "ground_smollm2_further", "--model", folder, *small)
    further += ("--tokens", ready / "tokens", "--set", "data.at_least=2", "--set", "layers=1")
    further += ("--output", tmp_path / "further")
    held = run(*further, "--set", "text_weight=1", expected=2, errors=True)
    assert "holds an adapter: `new_layers: 0` and `text_weight: 0` go with it" in held
    assert "18 records, " in run(*further), "six of twelve have AF, which data.repeat doubles"
    kept, moved = (load_file(tmp_path / name / "model" / "adapter_model.safetensors") for name in ("tuned", "further"))
    assert kept.keys() == moved.keys()
    changed = {name for name in kept if not torch.equal(kept[name].bfloat16(), moved[name].bfloat16())}
    assert any(".layers.0." in name for name in changed)
    assert not any(".layers.1." in name for name in changed)
    assert hl.HeartLLMConfig.from_pretrained(tmp_path / "further" / "model").base_model["name"] == "somebody/tiny"
    assert not (folder / "model.safetensors").exists()
    merged = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(merged, hl.HeartLLMForCausalLM)
    plain = hl.HeartLLMForCausalLM.from_base(str(ready / "base"), tokenizer, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(plain, folder).eval()
    ids = torch.tensor([[5, 6, *tokenizer.codes_to_ids([3, 1, 4]), 7]])
    with torch.no_grad():
        torch.testing.assert_close(merged(input_ids=ids).logits, adapted(input_ids=ids).logits, atol=1e-4, rtol=1e-4)
        with adapted.disable_adapter():
            assert not torch.allclose(merged(input_ids=ids).logits, adapted(input_ids=ids).logits, atol=1e-3)
    record, _ = hl.simulate_ecg(seed=1)
    ask = hl.pipeline("ecg-question-answering", model=str(folder))
    answer = ask(record, question="Does this ECG show AFIB?", answers=["yes", "no"])
    assert answer.text in ("yes", "no")
    monkeypatch.setenv("HEARTLLM_BASE", str(ready / "codec"))
    with pytest.raises(ValueError, match="not the weights that the adapter was trained on"):
        AutoModelForCausalLM.from_pretrained(folder)
