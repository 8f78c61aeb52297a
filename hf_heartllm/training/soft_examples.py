"""Training examples of ECG-LM: the places of an ECG's soft tokens, and what the encoder reads."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from hf_heartllm.models.measured_text import measured_text
from hf_heartllm.models.processing_ecg_lm import pad_features
from hf_heartllm.training.examples import QuestionDataset
from hf_heartllm.training.packing import PackedCollator
from hf_heartllm.training.recordings import RecordingDataset


class FeaturesOfRecords(Mapping[str, np.ndarray]):
    """What the encoder reads of recordings, by `record_id`, float32 (leads, samples); read when first asked for."""

    def __init__(self, recordings: RecordingDataset) -> None:
        self._recordings = recordings
        self._places = {one.record_id: place for place, one in enumerate(recordings.recordings)}

    def __getitem__(self, record_id: str) -> np.ndarray:
        return self._recordings.features_of(self._places[record_id])

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._places  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class SoftQuestionDataset(QuestionDataset):
    """As `QuestionDataset`, of what the encoder reads instead of codes.

    Args:
        rows: as of `QuestionDataset`.
        features: by `record_id`, float32 (leads, samples), NaN throughout a missing lead.
        prompts: of an `ECGLMProcessor`.
        fewer_leads: probability that only some leads of a recording are shown, one at least.
        measured: by `record_id`, `measured_text` of recordings, where the processor shows it.
        **options: as of `QuestionDataset`.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], features: Mapping[str, np.ndarray], prompts: Any,
        fewer_leads: float = 0.0, measured: Mapping[str, str] | None = None, **options: Any,
    ) -> None:  # fmt: skip
        self.fewer_leads = fewer_leads
        self.measured = measured or {}
        super().__init__(rows, features, prompts, **options)

    def _ecg_tokens(self, record_id: str) -> int:
        return len(self._ids(record_id))

    def _ids(self, record_id: str) -> list[int]:
        ids: list[int] = self.prompts.tokenizer.ecg_ids(measured=self.measured.get(record_id, measured_text({})))
        return ids

    def _shown(self, record_id: str, rng: random.Random) -> tuple[list[int], dict[str, Any]]:
        features = self.codes[record_id]
        if self.fewer_leads and rng.random() < self.fewer_leads:
            there = np.flatnonzero(~np.isnan(features).all(axis=1)).tolist()
            kept = rng.sample(there, rng.randint(1, len(there)))
            features = features.copy()
            features[np.setdiff1d(np.arange(len(features)), kept)] = math.nan
        return self._ids(record_id), {"input_features": features}


class SoftCollator(PackedCollator):
    """As `PackedCollator`, with `input_features` float32 (ecgs, leads, samples) of the examples that show an ECG."""

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        batch = super().__call__(examples)
        features = [np.asarray(one["input_features"]) for one in examples if one.get("input_features") is not None]
        if features:
            batch["input_features"] = torch.from_numpy(pad_features(features))
        return batch
