"""The published HeartLLM codec (arXiv:2508.15338).

An Inception-style residual encoder reads every lead on its own, one linear layer joins the twelve leads into a few
dimensions; a mirrored decoder.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from .configuration_paper_codec import PaperCodecConfig
from .ecg_codec import ECGCodec, ECGCodecOutput, squared_error
from .fsq import FiniteScalarQuantizer


class InceptionBranches(nn.Module):
    """Convolutions of width 3, 5 and 7 and a max-pool, side by side, joined along channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        width = out_channels // 4
        self.conv3 = nn.Conv1d(in_channels, width, 3, padding=1, bias=False)
        self.conv5 = nn.Conv1d(in_channels, width, 5, padding=2, bias=False)
        self.conv7 = nn.Conv1d(in_channels, width, 7, padding=3, bias=False)
        self.pool_projection = nn.Conv1d(in_channels, width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = nn.functional.max_pool1d(x, 3, stride=1, padding=1)
        return torch.cat([self.conv3(x), self.conv5(x), self.conv7(x), self.pool_projection(pooled)], dim=1)


class ResidualInception(nn.Module):
    """Inception branches plus shortcut, then group normalisation and a leaky rectifier."""

    def __init__(self, in_channels: int, out_channels: int, num_norm_groups: int) -> None:
        super().__init__()
        self.branches = InceptionBranches(in_channels, out_channels)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv1d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.GroupNorm(num_norm_groups, out_channels, eps=1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.leaky_relu(self.norm(self.branches(x) + self.shortcut(x)), 0.01)


class LeadEncoder(nn.Module):
    """One lead (batch, 1, samples) → its features (batch, channels, tokens)."""

    def __init__(self, config: PaperCodecConfig) -> None:
        super().__init__()
        size, groups = config.encoder_hidden_size, config.num_norm_groups
        self.blocks = nn.ModuleList(
            ResidualInception(1 if index == 0 else size, size, groups) for index in range(config.num_downsamples)
        )
        self.downsamples = nn.ModuleList(
            nn.Conv1d(size, size, 3, stride=2, padding=1, bias=False) for _ in range(config.num_downsamples)
        )
        self.bottleneck = ResidualInception(size, size, groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block, downsample in zip(self.blocks, self.downsamples, strict=True):
            x = downsample(block(x))
        features: torch.Tensor = self.bottleneck(x)
        return features


class PublishedEncoder(nn.Module):
    """Features (batch, leads, samples) → latents (batch, tokens, dimensions)."""

    def __init__(self, config: PaperCodecConfig) -> None:
        super().__init__()
        num_leads = len(config.leads)
        self.lead_encoders = nn.ModuleList(
            LeadEncoder(config) for _ in range(1 if config.share_lead_encoder else num_leads)
        )
        self.to_latents = nn.Linear(num_leads * config.encoder_hidden_size, len(config.levels))

    def lead_features(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, leads, samples) → (batch, leads * channels, tokens), lead by lead."""
        batch, num_leads, samples = x.shape
        if len(self.lead_encoders) == 1:
            encoded = self.lead_encoders[0](x.reshape(batch * num_leads, 1, samples))
            features: torch.Tensor = encoded.reshape(batch, -1, encoded.shape[-1])
            return features
        return torch.cat([encoder(x[:, i : i + 1]) for i, encoder in enumerate(self.lead_encoders)], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        latents: torch.Tensor = self.to_latents(self.lead_features(x).transpose(1, 2))
        return latents


class PublishedDecoder(nn.Module):
    """Quantised values (batch, tokens, dimensions) → features (batch, leads, samples)."""

    def __init__(self, config: PaperCodecConfig) -> None:
        super().__init__()
        size, groups = config.decoder_hidden_size, config.num_norm_groups
        self.from_values = nn.Linear(len(config.levels), size)
        self.upsamples = nn.ModuleList(
            nn.ConvTranspose1d(size, size, 3, stride=2, padding=1, output_padding=1)
            for _ in range(config.num_downsamples)
        )
        self.blocks = nn.ModuleList(ResidualInception(size, size, groups) for _ in range(config.num_downsamples))
        self.to_leads = nn.Conv1d(size, len(config.leads), 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        x = self.from_values(values).transpose(1, 2)
        for upsample, block in zip(self.upsamples, self.blocks, strict=True):
            x = block(upsample(x))
        features: torch.Tensor = self.to_leads(x)
        return features


class PaperCodecModel(ECGCodec):
    """The codec of the HeartLLM paper, on windows whose leads are standardised one by one.

    Examples:
        >>> codec = PaperCodecModel(PaperCodecConfig(encoder_hidden_size=8, decoder_hidden_size=8)).eval()
        >>> codes = codec.encode(torch.randn(1, 12, 5000))  # one window of 10 s at 500 Hz
        >>> codes.shape, codec.decode(codes).shape  # (batch, codebooks, tokens), (batch, leads, samples)
        (torch.Size([1, 1, 313]), torch.Size([1, 12, 5000]))
    """

    config_class = PaperCodecConfig
    _keep_in_fp32_modules_strict: ClassVar[set[str]] = {"encoder", "quantizer", "decoder"}

    def __init__(self, config: PaperCodecConfig) -> None:
        super().__init__(config)
        self.encoder = PublishedEncoder(config)
        self.quantizer = FiniteScalarQuantizer(config.levels)
        self.decoder = PublishedDecoder(config)
        self.post_init()

    def forward(
        self, input_features: torch.Tensor, return_loss: bool = True, return_dict: bool | None = None, **unread: Any
    ) -> ECGCodecOutput | tuple[Any, ...]:
        """Encode, quantise and decode a batch.

        Args:
            input_features: (batch, leads, samples) at `config.sampling_rate`, each lead standardised.
            return_loss: whether to compute the mean squared error.
            return_dict: whether to return an `ECGCodecOutput` (the default) or a tuple.
            unread: such as `num_codebooks`: there is one.
        """
        input_features = self.checked(input_features)
        latents = self.encoder(input_features)
        values, codes = self.quantizer(latents)
        reconstruction = self.decoder(values)[..., : input_features.shape[-1]]
        loss = squared_error(reconstruction, input_features) if return_loss else None
        output = ECGCodecOutput(
            loss=loss, reconstruction=reconstruction, codes=codes[:, None], latents=latents, quantized=values
        )
        return output if return_dict is not False else output.to_tuple()

    def codes_of(self, features: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        """See `ECGCodec.codes_of`."""
        codes: torch.Tensor = self.quantizer(self.encoder(features))[1]
        return codes[:, None]

    def features_of(self, codes: torch.Tensor) -> torch.Tensor:
        """See `ECGCodec.features_of`."""
        features: torch.Tensor = self.decoder(self.quantizer.codes_to_values(codes[:, 0]).to(self.dtype))
        return features

    def reconstruct_unrounded(self, features: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        """See `ECGCodec.reconstruct_unrounded`."""
        decoded: torch.Tensor = self.decoder(torch.sigmoid(self.encoder(features)))
        return decoded[..., : features.shape[-1]]

    def fingerprinted_tensors(self) -> dict[str, torch.Tensor]:
        """The encoder, which ends before the quantiser, which has no weights."""
        return dict(self.encoder.state_dict())
