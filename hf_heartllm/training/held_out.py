"""How a training stands on records beside it: perplexities of a few in each split, and answers beside the truth."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import Trainer, TrainerCallback

from hf_heartllm.training.packing import QuestionPrompts

MOST_NEW_TOKENS = 40


@dataclass(frozen=True)
class Asked:
    """A question on a record, and its answer.

    Attributes:
        codes: of the record; None: it is asked without its ECG.
        question: the text.
        answer: the truth.
    """

    codes: np.ndarray | None
    question: str
    answer: str


class HeldOut(TrainerCallback):
    """Every so many steps, and at the end: loss and perplexity of answers and of ECG tokens, and sample answers.

    What is measured goes the way of the trainer's own log: `SPLIT_answer_loss`, `SPLIT_answer_perplexity` and
    `SPLIT_ecg_perplexity`. Nothing is drawn at random, so that a training goes on as it would without.

    Args:
        trainer: to whose callbacks this is added.
        prompts: how a question becomes ids.
        splits: name → what is asked there.
        every: steps.
        shown: how many of the last split's questions are answered in words and printed beside the truth.
    """

    def __init__(
        self,
        trainer: Trainer,
        prompts: QuestionPrompts,
        splits: Mapping[str, Sequence[Asked]],
        every: int,
        shown: int = 4,
    ) -> None:
        self.trainer, self.prompts, self.splits = trainer, prompts, {k: v for k, v in splits.items() if v}
        self.every, self.shown = every, shown
        if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
            print("weights lie in several processes: nothing is measured on the way", flush=True)
            self.splits, self.shown = {}, 0
        self.measured_at = -1

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self.every == 0:
            self._tell(state, kwargs["model"])

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step != self.measured_at:
            self._tell(state, kwargs["model"])

    def _tell(self, state: Any, model: Any) -> None:
        self.measured_at = state.global_step
        if not state.is_world_process_zero or not self.splits:
            return
        training = model.training
        model.eval()
        try:
            measured: dict[str, float] = {}
            for name, asked in self.splits.items():
                found = perplexities(model, self.prompts, asked)
                measured |= {f"{name}_{what}": value for what, value in found.items()}
            self.trainer.log(measured)
            lines = [f"step {state.global_step}"]
            for one in list(self.splits.values())[-1][: self.shown]:
                said = answer(model, self.prompts, one)
                lines.append(f"  {one.question} truth: {one.answer} answer: {said}")
            if self.shown:
                print("\n".join(lines), flush=True)
        finally:
            model.train(training)


def draw_asked(
    rows: Sequence[Mapping[str, Any]], codes: Mapping[str, np.ndarray], records: int, with_ecg: bool = True
) -> list[Asked]:
    """One question of each of some records that have codes and questions; always the same of the same rows."""
    able = [row for row in rows if row["record_id"] in codes and row.get("questions")]
    rng = random.Random(0)
    drawn = rng.sample(able, min(records, len(able)))
    asked = [(row["record_id"], rng.choice(list(row["questions"]))) for row in drawn]
    return [Asked(codes[name] if with_ecg else None, one.text, one.answer) for name, one in asked]


@torch.no_grad()
def perplexities(model: Any, prompts: QuestionPrompts, asked: Sequence[Asked]) -> dict[str, float]:
    """Mean cross-entropy of the tokens of answers (`answer_loss`), its exponential (`answer_perplexity`), and that of
    the ECG's codes (`ecg_perplexity`, left out where no question has an ECG)."""
    sums, counts = {"answer": 0.0, "ecg": 0.0}, {"answer": 0, "ecg": 0}
    for one in asked:
        prefix, turn = _prefix(prompts, one), prompts.turn(one.question, one.answer)
        ids = torch.tensor([[*prefix, *turn.ids]], device=model.device)
        logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
        losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").cpu()
        number = 0 if one.codes is None else len(one.codes)
        end = len(prefix) - 1  # of the ECG; its codes stand before
        places = {"ecg": list(range(end - number, end))}
        places["answer"] = [len(prefix) + i for i, label in enumerate(turn.labels) if label >= 0]
        for what, some in ((what, losses[[place - 1 for place in where]]) for what, where in places.items()):
            sums[what] += float(some.sum())
            counts[what] += len(some)
    means = {what: sums[what] / counts[what] for what in sums if counts[what]}
    found = {"answer_loss": means["answer"]} if "answer" in means else {}
    found |= {f"{what}_perplexity": math.exp(min(mean, 700)) for what, mean in means.items()}
    return {name: round(value, 4) for name, value in found.items()}


@torch.no_grad()
def answer(model: Any, prompts: QuestionPrompts, asked: Asked) -> str:
    """What a model says, always its likeliest token, on one line."""
    turn = prompts.turn(asked.question, "")
    ids = torch.tensor([[*_prefix(prompts, asked), *turn.ids[:-1]]], device=model.device)
    tokens = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=MOST_NEW_TOKENS,
        do_sample=False,
        pad_token_id=prompts.tokenizer.pad_token_id,
        eos_token_id=prompts.tokenizer.eos_token_id,
    )
    return " ".join(str(prompts.tokenizer.decode(tokens[0, ids.shape[1] :], skip_special_tokens=True)).split())


def _prefix(prompts: QuestionPrompts, asked: Asked) -> list[int]:
    if asked.codes is None:
        return prompts.prefix(None)
    return prompts.prefix(prompts.tokenizer.codes_to_ids(asked.codes.astype(np.int64).tolist()))
