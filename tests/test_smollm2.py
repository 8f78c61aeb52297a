"""A real pretrained base, SmolLM2-135M-Instruct: `make base` fetches it, `HEARTLLM_BASE` names another folder of it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGRecord
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
from tests.pretrained_base import BASE, MARKS

pytestmark = MARKS

PROMPTS = [
    "What is the capital of France?",
    "The capital of Italy is",
    "Water boils at",
    "The heart has four",
    "An electrocardiogram records",
    "Atrial fibrillation is",
    "What does QRS stand for?",
    "The opposite of hot is",
    "2 + 2 =",
    "List three fruits:",
    "Once upon a time",
    "The largest planet is",
    "Shakespeare wrote",
    "def add(a, b):",
    "Translate to French: good morning",
    "The patient is a 60-year-old man with",
    "Is this sentence true: snow is white?",
    "A normal heart rate is between",
    "My favourite season is",
    "<ecg_0001> is not",
]


@dataclass
class Grown:
    model: HeartLLMForCausalLM
    tokenizer: ECGTokenizer
    base_tokenizer: object
    answers_before: list[list[int]]
    logits_before: torch.Tensor


def record(seed: int = 0) -> ECGRecord:
    """Noise in 12 leads: here only the way of the ids matters."""
    signal = np.random.default_rng(seed).normal(0.0, 0.3, (12, 5000)).astype(np.float32)
    return ECGRecord(signal, 500, STANDARD_LEADS, source=f"noise {seed}")


def greedy(model: PreTrainedModel, tokenizer: object) -> list[list[int]]:
    chats = [[{"role": "user", "content": prompt}] for prompt in PROMPTS]
    inputs = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
    )
    output = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    return output[:, inputs["input_ids"].shape[1] :].tolist()


def make_tokenizer() -> ECGTokenizer:
    torch.manual_seed(0)
    # the paper's codes with fewer of them in a window, and a narrow network
    config = PaperCodecConfig(encoder_hidden_size=8, decoder_hidden_size=16, num_downsamples=6)
    return ECGTokenizer.from_base(AutoTokenizer.from_pretrained(BASE), PaperCodecModel(config))


@pytest.fixture(scope="module")
def grown() -> Grown:
    base_tokenizer = AutoTokenizer.from_pretrained(BASE, padding_side="left")
    base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32).eval()
    before = greedy(base, base_tokenizer)
    with torch.no_grad():
        logits = base(**base_tokenizer(PROMPTS[15], return_tensors="pt")).logits
    tokenizer = make_tokenizer()
    return Grown(HeartLLMForCausalLM.from_base(base, tokenizer), tokenizer, base_tokenizer, before, logits)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """Half a gigabyte a model: not kept for later inspection."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_text_answers_are_those_of_the_base(grown: Grown) -> None:
    text_tokens = len(grown.base_tokenizer)
    assert greedy(grown.model, grown.tokenizer) == grown.answers_before
    assert len({tuple(answer) for answer in grown.answers_before}) > 15
    assert "Paris" in grown.base_tokenizer.decode(grown.answers_before[0])
    with torch.no_grad():
        logits = grown.model(**grown.tokenizer(PROMPTS[15], return_tensors="pt")).logits
    torch.testing.assert_close(logits[..., :text_tokens], grown.logits_before[..., :text_tokens], atol=1e-4, rtol=0)
    mass = logits.softmax(dim=-1)[..., text_tokens:].sum(dim=-1)
    # the first position sees no context, so its state is unlike that of any text
    assert mass[:, 1:].max() < 0.01, "text must not drift into ECG tokens"


def test_the_first_loss_on_ecgs_is_near_that_of_a_guess(grown: Grown) -> None:
    ids = torch.tensor([[*grown.tokenizer.encode_ecg(record(1))]])
    shuffled = ids[:, torch.randperm(ids.shape[1], generator=torch.Generator().manual_seed(0))]
    with torch.no_grad():
        loss = grown.model(input_ids=shuffled, labels=shuffled).loss.item()
    assert abs(loss - math.log(len(grown.tokenizer))) < 1.0


