"""Ask a language model general questions and keep its answers, for `finetune.py --general-turns`.

    python training/general_turns.py --base build/smollm2-135m-instruct --output build/general_turns.jsonl

Greedy answers of the untouched base. Tuned on them beside ECGs, the model goes on giving them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer

from hf_heartllm.arguments import add_options, settings_of
from hf_heartllm.models.whole_files import write_whole
from hf_heartllm.training.turns.others import general_questions

BATCH = 8


@dataclass(frozen=True)
class Settings:
    """What is asked; the options of this program are these fields.

    Attributes:
        base: a language model: its folder, or its name on the Hub.
        output: JSON lines to write.
        max_tokens: tokens of an answer.
    """

    base: str
    output: Path
    max_tokens: int = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, Settings)
    args = settings_of(Settings, parser.parse_args())
    tokenizer = AutoTokenizer.from_pretrained(args.base, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.float32).eval()
    questions = general_questions()
    rows = []
    for start in tqdm(range(0, len(questions), BATCH), desc="questions", unit="batch"):
        asked = questions[start : start + BATCH]
        chats = [[{"role": "user", "content": question}] for question in asked]
        inputs = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
        )
        with torch.no_grad():
            written = model.generate(**inputs, max_new_tokens=args.max_tokens, do_sample=False)
        for question, ids in zip(asked, written[:, inputs["input_ids"].shape[1] :], strict=True):
            finished = tokenizer.eos_token_id in ids.tolist()
            answer = tokenizer.decode(ids, skip_special_tokens=True).strip()
            if answer:
                rows.append({"question": question, "answer": answer, "finished": finished})
    write_whole(args.output, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(args.output)


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "general_turns"))
