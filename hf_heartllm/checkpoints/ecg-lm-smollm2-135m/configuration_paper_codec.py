"""Configuration of the codec of the HeartLLM paper (arXiv:2508.15338)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .codec_config import CodecConfig
from .ecg_leads import INDEPENDENT_LEADS, STANDARD_LEADS
from .format_versions import check_format_version

FORMAT_VERSION = 1


class PaperCodecConfig(CodecConfig):
    """Sizes of the published HeartLLM codec, which reads standardised windows of a fixed length.

    The defaults are the published ones: 4,170,608 parameters, 313 tokens for 10 s, 1,296 codes.

    Args:
        sampling_rate (`int`, *optional*, defaults to 500): Hz of the features the codec reads.
        window_samples (`int`, *optional*, defaults to 5000): samples of one window.
        leads (`list[str]`, *optional*): in the order the codec reads them; by default the twelve standard leads.
        levels (`list[int]`, *optional*, defaults to `[6, 6, 6, 6]`): levels of each quantised dimension.
        encoder_hidden_size (`int`, *optional*, defaults to 32): channels of the lead encoder.
        decoder_hidden_size (`int`, *optional*, defaults to 384): channels of the decoder.
        num_downsamples (`int`, *optional*, defaults to 4): halvings of the rate.
        num_norm_groups (`int`, *optional*, defaults to 8): groups of every group normalisation.
        share_lead_encoder (`bool`, *optional*, defaults to `True`): one set of encoder weights for all leads (the
            public code), or one for each lead.

    Raises:
        ValueError: if sizes contradict each other; the message names the fields.

    Examples:
        >>> config = PaperCodecConfig()
        >>> config.num_tokens(5000), config.codebook_size, round(config.bits_per_second, 1)
        (313, 1296, 323.6)
    """

    model_type = "hf_heartllm_paper_codec"
    architecture = "inception"
    short_name = "heartllm-paper"
    description = "the published HeartLLM encoder and quantiser"
    fingerprinted = (
        "sampling_rate", "window_samples", "leads", "levels", "num_downsamples", "share_lead_encoder",
    )  # fmt: skip

    unmentioned: ClassVar[Mapping[str, Any]] = {**CodecConfig.unmentioned, "num_norm_groups": 8}

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
        format_version: int = FORMAT_VERSION,
        **kwargs: Any,
    ) -> None:
        self.format_version = check_format_version("ECG codec", format_version, FORMAT_VERSION, __name__)
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.num_downsamples = num_downsamples
        self.num_norm_groups = num_norm_groups
        self.share_lead_encoder = share_lead_encoder
        for name in ("encoder_hidden_size", "decoder_hidden_size"):
            size = getattr(self, name)
            if size % 4 or size % num_norm_groups:
                raise ValueError(f"{name}={size} must be a multiple of 4 and of num_norm_groups={num_norm_groups}")
        if window_samples is None or window_samples < self.hop_length:
            raise ValueError(f"window_samples={window_samples} is shorter than one token of {self.hop_length} samples")
        super().__init__(sampling_rate, leads, levels, window_samples, **kwargs)
        if not math.isclose(self.min_duration, window_samples / sampling_rate):
            raise ValueError(f"min_duration={self.min_duration} must be the length of window_samples")

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As for any configuration, also from what was saved while one class held the sizes of both codecs."""
        if config_dict.get("model_type") == cls.model_type:
            check_format_version("ECG codec", config_dict.get("format_version"), FORMAT_VERSION, __name__)
        if config_dict.get("architecture") == cls.architecture:
            config_dict = cls.from_old_values(config_dict).to_dict()
        return super().from_dict(config_dict, **kwargs)

    @classmethod
    def from_old_values(cls, values: Mapping[str, Any]) -> PaperCodecConfig:
        """What was saved while one class held the sizes of both codecs.

        Args:
            values: with `architecture` "inception", and fields of our own codec, which said nothing.

        Raises:
            ValueError: if fields of our own codec ask for what this one has not.
        """
        for name in ("num_refinements", "context_layers"):
            if values.get(name):
                raise ValueError(f"{name}={values[name]} must be 0 for architecture='inception'")
        defaults: dict[str, Any] = {
            "sampling_rate": 100,
            "leads": INDEPENDENT_LEADS,
            "levels": (8, 6, 5, 5),
            "window_samples": None,
        }
        kept = {name: value for name, value in values.items() if name not in _OF_OUR_CODEC}
        return cls(**(defaults | kept))

    @property
    def hop_length(self) -> int:
        """Samples between two tokens."""
        return int(2**self.num_downsamples)

    def num_tokens(self, num_samples: int) -> int:
        """Tokens made of so many samples; each halving rounds up."""
        for _ in range(self.num_downsamples):
            num_samples = -(-num_samples // 2)
        return num_samples


_OF_OUR_CODEC = frozenset({
    "architecture", "architectures", "auto_map", "model_type", "format_version", "refinement_levels", "num_refinements",
    "strides", "hidden_sizes", "num_blocks", "dilations", "decoder_channels", "refinement_dilations", "context_layers",
    "context_reach", "envelope_seconds", "envelope_floor", "typical_log_envelope", "spike_limit", "quantizer_slope",
})  # fmt: skip
