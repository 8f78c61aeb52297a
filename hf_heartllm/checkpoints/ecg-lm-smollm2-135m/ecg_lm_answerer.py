"""ECG-LM as it answers prompts: the soft tokens of each recording under ids of their own, for one call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .ecg_answerer import IdAnswerer
from .ecg_prompts import PromptIds
from .ecg_reading import Reading, read_recording
from .ecg_record import ECGRecord
from .model_cache import cache_argument


class SoftTokenAnswerer(IdAnswerer):
    """An `Answerer` whose ECGs are soft tokens.

    Args:
        model: an `ECGLMForCausalLM`.
        processor: its `ECGLMProcessor`.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor.tokenizer, processor.prompt_ids())
        self.processor = processor

    @property
    def max_duration(self) -> float | None:
        """Seconds of the longest recording that was trained on."""
        seconds: float | None = self.processor.ecg_max_duration
        return seconds

    @property
    def reads(self) -> dict[str, str]:
        """SHA-256 of the encoder's and the projection's weights."""
        digest = hashlib.sha256()
        for part in (self.model.encoder, self.model.projector):
            for name, value in sorted(part.state_dict().items()):
                digest.update(name.encode())
                digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        return {"encoder": digest.hexdigest()}

    @torch.inference_mode()
    def read(self, record: ECGRecord) -> Reading:
        """See `Answerer.read`; what a window holds are its soft tokens, and the embeddings of what was measured."""
        reading = read_recording(_Reader(self.processor), record)
        windows = tuple(
            window if window.ecg is None else replace(window, ecg=self._soft(window.ecg)) for window in reading.windows
        )
        return replace(reading, windows=windows)

    def _soft(self, read: tuple[np.ndarray, list[int]]) -> Tensor:
        features, ids = read
        soft: Tensor = self.model.encode_ecgs(torch.from_numpy(features)[None])[0]
        text = torch.tensor(ids[len(soft) :], dtype=torch.long, device=soft.device)
        return torch.cat([soft, self.model.get_input_embeddings()(text).to(soft)]) if len(text) else soft

    def _pass(self) -> tuple[Any, Callable[[Any], Sequence[int]]]:
        shown = _WithSoftTokens(self.model)
        return shown, shown.ids_of


class _Reader:
    """A processor whose ECGs are what the encoder reads and their ids, for `read_recording`."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self.feature_extractor = processor.feature_extractor
        self.ecg_max_duration = processor.ecg_max_duration

    def encode_ecg(self, record: ECGRecord, check: bool = True) -> tuple[np.ndarray, list[int]]:
        return self._processor.encode_ecg(record, check=check), self._processor.ecg_ids(record)


class SoftPromptIds(PromptIds):
    """As `PromptIds`; the ids of an ECG are all there is of it, without start and end token."""

    def whole(self, ecg_ids: Sequence[int]) -> list[int]:
        """They are all there is."""
        return list(ecg_ids)

    def _template(self) -> tuple[str, str]:
        processor = self._tokenizer
        return str(processor.chat_template or processor.tokenizer.chat_template), processor.ecg_chat

    def _any_ecg(self) -> dict[str, Any]:
        return {"type": "ecg", "ecg": [0]}

    def _parted(self, ids: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        first = ids.index(self._tokenizer.ecg_token_id)
        return tuple(ids[:first]), tuple(ids[first + self._tokenizer.num_ecg_tokens :])

    def _chat_ids(self, chat: list[dict[str, Any]], literal: bool = False) -> list[int]:
        row, _ = self._tokenizer.chat_row(chat, literal=literal, add_generation_prompt=True)
        return list(row["input_ids"])


class _WithSoftTokens:
    """A model with the soft tokens of some ECGs behind its vocabulary, as scoring and generation call one.

    What stands above it knows ids alone, so prompts that begin with the same ECG begin with the same ids.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._first = max(model.get_input_embeddings().weight.shape[0], model.config.ecg_token_id + 1)
        self._soft: list[Tensor] = []
        self._known: dict[int, list[int]] = {}
        self.config, self.device, self.dtype = model.config, model.device, model.dtype
        self.language_model = model.language_model

    def ids_of(self, soft: Tensor) -> list[int]:
        """The ids of an ECG's soft tokens, float (tokens, hidden)."""
        if id(soft) not in self._known:
            begin = self._first + sum(map(len, self._soft))
            self._soft.append(soft)  # kept, so that its id stays its own
            self._known[id(soft)] = list(range(begin, begin + len(soft)))
        return self._known[id(soft)]

    def _embeds(self, input_ids: Tensor) -> Tensor:
        soft = input_ids >= self._first
        embeds: Tensor = self._model.get_input_embeddings()(input_ids.masked_fill(soft, 0))
        if not self._soft:
            return embeds
        rows = torch.cat(self._soft).to(embeds)
        return torch.where(soft[:, :, None], rows[(input_ids - self._first).clamp(min=0)], embeds)

    def forward(self, input_ids: Tensor, past_key_values: Any = None, **options: Any) -> Any:
        """As the language model's."""
        model = self.language_model
        return model(inputs_embeds=self._embeds(input_ids), **cache_argument(model, past_key_values), **options)

    __call__ = forward

    def generate(self, input_ids: Tensor, **options: Any) -> Any:
        """As the model's."""
        places = input_ids.masked_fill(input_ids >= self._first, self.config.ecg_token_id)
        return self._model.generate(input_ids=places, inputs_embeds=self._embeds(input_ids), **options)
