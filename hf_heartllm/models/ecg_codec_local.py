"""The layers of our own codec: convolutions at 100 Hz that see about two seconds to either side.

Everything is local: normalisation is a fixed scale per channel once trained (batch normalisation), never a statistic
of the recording, so a stretch of signal has the same codes wherever it stands.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from .configuration_ecg_codec import ECGCodecConfig

ENVELOPE_FLOOR = 0.01
"""Millivolts: root mean square below which a signal is not amplified any further."""

TYPICAL_LOG_ENVELOPE = -1.5
"""Natural logarithm of a usual envelope in mV, from which the network counts."""


def envelope(signal: torch.Tensor, reach: int) -> torch.Tensor:
    """Root mean square over all leads and `reach` samples to either side, with Hann weights.

    One number an instant for all leads: it tells large ECGs from small ones and keeps what the leads are to each other.

    Args:
        signal: (batch, leads, samples) in mV.
        reach: samples.

    Returns:
        (batch, 1, samples) in mV.
    """
    weights = torch.hann_window(2 * reach + 3, periodic=False, dtype=signal.dtype, device=signal.device)
    weights = weights[1:-1][None, None]
    power = nn.functional.conv1d(signal.square().mean(dim=1, keepdim=True), weights, padding=reach)
    there = nn.functional.conv1d(torch.ones_like(signal[:1, :1]), weights, padding=reach)
    return (power / there + ENVELOPE_FLOOR**2).sqrt()


class ResidualBlock(nn.Module):
    """Two convolutions of one width with a shortcut."""

    def __init__(self, channels: int, kernel_size: int, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel_size // 2)
        self.conv1 = nn.Conv1d(channels, channels, kernel_size, padding=padding, dilation=dilation, bias=False)
        self.norm1 = nn.BatchNorm1d(channels)
        self.conv2 = nn.Conv1d(channels, channels, kernel_size, padding=padding, dilation=dilation, bias=False)
        self.norm2 = nn.BatchNorm1d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu(self.norm1(self.conv1(x)))
        return nn.functional.relu(x + self.norm2(self.conv2(y)))


def _step(conv: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm1d(channels), nn.ReLU())


class LocalEncoder(nn.Module):
    """Features (batch, leads, samples) in mV → latents (batch, tokens, hidden size)."""

    def __init__(self, config: ECGCodecConfig) -> None:
        super().__init__()
        sizes = config.hidden_sizes
        self.envelope_reach = config.envelope_reach
        channels = 2 * len(config.leads) + 1
        layers: list[nn.Module] = [_step(nn.Conv1d(channels, sizes[0], 7, padding=3, bias=False), sizes[0])]
        for index, (narrow, wide) in enumerate(pairwise(sizes)):
            layers.append(_step(nn.Conv1d(narrow, wide, 4, stride=2, padding=1, bias=False), wide))
            last = index == len(sizes) - 2
            if last:
                layers += [ResidualBlock(wide, 3, dilation) for dilation in config.dilations]
            else:
                layers += [ResidualBlock(wide, 5) for _ in range(config.num_blocks[index])]
        self.layers = nn.Sequential(*layers)
        # A linear transform of overlapping stretches beside the layers: it alone carries a waveform from the first step
        # on, and the layers learn what it cannot do. Without it the refinement streams stay unused for long.
        hop = config.hop_length
        self.transform = nn.Conv1d(channels, sizes[-1], 3 * hop, stride=hop, padding=hop, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        missing = torch.isnan(features)
        present = (~missing).to(features.dtype)
        signal = torch.nan_to_num(features)
        scale = envelope(signal, self.envelope_reach)
        read = torch.cat([torch.asinh(signal / scale), present, scale.log() - TYPICAL_LOG_ENVELOPE], dim=1)
        return (self.layers(read) + self.transform(read)).transpose(1, 2)


class LocalDecoder(nn.Module):
    """Quantised latents (batch, tokens, hidden size) → signal, presence of the leads, and envelope."""

    def __init__(self, config: ECGCodecConfig) -> None:
        super().__init__()
        sizes = config.hidden_sizes[::-1]
        self.hop_length = config.hop_length
        self.read = nn.Sequential(
            nn.Conv1d(sizes[0], sizes[0], 1),
            *(ResidualBlock(sizes[0], 3, dilation) for dilation in config.dilations[:2]),
        )
        self.to_envelope = nn.Conv1d(sizes[0], 1, 1)
        layers: list[nn.Module] = []
        for index, (wide, narrow) in enumerate(pairwise(sizes)):
            layers.append(_step(nn.ConvTranspose1d(wide, narrow, 4, stride=2, padding=1, bias=False), narrow))
            if index < len(sizes) - 2:
                layers += [ResidualBlock(narrow, 5) for _ in range(config.num_blocks[::-1][index])]
        layers.append(nn.Conv1d(sizes[-1], 2 * len(config.leads), 7, padding=3))
        self.layers = nn.Sequential(*layers)
        hop = config.hop_length
        self.transform = nn.ConvTranspose1d(
            sizes[0], 2 * len(config.leads), 3 * hop, stride=hop, padding=hop, bias=False
        )

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Decode.

        Returns:
            signal: (batch, leads, samples) in mV.
            presence: (batch, leads), the logit that a lead was present.
            log_envelope: (batch, 1, samples), natural logarithm of the envelope in mV.
        """
        latents = latents.transpose(1, 2)
        x = self.read(latents)
        scale = nn.functional.interpolate(self.to_envelope(x), scale_factor=float(self.hop_length), mode="linear")
        log_envelope = scale.clamp(-4, 4) + TYPICAL_LOG_ENVELOPE
        shape, presence = (self.layers(x) + self.transform(latents)).chunk(2, dim=1)
        # The envelope learns from its own loss: through the signal it would learn to hide errors by shrinking it.
        return shape * log_envelope.detach().exp(), presence.mean(dim=-1), log_envelope