def test_its_own_chat_template_carries_ecgs(grown: Grown) -> None:
    tokenizer = grown.tokenizer
    ecg, question = record(), "Which rhythm is this?"
    content = [{"type": "ecg", "ecg": ecg}, {"type": "text", "text": question}]
    chat = [{"role": "user", "content": content}]
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    ids = inputs["input_ids"][0].tolist()
    block = [tokenizer.ecg_start_token_id, *tokenizer.encode_ecg(ecg), tokenizer.ecg_end_token_id]
    start = ids.index(tokenizer.ecg_start_token_id)
    assert ids[start : start + len(block)] == block
    outside = tokenizer.decode(ids[:start] + ids[start + len(block) :])
    assert tokenizer.chat_template == grown.base_tokenizer.chat_template
    assert outside.startswith("<|im_start|>")
    assert question in outside
    assert outside.endswith("<|im_start|>assistant\n")
    answer = grown.model.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert answer.shape[1] == len(ids) + 3


def training_rows(tokenizer: ECGTokenizer) -> list[dict[str, list[int]]]:
    rows = []
    for seed, answer in enumerate(("Sinus rhythm.", "Atrial fibrillation.", "Sinus rhythm.")):
        content = [{"type": "ecg", "ecg": record(seed)}, {"type": "text", "text": "Which rhythm is this?"}]
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        prompt_ids = list(prompt["input_ids"])
        answer_ids = [*tokenizer(answer)["input_ids"], tokenizer.eos_token_id]
        rows.append({"input_ids": prompt_ids + answer_ids, "labels": [-100] * len(prompt_ids) + answer_ids})
    return rows


def test_three_lora_steps_train_save_reload_and_merge(scratch: Path) -> None:
    from datasets import Dataset
    from peft import LoraConfig, PeftModel, get_peft_model
    from trl import SFTConfig, SFTTrainer

    tokenizer = make_tokenizer()
    model = HeartLLMForCausalLM.from_base(BASE, tokenizer, dtype=torch.float32)
    text_rows = model.get_input_embeddings().weight[: tokenizer.ecg_start_token_id].detach().clone()
    settings = LoraConfig(r=8, target_modules="all-linear", trainable_token_indices=model.trainable_token_indices())
    torch.manual_seed(0)
    adapted = get_peft_model(model, settings)
    rows = training_rows(tokenizer)
    arguments = SFTConfig(
        output_dir=str(scratch / "run"),
        max_steps=3,
        per_device_train_batch_size=3,
        learning_rate=2e-3,
        lr_scheduler_type="constant",
        logging_steps=1,
        max_length=None,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=adapted, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    assert len(trainer.train_dataset) == len(rows)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 3
    assert losses[-1] < losses[0] - 0.5

    ids = torch.tensor([rows[0]["input_ids"]])
    adapted.eval()
    adapted.save_pretrained(scratch / "adapter")
    with torch.no_grad():
        expected = adapted(input_ids=ids).logits
        # the adapter alone carries what was learnt: the rows it starts from follow from the base and the seed
        again = HeartLLMForCausalLM.from_base(BASE, tokenizer, dtype=torch.float32)
        again = PeftModel.from_pretrained(again, scratch / "adapter").eval()
        torch.testing.assert_close(again(input_ids=ids).logits, expected, atol=1e-3, rtol=0)
        del again
        merged = adapted.merge_and_unload()
        torch.testing.assert_close(merged(input_ids=ids).logits, expected, atol=1e-3, rtol=0)
        assert torch.equal(merged.get_input_embeddings().weight[: len(text_rows)], text_rows)
        expected = merged(input_ids=ids).logits

        merged.save_pretrained(scratch / "merged")
        loaded = HeartLLMForCausalLM.from_pretrained(scratch / "merged").eval()
        assert torch.equal(loaded(input_ids=ids).logits, expected)
        del loaded

        merged.save_language_model(scratch / "plain", tokenizer)
        plain = AutoModelForCausalLM.from_pretrained(scratch / "plain").eval()
        plain_tokenizer = AutoTokenizer.from_pretrained(scratch / "plain")
        assert plain.config.model_type == "llama"
        text_form = tokenizer.decode(rows[0]["input_ids"])
        plain_ids = plain_tokenizer(text_form, add_special_tokens=False)["input_ids"]
        assert plain_ids == rows[0]["input_ids"]
        assert torch.equal(plain(input_ids=torch.tensor([plain_ids])).logits, expected)
