"""Greedy texts behind many prompts, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch


@torch.inference_mode()
def generate_texts(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, batch_size: int = 32
) -> Iterator[tuple[int, str]]:
    """Continue prompts greedily; ECG tokens are suppressed, so what is written is text.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its tokenizer.
        prompts: token ids of each whole prompt, without padding.
        max_new_tokens: where a text is cut.
        batch_size: prompts in one pass; those of similar length go together.

    Yields:
        (index of the prompt, its text), batch by batch.
    """
    config = model.config
    suppressed = list(config.ecg_token_ids) if hasattr(config, "ecg_token_ids") else None
    end = tokenizer.eos_token_id
    pad = end if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        width = max(len(prompts[index]) for index in batch)
        ids = torch.full((len(batch), width), pad)
        mask = torch.zeros_like(ids)
        for row, index in enumerate(batch):  # padding on the left: the text follows at the right end
            ids[row, width - len(prompts[index]) :] = torch.tensor(list(prompts[index]))
            mask[row, width - len(prompts[index]) :] = 1
        out = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            do_sample=False,
            num_beams=1,
            max_new_tokens=max_new_tokens,
            suppress_tokens=suppressed,
            eos_token_id=end,
            pad_token_id=pad,
        )
        for index, written in zip(batch, out[:, width:].tolist(), strict=True):
            kept = written[: written.index(end)] if end in written else written
            yield index, tokenizer.decode(kept, skip_special_tokens=True).strip()
