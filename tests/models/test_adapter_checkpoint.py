"""An adapter's checkpoint: added to its base it is peft's model, and it is added to no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from hf_heartllm.models.adapter_checkpoint import ADAPTER_CONFIG, ADAPTER_WEIGHTS, merge_adapter
from hf_heartllm.models.base_model import BaseModel, BaseModelError, find_base, folder_sha256, weights_sha256
from hf_heartllm.models.checkpoint_files import without_local_names
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from tests.tiny import tiny_model_and_tokenizer

peft = pytest.importorskip("peft")


def adapted(**settings):
    """A model with a LoRA adapter whose values are far from where they begin, and its tokenizer."""
    model, tokenizer = tiny_model_and_tokenizer()
    config = {"r": 3, "lora_alpha": 5, "target_modules": "all-linear", "lora_dropout": 0.0} | settings
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **config)).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model, tokenizer


def logits(model, tokenizer):
    ids = torch.tensor([[5, 6, tokenizer.ecg_start_token_id, *tokenizer.codes_to_ids([3, 1, 4]), 7]])
    with torch.no_grad():
        return model(input_ids=ids).logits


KINDS = {
    "linear layers": {},
    "ranks of their own": {"rank_pattern": {r".*layers\.0\..*": 2}, "alpha_pattern": {r".*layers\.0\..*": 9}},
    "rank-stabilised": {"use_rslora": True},
    "norms and rows": {"modules_to_save": ["norm", "input_layernorm"], "trainable_token_indices": "ecg"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_added_to_its_base_it_is_the_model_of_peft(kind, tmp_path):
    config = dict(KINDS[kind])
    if "trainable_token_indices" in config:
        config["trainable_token_indices"] = tiny_model_and_tokenizer()[0].trainable_token_indices()
    model, tokenizer = adapted(**config)
    model.save_pretrained(tmp_path)
    merged, _ = tiny_model_and_tokenizer()
    before = logits(merged, tokenizer)
    merge_adapter(merged, tmp_path)
    torch.testing.assert_close(logits(merged, tokenizer), logits(model, tokenizer), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(before, logits(merged, tokenizer), atol=1e-2)


def test_what_does_not_fit_is_said_in_one_line(tmp_path):
    model, _ = adapted()
    model.save_pretrained(tmp_path)
    plain, _ = tiny_model_and_tokenizer()
    config, weights = tmp_path / ADAPTER_CONFIG, tmp_path / ADAPTER_WEIGHTS
    settings, tensors = json.loads(config.read_text()), load_file(weights)

    def told(**changed) -> str:
        config.write_text(json.dumps({**settings, **changed}))
        with pytest.raises(ValueError, match=r"\w") as error:
            merge_adapter(plain, tmp_path)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "use_dora is read by peft alone" in told(use_dora=True)
    assert "IA3 is read by peft alone" in told(peft_type="IA3")
    name = next(iter(tensors))
    save_file({**tensors, name: tensors[name][:, :-1].contiguous()}, weights)
    assert "does not fit this base" in told()
    save_file({**tensors, name.replace("layers.0", "layers.7"): tensors[name].clone()}, weights)
    assert "which this base has not" in told()
    weights.unlink()
    assert told().endswith(f"no {ADAPTER_WEIGHTS}")


@settings(max_examples=25)
@given(st.lists(st.floats(-3, 3, width=16), min_size=1, max_size=6), st.permutations(["a", "b", "c"]))
def test_the_hash_is_of_the_values_alone(values, order):
    tensors = {name: torch.tensor(values, dtype=torch.float32) + i for i, name in enumerate("abc")}
    shuffled = {name: tensors[name].to(torch.float64) for name in order}
    assert weights_sha256(tensors) == weights_sha256(shuffled)
    assert weights_sha256(tensors) != weights_sha256({**tensors, "a": tensors["a"] + 1})
    assert weights_sha256(tensors) != weights_sha256(
        {"A" if name == "a" else name: one for name, one in tensors.items()}
    )


@pytest.fixture
def base(tmp_path) -> Path:
    model, _ = tiny_model_and_tokenizer()
    model.language_model.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def test_a_base_is_found_where_it_may_lie_and_no_other_is_taken(base, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HEARTLLM_BASE", raising=False)
    monkeypatch.chdir(tmp_path)
    wanted = BaseModel("somebody/Tiny", folder_sha256(base), source="make it")
    with pytest.raises(BaseModelError, match=r"the base somebody/Tiny is not on this machine .* make it, or name its"):
        find_base(wanted)
    assert find_base(wanted, base) == str(base)
    monkeypatch.setenv("HEARTLLM_BASE", str(base))
    assert find_base(wanted) == str(base)
    monkeypatch.delenv("HEARTLLM_BASE")
    (tmp_path / "build").mkdir()
    base.rename(tmp_path / "build" / "tiny")
    assert Path(find_base(wanted)) == Path("build/tiny")  # as `make base` names it
    other = BaseModel("somebody/Tiny", "0" * 64)
    with pytest.raises(BaseModelError, match="build/tiny: these are not the weights that the adapter was trained on"):
        find_base(other)
    assert Path(find_base(other, any_base=True)) == Path("build/tiny")
    for nothing in ("nowhere", tmp_path, "no/such/folder"):
        with pytest.raises(BaseModelError, match="no language model there"):
            find_base(wanted, nothing)


def test_a_name_is_looked_up_in_the_hubs_cache_and_a_given_word_is_none(base, tmp_path, monkeypatch):
    """A base of ours may have a name without an owner, as the Hub's oldest; a word that was typed is a folder."""
    monkeypatch.delenv("HEARTLLM_BASE", raising=False)
    monkeypatch.chdir(tmp_path)
    sha256 = folder_sha256(base)
    cache, revisions = tmp_path / "cache", ("a" * 40, "b" * 40)
    for name in ("tiny", "somebody--tiny"):
        folder = cache / f"models--{name}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text(revisions[0])
        for revision in revisions:
            shutil.copytree(base, folder / "snapshots" / revision)
    options = {"cache_dir": str(cache), "local_files_only": True}
    for name in ("tiny", "somebody/tiny"):
        snapshots = cache / f"models--{name.replace('/', '--')}" / "snapshots"
        assert find_base(BaseModel(name, sha256), **options) == str(snapshots / revisions[0])
        assert find_base(BaseModel(name, sha256, revisions[1]), **options) == str(snapshots / revisions[1])
        with pytest.raises(BaseModelError, match="is not on this machine"):
            find_base(BaseModel(name, sha256, "c" * 40), **options)
        with pytest.raises(BaseModelError, match="in the Hub's cache: these are not the weights"):
            find_base(BaseModel(name, "0" * 64), **options)
    wanted = BaseModel("x/y", sha256)
    found = find_base(wanted, "somebody/tiny", **options)
    assert found == str(cache / "models--somebody--tiny" / "snapshots" / revisions[0])
    for nothing in ("tiny", "./tiny", "/somebody/tiny", "./somebody/tiny", "some/body/tiny"):
        with pytest.raises(BaseModelError, match="no language model there"):
            find_base(wanted, nothing, **options)


