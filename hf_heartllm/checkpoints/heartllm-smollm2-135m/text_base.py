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
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel

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


class TextsByBase(PreTrainedModel, GenerationMixin):
    """What a `HeartLLMForCausalLM` does with rows without an ECG: nothing else than with others, or its base's."""

    _text_base: TextBase | None = None

    def texts_by_base(self, base: str | os.PathLike[str] | None) -> None:
        """Have rows without an ECG answered by the language model that the adapter was trained on, or no longer.

        `from_pretrained` does so for a checkpoint that holds an adapter. It takes a second set of the base's weights,
        which is loaded when the first such row comes, and ends when training begins (`train()`). A checkpoint that is
        saved holds the adapter's weights for every row.

        Args:
            base: folder of the base, or its repository on the Hub; None: the adapter's weights answer every row.
        """
        self._text_base = None if base is None else TextBase(base, self.config)

    def reading_alone(self) -> Any:
        """The same weights, which answer rows without an ECG too: what is compared with the ECG left out."""
        alone = copy.copy(self)
        alone._text_base = None
        return alone

    def train(self, mode: bool = True) -> Any:
        """As of any module; a model that is trained answers every row itself from then on."""
        if mode:
            self._text_base = None
        super().train(mode)
        return self

    @torch.no_grad()
    def generate(self, inputs: Tensor | None = None, **kwargs: Any) -> Any:
        """As of any model; rows without an ECG are written by the base where there is one (`texts_by_base`).

        A batch with both kinds of rows, of which more than the ids is asked for (`return_dict_in_generate`), is written
        by this model alone.
        """
        ids = kwargs.pop("input_ids", None) if inputs is None else inputs
        base, texts = self._texts(ids, kwargs.get("past_key_values"), kwargs.get("inputs_embeds"))
        if base is None:
            return super().generate(ids, **kwargs)
        settings = kwargs.get("generation_config") or self.generation_config
        of_base = {**kwargs, "generation_config": base.settings(settings)}
        of_ecgs = super().generate

        def written(rows: Tensor, text: bool) -> Any:
            own = {
                name: value[rows] if isinstance(value, Tensor) and value.shape[:1] == texts.shape else value
                for name, value in (of_base if text else kwargs).items()
            }
            if text:
                return base.like(self).generate(ids[rows], **own)
            return of_ecgs(ids[rows], **own)

        if texts.all():
            return written(torch.arange(len(ids), device=ids.device), True)
        if kwargs.get("return_dict_in_generate", settings.return_dict_in_generate):
            return of_ecgs(ids, **kwargs)
        return by_rows(texts, written, fill=int(kwargs.get("pad_token_id", settings.pad_token_id) or 0))

    def _texts(self, ids: Any, cache: Any, embeds: Any) -> tuple[TextBase | None, Tensor]:
        """The base that answers some rows, and which; None where this model answers all."""
        base, none = self._text_base, torch.zeros(0, dtype=torch.bool)
        if base is None or embeds is not None or not isinstance(ids, Tensor) or torch.compiler.is_compiling():
            return None, none
        if cache is not None and not getattr(cache, "of_text_base", False):
            return None, none
        texts = base.without_ecg(ids)
        return (base, texts) if texts.any() else (None, none)


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


__all__ = ["TextBase", "TextsByBase", "by_rows"]
