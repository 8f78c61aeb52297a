"""The ECG codec: a waveform becomes discrete codes, and codes become a waveform again.

Architecture of the published HeartLLM codec (arXiv:2508.15338): an Inception-style residual encoder that reads every
lead on its own, one linear layer that joins the twelve leads into a few dimensions, finite scalar
quantisation, a mirrored decoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from .configuration_ecg_codec import ECGCodecConfig
from .fsq import FiniteScalarQuantizer


@dataclass
class ECGCodecOutput(ModelOutput):
    """What `ECGCodecModel.forward` returns.

    Attributes:
        loss: mean squared error of the reconstruction, scalar.
        reconstruction: float32 (batch, leads, samples), in the units of the features.
        codes: int64 (batch, streams, tokens).
        latents: float32 (batch, tokens, dimensions), before the quantiser's sigmoid.
        quantized: float32 (batch, tokens, dimensions), what the decoder read; carries the straight-through gradient.
    """

    loss: torch.Tensor | None = None
    reconstruction: torch.Tensor | None = None
    codes: torch.Tensor | None = None
    latents: torch.Tensor | None = None
    quantized: torch.Tensor | None = None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run on one thread: sums are then formed in one order whatever the machine, and a process that is forked after an
    encoding does not wait for a thread pool it has not got."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


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

    def __init__(self, config: ECGCodecConfig) -> None:
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
        return self.bottleneck(x)


class ECGEncoder(nn.Module):
    """Features (batch, leads, samples) → latents (batch, tokens, dimensions)."""

    def __init__(self, config: ECGCodecConfig) -> None:
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
            return encoded.reshape(batch, -1, encoded.shape[-1])
        return torch.cat([encoder(x[:, i : i + 1]) for i, encoder in enumerate(self.lead_encoders)], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.to_latents(self.lead_features(x).transpose(1, 2))


class ECGDecoder(nn.Module):
    """Quantised values (batch, tokens, dimensions) → features (batch, leads, samples)."""

    def __init__(self, config: ECGCodecConfig) -> None:
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
        return self.to_leads(x)


class ECGCodecModel(PreTrainedModel):
    """ECG codec with finite scalar quantisation.

    `encode` and `decode` are the two calls most users need; `forward` is for training.
    """

    config_class = ECGCodecConfig
    main_input_name = "input_features"
    base_model_prefix = "codec"
    _keep_in_fp32_modules_strict: ClassVar[set[str]] = {
        "encoder",
        "decoder",
    }  # in half precision 9 % of the codes change

    def __init__(self, config: ECGCodecConfig) -> None:
        super().__init__(config)
        self.encoder = ECGEncoder(config)
        self.quantizer = FiniteScalarQuantizer(config.levels)
        self.decoder = ECGDecoder(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own initialisation of every layer, as the published code has it."""
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d | nn.Linear):
            # The layers' default: uniform within 1 / sqrt(fan in), weight and bias alike.
            weight = module.weight
            fan_in = weight[0].numel()
            bound = fan_in**-0.5
            nn.init.uniform_(weight, -bound, bound)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, nn.GroupNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)

    def _check_features(self, input_features: torch.Tensor) -> None:
        if input_features.ndim != 3 or input_features.shape[1] != len(self.config.leads):
            raise ValueError(
                f"input_features must be (batch, {len(self.config.leads)}, samples), got {tuple(input_features.shape)}"
            )

    def forward(
        self, input_features: torch.Tensor, return_loss: bool = True, return_dict: bool | None = None
    ) -> ECGCodecOutput | tuple:
        """Encode, quantise and decode a batch.

        Args:
            input_features: (batch, leads, samples) at `config.sampling_rate`, each lead standardised.
            return_loss: whether to compute the mean squared error.
            return_dict: whether to return an `ECGCodecOutput` (the default) or a tuple.
        """
        self._check_features(input_features)
        latents = self.encoder(input_features)
        values, codes = self.quantizer(latents)
        reconstruction = self.decoder(values)[..., : input_features.shape[-1]]
        loss = nn.functional.mse_loss(reconstruction.float(), input_features.float()) if return_loss else None
        output = ECGCodecOutput(
            loss=loss, reconstruction=reconstruction, codes=codes[:, None], latents=latents, quantized=values
        )
        return output if return_dict is not False else output.to_tuple()

    @torch.no_grad()
    def encode(self, input_features: torch.Tensor) -> torch.Tensor:
        """Features → codes, one record at a time on one thread and outside autocast.

        Args:
            input_features: float (batch, leads, samples).

        Returns:
            int64 (batch, streams, tokens); the published codec has one stream. A record's codes depend on that record
            alone: not on its neighbours in the batch, the number of threads or an autocast around the call.

        Raises:
            ValueError: for a wrong shape, or samples that are not finite.
        """
        self._check_features(input_features)
        training = self.training
        self.eval()
        dtype = torch.float64 if self.dtype == torch.float64 else torch.float32
        codes = []
        try:
            with _one_thread(), torch.autocast(self.device.type, enabled=False):
                if not bool(torch.isfinite(input_features).all()):
                    raise ValueError("input_features hold NaN or infinite samples")
                for features in input_features:
                    latents = self.encoder(features[None].to(self.device, dtype))
                    codes.append(self.quantizer(latents)[1])
        finally:
            self.train(training)
        return torch.cat(codes)[:, None]

    @torch.no_grad()
    def decode(self, codes: torch.Tensor, num_samples: int | None = None) -> torch.Tensor:
        """Codes → features.

        Args:
            codes: int64 (batch, streams, tokens) or (batch, tokens).
            num_samples: samples to return; by default the length of `config.window_samples` for a whole window, else
                all that the decoder makes.

        Returns:
            float32 (batch, leads, samples).
        """
        if codes.ndim == 3:
            codes = codes[:, 0]
        if codes.ndim != 2:
            raise ValueError(f"codes must be (batch, streams, tokens) or (batch, tokens), got {tuple(codes.shape)}")
        if num_samples is None:
            whole = codes.shape[1] == self.config.window_tokens
            num_samples = self.config.window_samples if whole else codes.shape[1] * self.config.hop_length
        with torch.autocast(self.device.type, enabled=False):
            values = self.quantizer.codes_to_values(codes.to(self.device)).to(self.dtype)
            return self.decoder(values)[..., :num_samples]

    def identity(self) -> str:
        """Sixteen hexadecimal digits over what decides the codes: the encoder's sizes and weights.

        Tokens made by codecs with the same identity may be mixed; the decoder does not count.
        """
        digest = hashlib.sha256()
        config = self.config
        for name in ("sampling_rate", "window_samples", "leads", "levels", "num_downsamples", "share_lead_encoder"):
            digest.update(f"{name}={getattr(config, name)};".encode())
        for name, tensor in sorted(self.encoder.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]