def test_the_hash_of_a_folder_is_that_of_all_its_files_without_what_is_tied(base, tmp_path):
    tensors = load_file(base / "model.safetensors")
    whole = folder_sha256(base)
    assert whole == weights_sha256(tensors)
    save_file({**tensors, "lm_head.weight": torch.ones(3)}, base / "model.safetensors")
    assert folder_sha256(base) == whole
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    assert folder_sha256(base) == weights_sha256({**tensors, "lm_head.weight": torch.ones(3)})
    (base / "config.json").write_text(json.dumps(config))
    (base / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"one.safetensors": names[::2], "two.safetensors": names[1::2]}
    for file, those in parts.items():
        save_file({name: tensors[name] for name in those}, base / file)
    index = {"weight_map": {name: file for file, those in parts.items() for name in those}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))
    assert folder_sha256(base) == whole
    assert find_base(BaseModel("x/y", whole), base) == str(base)


def test_a_checkpoint_of_whole_weights_has_no_base(tmp_path):
    model, _ = tiny_model_and_tokenizer()
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="holds whole weights"):
        HeartLLMForCausalLM.from_pretrained(tmp_path, base_model="x")
    with pytest.raises(ValueError, match="holds whole weights"):
        HeartLLMForCausalLM.base_of(tmp_path)


def test_a_configuration_may_be_loaded_with_again_and_answers_files_go_with_the_weights(base, tmp_path):
    from hf_heartllm.models.answer_files import known_beside
    from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
    from hf_heartllm.models.question_understanding import TrainedQuestions
    from hf_heartllm.models.trained_wordings import TrainedGroup
    from hf_heartllm.training.stages import save_adapter

    model, tokenizer = adapted()
    folder = tmp_path / "adapter"
    save_adapter(model, tokenizer, folder, BaseModel("somebody/Tiny", folder_sha256(base)))
    group = TrainedGroup("verify", "rhythm", ("no", "yes"), ("Does this ECG show {term}?",), {"AFIB": "AF"})
    (folder / "questions.json").write_text(json.dumps(TrainedQuestions((group,)).document()))
    config = HeartLLMConfig.from_pretrained(folder)
    first, second = (
        HeartLLMForCausalLM.from_pretrained(folder, config=config, base_model=base, dtype=torch.float32) for _ in "12"
    )
    assert torch.equal(logits(first, tokenizer), logits(second, tokenizer))
    assert first._text_base is not None
    assert known_beside(first, None, None)[1] is not None
    with torch.no_grad():
        first.get_input_embeddings().weight[5] += 1
    assert known_beside(first, None, None) == (None, None)


def test_a_folder_of_this_machine_is_no_name(base):
    for name, stays in (("somebody/Tiny", True), (str(base), False)):
        settings = without_local_names({"text_config": {"_name_or_path": name}})
        assert (settings["text_config"]["_name_or_path"] == name) == stays
    assert without_local_names({"text_config": None}) == {"text_config": None}
