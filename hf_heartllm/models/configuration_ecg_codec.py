"""Configuration of the ECG codec."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from transformers import PretrainedConfig

from .ecg_leads import STANDARD_LEADS


class ECGCodecConfig(PretrainedConfig):
    """Sizes of an ECG codec. The defaults are the published HeartLLM codec (arXiv:2508.15338), `heartllm-paper`.

    Args:
        sampling_rate (`int`, *optional*, defaults to 500): Hz of the features the codec reads.
        window_samples (`int`, *optional*, defaults to 5000): samples of one window (10 s).
        leads (`list[str]`, *optional*, defaults to the twelve standard leads): in the order the codec reads them.
        levels (`list[int]`, *optional*, defaults to `[6, 6, 6, 6]`): levels of each quantised dimension.
        encoder_hidden_size (`int`, *optional*, defaults to 32): channels of the lead encoder.
        decoder_hidden_size (`int`, *optional*, defaults to 384): channels of the decoder.
        num_downsamples (`int`, *optional*, defaults to 4): halvings of the rate; 2**num_downsamples samples a token.
        num_norm_groups (`int`, *optional*, defaults to 8): groups of every group normalisation.
        share_lead_encoder (`bool`, *optional*, defaults to `True`): one set of encoder weights for all leads
            (the public code), or one for each lead.

    Raises:
        ValueError: if sizes contradict each other; the message names the fields.
    """

    model_type = "hf_heartllm_codec"

    def __init__(
        self,
        sampling_rate: int = 500,
        window_samples: int = 5000,
        leads: Sequence[str] = STANDARD_LEADS,
        levels: Sequence[int] = (6, 6, 6, 6),
        encoder_hidden_size: int = 32,
        decoder_hidden_size: int = 384,
        num_downsamples: int = 4,
        num_norm_groups: int = 8,
        share_lead_encoder: bool = True,
        format_version: int = 1,
        **kwargs: Any,
    ) -> None:
        for name, size in (("encoder_hidden_size", encoder_hidden_size), ("decoder_hidden_size", decoder_hidden_size)):
            if size % 4 or size % num_norm_groups:
                raise ValueError(f"{name}={size} must be a multiple of 4 and of num_norm_groups={num_norm_groups}")
        if window_samples < 2**num_downsamples:
            raise ValueError(
                f"window_samples={window_samples} is shorter than one token of 2**{num_downsamples} samples"
            )
        self.sampling_rate = sampling_rate
        self.window_samples = window_samples
        self.leads = list(leads)
        self.levels = list(levels)
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.num_downsamples = num_downsamples
        self.num_norm_groups = num_norm_groups
        self.share_lead_encoder = share_lead_encoder
        self.format_version = format_version
        super().__init__(**kwargs)

    @classmethod
    def heartllm_paper(cls, **overrides: Any) -> ECGCodecConfig:
        """The published codec: 4,170,608 parameters, 313 tokens for 10 s, 1,296 codes."""
        return cls(**overrides)

    @property
    def hop_length(self) -> int:
        """Samples between two tokens."""
        return 2**self.num_downsamples

    @property
    def tokens_per_second(self) -> float:
        """Tokens in a second of ECG."""
        return self.sampling_rate / self.hop_length

    @property
    def codebook_size(self) -> int:
        """Number of different codes."""
        return math.prod(self.levels)

    @property
    def window_tokens(self) -> int:
        """Tokens of one window."""
        return self.num_tokens(self.window_samples)

    @property
    def bits_per_second(self) -> float:
        """Fixed-length rate over one window, all leads together."""
        return self.window_tokens * math.log2(self.codebook_size) * self.sampling_rate / self.window_samples

    @property
    def bandwidth(self) -> float:
        """Hz up to which the features can hold a signal: half their sampling rate."""
        return self.sampling_rate / 2

    @property
    def min_duration(self) -> float:
        """Seconds of the shortest recording that fills one window."""
        return self.window_samples / self.sampling_rate

    @property
    def required_leads(self) -> tuple[str, ...]:
        """Leads that a recording must hold or allow to be derived."""
        return tuple(self.leads)

    def num_tokens(self, num_samples: int) -> int:
        """Tokens made of `num_samples` samples: each halving rounds up."""
        for _ in range(self.num_downsamples):
            num_samples = -(-num_samples // 2)
        return num_samples
