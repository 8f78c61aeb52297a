"""What can be read from the codes that a language model sees: one small network, the same for every kind of input.

Inputs are the first codebook's codes (each level dimension one-hot, nothing else of the codec), or the raw signal at
100 Hz. The network, the passes over the data, the learning rate and the augmentation are the same for all; only the
first layer fits the input. Nothing is chosen on the evaluated fold: the weights after the last step are the probe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ...models.codec_classes import codec_model
from ...models.codec_config import CodecConfig
from ...models.configuration_ecg_codec import ECGCodecConfig
from ...models.ecg_codec import ECGCodec
from ...models.feature_extraction_ecg import ECGFeatureExtractor
from ..intervals import Bootstrap, Interval, Resampled
from ..results import Result
from .rates import code_levels
from .targets import groups, judged_columns

RESAMPLES = 500
HIDDEN = 96
DILATIONS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class ProbeTraining:
    """The budget that every probe gets.

    Attributes:
        passes: over the training records.
        batch_size: records of a step.
        learning_rate: highest of a one-cycle schedule (AdamW).
        weight_decay: of AdamW.
        crop: share of a recording that a step reads, another stretch each time.
    """

    passes: int = 10
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    crop: float = 0.9


class Probe(nn.Module):
    """(batch, channels, steps) → logits (batch, targets): dilated convolutions, then mean, maximum and deviation.

    Args:
        channels: of the input.
        halvings: halvings of the rate before the dilated convolutions, for a raw signal; 0 for codes.
        targets: statements to predict.
    """

    def __init__(self, channels: int, halvings: int, targets: int) -> None:
        super().__init__()
        stem: list[nn.Module] = []
        for index in range(max(halvings, 1)):
            width = HIDDEN // 2 ** (max(halvings, 1) - 1 - index)
            stride = 2 if halvings else 1
            stem += [nn.Conv1d(channels, width, 5, stride=stride, padding=2), nn.BatchNorm1d(width), nn.ReLU()]
            channels = width
        self.stem = nn.Sequential(*stem)
        self.layers = nn.ModuleList(nn.Conv1d(HIDDEN, HIDDEN, 3, padding=d, dilation=d) for d in DILATIONS)
        self.norms = nn.ModuleList(nn.BatchNorm1d(HIDDEN) for _ in DILATIONS)
        self.dropout = nn.Dropout(0.15)
        self.classify = nn.Linear(3 * HIDDEN, targets)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + self.dropout(nn.functional.relu(norm(layer(x))))
        pooled = torch.cat([x.mean(dim=-1), x.amax(dim=-1), x.std(dim=-1)], dim=-1)
        logits: torch.Tensor = self.classify(self.dropout(pooled))
        return logits


@dataclass(frozen=True)
class ProbeInput:
    """What a probe reads.

    Attributes:
        values: codes int (records, tokens), or signals float32 (records, leads, samples).
        levels: of the codes' dimensions; None for signals.
    """

    values: np.ndarray
    levels: tuple[int, ...] | None = None

    def channels(self) -> int:
        """Channels of `batch`."""
        return sum(self.levels) if self.levels else int(self.values.shape[1])

    def batch(self, rows: np.ndarray) -> torch.Tensor:
        """float32 (rows, channels, steps)."""
        chosen = self.values[rows]
        if self.levels is None:
            return torch.from_numpy(chosen.astype(np.float32))
        digits = code_levels(chosen, self.levels)
        parts = [np.eye(size, dtype=np.float32)[digits[..., i]] for i, size in enumerate(self.levels)]
        return torch.from_numpy(np.concatenate(parts, axis=-1).transpose(0, 2, 1).copy())


def cross_entropy_of_known(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of each logit, 0 where the label is left open (NaN)."""
    known = (~labels.isnan()).to(logits.dtype)
    return nn.functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), known, reduction="none")


