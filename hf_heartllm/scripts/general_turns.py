"""What a language model says of things that are no ECG, for `finetune.py --general-turns` and `ground.py`.

    python training/general_turns.py --base build/smollm2-135m-instruct --output build/general_turns.jsonl

Greedy answers of the untouched base to general questions, and texts that it writes by itself. Tuned on the answers, and
held to what it made of the texts (`training.text_anchor`), the model stays the language model that it was.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer

from hf_heartllm.arguments import add_options, settings_of
from hf_heartllm.models.prompts import DEFAULT_CHAT_TEMPLATE
from hf_heartllm.models.whole_files import write_whole
from hf_heartllm.training.stages import check_model, refuse
from hf_heartllm.training.turns.others import general_questions

BATCH = 8
OPENINGS = (
    "The", "In", "When", "A", "She", "He", "They", "It was", "After", "Many", "On the", "There is", "If", "Most",
    "Because", "One day", "For", "Although", "We", "At", "Some", "During", "To", "While", "Every", "People", "Before",
    "I", "With", "As",
)  # fmt: skip
"""How texts begin that the model writes by itself."""


@dataclass(frozen=True)
class Settings:
    """What is asked; the options of this program are these fields.

    Attributes:
        base: a language model: its folder, or its name on the Hub.
        output: JSON lines to write.
        max_tokens: tokens of an answer.
        texts: that the model writes by itself, each of `text_tokens` tokens.
        text_tokens: of each of them.
        seed: of what is drawn for them.
    """

    base: str
    output: Path
    max_tokens: int = 64
    texts: int = 128
    text_tokens: int = 96
    seed: int = 42


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, Settings)
    args = settings_of(Settings, parser.parse_args())
    try:
        check_model(args.base, None, "--base")
        tokenizer = AutoTokenizer.from_pretrained(args.base, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.float32).eval()
    except (OSError, ValueError) as error:
        refuse(error)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.chat_template is None:  # as `from_base` of both systems has it
        tokenizer.chat_template = DEFAULT_CHAT_TEMPLATE
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
    rows += [{"text": text} for text in _texts(model, tokenizer, args)]
    write_whole(args.output, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(args.output)


def _texts(model: Any, tokenizer: Any, args: Settings) -> list[str]:
    """Texts that the model writes behind an opening, drawn from what it finds likely."""
    torch.manual_seed(args.seed)
    texts: list[str] = []
    for start in tqdm(range(0, args.texts, 4 * BATCH), desc="texts", unit="batch"):
        openings = [OPENINGS[i % len(OPENINGS)] for i in range(start, min(start + 4 * BATCH, args.texts))]
        inputs = tokenizer(openings, padding=True, return_tensors="pt")
        with torch.no_grad():
            written = model.generate(
                **inputs, do_sample=True, top_k=0, top_p=0.95, max_new_tokens=args.text_tokens, min_new_tokens=16
            )
        texts += [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in written]
    return texts


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "general_turns"))
