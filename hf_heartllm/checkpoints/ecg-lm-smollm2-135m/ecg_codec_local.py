"""The layers of our own codec: convolutions at 100 Hz that see about three seconds to either side.

Everything is local: normalisation is a fixed scale per channel once trained (batch normalisation), never a statistic
of the recording, so a stretch of signal has the same codes wherever it stands. Most of the work is done at the rate of
the tokens, in few layers, which keeps encoding cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from .configuration_ecg_codec import CONTEXT_HEADS, ECGCodecConfig
from .residual_fsq import ResidualQuantizer


def envelope(signal: torch.Tensor, reach: int, hop_length: int, floor: float) -> torch.Tensor:
    """Root mean square over all leads and `reach` samples to either side of a token, with Hann weights.

    One number an instant for all leads: it tells large ECGs from small ones and keeps what the leads are to each other.

    Args:
        signal: (batch, leads, samples) in mV, a whole number of tokens.
        reach: samples.
        hop_length: samples of a token; between the tokens' middles it is interpolated.
        floor: mV, root mean square below which a signal is not amplified any further.

    Returns:
        (batch, 1, samples) in mV.
    """
    weights = torch.hann_window(2 * reach + hop_length, periodic=False, dtype=signal.dtype, device=signal.device)
    power = signal.square().mean(dim=1, keepdim=True)
    both = nn.functional.pad(torch.cat([power, torch.ones_like(power[:1])]), (reach, reach))
    both = both.unfold(-1, len(weights), hop_length) @ weights  # far faster than a convolution of one channel
    square = both[:-1] / both[-1:] + floor**2
    return nn.functional.interpolate(square.sqrt(), scale_factor=float(hop_length), mode="linear")


class ResidualBlock(nn.Module):
    """A convolution to half the width and one of a single sample back, with a shortcut."""

    def __init__(self, channels: int, kernel_size: int, dilation: int = 1) -> None:
        super().__init__()
        narrow, padding = channels // 2, dilation * (kernel_size // 2)
        self.layers = nn.Sequential(
            *_step(nn.Conv1d(channels, narrow, kernel_size, padding=padding, dilation=dilation, bias=False), narrow),
            nn.Conv1d(narrow, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual: torch.Tensor = self.layers(x)
        return residual.add_(x).relu_()  # in place: fetching fresh memory takes as long as the convolutions


def _step(conv: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm1d(channels), nn.ReLU(inplace=True))


class Analysis(nn.Module):
    """Signals (batch, channels, samples) → latents (batch, tokens, hidden size)."""

    def __init__(self, config: ECGCodecConfig, channels: int, dilations: Sequence[int], mix: bool = False) -> None:
        super().__init__()
        sizes, strides = [channels, *config.hidden_sizes], config.strides
        layers: list[nn.Module] = []
        for index, (narrow, wide) in enumerate(pairwise(sizes)):
            width, padding = config.sampling_kernel(index)
            conv = nn.Conv1d(narrow, wide, width, stride=strides[index], padding=padding, bias=False)
            layers.append(_step(conv, wide))
            if index < len(strides) - 1:
                layers += [ResidualBlock(wide, 5) for _ in range(config.num_blocks[index])]
        layers += [ResidualBlock(sizes[-1], 3, dilation) for dilation in dilations]
        self.layers = nn.Sequential(*layers)
        # Lets what the layers add begin at zero.
        self.mix = nn.Conv1d(sizes[-1], sizes[-1], 1, bias=False) if mix else nn.Identity()
        # A linear transform of overlapping stretches beside the layers: it alone carries a waveform from the first step
        # on, and the layers learn what it cannot do.
        hop = config.hop_length
        self.transform = nn.Conv1d(channels, sizes[-1], 3 * hop, stride=hop, padding=hop, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        linear: torch.Tensor = self.transform(x)
        return linear.add_(self.mix(self.layers(x))).transpose(1, 2)


class BeatContext(nn.Module):
    """Attention over the tokens to either side, in a decoder.

    Beats resemble one another, and each falls otherwise on the grid of the tokens and of the levels: what the codes of
    the neighbours say sharpens every single one. The attention is banded, so a recording costs in proportion to its
    length, and no token's place in the recording is known to it.

    Args:
        channels: of the hidden states.
        reach: tokens to either side.
    """

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.norm = nn.LayerNorm(channels)  # of each token on its own
        self.query_key_value = nn.Conv1d(channels, 3 * channels, 1, bias=False)
        self.distance = nn.Parameter(torch.zeros(CONTEXT_HEADS, 2 * reach + 1))
        self.out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, tokens) → the same."""
        batch, channels, tokens = x.shape
        reach, blocks = self.reach, -(-tokens // self.reach)
        query, key, value = (
            self.query_key_value(self.norm(x.transpose(1, 2)).transpose(1, 2))
            .unflatten(1, (3, CONTEXT_HEADS, channels // CONTEXT_HEADS))
            .unbind(1)
        )
        # Each block of `reach` queries sees the block before it, its own and the next.
        rest = blocks * reach - tokens
        query = nn.functional.pad(query, (0, rest)).unflatten(-1, (blocks, reach))
        key, value = (
            nn.functional.pad(one, (reach, rest + reach)).unfold(-1, 3 * reach, reach) for one in (key, value)
        )
        scores = torch.einsum("bhcnq,bhcnk->bhnqk", query, key) * query.shape[2] ** -0.5
        places = torch.arange(3 * reach, device=x.device)
        away = (
            places - reach - torch.arange(reach, device=x.device)[:, None]
        )  # (queries, keys), tokens from query to key
        positions = torch.arange(blocks, device=x.device)[:, None] * reach - reach + places  # (blocks, keys)
        inside = (positions >= 0) & (positions < tokens)
        seen = (away.abs() <= reach) & inside[:, None]
        scores = scores + self.distance[:, (away + reach).clamp(0, 2 * reach)][:, None]
        scores = scores.masked_fill(~seen & (away != 0), float("-inf"))  # a padded query sees itself, lest it be NaN
        found = torch.einsum("bhnqk,bhcnk->bhcnq", scores.softmax(dim=-1), value)
        mixed: torch.Tensor = x + self.out(found.reshape(batch, channels, -1)[..., :tokens])
        return mixed


class Synthesis(nn.Module):
    """Latents (batch, tokens, latent size) → signals (batch, channels, samples), and hidden states of the tokens."""

    def __init__(
        self,
        config: ECGCodecConfig,
        latent_size: int,
        channels: int,
        dilations: Sequence[int],
        context_layers: int = 0,
    ) -> None:
        super().__init__()
        sizes, strides = [*config.hidden_sizes[::-1], config.decoder_channels], config.strides[::-1]
        self.read = nn.Sequential(
            nn.Conv1d(latent_size, sizes[0], 1),
            *(ResidualBlock(sizes[0], 3, dilation) for dilation in dilations),
        )
        # One before each of the last blocks.
        self.context = nn.ModuleList(BeatContext(sizes[0], config.context_reach) for _ in range(context_layers))
        layers: list[nn.Module] = []
        for index, (wide, narrow) in enumerate(pairwise(sizes)):
            width, padding = config.sampling_kernel(len(strides) - 1 - index)
            conv = nn.ConvTranspose1d(wide, narrow, width, stride=strides[index], padding=padding, bias=False)
            layers.append(_step(conv, narrow))
            if index < len(strides) - 1:
                layers += [ResidualBlock(narrow, 5) for _ in range(config.num_blocks[::-1][index])]
        layers.append(nn.Conv1d(sizes[-1], channels, 5, padding=2))
        self.layers = nn.Sequential(*layers)
        hop = config.hop_length
        self.transform = nn.ConvTranspose1d(latent_size, channels, 3 * hop, stride=hop, padding=hop, bias=False)

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latents = latents.transpose(1, 2)
        hidden = latents
        local = len(self.read) - len(self.context)
        for index, layer in enumerate(self.read):
            hidden = layer(self.context[index - local](hidden) if index >= local else hidden)
        return self.transform(latents).add_(self.layers(hidden)), hidden


class LocalEncoder(nn.Module):
    """Features (batch, leads, samples) in mV, whole tokens → latents (batch, tokens, hidden size)."""

    def __init__(self, config: ECGCodecConfig) -> None:
        super().__init__()
        self.envelope_reach = config.envelope_reach
        self.hop_length = config.hop_length
        self.envelope_floor = config.envelope_floor
        self.typical_log_envelope = config.typical_log_envelope
        self.spike_limit = config.spike_limit
        self.analysis = Analysis(config, 2 * len(config.leads) + 1, config.dilations)

    def inputs(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What the layers read of the features.

        Returns:
            shape: (batch, leads, samples), the signal over its envelope.
            log_envelope: (batch, 1, samples), logarithm of mV, less that of a usual one.
            present: (batch, leads), 0 for a missing lead, which is NaN throughout.
        """
        present = (~torch.isnan(features[..., 0])).to(features.dtype)
        signal = torch.nan_to_num(features)
        scale = envelope(signal, self.envelope_reach, self.hop_length, self.envelope_floor)
        shape = signal / scale
        # Where the limit is 4, a spike of ten envelopes counts as three: pacing and noise do not drown the rest.
        shape = shape / (1 + shape.abs() / self.spike_limit)
        return shape, scale.log() - self.typical_log_envelope, present

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        shape, log_envelope, present = self.inputs(features)
        latents: torch.Tensor = self.analysis(
            torch.cat([shape, present[..., None].expand_as(shape), log_envelope], dim=1)
        )
        return latents


class LocalDecoder(nn.Module):
    """Quantised latents (batch, tokens, hidden size) → signal, presence of the leads, and envelope."""

    def __init__(self, config: ECGCodecConfig) -> None:
        super().__init__()
        size = config.hidden_sizes[-1]
        self.hop_length = config.hop_length
        self.typical_log_envelope = config.typical_log_envelope
        self.synthesis = Synthesis(config, size, len(config.leads), config.dilations, config.context_layers)
        self.to_envelope = nn.Conv1d(size, 1, 1)
        self.to_presence = nn.Conv1d(size, len(config.leads), 1)

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Decode.

        Returns:
            signal: (batch, leads, samples) in mV.
            presence: (batch, leads), the logit that a lead was present.
            log_envelope: (batch, 1, samples), natural logarithm of the envelope in mV.
        """
        shape, hidden = self.synthesis(latents)
        scale = nn.functional.interpolate(self.to_envelope(hidden), scale_factor=float(self.hop_length), mode="linear")
        log_envelope = scale.clamp(-4, 4) + self.typical_log_envelope
        # The envelope learns from its own loss: through the signal it would learn to hide errors by shrinking it.
        return shape * log_envelope.detach().exp(), self.to_presence(hidden).mean(dim=-1), log_envelope


class Refinement(nn.Module):
    """Codebooks that code what the first leaves of the signal, for reconstruction only.

    The residual is taken in the signal, not in the latents of the first codebook: that one is free to hold what
    statements depend on, and what these codebooks spend their bits on is what the decoded signal lacks.
    """

    def __init__(self, config: ECGCodecConfig) -> None:
        super().__init__()
        leads, size = len(config.leads), config.hidden_sizes[-1]
        self.analysis = Analysis(config, 3 * leads, config.refinement_dilations, mix=True)
        self.quantizer = ResidualQuantizer(size, config.codebook_levels[1:], config.quantizer_slope)
        self.synthesis = Synthesis(config, 2 * size, leads, config.refinement_dilations)

    def latents(self, features: torch.Tensor, first_signal: torch.Tensor, log_envelope: torch.Tensor) -> torch.Tensor:
        """What is left of the features after the first codebook, (batch, tokens, hidden size).

        Args:
            features: (batch, leads, samples) in mV, NaN where a lead is missing.
            first_signal: the same decoded from the first codebook alone.
            log_envelope: (batch, 1, samples), decoded from it.
        """
        missing = torch.isnan(features)
        scale = log_envelope.exp()
        left = ((features - first_signal) / scale).masked_fill(missing, 0.0)
        known = first_signal / scale
        latents: torch.Tensor = self.analysis(torch.cat([left, known, (~missing).to(known.dtype)], dim=1))
        return latents

    def signal(self, quantized: torch.Tensor, first_latents: torch.Tensor, log_envelope: torch.Tensor) -> torch.Tensor:
        """What to add to the first codebook's signal, (batch, leads, samples) in mV."""
        left: torch.Tensor = self.synthesis(torch.cat([quantized, first_latents], dim=-1))[0]
        return left * log_envelope.exp()
