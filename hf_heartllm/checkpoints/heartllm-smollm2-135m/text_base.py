"""Texts without an ECG go to the language model that an adapter was trained on, as it was.

An adapter teaches a base to read ECGs, and its words change with it. Where no ECG stands in a row there is nothing to
read, so the base answers, to the letter; as a server does that takes an adapter for some requests and none for others.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from .locks import LOADING
from .model_cache import cache_of


class TextBase:
    """A base by itself; its weights are loaded when a text is first given to it.

    Args:
        folder: of the base.
        config: the `HeartLLMConfig` of the model with the adapter.
    """

    def __init__(self, folder: str | os.PathLike[str], config: Any) -> None:
        self._folder, self._config = folder, config
        self._model: Any = None

    def without_ecg(self, ids: Tensor) -> Tensor:
        """Which rows hold no ECG token, bool (batch,).

        Args:
            ids: int64 (batch, tokens).
        """
        first, codes = self._config.ecg_token_offset, self._config.ecg_codebook_size
        borders = (self._config.ecg_start_token_id, self._config.ecg_end_token_id)
        held = (ids >= first) & (ids < first + codes) | (ids == borders[0]) | (ids == borders[1])
        none: Tensor = ~held.any(dim=1)
        return none

    def like(self, model: Any) -> Any:
        """The base, in the dtype of a model and where it is."""
        with LOADING:
            if self._model is None:
                attention = model.config.get_text_config()._attn_implementation
                self._model = AutoModelForCausalLM.from_pretrained(
                    self._folder, dtype=model.dtype, attn_implementation=attention
                ).eval()
            base = self._model
            if (base.device, base.dtype) != (model.device, model.dtype):
                base.to(device=model.device, dtype=model.dtype)
        return base

    def grown(self, model: Any, outputs: Any) -> Any:
        """Its outputs with the vocabulary of a model, whose ECG tokens never stand in a text; their cache is marked."""
        missing = model.get_input_embeddings().weight.shape[0] - outputs.logits.shape[-1]
        if missing > 0:
            least = torch.finfo(outputs.logits.dtype).min
            outputs.logits = torch.nn.functional.pad(outputs.logits, (0, missing), value=least)
        cache = cache_of(outputs)
        if cache is not None:
            cache.of_text_base = True
        return outputs

    def settings(self, asked: Any) -> Any:
        """A generation configuration without the ECG tokens that are kept from being written: the base has none."""
        settings = copy.deepcopy(asked)
        ecg = set(self._config.ecg_token_ids)
        settings.suppress_tokens = [one for one in settings.suppress_tokens or () if one not in ecg] or None
        return settings


def by_rows(rows: Tensor, run: Callable[[Tensor, bool], Tensor], fill: int) -> Tensor:
    """Run the rows of a batch in two parts and put what is made of them in order.

    Args:
        rows: bool (batch,).
        run: places of some rows, whether these are the ones that are True → (as many rows, or a multiple, width).
        fill: what stands behind a shorter part.

    Returns:
        (batch times that number, the larger width).
    """
    places = [(which.nonzero()[:, 0], kind) for kind, which in ((True, rows), (False, ~rows))]
    parts = [(which, run(which, kind)) for which, kind in places]
    of_each = len(parts[0][1]) // len(parts[0][0])
    whole = parts[0][1].new_full((len(rows) * of_each, max(made.shape[1] for _, made in parts)), fill)
    for which, made in parts:
        every = (which[:, None] * of_each + torch.arange(of_each, device=which.device)).flatten()
        whole[every, : made.shape[1]] = made
    return whole


__all__ = ["TextBase", "by_rows"]
