"""Training batches of the published HeartLLM (arXiv:2508.15338) as its public code makes them, to compare speed with.

What costs time is kept: recordings are read, standardised and encoded anew at every step; stage 2 has five windows a
record, padded on the left to the longest, with labels on the forecast alone; stage 3 has a row for each question, with
the whole ECG in it. What does not is left out: the language model is the one that ours is compared on, in float32,
since bfloat16 is slow on processors without matrix units.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from benchmarks.reference_codec import ReferenceCodec
from hf_heartllm.data.record import Record
from hf_heartllm.models.prompts import (
    FORECAST_WINDOWS,
    IGNORE_INDEX,
    TrainingRow,
    forecast_row,
    forecast_windows,
    left_pad,
    scaled_windows,
)

Batch = dict[str, torch.Tensor]
"""`input_ids`, `attention_mask` and `labels`, int64 (rows, tokens)."""


class Encode(Protocol):
    """Recordings → codes, int64 (records, tokens)."""

    def __call__(self, records: Sequence[Record]) -> np.ndarray: ...


@dataclass(frozen=True)
class Marks:
    """Ids around and of the codes.

    Attributes:
        bos: begins a row.
        start: of an ECG.
        end: of an ECG.
        eos: ends a row.
        pad: fills rows up.
        offset: id of code 0.
    """

    bos: int
    start: int
    end: int
    eos: int
    pad: int
    offset: int

    @classmethod
    def of(cls, tokenizer: Any) -> Marks:
        """Those of an `ECGTokenizer`; a tokenizer without BOS begins rows with EOS."""
        bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        start, end = tokenizer.ecg_start_token_id, tokenizer.ecg_end_token_id
        return cls(bos, start, end, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.ecg_token_offset)


def standardised(signal: np.ndarray) -> np.ndarray:
    """Each lead less its mean, over its standard deviation; a flat lead becomes zeros. (leads, samples) → float32."""
    signal = np.asarray(signal, dtype=np.float64)
    spread = signal.std(axis=1, keepdims=True)
    centred = signal - signal.mean(axis=1, keepdims=True)
    standardised: np.ndarray = (centred / np.where(spread > 0, spread, 1.0)).astype(np.float32)
    return standardised


def published_encoder(seed: int = 0) -> Encode:
    """Files of 500 Hz → codes of the published codec, lead after lead; its weights are random, which costs the same."""
    torch.manual_seed(seed)
    codec = ReferenceCodec().eval()

    @torch.no_grad()
    def encode(records: Sequence[Record]) -> np.ndarray:
        signals = np.stack([standardised(np.nan_to_num(record.read().signal)) for record in records])
        return np.asarray(codec.encode(torch.from_numpy(signals)).numpy())

    return encode


def our_encoder(tokenizer: Any) -> Encode:
    """The same with the codec of an `ECGTokenizer`, all recordings of a step together."""

    def encode(records: Sequence[Record]) -> np.ndarray:
        features = [tokenizer.feature_extractor.extract(record.read(), padding=True)[:1] for record in records]
        return np.asarray(tokenizer.codec.encode(torch.from_numpy(np.concatenate(features)))[:, 0].numpy())

    return encode


def forecast_batch(codes: np.ndarray, marks: Marks, rng: random.Random) -> Batch:
    """Stage 2: five rows a record; for records of other than 313 tokens windows in proportion.

    Args:
        codes: integers (records, tokens).
        marks: ids.
        rng: draws where windows begin.
    """
    tokens = codes.shape[1]
    sizes = FORECAST_WINDOWS if tokens == 313 else scaled_windows(tokens)
    ids = (codes.astype(np.int64) + marks.offset).tolist()
    rows = [
        forecast_row(ids[window.record], window, marks.bos, marks.start, marks.end, marks.eos)
        for window in forecast_windows(len(ids), rng, tokens, sizes)
    ]
    return tensors(rows, marks.pad)


def question_batch(codes: np.ndarray, prompts: Sequence[Callable[[Sequence[int]], TrainingRow]], marks: Marks) -> Batch:
    """Stage 3: one question a row, behind the whole ECG.

    Args:
        codes: integers (rows, tokens), of each row's recording.
        prompts: of each row: ids of the ECG → the row.
        marks: ids.
    """
    ids = (codes.astype(np.int64) + marks.offset).tolist()
    return tensors([prompt(one) for prompt, one in zip(prompts, ids, strict=True)], marks.pad)


def tensors(rows: Sequence[TrainingRow], pad: int) -> Batch:
    """Rows, padded on the left."""
    return {name: torch.tensor(values) for name, values in left_pad(rows, pad).items()}


def labelled(batch: Batch) -> int:
    """How many tokens of a batch are learned."""
    return int((batch["labels"] != IGNORE_INDEX).sum())
