"""The likeliest texts behind prompts, with their probabilities; that a prompt fits into the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

PASS_PROMPTS = 16  # prompts that are continued together

Text = tuple[str, list[int], float]
"""A text, its ids, the logarithm of its probability."""


def check_room(model: Any, prompt: Sequence[int], new_tokens: int) -> None:
    """That a prompt and what follows fit into the positions that the model knows.

    Raises:
        ValueError: if they do not.
    """
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if room is not None and len(prompt) + new_tokens > room:
        raise ValueError(
            f"recording, question and answer have {len(prompt) + new_tokens} tokens and the model knows {room} "
            "positions: ask a shorter question, or about a shorter recording"
        )


def likeliest_texts(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int, beams: int
) -> list[list[Text]]:
    """For each prompt its likeliest texts: text, its ids, the logarithm of its probability; the best first.

    ECG tokens are suppressed: what is written is text. Prompts of one length go through the model together.
    """
    found: list[list[Text]] = [[] for _ in prompts]
    for length in sorted({len(prompt) for prompt in prompts}):
        same = [place for place, prompt in enumerate(prompts) if len(prompt) == length]
        for first in range(0, len(same), PASS_PROMPTS):
            places = same[first : first + PASS_PROMPTS]
            texts = _together(model, tokenizer, [prompts[place] for place in places], max_new_tokens, beams)
            for place, of_prompt in zip(places, texts, strict=True):
                found[place] = of_prompt
    return found


def _together(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int, beams: int
) -> list[list[Text]]:
    """The same for prompts of one length."""
    check_room(model, prompts[0], max_new_tokens)
    ids = torch.tensor([list(prompt) for prompt in prompts], device=model.device)
    end = tokenizer.eos_token_id
    config = model.config
    suppressed = list(config.ecg_token_ids) if hasattr(config, "ecg_token_ids") else None
    pad = tokenizer.pad_token_id
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        num_beams=beams,
        num_return_sequences=beams,
        max_new_tokens=max_new_tokens,
        suppress_tokens=suppressed,
        length_penalty=0.0 if beams > 1 else None,  # sums of log-probabilities, not means over tokens
        eos_token_id=end,
        pad_token_id=end if pad is None else pad,
        return_dict_in_generate=True,
        output_scores=beams > 1,
        output_logits=beams == 1,
    )
    found: list[dict[str, Text]] = [{} for _ in prompts]
    for row, sequence in enumerate(out.sequences[:, ids.shape[1] :].tolist()):
        written = sequence[: sequence.index(end) + 1] if end in sequence else sequence
        if beams > 1:
            score = float(out.sequences_scores[row])
        else:
            steps = [step[row].double().log_softmax(-1)[token] for token, step in zip(written, out.logits)]
            score = float(sum(steps))
        text = tokenizer.decode(written, skip_special_tokens=True).strip()
        of_prompt = found[row // beams]
        if text not in of_prompt or of_prompt[text][2] < score:
            of_prompt[text] = (text, written, score)
    return [sorted(one.values(), key=lambda candidate: -candidate[2]) for one in found]
