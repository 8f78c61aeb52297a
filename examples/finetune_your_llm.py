"""Any language model learns to read ECGs, with plain transformers, datasets, peft and trl.

    python examples/finetune_your_llm.py TOKENS BASE OUTPUT [--steps 200]

TOKENS is a folder of `dataset_builders.ecg_tokens` of the shipped codec, BASE a language model's name on the Hub or its
folder, OUTPUT a folder for the adapter and its tokenizer, which then answer a question about a record.
"""

import argparse

import torch
from datasets import load_dataset
from peft import LoraConfig, PeftModel
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer

import hf_heartllm as hl

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("places", nargs=3, metavar=("TOKENS", "BASE", "OUTPUT"))
parser.add_argument("--steps", type=int, default=200)
(tokens, base, output), steps = vars(parser.parse_args()).values()
codec = hl.ECGTokenizer.from_pretrained().codec
tokenizer = hl.ECGTokenizer.from_base(AutoTokenizer.from_pretrained(base), codec, ecg_chat="ecgs first")
data = load_dataset(tokens)
if {codec.fingerprint()} != {one for split in data.values() for one in split.unique("codec")}:
    raise SystemExit(f"{tokens} was encoded by another codec than the shipped one")


def single_questions(batch):  # type: ignore[no-untyped-def]
    """Conversations on a record → one row a question, of which trl learns the answer alone."""
    rows: dict[str, list[object]] = {"prompt": [], "completion": []}
    for messages in filter(None, batch["messages"]):
        ecg = [part for part in messages[0]["content"] if part["type"] == "ecg"]
        for asked, answer in zip(messages[::2], messages[1::2], strict=True):
            text = [part for part in asked["content"] if part["type"] == "text"]
            rows["prompt"].append([{"role": "user", "content": ecg + text}])
            rows["completion"].append([answer])
    return rows


data = data.map(single_questions, batched=True, remove_columns=data["train"].column_names)
held_out = data["validation"].select(range(min(len(data["validation"]), 500))) if "validation" in data else None
model = hl.HeartLLMForCausalLM.from_base(base, tokenizer, dtype="float32")
lora = LoraConfig(r=16, target_modules="all-linear", trainable_token_indices=model.trainable_token_indices())
on = {"use_cpu": not torch.cuda.is_available(), "bf16": torch.cuda.is_available(), "gradient_checkpointing": False}
settings = {"max_steps": steps, "learning_rate": 1e-3, "warmup_steps": 10, "per_device_train_batch_size": 8}
shown = {"logging_steps": 10, "eval_strategy": "no" if held_out is None else "steps", "eval_steps": 100}
config = SFTConfig(output, max_length=None, **settings, **shown, **on)
trainer = SFTTrainer(model, config, None, data["train"], held_out, tokenizer, peft_config=lora)
trainer.train()
trainer.save_model(output)  # the adapter, and the tokenizer with its codec

model = PeftModel.from_pretrained(hl.HeartLLMForCausalLM.from_base(base, tokenizer, dtype="float32"), output).eval()
row = (held_out or data["train"])[0]
ids = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=True, return_tensors="pt")
said = model.generate(**ids, max_new_tokens=40, do_sample=False)[0, ids["input_ids"].shape[1] :]
asked, truth = row["prompt"][0]["content"][-1]["text"], row["completion"][0]["content"][0]["text"]
print(f"{asked}\nanswer: {tokenizer.decode(said, skip_special_tokens=True)}\ntruth: {truth}")
