"""Configuration of the ECG codec."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from transformers import PretrainedConfig

from .ecg_leads import INDEPENDENT_LEADS, STANDARD_LEADS

BASELINE_SECONDS = 3.0
"""Length of the moving average that the local codec's features leave out (its half is the reach to either side)."""

ENVELOPE_SECONDS = 1.5
"""Seconds to either side over which the local codec takes a signal's amplitude."""

CONTEXT_HEADS = 4
"""Heads of every attention layer of the local decoders."""

ARCHITECTURES = ("local", "inception")


class ECGCodecConfig(PretrainedConfig):
    """Sizes of an ECG codec.

    The defaults are this project's own codec; `ECGCodecConfig.heartllm_paper()` is the published one
    (arXiv:2508.15338).

    Args:
        architecture (`str`, *optional*, defaults to `"local"`): `"local"`, convolutions over all leads in mV, any
            length of recording; `"inception"`, the published layers, on standardised windows of a fixed length.
        sampling_rate (`int`, *optional*, defaults to 100): Hz of the features the codec reads.
        window_samples (`int`, *optional*): samples of one window; None for recordings of any length.
        min_duration (`float`, *optional*, defaults to 2.0): seconds of the shortest recording; with `window_samples`
            the length of a window.
        leads (`list[str]`, *optional*): in the order the codec reads them; by default I, II and V1 to V6.
        required_leads (`list[str]`, *optional*): leads that a recording must hold or allow to be derived, the others
            may be missing; by default I and II (`"local"`), or all (`"inception"`).
        levels (`list[int]`, *optional*, defaults to `[8, 6, 5, 5]`): levels of each quantised dimension of the
            stream that a language model reads.
        refinement_levels (`list[int]`, *optional*, defaults to `[4, 4, 4, 4, 4, 4, 4, 3]`): the same for every
            refinement stream.
        num_refinements (`int`, *optional*, defaults to 6): further streams, for reconstruction only.
        strides (`list[int]`, *optional*, defaults to `[4, 2]`): by how much each step of the local codec lowers the
            rate; their product is `hop_length`.
        hidden_sizes (`list[int]`, *optional*, defaults to `[64, 192]`): channels of the local codec after each step.
        num_blocks (`list[int]`, *optional*, defaults to `[1]`): residual blocks after each step but the last.
        dilations (`list[int]`, *optional*, defaults to `[1, 2, 4]`): of the residual blocks after the last step.
        decoder_channels (`int`, *optional*, defaults to 48): channels of the local decoder at the full rate.
        refinement_dilations (`list[int]`, *optional*, defaults to `[1, 2, 4, 8, 16]`): the same as `dilations` for the
            refinement streams, which see the beats before and after.
        context_layers (`int`, *optional*, defaults to 2): attention layers of the local decoder of the first stream,
            which join what the codes of neighbouring beats say of one another; no more than there are dilations. None
            in codecs saved before `format_version` 3.
        context_reach (`int`, *optional*, defaults to 40): tokens to either side that such a layer attends to.
        encoder_hidden_size (`int`, *optional*, defaults to 32): channels of the inception lead encoder.
        decoder_hidden_size (`int`, *optional*, defaults to 384): channels of the inception decoder.
        num_downsamples (`int`, *optional*, defaults to 4): halvings of the rate of the inception codec.
        num_norm_groups (`int`, *optional*, defaults to 8): groups of every group normalisation of the inception codec.
        share_lead_encoder (`bool`, *optional*, defaults to `True`): one set of inception encoder weights for all leads
            (the public code), or one for each lead.

    Raises:
        ValueError: if sizes contradict each other; the message names the fields.
    """

    model_type = "hf_heartllm_codec"

    def __init__(
        self,
        architecture: str = "local",
        sampling_rate: int = 100,
        window_samples: int | None = None,
        min_duration: float | None = None,
        leads: Sequence[str] = INDEPENDENT_LEADS,
        required_leads: Sequence[str] | None = None,
        levels: Sequence[int] = (8, 6, 5, 5),
        refinement_levels: Sequence[int] = (4, 4, 4, 4, 4, 4, 4, 3),
        num_refinements: int = 6,
        strides: Sequence[int] = (4, 2),
        hidden_sizes: Sequence[int] = (64, 192),
        num_blocks: Sequence[int] = (1,),
        dilations: Sequence[int] = (1, 2, 4),
        decoder_channels: int = 48,
        refinement_dilations: Sequence[int] = (1, 2, 4, 8, 16),
        context_layers: int | None = None,
        context_reach: int = 40,
        encoder_hidden_size: int = 32,
        decoder_hidden_size: int = 384,
        num_downsamples: int = 4,
        num_norm_groups: int = 8,
        share_lead_encoder: bool = True,
        format_version: int = 3,
        **kwargs: Any,
    ) -> None:
        self.architecture = architecture
        self.sampling_rate = sampling_rate
        self.window_samples = window_samples
        self.leads = list(leads)
        self.levels = list(levels)
        self.refinement_levels = list(refinement_levels)
        self.num_refinements = num_refinements
        self.strides = list(strides)
        self.hidden_sizes = list(hidden_sizes)
        self.num_blocks = list(num_blocks)
        self.dilations = list(dilations)
        self.decoder_channels = decoder_channels
        self.refinement_dilations = list(refinement_dilations)
        if context_layers is None:
            context_layers = min(2, len(dilations)) if architecture == "local" and format_version >= 3 else 0
        self.context_layers = context_layers
        self.context_reach = context_reach
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.num_downsamples = num_downsamples
        self.num_norm_groups = num_norm_groups
        self.share_lead_encoder = share_lead_encoder
        self.format_version = format_version
        if required_leads is None:
            required_leads = [name for name in ("I", "II") if name in leads] if architecture == "local" else leads
        self.required_leads = list(required_leads)
        if min_duration is None:
            min_duration = 2.0 if window_samples is None else window_samples / sampling_rate
        self.min_duration = min_duration
        self._check()
        super().__init__(**kwargs)

    def _check(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"architecture={self.architecture!r} must be one of {', '.join(ARCHITECTURES)}")
        if not set(self.required_leads) <= set(self.leads):
            raise ValueError(f"required_leads={self.required_leads} must be among leads={self.leads}")
        if self.architecture == "local":
            if self.window_samples is not None:
                raise ValueError("window_samples must be None for architecture='local', which takes any length")
            if len(self.strides) != len(self.hidden_sizes):
                raise ValueError(
                    f"strides={self.strides} must have as many entries as hidden_sizes={self.hidden_sizes}"
                )
            if not self.strides or any(stride < 2 or stride % 2 for stride in self.strides):
                raise ValueError(f"strides={self.strides} must be even numbers")
            if len(self.num_blocks) != len(self.hidden_sizes) - 1:
                raise ValueError(
                    f"num_blocks={self.num_blocks} must have one entry fewer than hidden_sizes={self.hidden_sizes}"
                )
            if self.context_layers and self.hidden_sizes[-1] % CONTEXT_HEADS:
                raise ValueError(f"the last of hidden_sizes={self.hidden_sizes} must be a multiple of {CONTEXT_HEADS}")
            for name, least in (("context_layers", 0), ("context_reach", 1)):
                if getattr(self, name) < least:
                    raise ValueError(f"{name}={getattr(self, name)} must be {least} or more")
            if len(self.dilations) < self.context_layers:
                raise ValueError(
                    f"context_layers={self.context_layers} must be at most the number of dilations={self.dilations}"
                )
            if self.min_duration * self.sampling_rate < self.hop_length:
                raise ValueError(f"min_duration={self.min_duration} s is shorter than one token")
            return
        for name in ("num_refinements", "context_layers"):
            if getattr(self, name):
                raise ValueError(f"{name}={getattr(self, name)} must be 0 for architecture='inception'")
        for name in ("encoder_hidden_size", "decoder_hidden_size"):
            size = getattr(self, name)
            if size % 4 or size % self.num_norm_groups:
                raise ValueError(f"{name}={size} must be a multiple of 4 and of num_norm_groups={self.num_norm_groups}")
        if self.window_samples is None or self.window_samples < self.hop_length:
            raise ValueError(
                f"window_samples={self.window_samples} is shorter than one token of {self.hop_length} samples"
            )
        if not math.isclose(self.min_duration, self.window_samples / self.sampling_rate):
            raise ValueError(f"min_duration={self.min_duration} must be the length of window_samples")

    @classmethod
    def heartllm_paper(cls, **overrides: Any) -> ECGCodecConfig:
        """The published codec: 4,170,608 parameters, 313 tokens for 10 s, 1,296 codes."""
        sizes: dict[str, Any] = {
            "architecture": "inception",
            "sampling_rate": 500,
            "window_samples": 5000,
            "leads": STANDARD_LEADS,
            "levels": (6, 6, 6, 6),
            "num_refinements": 0,
        }
        return cls(**(sizes | overrides))

    @property
    def stream_levels(self) -> list[list[int]]:
        """Levels of every stream: the language model's, then the refinements."""
        return [self.levels, *([self.refinement_levels] * self.num_refinements)]

    @property
    def num_streams(self) -> int:
        """Streams of codes; a language model reads the first."""
        return 1 + self.num_refinements

    @property
    def hop_length(self) -> int:
        """Samples between two tokens."""
        return math.prod(self.strides) if self.architecture == "local" else 2**self.num_downsamples

    def sampling_kernel(self, step: int) -> tuple[int, int]:
        """Width and padding of the convolution that lowers the rate of the local codec in a step (or raises it)."""
        stride = self.strides[step]
        return (3 * stride, stride) if step == 0 else (2 * stride, stride // 2)

    @property
    def frame_rate(self) -> float:
        """Instants a second at which there is a code in every stream, in Hz."""
        return self.sampling_rate / self.hop_length

    @property
    def tokens_per_second(self) -> float:
        """Tokens that a language model reads in a second of ECG."""
        return self.frame_rate

    @property
    def codebook_size(self) -> int:
        """Number of different codes of the stream that a language model reads."""
        return math.prod(self.levels)

    def bits_per_second_of(self, num_streams: int) -> float:
        """Fixed-length rate of the first `num_streams` streams, all leads together."""
        if not 1 <= num_streams <= self.num_streams:
            raise ValueError(f"num_streams={num_streams} must lie in 1…{self.num_streams}")
        bits = sum(math.log2(math.prod(levels)) for levels in self.stream_levels[:num_streams])
        if self.window_samples is None:
            return bits * self.frame_rate
        return self.num_tokens(self.window_samples) * bits * self.sampling_rate / self.window_samples

    @property
    def bits_per_second(self) -> float:
        """Fixed-length rate of all streams and leads together."""
        return self.bits_per_second_of(self.num_streams)

    @property
    def bandwidth(self) -> float:
        """Hz up to which the features can hold a signal: half their sampling rate."""
        return self.sampling_rate / 2

    @property
    def receptive_field(self) -> float | None:
        """Seconds of features that decide one code of the first stream; None where it is the whole window."""
        if self.architecture != "local":
            return None
        return 2 * self._encoder_reach / self.sampling_rate + 1 / self.sampling_rate

    @property
    def latency(self) -> float | None:
        """Seconds of signal after a token's end that decide its code in the first stream, the features' baseline filter
        included; None where the whole window does."""
        return self.latency_of(1)

    def latency_of(self, num_streams: int) -> float | None:
        """`latency` of the first `num_streams` streams: refinements also wait for what they refine."""
        if self.architecture != "local":
            return None
        samples = self._encoder_reach
        if num_streams > 1:  # what they refine is decoded first
            samples += self._synthesis_reach + self._analysis_reach(self.refinement_dilations)
        return samples / self.sampling_rate + BASELINE_SECONDS / 2

    @property
    def envelope_reach(self) -> int:
        """Samples to either side over which the local codec takes a signal's amplitude."""
        return round(ENVELOPE_SECONDS * self.sampling_rate)

    @property
    def _encoder_reach(self) -> int:
        samples = (
            self._analysis_reach(self.dilations) + self.envelope_reach + self.hop_length
        )  # one token for its interpolation
        return -(-samples // self.hop_length) * self.hop_length  # a stretch that is encoded holds whole tokens

    def _analysis_reach(self, dilations: Sequence[int]) -> int:
        """Samples to either side of a token that decide its latents, an envelope aside."""
        samples, rate = 0, 1
        for step, stride in enumerate(self.strides):
            samples += self.sampling_kernel(step)[1] * rate
            rate *= stride
            if step < len(self.num_blocks):
                samples += self.num_blocks[step] * 2 * rate
        return samples + sum(dilations) * rate

    @property
    def _synthesis_reach(self) -> int:
        """Samples to either side of a decoded sample that the tokens it depends on stand for."""
        tokens = sum(self.dilations) + 1 + self.context_layers * self.context_reach
        samples, rate = tokens * self.hop_length, self.hop_length
        for step in range(len(self.strides) - 1, -1, -1):
            samples += rate  # of the transposed convolution: one value before and one after
            rate //= self.strides[step]
            if step > 0:
                samples += self.num_blocks[step - 1] * 2 * rate
        return samples + 2

    def num_tokens(self, num_samples: int) -> int:
        """Tokens made of `num_samples` samples.

        The local codec leaves out a rest that fills no token; in the inception codec each halving rounds up.
        """
        if self.architecture == "local":
            return num_samples // self.hop_length
        for _ in range(self.num_downsamples):
            num_samples = -(-num_samples // 2)
        return num_samples

    def num_samples(self, num_tokens: int) -> int:
        """Samples that `num_tokens` tokens stand for."""
        if self.window_samples is not None and num_tokens == self.num_tokens(self.window_samples):
            return self.window_samples
        return num_tokens * self.hop_length
