from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_token_rows import ecg_token_rows, fsq_code_geometry
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

TEXT_TOKENS = 60
LEVELS = [4, 2, 3]
CODES = math.prod(LEVELS)
PAD = 0


@dataclass
class IdsOnly:
    """What from_base reads of a tokenizer: where the ECG ids lie, and the ids of a text."""

    text_tokens: int = TEXT_TOKENS
    ecg_codebook_size: int = CODES
    codec: object = field(default_factory=lambda: SimpleNamespace(config=SimpleNamespace(levels=LEVELS)))
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    pad_token_id: int | None = PAD

    @property
    def ecg_start_token_id(self) -> int:
        return self.text_tokens

    @property
    def ecg_end_token_id(self) -> int:
        return self.text_tokens + 1

    @property
    def ecg_token_offset(self) -> int:
        return self.text_tokens + 2

    def __len__(self) -> int:
        return self.ecg_token_offset + self.ecg_codebook_size

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [3 + ord(letter) % (self.text_tokens - 3) for letter in text]}


def base_config(name: str, tied: bool, rows: int = TEXT_TOKENS + 4) -> PretrainedConfig:
    common = {
        "vocab_size": rows,
        "tie_word_embeddings": tied,
        "pad_token_id": PAD,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    if name == "gpt2":
        return GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=128, **common)
    common |= {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "max_position_embeddings": 128}
    common |= {"num_attention_heads": 2, "num_key_value_heads": 1}
    if name == "llama":
        return LlamaConfig(**common)
    if name == "mistral":
        return MistralConfig(sliding_window=16, **common)
    if name == "qwen3":
        return Qwen3Config(head_dim=16, **common)
    layers = ["sliding_attention", "full_attention"]
    return Gemma3TextConfig(head_dim=16, sliding_window=16, layer_types=layers, **common)


def make_base(name: str = "llama", tied: bool = True, rows: int = TEXT_TOKENS + 4) -> PreTrainedModel:
    torch.manual_seed(3)
    return AutoModelForCausalLM.from_config(base_config(name, tied, rows)).eval()


def make_model(name: str = "llama", tied: bool = True) -> HeartLLMForCausalLM:
    return HeartLLMForCausalLM.from_base(make_base(name, tied), IdsOnly())


def mixed_ids(batch: int = 2, length: int = 20, seed: int = 0) -> torch.Tensor:
    """Text, an ECG between its borders, text again."""
    tokenizer, generator = IdsOnly(), torch.Generator().manual_seed(seed)
    ids = torch.randint(3, TEXT_TOKENS, (batch, length), generator=generator)
    ids[:, 3] = tokenizer.ecg_start_token_id
    ids[:, 4:12] = tokenizer.ecg_token_offset + torch.randint(CODES, (batch, 8), generator=generator)
    ids[:, 12] = tokenizer.ecg_end_token_id
    return ids


every_architecture = pytest.mark.parametrize(
    ("name", "tied"),
    [(name, tied) for name in ("llama", "qwen3", "gemma3", "mistral", "gpt2") for tied in (True, False)],
    ids=lambda value: value if isinstance(value, str) else ("tied" if value else "untied"),
)


