"""The encoding of an ECG → soft tokens of a language model."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .configuration_ecg_lm import ECGLMConfig
from .modeling_ecg_encoder import ECGEncoderModel


class ECGProjector(nn.Module):
    """Makes soft tokens of recordings, by `config.projector` (`configuration_ecg_lm.PROJECTORS`).

    The last step is a layer norm, whose weight begins at the size of the language model's own embeddings
    (`ECGLMForCausalLM.from_base`), so that a soft token is no louder than a word.
    """

    def __init__(self, config: ECGLMConfig) -> None:
        super().__init__()
        width, tokens = config.encoder_config.hidden_size, config.num_ecg_tokens
        hidden = config.get_text_config().hidden_size
        self.kind, self.tokens = config.projector, tokens
        if self.kind == "time":
            self.queries = nn.Parameter(torch.randn(tokens, width) / math.sqrt(width))
            self.attention = nn.MultiheadAttention(width, max(1, width // 64), batch_first=True)
            self.attention_norm = nn.LayerNorm(width)
        if self.kind == "leads":
            self.lead_tokens = nn.Parameter(torch.zeros(tokens, hidden))
        self.linear = nn.Linear(width, hidden * (tokens if self.kind == "record" else 1))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, features: Tensor, encoder: ECGEncoderModel) -> Tensor:
        """Soft tokens.

        Args:
            features: float (ecgs, leads, samples), as the encoder reads them.
            encoder: makes the encoding.

        Returns:
            float (ecgs, tokens, hidden).
        """
        if self.kind == "leads":
            return self._of_leads(features, encoder)
        encoded = encoder(features)
        if self.kind == "record":
            of_recording: Tensor = self.norm(self.linear(encoded.pooler_output).unflatten(1, (self.tokens, -1)))
            return of_recording
        states = encoded.last_hidden_state
        # positions behind a shorter recording's end are 0 throughout, which no position of a recording is
        behind = (states == 0).all(dim=2)
        timed = states + _time_code(states)
        queries = self.queries.expand(len(states), -1, -1)
        read = self.attention(queries, timed, timed, key_padding_mask=behind, need_weights=False)[0]
        of_times: Tensor = self.norm(self.linear(self.attention_norm(queries + read)))
        return of_times

    def _of_leads(self, features: Tensor, encoder: ECGEncoderModel) -> Tensor:
        """Each lead encoded by itself; of a missing one only its learned vector is left."""
        ecgs, leads, samples = features.shape
        alone = features.new_full((ecgs, leads, leads, samples), float("nan"))
        every = torch.arange(leads)
        alone[:, every, every] = features
        there = ~features.isnan().all(dim=2)
        pooled = self.linear.weight.new_zeros((ecgs, leads, encoder.config.hidden_size))
        pooled[there] = encoder(alone[there]).pooler_output.to(pooled)
        projected = self.linear(pooled) * there[:, :, None]
        of_leads: Tensor = self.norm(projected + self.lead_tokens)
        return of_leads


def _time_code(states: Tensor) -> Tensor:
    """Sines and cosines of the position, float (positions, width); the longest period is a few minutes."""
    positions, width = states.shape[1:]
    rates = torch.exp(torch.arange(0, width, 2, device=states.device) * (-math.log(1000.0) / width))
    angles = torch.arange(positions, device=states.device)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width].to(states.dtype)