def train_probe(
    data: ProbeInput,
    labels: np.ndarray,
    *,
    seed: int,
    training: ProbeTraining | None = None,
    device: str = "cpu",
    progress: Callable[[int], Any] = lambda step: None,
) -> Probe:
    """Train a probe with binary cross-entropy.

    Args:
        data: of the training records.
        labels: float32 (records, targets); NaN is left open, and counts neither way.
        seed: of weights, order and crops.
        training: the budget.
        device: where to train.
        progress: called with 1 after each step.
    """
    budget = training or ProbeTraining()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    probe = Probe(data.channels(), 0 if data.levels else 3, labels.shape[1]).to(device)
    steps = budget.passes * math.ceil(len(labels) / budget.batch_size)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, budget.learning_rate, total_steps=steps)
    probe.train()
    for _ in range(budget.passes):
        order = rng.permutation(len(labels))
        for first in range(0, len(order), budget.batch_size):
            rows = order[first : first + budget.batch_size]
            if len(rows) > 1:  # batch normalisation needs two
                x = data.batch(rows)
                length = math.ceil(budget.crop * x.shape[-1])
                start = int(rng.integers(x.shape[-1] - length + 1))
                logits = probe(x[..., start : start + length].to(device))
                wanted = torch.from_numpy(labels[rows]).to(device)
                loss = cross_entropy_of_known(logits, wanted).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            schedule.step()
            progress(1)
    return probe.eval()


@torch.no_grad()
def probe_scores(probe: Probe, data: ProbeInput, device: str = "cpu") -> np.ndarray:
    """Logits float32 (records, targets)."""
    rows = np.arange(len(data.values))
    pieces = np.array_split(rows, max(1, math.ceil(len(rows) / 64)))
    return np.concatenate([probe(data.batch(piece).to(device)).cpu().numpy() for piece in pieces])


def raw_extractor() -> ECGFeatureExtractor:
    """The raw signal that a probe reads: eight leads at 100 Hz in mV, slow baseline off."""
    return ECGFeatureExtractor.from_codec(ECGCodecConfig())


def random_codec(config: CodecConfig, features: Sequence[torch.Tensor], seed: int = 0) -> ECGCodec:
    """A codec of the same sizes with random weights; batch normalisation has seen the features, nothing else has."""
    torch.manual_seed(seed)
    codec: Any = codec_model(config)
    if any(isinstance(module, nn.BatchNorm1d) for module in codec.modules()):
        codec.train()
        with torch.no_grad():
            for _ in range(10):  # the running statistics approach those of the features
                codec(torch.cat(list(features)))
    random: ECGCodec = codec.eval()
    return random


def auroc_figures(
    title: str,
    labels: np.ndarray,
    scores: np.ndarray,
    patients: np.ndarray,
    bars: Mapping[str, str] | None = None,
    *,
    less: np.ndarray | None = None,
) -> list[Result]:
    """Areas of one input's probes, mean over seeds, with intervals over patients.

    Args:
        title: of the input.
        labels: (records, targets).
        scores: (seeds, records, targets).
        patients: (records,).
        bars: name of a row of `targets.groups` → what it should reach.
        less: scores of other probes, whose areas are taken off, records paired.
    """
    bootstrap = Bootstrap(patients, resamples=RESAMPLES)
    figures = []
    for name, columns in groups().items():
        if judged := judged_columns(labels, columns):
            area = bootstrap.auroc(labels[:, columns], scores[:, :, columns])
            positive = int(labels[:, columns].sum())
            data = f"{len(scores)} seeds, {judged} statement{'s' if judged > 1 else ''}, {positive} positive"
            found: Interval | Resampled = area
            if less is not None:
                found, data = area.minus(bootstrap.auroc(labels[:, columns], less[:, :, columns])), ""
            figures.append(Result.of(f"{title}: {name}", found, unit="AUROC", target=(bars or {}).get(name), data=data))
    return figures