@every_architecture
def test_ecg_rows_leave_text_logits_alone_and_first_loss_near_uniform(name: str, tied: bool) -> None:
    base = make_base(name, tied)
    text = torch.randint(3, TEXT_TOKENS, (2, 15), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = base(input_ids=text).logits[..., :TEXT_TOKENS].clone()
        model = HeartLLMForCausalLM.from_base(base, IdsOnly())
        after = model(input_ids=text).logits
        loss = model(input_ids=mixed_ids(), labels=mixed_ids()).loss
    assert after.shape[-1] == len(IdsOnly()) == model.config.get_text_config().vocab_size
    assert torch.equal(before, after[..., :TEXT_TOKENS])
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == tied
    assert 0 < loss.item() <= math.log(after.shape[-1]) + 0.5


@every_architecture
def test_generation_with_cache_and_left_padding_equals_single_rows(name: str, tied: bool) -> None:
    model = make_model(name, tied)
    with torch.no_grad():  # larger weights: neither greedy choices nor a wrong mask drown in rounding
        for parameter in model.parameters():
            parameter.mul_(3.0)
    rows = [mixed_ids(1, 20, seed=1)[0], mixed_ids(1, 14, seed=2)[0]]
    settings = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None, "pad_token_id": PAD}
    settings |= {"output_logits": True, "return_dict_in_generate": True}

    def answer(ids: torch.Tensor, **more: object) -> tuple[torch.Tensor, torch.Tensor]:
        output = model.generate(ids, **settings, **more)
        return output.sequences[:, ids.shape[1] :], torch.stack(output.logits, dim=1)

    single = [answer(row[None]) for row in rows]
    uncached = answer(rows[0][None], use_cache=False)
    assert torch.equal(single[0][0], uncached[0])
    torch.testing.assert_close(single[0][1], uncached[1], atol=1e-4, rtol=1e-4)

    batch, mask = torch.full((2, 20), PAD), torch.zeros(2, 20, dtype=torch.long)
    for index, row in enumerate(rows):
        batch[index, -len(row) :], mask[index, -len(row) :] = row, 1
    tokens, logits = answer(batch, attention_mask=mask)
    assert torch.equal(torch.cat([ids for ids, _ in single]), tokens)
    torch.testing.assert_close(torch.cat([values for _, values in single]), logits, atol=1e-4, rtol=1e-4)
    _, unmasked = answer(batch, attention_mask=torch.ones_like(mask))
    assert (unmasked[1] - logits[1]).abs().max() > 1e-3, "the padding must matter where it is not masked"


@every_architecture
def test_save_and_load_give_the_same_logits_to_the_bit(name: str, tied: bool, tmp_path: Path) -> None:
    model, ids = make_model(name, tied), mixed_ids()
    model.save_pretrained(tmp_path)
    again = HeartLLMForCausalLM.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, again(input_ids=ids).logits)
    assert (again.get_input_embeddings().weight is again.get_output_embeddings().weight) == tied
    assert again.generation_config.eos_token_id == 2
    assert again.generation_config.pad_token_id == PAD
    assert again.config.ecg_token_ids == model.config.ecg_token_ids
    half = HeartLLMForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.dtype == half.get_output_embeddings().weight.dtype == torch.bfloat16
    assert math.isfinite(half(input_ids=ids, labels=ids).loss.item())


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")
@every_architecture
def test_gradient_checkpointing_gives_the_same_gradients(name: str, tied: bool) -> None:
    model, ids = make_model(name, tied), mixed_ids()
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            model.train()
            for module in model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
        model.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        gradients.append(model.get_input_embeddings().weight.grad.clone())
    assert model.is_gradient_checkpointing
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-6, rtol=1e-4)


def lora(model: HeartLLMForCausalLM) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=4, target_modules="all-linear", trainable_token_indices=model.trainable_token_indices())
    torch.manual_seed(0)
    return get_peft_model(model, settings)


