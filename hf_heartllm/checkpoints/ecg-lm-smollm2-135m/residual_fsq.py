"""Residual finite scalar quantisation: one codebook for the language model, residual ones that refine it.

Every stage projects what the stages before it left over to a few dimensions, quantises these, and projects back
(factorised codes as in Kumar et al., 2023, arXiv:2306.06546; finite scalars instead of a codebook). Each projection is
standardised over the training data before it is quantised, so no dimension falls silent on one level. Any prefix of the
stages is a codec of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .fsq import FiniteScalarQuantizer


class ResidualQuantizer(nn.Module):
    """Stages of finite scalar quantisation on a latent space.

    Args:
        hidden_size: dimensions of the latent space.
        levels: levels of each stage's dimensions, first stage first.
        slope: what standardised projections are multiplied with. The logistic function of 1.702 times a standard
            normal number is nearly even in [0, 1].
    """

    def __init__(self, hidden_size: int, levels: Sequence[Sequence[int]], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.quantizers = nn.ModuleList(FiniteScalarQuantizer(stage) for stage in levels)
        self.down = nn.ModuleList(nn.Linear(hidden_size, len(stage)) for stage in levels)
        self.norm = nn.ModuleList(nn.BatchNorm1d(len(stage), affine=False) for stage in levels)
        self.up = nn.ModuleList(nn.Linear(len(stage), hidden_size, bias=False) for stage in levels)

    def project(self, residual: torch.Tensor, stage: int) -> torch.Tensor:
        """(batch, tokens, hidden_size) → (batch, tokens, dimensions), what the stage's quantiser reads."""
        down: Any = self.down[stage]
        # The latents come as a transposed view of a convolution's result, which a linear layer would copy first.
        channels_first = residual.transpose(1, 2)
        weight = down.weight.expand(len(residual), -1, -1)
        projection = self.norm[stage](torch.baddbmm(down.bias[:, None], weight, channels_first))
        scaled: torch.Tensor = self.slope * projection.transpose(1, 2)
        return scaled

    def forward(
        self, latents: torch.Tensor, num_stages: int | torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Quantise, with a straight-through gradient.

        Args:
            latents: (batch, tokens, hidden_size).
            num_stages: stages that the result holds, for all or (batch,) for each row; all by default.

        Returns:
            quantized: (batch, tokens, hidden_size), what a decoder reads.
            codes: int64 (batch, stages, tokens), of every stage.
            projections: of each stage (batch, tokens, dimensions), before its quantiser.
        """
        with torch.autocast(latents.device.type, enabled=False):
            residual = latents if latents.dtype == torch.float64 else latents.float()
            quantized = torch.zeros_like(residual)
            codes, projections = [], []
            for index, (quantizer, up) in enumerate(zip(self.quantizers, self.up, strict=True)):
                projection = self.project(residual, index)
                values, stage_codes = quantizer(projection)
                part = up(values.to(residual.dtype) * 2 - 1)
                residual = residual - part
                if num_stages is None:
                    quantized = quantized + part
                elif isinstance(num_stages, torch.Tensor):
                    quantized = quantized + part * (num_stages > index).to(part.dtype)[:, None, None]
                elif index < num_stages:
                    quantized = quantized + part
                codes.append(stage_codes)
                projections.append(projection)
            return quantized, torch.stack(codes, dim=1), projections

    def encode(self, latents: torch.Tensor, num_stages: int) -> torch.Tensor:
        """(batch, tokens, hidden_size) → int64 (batch, stages, tokens) of the first `num_stages` stages."""
        residual = latents if latents.dtype == torch.float64 else latents.float()
        codes: list[torch.Tensor] = []
        for index, (quantizer, up) in enumerate(list(zip(self.quantizers, self.up, strict=True))[:num_stages]):
            values, stage_codes = quantizer(self.project(residual, index))
            codes.append(stage_codes)
            if len(codes) < num_stages:
                residual = residual - up(values.to(residual.dtype) * 2 - 1)
        return torch.stack(codes, dim=1)

    def unrounded(self, latents: torch.Tensor, num_stages: int) -> torch.Tensor:
        """What the first stages would decode to if nothing were rounded; (batch, tokens, hidden_size) → the same."""
        total = torch.zeros_like(latents)
        for index in range(num_stages):
            total = total + self.up[index](torch.sigmoid(self.project(latents - total, index)) * 2 - 1)
        return total

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """int64 (batch, stages, tokens), a prefix of the stages → (batch, tokens, hidden_size)."""
        if codes.shape[1] > len(self.quantizers):
            raise ValueError(f"codes are of {codes.shape[1]} codebooks, there are {len(self.quantizers)}")
        parts = []
        for index in range(codes.shape[1]):
            quantizer: Any = self.quantizers[index]
            up: Any = self.up[index]
            values = quantizer.codes_to_values(codes[:, index]).to(up.weight.dtype)
            parts.append(up(values * 2 - 1))
        return torch.stack(parts).sum(dim=0)
