"""Finite scalar quantisation (Mentzer et al., 2023, arXiv:2309.15505), in the form HeartLLM uses it.

Every latent dimension is squashed to [0, 1] by a sigmoid and rounded to one of L levels; the code is the number that
the levels spell, dimension 0 being the least significant digit. There is no codebook to learn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn


class FiniteScalarQuantizer(nn.Module):
    """Latents → levels → codes and back.

    Holds Python numbers only, no parameters and no buffers: nothing of it can be lost in a checkpoint. All arithmetic
    runs in float32 (float64 for float64 input) whatever autocast is on, so that a code depends on the input alone.

    Args:
        levels: number of levels of each latent dimension, each at least 2.
    """

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or any(level < 2 for level in levels):
            raise ValueError(f"levels must hold numbers of at least 2, got {list(levels)}")
        self.levels = tuple(int(level) for level in levels)
        self.basis = tuple(math.prod(self.levels[:dim]) for dim in range(len(self.levels)))
        self.codebook_size = math.prod(self.levels)

    def _steps(self, like: torch.Tensor) -> torch.Tensor:
        return torch.tensor([level - 1 for level in self.levels], dtype=like.dtype, device=like.device)

    @staticmethod
    def _precise(x: torch.Tensor) -> torch.Tensor:
        return x if x.dtype == torch.float64 else x.float()

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Quantise, with a straight-through gradient.

        Args:
            latents: (..., dimensions), before the sigmoid.

        Returns:
            values: (..., dimensions) in [0, 1], the quantised latents a decoder reads.
            codes: int64 (...).
        """
        with torch.autocast(latents.device.type, enabled=False):
            squashed = torch.sigmoid(self._precise(latents))
            steps = self._steps(squashed)
            levels = torch.round(squashed * steps)
            values = squashed + (levels / steps - squashed).detach()
            return values, self.levels_to_codes(levels.long())

    def levels_to_codes(self, levels: torch.Tensor) -> torch.Tensor:
        """int64 (..., dimensions) → int64 (...)."""
        return (levels * torch.tensor(self.basis, device=levels.device)).sum(dim=-1)

    def codes_to_levels(self, codes: torch.Tensor) -> torch.Tensor:
        """int64 (...) → int64 (..., dimensions), the exact inverse of `levels_to_codes`."""
        if codes.numel() and not (int(codes.min()) >= 0 and int(codes.max()) < self.codebook_size):
            raise ValueError(f"codes must lie in [0, {self.codebook_size}), got {int(codes.min())}…{int(codes.max())}")
        basis = torch.tensor(self.basis, device=codes.device)
        return codes[..., None] // basis % torch.tensor(self.levels, device=codes.device)

    def codes_to_values(self, codes: torch.Tensor) -> torch.Tensor:
        """int64 (...) → float32 (..., dimensions) in [0, 1], what the decoder reads."""
        levels = self.codes_to_levels(codes).float()
        return levels / self._steps(levels)
