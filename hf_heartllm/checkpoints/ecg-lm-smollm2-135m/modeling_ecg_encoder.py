"""A one-dimensional ResNet that encodes recordings of any length and with any of its leads."""

from __future__ import annotations

import math
import os
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput

from .card_files import source_of, write_card_files
from .configuration_ecg_lm import ECGEncoderConfig


def _upload_with_card(self: Any, working_dir: str | os.PathLike[str], repo_id: str, *args: Any, **kwargs: Any) -> Any:
    """As for any model, with a card and the licences of where it came from, in one commit."""
    write_card_files(self, working_dir, repo_id, *source_of(self))
    return PreTrainedModel._upload_modified_files(self, working_dir, repo_id, *args, **kwargs)


class ECGEncoderModel(PreTrainedModel):
    """ResNet-18 over time (He et al., arXiv:1512.03385), after a first convolution with kernels for each lead by name.

    A missing lead is NaN throughout: its kernels add nothing, what the others add is scaled up to the size that all
    leads would have, and a learned vector tells the blocks which leads there are. So the same weights read one lead or
    twelve. Recordings of different lengths stand in one batch with NaN in every lead behind the end of the shorter
    ones; each is encoded as it would be alone.

    Examples:
        >>> model = ECGEncoderModel(ECGEncoderConfig(hidden_sizes=(8, 16), depths=(1, 1))).eval()
        >>> model(torch.zeros(2, 12, 500)).pooler_output.shape
        torch.Size([2, 16])
    """

    config_class = ECGEncoderConfig
    main_input_name = "input_features"
    base_model_prefix = "encoder"
    _upload_modified_files = _upload_with_card

    def __init__(self, config: ECGEncoderConfig) -> None:
        super().__init__(config)
        sizes, kernel = list(config.hidden_sizes), config.stem_kernel_size
        self.stem = nn.Conv1d(len(config.leads), sizes[0], kernel, stride=2, padding=kernel // 2, bias=False)
        self.lead_embedding = nn.Parameter(torch.zeros(len(config.leads), sizes[0]))
        self.stem_norm = nn.BatchNorm1d(sizes[0])
        blocks: list[nn.Module] = []
        before = sizes[0]
        for stage, (size, depth) in enumerate(zip(sizes, config.depths, strict=True)):
            for block in range(depth):
                stride = 2 if stage and block == 0 else 1
                blocks.append(_Block(before, size, config.kernel_size, stride))
                before = size
        self.blocks = nn.Sequential(*blocks)
        self.post_init()

    def _init_weights(self, module: Any) -> None:
        if isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm1d):
            module.reset_parameters()
        elif isinstance(module, ECGEncoderModel):
            nn.init.normal_(module.lead_embedding, std=self.config.initializer_range)

    def forward(self, input_features: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Encode recordings.

        Args:
            input_features: float (batch, leads, samples) in mV, at the configuration's rate and lead order, less the
                slow baseline. NaN throughout a lead: it is missing; NaN in all leads behind a recording's end: padding.

        Returns:
            `last_hidden_state` float (batch, positions, hidden), 0 where a shorter recording has no position, and
            `pooler_output` float (batch, hidden), the mean and the maximum over a recording's positions, averaged.

        Raises:
            ValueError: if a recording has no lead, or the number of leads is another.
        """
        if input_features.dim() != 3 or input_features.shape[1] != len(self.config.leads):
            raise ValueError(
                f"the encoder reads (batch, {len(self.config.leads)}, samples), not {tuple(input_features.shape)}"
            )
        there = ~input_features.isnan()
        present = there.any(dim=2)
        if not bool(present.any(dim=1).all()):
            raise ValueError("a recording without any lead cannot be encoded")
        lengths = there.any(dim=1).sum(dim=1)
        if bool((lengths == input_features.shape[2]).all()):
            states = self._states(input_features, present)
            return BaseModelOutputWithPooling(last_hidden_state=states, pooler_output=_pooled(states))
        # Convolutions read across the end of a padded recording, so each length goes through by itself.
        groups = [(torch.nonzero(lengths == length)[:, 0], int(length)) for length in lengths.unique()]
        encoded = [(rows, self._states(input_features[rows, :, :length], present[rows])) for rows, length in groups]
        longest = max(states.shape[1] for _, states in encoded)
        hidden = encoded[0][1].new_zeros((len(input_features), longest, self.config.hidden_size))
        pooled = hidden.new_zeros((len(input_features), self.config.hidden_size))
        for rows, states in encoded:
            hidden[rows, : states.shape[1]] = states
            pooled[rows] = _pooled(states)
        return BaseModelOutputWithPooling(last_hidden_state=hidden, pooler_output=pooled)

    def num_positions(self, samples: int) -> int:
        """Positions of the output for a recording of so many samples."""
        return math.ceil(samples / int(2 ** (len(self.config.depths) + 1)))

    def _states(self, features: Tensor, present: Tensor) -> Tensor:
        """float (batch, leads, samples) without padding → (batch, positions, hidden)."""
        leads = present.to(self.stem.weight.dtype)
        scale = (leads.shape[1] / leads.sum(dim=1)).sqrt()
        states = self.stem(features.nan_to_num().to(self.stem.weight.dtype)) * scale[:, None, None]
        states = states + (leads @ self.lead_embedding)[:, :, None]
        states = nn.functional.max_pool1d(torch.relu(self.stem_norm(states)), 3, stride=2, padding=1)
        encoded: Tensor = self.blocks(states)
        return encoded.transpose(1, 2)


class ECGEncoderForSequenceClassification(PreTrainedModel):
    """The encoder with one logit for each statement (`config.id2label`), any number of which may hold.

    Examples:
        >>> config = ECGEncoderConfig(hidden_sizes=(8, 16), depths=(1, 1), num_labels=3)
        >>> ECGEncoderForSequenceClassification(config).eval()(torch.zeros(2, 12, 500)).logits.shape
        torch.Size([2, 3])
    """

    config_class = ECGEncoderConfig
    main_input_name = "input_features"
    base_model_prefix = "encoder"
    _upload_modified_files = _upload_with_card

    def __init__(self, config: ECGEncoderConfig) -> None:
        super().__init__(config)
        self.encoder = ECGEncoderModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def _init_weights(self, module: Any) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            nn.init.zeros_(module.bias)

    def forward(self, input_features: Tensor, labels: Tensor | None = None, **_: Any) -> SequenceClassifierOutput:
        """Logits of all statements.

        Args:
            input_features: as `ECGEncoderModel.forward` takes them.
            labels: float (batch, statements), 0 to 1; NaN is not scored.

        Returns:
            `loss` (binary cross-entropy) where labels are given, and `logits` float (batch, statements).
        """
        logits = self.classifier(self.encoder(input_features).pooler_output)
        loss = None
        if labels is not None:
            known = ~labels.isnan()
            loss = nn.functional.binary_cross_entropy_with_logits(logits[known], labels[known].to(logits.dtype))
        return SequenceClassifierOutput(loss=loss, logits=logits)


class _Block(nn.Module):
    """Two convolutions beside an identity; a convolution of one sample where size or length change."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        around = kernel_size // 2
        self.conv1 = nn.Conv1d(inputs, outputs, kernel_size, stride=stride, padding=around, bias=False)
        self.norm1 = nn.BatchNorm1d(outputs)
        self.conv2 = nn.Conv1d(outputs, outputs, kernel_size, padding=around, bias=False)
        self.norm2 = nn.BatchNorm1d(outputs)
        self.shortcut: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv1d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm1d(outputs)
            )

    def forward(self, states: Tensor) -> Tensor:
        beside = states if self.shortcut is None else self.shortcut(states)
        states = torch.relu(self.norm1(self.conv1(states)))
        return torch.relu(self.norm2(self.conv2(states)) + beside)


def _pooled(states: Tensor) -> Tensor:
    return (states.mean(dim=1) + states.amax(dim=1)) / 2


ECGEncoderModel.register_for_auto_class("AutoModel")
ECGEncoderForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")

__all__ = ["ECGEncoderForSequenceClassification", "ECGEncoderModel"]
