"""What training a codec adds to the codec: a probe that reads the record's statements from the quantised values.

Reconstruction alone spends the few bits of a code on whatever has most energy, which is the QRS complex. A small
classifier on the quantised values, trained along and then thrown away, makes the encoder keep what cardiologists'
statements depend on (P waves, ST segments) too; speech codecs do the same with the features of a speech model
(SpeechTokenizer, arXiv:2308.16692).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn

from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.training.recordings import Recording


class StatementProbe(nn.Module):
    """Quantised values (batch, tokens, dimensions) → logits (batch, statements).

    Dilated convolutions see about five seconds, and the pooled mean and maximum see the record, so rhythm can be told.
    """

    def __init__(self, dimensions: int, statements: int, hidden_size: int = 96) -> None:
        super().__init__()
        self.project = nn.Conv1d(dimensions, hidden_size, 5, padding=2)
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden_size, hidden_size, 5, padding=2 * dilation, dilation=dilation)
            for dilation in (1, 2, 4, 8, 16)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, hidden_size) for _ in self.layers)
        self.classify = nn.Linear(2 * hidden_size, statements)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        x = self.project(values.transpose(1, 2) * 2 - 1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + nn.functional.gelu(norm(layer(x)))
        return self.classify(torch.cat([x.mean(dim=-1), x.amax(dim=-1)], dim=-1))


class CodecWithProbe(nn.Module):
    """A codec in training; its forward returns the loss that `transformers.Trainer` minimises.

    Args:
        codec: the codec.
        num_statements: statements of the probe; 0 for reconstruction alone, as published.
        probe_weight: weight of the probe's binary cross-entropy beside the mean squared error.
    """

    def __init__(self, codec: ECGCodecModel, num_statements: int, probe_weight: float) -> None:
        super().__init__()
        self.codec = codec
        self.probe_weight = probe_weight
        self.probe = (
            StatementProbe(len(codec.config.levels), num_statements) if num_statements and probe_weight else None
        )

    def forward(
        self, input_features: torch.Tensor, statement_labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        output = self.codec(input_features)
        result = {"loss": output.loss, "reconstruction_loss": output.loss.detach(), "codes": output.codes}
        if self.probe is not None and statement_labels is not None:
            logits = self.probe(output.quantized)
            probe_loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), statement_labels.float())
            result["loss"] = output.loss + self.probe_weight * probe_loss
            result["probe_loss"] = probe_loss.detach()
        return result


def frequent_statements(recordings: Sequence[Recording], at_least: int) -> list[str]:
    """SCP codes that occur in at least so many recordings, alphabetically."""
    counts = Counter(code for recording in recordings for code in recording.statements)
    return sorted(code for code, count in counts.items() if count >= at_least)
