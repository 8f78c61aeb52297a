"""The published HeartLLM codec (arXiv:2508.15338) wired as in its public code, to compare speed with.

Names of the weights are the published ones, so that its checkpoints and the golden values load as they are. What costs
time is kept: the encoder runs over the leads one after the other in a Python loop, and the decoder works with all its
channels up to the full sampling rate. `hf_heartllm.models.ecg_codec_published` computes the same, all leads at once.
"""

from __future__ import annotations

import torch
from torch import nn

LEADS = 12
SAMPLES = 5000
LEVELS = 6
DIMENSIONS = 4
DOWNSAMPLES = 4


class Branches(nn.Module):
    """Convolutions of width 3, 5 and 7 and a pooled one, joined along channels."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        width = outside // 4
        self.b1 = nn.Conv1d(inside, width, 3, padding=1, bias=False)
        self.b2 = nn.Conv1d(inside, width, 5, padding=2, bias=False)
        self.b3 = nn.Conv1d(inside, width, 7, padding=3, bias=False)
        self.pool = nn.MaxPool1d(3, stride=1, padding=1)
        self.b4 = nn.Conv1d(inside, width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(self.pool(x))], dim=1)


class Block(nn.Module):
    """Branches plus shortcut, group normalisation, leaky rectifier."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.inc = Branches(inside, outside)
        if inside != outside:
            self.match = nn.Conv1d(inside, outside, 1, bias=False)
        self.norm = nn.GroupNorm(8, outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = self.match(x) if hasattr(self, "match") else x
        return nn.functional.leaky_relu(self.norm(self.inc(x) + shortcut), 0.01)


class Encoder(nn.Module):
    """(batch, leads, samples) → (batch, tokens, dimensions), lead after lead."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [Block(1 if index == 0 else size, size), nn.Conv1d(size, size, 3, stride=2, padding=1, bias=False)]
            )
            for index in range(DOWNSAMPLES)
        )
        self.bottleneck = Block(size, size)
        self.to_code = nn.Linear(LEADS * size, DIMENSIONS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = []
        for lead in range(LEADS):
            y = x[:, lead : lead + 1]
            for layers in self.blocks:
                block, down = layers  # type: ignore[misc]
                y = down(block(y))  # type: ignore[has-type]
            features.append(self.bottleneck(y))
        latents: torch.Tensor = self.to_code(torch.cat(features, dim=1).transpose(1, 2))
        return latents


class Decoder(nn.Module):
    """(batch, tokens, dimensions) → (batch, leads, samples)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.expand = nn.Linear(DIMENSIONS, size)
        self.up = nn.ModuleList(
            nn.ConvTranspose1d(size, size, 3, stride=2, padding=1, output_padding=1) for _ in range(DOWNSAMPLES)
        )
        self.dec = nn.ModuleList(Block(size, size) for _ in range(DOWNSAMPLES))
        self.final = nn.Conv1d(size, LEADS, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        x = self.expand(values).transpose(1, 2)
        for up, block in zip(self.up, self.dec, strict=True):
            x = block(up(x))
        leads: torch.Tensor = self.final(x)
        return leads[..., :SAMPLES]


class ReferenceCodec(nn.Module):
    """The whole codec: `encode`, `decode`, and `forward` for training.

    Args:
        encoder_size: channels of the lead encoder.
        decoder_size: channels of the decoder.
    """

    def __init__(self, encoder_size: int = 32, decoder_size: int = 384) -> None:
        super().__init__()
        self.enc = Encoder(encoder_size)
        self.dec = Decoder(decoder_size)

    @staticmethod
    def quantise(latents: torch.Tensor) -> torch.Tensor:
        """Values in [0, 1] on six levels, with a straight-through gradient."""
        squashed = torch.sigmoid(latents)
        rounded = torch.round(squashed * (LEVELS - 1)) / (LEVELS - 1)
        return squashed + (rounded - squashed).detach()

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Standardised leads (batch, 12, 5000) → codes int64 (batch, 313)."""
        levels = torch.round(self.quantise(self.enc(x)) * (LEVELS - 1)).long()
        return (levels * LEVELS ** torch.arange(DIMENSIONS, device=x.device)).sum(dim=-1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes int64 (batch, 313) → standardised leads (batch, 12, 5000)."""
        levels = codes[..., None] // LEVELS ** torch.arange(DIMENSIONS, device=codes.device) % LEVELS
        leads: torch.Tensor = self.dec(levels.float() / (LEVELS - 1))
        return leads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mean squared error of the reconstruction."""
        return nn.functional.mse_loss(self.dec(self.quantise(self.enc(x))), x)