@pytest.mark.filterwarnings("ignore")
@every_architecture
def test_lora_with_ecg_rows_merges_and_reloads_equal(name: str, tied: bool, tmp_path: Path) -> None:
    from peft import PeftModel

    model, ids = make_model(name, tied), mixed_ids()
    text_rows = [
        m.weight[:TEXT_TOKENS].detach().clone() for m in (model.get_input_embeddings(), model.get_output_embeddings())
    ]
    ecg_rows = [
        m.weight[TEXT_TOKENS:].detach().clone() for m in (model.get_input_embeddings(), model.get_output_embeddings())
    ]
    model.save_pretrained(tmp_path / "base")
    trained = lora(model)
    optimizer = torch.optim.AdamW([p for p in trained.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        trained(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    trained.eval()
    trained.save_pretrained(tmp_path / "adapter")
    with torch.no_grad():
        expected = trained(input_ids=ids).logits
        fresh = PeftModel.from_pretrained(HeartLLMForCausalLM.from_pretrained(tmp_path / "base"), tmp_path / "adapter")
        torch.testing.assert_close(fresh.eval()(input_ids=ids).logits, expected, atol=1e-6, rtol=0)
        merged = trained.merge_and_unload()
        torch.testing.assert_close(merged(input_ids=ids).logits, expected, atol=2e-6, rtol=0)
        merged.save_pretrained(tmp_path / "merged")
        again = HeartLLMForCausalLM.from_pretrained(tmp_path / "merged").eval()
        assert torch.equal(again(input_ids=ids).logits, merged(input_ids=ids).logits)
    assert (again.get_input_embeddings().weight is again.get_output_embeddings().weight) == tied
    for module, text, ecg in zip(
        (again.get_input_embeddings(), again.get_output_embeddings()), text_rows, ecg_rows, strict=True
    ):
        assert torch.equal(module.weight[:TEXT_TOKENS], text)
        assert not torch.equal(module.weight[TEXT_TOKENS:], ecg)


def test_a_matrix_with_spare_rows_is_reused_and_never_shrinks() -> None:
    base = make_base(rows=256)
    model = HeartLLMForCausalLM.from_base(base, IdsOnly())
    assert model.get_input_embeddings().weight.shape[0] == 256
    assert model.config.ecg_token_ids == list(range(TEXT_TOKENS, len(IdsOnly())))


def test_rows_depend_on_the_seed_alone_and_follow_the_quantiser() -> None:
    first, same, other = (
        HeartLLMForCausalLM.from_base(make_base(), IdsOnly(), seed=seed).get_input_embeddings().weight
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)

    grid = fsq_code_geometry(LEVELS, 512, torch.Generator().manual_seed(0))
    assert grid.shape == (CODES, 512)
    assert grid.mean().abs() < 1e-2
    assert grid.square().mean().item() == pytest.approx(1.0, abs=1e-5)
    # id = l_0 + 4 l_1 + 8 l_2: one step in a dimension is the same vector wherever it is taken
    for step, at in ((1, (0, 4, 9)), (4, (0, 3, 16)), (8, (0, 7, 15))):
        steps = torch.stack([grid[i + step] - grid[i] for i in at])
        torch.testing.assert_close(steps, steps[:1].expand_as(steps), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="at least 2 levels"):
        fsq_code_geometry([1, 6], 8)


def test_rows_of_an_unknown_quantiser_are_random_around_the_mean() -> None:
    text = torch.randn(400, 32, generator=torch.Generator().manual_seed(0)) + 1.0
    borders, codes = ecg_token_rows(text, 500, levels=None, scale=0.1, generator=torch.Generator().manual_seed(0))
    assert borders.shape == (2, 32)
    assert codes.shape == (500, 32)
    torch.testing.assert_close(codes.mean(dim=0), text.mean(dim=0), atol=0.03, rtol=0)
    assert 0.09 < codes.std(dim=0).mean() < 0.11


def test_a_confident_base_still_starts_near_uniform_on_ecg_tokens() -> None:
    base = make_base(tied=False)
    with torch.no_grad():  # a strong bias towards a few text tokens, as a trained base has
        base.lm_head.weight.mul_(60.0)
    model = HeartLLMForCausalLM.from_base(base, IdsOnly())
    tokenizer = IdsOnly()
    codes = tokenizer.ecg_token_offset + torch.randint(CODES, (1, 30), generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        loss = model(input_ids=codes, labels=codes).loss.item()
    assert loss <= math.log(len(tokenizer)) + 0.5


def test_clear_errors() -> None:
    with pytest.raises(ValueError, match="overlap"):
        HeartLLMConfig(base_config("llama", True, 200), 60, 20, ecg_start_token_id=65)
    with pytest.raises(ValueError, match="vocabulary of text_config has 64"):
        HeartLLMConfig(base_config("llama", True), 62, 24)
    with pytest.raises(ValueError, match="names no ECG tokens"):
        HeartLLMConfig(base_config("llama", True)).ecg_token_ids  # noqa: B018
    with pytest.raises(ValueError, match="no text_config"):
        HeartLLMForCausalLM(HeartLLMConfig())
    with pytest.raises(ValueError, match="tokenizer names no ECG tokens"):
        HeartLLMForCausalLM.from_base(make_base(), word_tokenizer())
    with pytest.raises(ValueError, match="already has ECG rows"):
        HeartLLMForCausalLM.from_base(make_model(), IdsOnly())
    with pytest.raises(TypeError, match="dtype"):
        HeartLLMForCausalLM.from_base(make_base(), IdsOnly(), dtype=torch.float32)


def test_config_round_trip_and_attention_reach_the_base(tmp_path: Path) -> None:
    config = HeartLLMConfig(base_config("qwen3", True, 100), 62, 24)
    config.save_pretrained(tmp_path)
    again = HeartLLMConfig.from_pretrained(tmp_path)
    assert again.to_dict() == config.to_dict()
    assert again.get_text_config().model_type == "qwen3"
    assert again.tie_word_embeddings is True
    assert (again.ecg_start_token_id, again.ecg_end_token_id, again.format_version) == (60, 61, 1)
    model = make_model()
    assert model.language_model.config._attn_implementation == "sdpa"
    model.set_attn_implementation("eager")
    assert model.language_model.config._attn_implementation == "eager"


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Words and single letters, without a padding token."""
    words = ["<unk>", "<s>", "</s>", *(chr(letter) for letter in range(97, 123)), "ecg", "rhythm", "this", "show"]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_the_plain_language_model_reads_ecgs_in_their_text_form(tied: bool, tmp_path: Path) -> None:
    codec_config = PaperCodecConfig(encoder_hidden_size=8, decoder_hidden_size=8, num_downsamples=8, levels=LEVELS)
    base_tokenizer = word_tokenizer()
    tokenizer = ECGTokenizer.from_base(base_tokenizer, PaperCodecModel(codec_config))
    model = HeartLLMForCausalLM.from_base(make_base(tied=tied, rows=len(base_tokenizer)), tokenizer)
    for matrix in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
        # the padding token that the tokenizer had to add
        torch.testing.assert_close(matrix[len(base_tokenizer)], matrix[: len(base_tokenizer)].mean(dim=0))

    folder = model.save_language_model(tmp_path / "plain", tokenizer)
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".") or path.suffix == ".py"]
    assert "auto_map" not in (folder / "config.json").read_text() + (folder / "tokenizer_config.json").read_text()
    plain, plain_tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    assert type(plain).__name__ == "LlamaForCausalLM"
    assert plain.generation_config.pad_token_id == model.generation_config.pad_token_id
    codes = [tokenizer.ecg_token_offset + code for code in (0, 5, CODES - 1)]
    ecg = [tokenizer.ecg_start_token_id, *codes, tokenizer.ecg_end_token_id]
    ids = [*base_tokenizer.encode("this ecg"), *ecg, *base_tokenizer.encode("show rhythm")]
    prompt = "this ecg " + tokenizer.ecg_ids_to_text(ecg) + " show rhythm"
    assert plain_tokenizer(prompt)["input_ids"] == ids
    assert base_tokenizer.unk_token_id in tokenizer(prompt)["input_ids"], "here no text can become an ECG token"
    with torch.no_grad():
        given = torch.tensor([ids])
        assert torch.equal(plain(input_ids=given).logits, model(input_ids=given).logits)


FRESH_PROCESS = """
import sys, torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM
folder = sys.argv[1]
for auto in (AutoModelForCausalLM, AutoModel):
    model = auto.from_pretrained(folder, trust_remote_code=True).eval()
    assert type(model).__name__ == "HeartLLMForCausalLM", type(model)
    assert "hf_heartllm" not in sys.modules
    ids = torch.load(folder + "/ids.pt")
    assert torch.equal(model(input_ids=ids).logits, torch.load(folder + "/logits.pt"))
    assert model.generate(ids, max_new_tokens=2).shape[1] == ids.shape[1] + 2
model.save_pretrained(folder + "/again")
assert sorted(AutoConfig.from_pretrained(folder + "/again", trust_remote_code=True).auto_map) == [
    "AutoConfig", "AutoModel", "AutoModelForCausalLM"]
"""


def test_a_base_with_few_positions_can_be_grown() -> None:
    config = base_config("gpt2", True)
    config.n_positions = 8
    base = AutoModelForCausalLM.from_config(config)
    assert HeartLLMForCausalLM.from_base(base, IdsOnly()).get_input_embeddings().weight.shape[0] == len(IdsOnly())


def reached_from(*modules: str) -> set[str]:
    """Names of the files that some modules of `models` import, and of those that these import."""
    folder = Path(__file__).resolve().parents[2] / "hf_heartllm" / "models"
    found: set[str] = set()
    left = list(modules)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            text = (folder / f"{name}.py").read_text(encoding="utf-8")
            left += re.findall(r"^\s*from \.(\w+) import", text, re.MULTILINE)
    return {f"{name}.py" for name in found}


@pytest.mark.slow
def test_a_process_without_the_package_loads_it_through_both_auto_classes(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    model, ids = make_model("qwen3", True), mixed_ids()
    model.save_pretrained(folder)
    with torch.no_grad():
        torch.save(model(input_ids=ids).logits, folder / "logits.pt")
    torch.save(ids, folder / "ids.pt")
    python_files = {path.name for path in folder.glob("*.py")}
    assert python_files == reached_from("configuration_heartllm", "modeling_heartllm")
    assert "pipeline_ecg.py" in python_files  # config.json names it
    assert set(json.loads((folder / "config.json").read_text())["auto_map"]) == {
        "AutoConfig",
        "AutoModel",
        "AutoModelForCausalLM",
    }
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    script = tmp_path / "load.py"
    script.write_text(FRESH_PROCESS)
    # -P and another working directory: the package is not importable by accident of where the tests run
    done = subprocess.run(
        [sys.executable, "-P", str(script), str(folder)], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "again").glob("*.py")} == python_files


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("way", ["peft_config", "wrapped", "reloaded"])
def test_sft_trainer_steps_equal_the_plain_loss(way: str, tied: bool, tmp_path: Path) -> None:
    """With a plain `LoraConfig`, however peft comes to the model."""
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from trl import SFTConfig, SFTTrainer

    words = {"<pad>": PAD, "<s>": 1, "</s>": 2} | {f"w{i}": i for i in range(3, TEXT_TOKENS)}
    backend = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    model, more = make_model("llama", tied), {}
    if way == "peft_config":
        rows = model.trainable_token_indices()
        more["peft_config"] = LoraConfig(r=4, target_modules="all-linear", trainable_token_indices=rows)
    else:
        model = lora(model)
    if way == "reloaded":
        model.save_pretrained(tmp_path / "adapter")
        model = PeftModel.from_pretrained(make_model("llama", tied), tmp_path / "adapter", is_trainable=True)
    ids = mixed_ids()
    with torch.no_grad():
        plain = model(input_ids=ids, labels=ids).loss.item()
    rows = Dataset.from_list([{"input_ids": row, "labels": row} for row in ids.tolist()])
    arguments = SFTConfig(
        output_dir=str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=2,
        learning_rate=1e-2,
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        max_length=None,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(model=model, args=arguments, train_dataset=rows, processing_class=tokenizer, **more)
    assert len(trainer.train_dataset) == 2
    model = trainer.model
    assert not any(name.endswith("token_adapter.bias") or name.endswith("head.bias") for name in model.state_dict())
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[0] == pytest.approx(plain, abs=1e-3)
    assert losses[1] < losses[0]
    with torch.no_grad():
        expected = model.eval()(input_ids=ids).logits
        torch.testing.assert_close(model.merge_and_unload()(input_ids=ids).logits, expected, atol=2e-6, rtol=0)


def test_generation_writes_no_ecg_tokens_unless_it_is_asked_to() -> None:
    model = make_model()
    assert model.generation_config.suppress_tokens == model.config.ecg_token_ids
    model.generation_config.suppress_tokens = [5]
    model._write_text_alone()
    assert model.generation_config.suppress_tokens == [5]
