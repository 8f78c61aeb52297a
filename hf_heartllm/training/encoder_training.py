"""What training an ECG encoder adds to it: fewer leads and shorter stretches to read, and measured numbers to tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from hf_heartllm.models.ecg_leads import LIMB_LEADS
from hf_heartllm.models.modeling_ecg_encoder import ECGEncoderForSequenceClassification
from hf_heartllm.training.recordings import RecordingDataset


class EncoderDataset(Dataset[dict[str, Any]]):
    """Recordings with their statements and what was measured on them.

    Args:
        recordings: features and statements.
        numbers: by `record_id`, float (numbers,), NaN where not measured; None: there are none.
    """

    def __init__(self, recordings: RecordingDataset, numbers: Mapping[str, np.ndarray] | None = None) -> None:
        self.recordings, self.numbers = recordings, numbers

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.recordings[index]
        found = {"input_features": row["input_features"], "labels": row["statement_labels"]}
        if self.numbers is not None:
            found["numbers"] = torch.as_tensor(self.numbers[self.recordings.recordings[index].record_id])
        return found


def recordings_batch(examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Examples of one batch; NaN behind the end of the shorter recordings."""
    batch = {name: torch.stack([one[name] for one in examples]) for name in examples[0] if name != "input_features"}
    rows = [one["input_features"].T for one in examples]
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=math.nan)
    return {"input_features": padded.transpose(1, 2), **batch}


class EncoderTraining(nn.Module):
    """An encoder in training.

    Args:
        model: the encoder, with a logit for each statement.
        numbers: how many measured numbers it is to tell.
        number_weight: of the smooth L1 loss of the numbers.
        dropout: before statements and numbers are told.
        fewer_leads: share of recordings of which only some leads are shown.
        shorter: share of batches of which a stretch is shown.
        shortest: samples of such a stretch, at least.
    """

    def __init__(
        self,
        model: ECGEncoderForSequenceClassification,
        numbers: int = 0,
        number_weight: float = 0.0,
        dropout: float = 0.0,
        fewer_leads: float = 0.0,
        shorter: float = 0.0,
        shortest: int = 250,
    ) -> None:
        super().__init__()
        self.model = model
        self.told = nn.Linear(model.config.hidden_size, numbers) if numbers else None
        self.number_weight, self.dropout = number_weight, nn.Dropout(dropout)
        self.fewer_leads, self.shorter, self.shortest = fewer_leads, shorter, shortest

    def forward(self, input_features: Tensor, labels: Tensor, numbers: Tensor | None = None) -> dict[str, Tensor]:
        """The losses' sum as `loss`, and `logits` (batch, statements)."""
        if self.training:
            input_features = self._changed(input_features)
        pooled = self.dropout(self.model.encoder(input_features).pooler_output)
        logits = self.model.classifier(pooled)
        known = ~labels.isnan()
        losses = nn.functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
        loss = (losses * known).sum(dim=1).mean()
        if self.told is not None and numbers is not None:
            there = ~numbers.isnan()
            error = nn.functional.smooth_l1_loss(self.told(pooled)[there], numbers[there], reduction="sum")
            loss = loss + self.number_weight * error / there.sum().clamp(min=1) * math.sqrt(numbers.shape[1])
        return {"loss": loss, "logits": logits}

    def _changed(self, features: Tensor) -> Tensor:
        """A stretch of a batch, some of the leads of a row; a change that leaves too little signal is not made."""
        samples = features.shape[2]
        if self.shorter and samples > self.shortest and torch.rand(()) < self.shorter:
            length = int(torch.randint(self.shortest, samples, ()))
            start = int(torch.randint(samples - length + 1, ()))
            stretch = features[:, :, start : start + length]
            if bool(((~stretch.isnan()).any(dim=1).sum(dim=1) >= self.shortest).all()):
                features = stretch
        if not self.fewer_leads:
            return features
        features = features.clone()
        for row in torch.nonzero(torch.rand(len(features)) < self.fewer_leads)[:, 0]:
            gone = ~self._kept(features.shape[1])
            if not bool(features[row, ~gone].isnan().all()):
                features[row, gone] = math.nan
        return features

    def _kept(self, leads: int) -> Tensor:
        """Which leads of a recording are shown: as often the six limb leads as some, any number of them."""
        kept = torch.zeros(leads, dtype=torch.bool)
        limbs = [index for index, name in enumerate(self.model.config.leads) if name in LIMB_LEADS]
        if limbs and torch.rand(()) < 0.15:
            kept[limbs] = True
            return kept
        count = int(torch.randint(1, leads + 1, ())) if torch.rand(()) < 0.5 else int(torch.randint(1, 4, ()))
        kept[torch.randperm(leads)[:count]] = True
        return kept
