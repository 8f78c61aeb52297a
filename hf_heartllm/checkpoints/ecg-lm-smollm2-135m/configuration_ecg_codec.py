"""Configuration of our ECG codec."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .codec_config import CodecConfig
from .configuration_paper_codec import PaperCodecConfig
from .ecg_leads import INDEPENDENT_LEADS
from .format_versions import check_format_version

FORMAT_VERSION = 3  # 2: residual codebooks; 3: the decoder of the first one attends to the beats before and after

CONTEXT_HEADS = 4
"""Heads of every attention layer of the decoders."""


class ECGCodecConfig(CodecConfig):
    """Sizes of this project's own codec: convolutions over all leads in mV, for recordings of any length.

    Args:
        sampling_rate (`int`, *optional*, defaults to 100): Hz of the features the codec reads.
        min_duration (`float`, *optional*, defaults to 2.0): seconds of the shortest recording.
        leads (`list[str]`, *optional*): in the order the codec reads them; by default I, II and V1 to V6.
        required_leads (`list[str]`, *optional*): leads that a recording must hold or allow to be derived, the others
            may be missing; by default I and II.
        levels (`list[int]`, *optional*, defaults to `[8, 6, 5, 5]`): levels of each quantised dimension of the
            codebook that a language model reads.
        refinement_levels (`list[int]`, *optional*, defaults to `[4, 4, 4, 4, 4, 4, 4, 3]`): the same for every
            residual codebook.
        num_refinements (`int`, *optional*, defaults to 6): residual codebooks, for reconstruction only.
        strides (`list[int]`, *optional*, defaults to `[4, 2]`): by how much each step lowers the rate; their product is
            `hop_length`.
        hidden_sizes (`list[int]`, *optional*, defaults to `[64, 192]`): channels after each step.
        num_blocks (`list[int]`, *optional*, defaults to `[1]`): residual blocks after each step but the last.
        dilations (`list[int]`, *optional*, defaults to `[1, 2, 4]`): of the residual blocks after the last step.
        decoder_channels (`int`, *optional*, defaults to 48): channels of the decoder at the full rate.
        refinement_dilations (`list[int]`, *optional*, defaults to `[1, 2, 4, 8, 16]`): the same as `dilations` for the
            residual codebooks, which see the beats before and after.
        context_layers (`int`, *optional*, defaults to 2): attention layers of the decoder of the first codebook, which
            join what the codes of neighbouring beats say of one another; no more than there are dilations. None in
            codecs saved before `format_version` 3.
        context_reach (`int`, *optional*, defaults to 40): tokens to either side that such a layer attends to.
        envelope_seconds (`float`, *optional*, defaults to 1.5): seconds to either side over which the codec takes a
            signal's amplitude.
        envelope_floor (`float`, *optional*, defaults to 0.01): millivolts, root mean square, below which a signal is
            not amplified any further.
        typical_log_envelope (`float`, *optional*, defaults to -1.5): natural logarithm of a usual envelope in mV, from
            which the network counts.
        spike_limit (`float`, *optional*, defaults to 4.0): envelopes that no deflection exceeds: one of x counts as
            x / (1 + x / limit), so that pacing and noise do not drown the rest.
        quantizer_slope (`float`, *optional*, defaults to 1.702): what the standardised latents are multiplied with
            before the quantiser's sigmoid; at 1.702 its levels are used nearly evenly.

    Raises:
        ValueError: if sizes contradict each other; the message names the fields.

    Examples:
        >>> config = ECGCodecConfig()
        >>> config.tokens_per_second, config.codebook_size, config.num_codebooks
        (12.5, 1200, 7)
    """

    model_type = "hf_heartllm_codec"
    architecture = "local"
    short_name = "ours"
    description = (
        "this project's own, local convolutions at 100 Hz over eight leads in mV with residual finite scalar "
        "quantisation"
    )
    fingerprinted = ("sampling_rate", "window_samples", "leads", "levels", "architecture")
    unmentioned: ClassVar[Mapping[str, Any]] = {
        **CodecConfig.unmentioned,
        "min_duration": 2.0,  # a shorter recording may be filled up to it
        "dilations": [1, 2, 4],
        "envelope_seconds": 1.5,
        "envelope_floor": 0.01,
        "typical_log_envelope": -1.5,
        "spike_limit": 4.0,
        "quantizer_slope": 1.702,
    }

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """For one version: `architecture="inception"`, the former way to the other codec's sizes."""
        if kwargs.get("architecture") == PaperCodecConfig.architecture:
            warnings.warn("for the published codec there is PaperCodecConfig", DeprecationWarning, stacklevel=2)
            return PaperCodecConfig.from_old_values(kwargs)
        return super().__new__(cls)

    def __init__(
        self,
        sampling_rate: int = 100,
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
        envelope_seconds: float = 1.5,
        envelope_floor: float = 0.01,
        typical_log_envelope: float = -1.5,
        spike_limit: float = 4.0,
        quantizer_slope: float = 1.702,
        format_version: int = FORMAT_VERSION,
        **kwargs: Any,
    ) -> None:
        self.format_version = check_format_version("ECG codec", format_version, FORMAT_VERSION, __name__)
        if (architecture := kwargs.pop("architecture", self.architecture)) != self.architecture:
            raise ValueError(f"architecture={architecture!r} must be {self.architecture!r}, or left out")
        if kwargs.get("window_samples") is not None:
            raise ValueError("window_samples must be None: the codec takes any length")
        for name in _OF_THE_PAPERS_CODEC:  # in what was saved while one class held the sizes of both codecs
            kwargs.pop(name, None)
        self.refinement_levels = list(refinement_levels)
        self.num_refinements = num_refinements
        self.strides = list(strides)
        self.hidden_sizes = list(hidden_sizes)
        self.num_blocks = list(num_blocks)
        self.dilations = list(dilations)
        self.decoder_channels = decoder_channels
        self.refinement_dilations = list(refinement_dilations)
        if context_layers is None:
            context_layers = min(2, len(dilations)) if self.format_version >= 3 else 0
        self.context_layers = context_layers
        self.context_reach = context_reach
        self.envelope_seconds = float(envelope_seconds)
        self.envelope_floor = float(envelope_floor)
        self.typical_log_envelope = float(typical_log_envelope)
        self.spike_limit = float(spike_limit)
        self.quantizer_slope = float(quantizer_slope)
        if required_leads is None:
            required_leads = [name for name in ("I", "II") if name in leads]
        super().__init__(
            sampling_rate, leads, levels, required_leads=required_leads, min_duration=min_duration, **kwargs
        )
        self._check()

    def _check(self) -> None:
        if len(self.strides) != len(self.hidden_sizes):
            raise ValueError(f"strides={self.strides} must have as many entries as hidden_sizes={self.hidden_sizes}")
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
        for name in ("envelope_seconds", "envelope_floor", "spike_limit", "quantizer_slope"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be a number above 0")
        if not math.isfinite(self.typical_log_envelope):
            raise ValueError(f"typical_log_envelope={self.typical_log_envelope} must be a number")
        if len(self.dilations) < self.context_layers:
            raise ValueError(
                f"context_layers={self.context_layers} must be at most the number of dilations={self.dilations}"
            )
        if self.min_duration * self.sampling_rate < self.hop_length:
            raise ValueError(f"min_duration={self.min_duration} s is shorter than one token")

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As for any configuration; what the published codec has saved gives a `PaperCodecConfig`."""
        kinds = {PaperCodecConfig.architecture, PaperCodecConfig.model_type}
        if kinds & {config_dict.get("architecture"), config_dict.get("model_type")}:
            return PaperCodecConfig.from_dict(config_dict, **kwargs)
        return super().from_dict(config_dict, **kwargs)

    @classmethod
    def heartllm_paper(cls, **overrides: Any) -> PaperCodecConfig:
        """The former name of `PaperCodecConfig`."""
        warnings.warn("ECGCodecConfig.heartllm_paper is now PaperCodecConfig", DeprecationWarning, stacklevel=2)
        return PaperCodecConfig(**overrides)

    @property
    def codebook_levels(self) -> list[list[int]]:
        """Levels of every codebook: the language model's, then the residual ones that refine it."""
        return [self.levels, *([self.refinement_levels] * self.num_refinements)]

    @property
    def hop_length(self) -> int:
        """Samples between two tokens."""
        return math.prod(self.strides)

    def sampling_kernel(self, step: int) -> tuple[int, int]:
        """Width and padding of the convolution that lowers the rate in a step (or raises it)."""
        stride = self.strides[step]
        return (3 * stride, stride) if step == 0 else (2 * stride, stride // 2)

    @property
    def receptive_field(self) -> float:
        """Seconds of features that decide one code of the first codebook."""
        return 2 * self._encoder_reach / self.sampling_rate + 1 / self.sampling_rate

    def latency_of(self, num_codebooks: int) -> float:
        """`latency` of the first codebooks together: residual ones also wait for what they refine."""
        samples = self._encoder_reach
        if num_codebooks > 1:  # what they refine is decoded first
            samples += self._synthesis_reach + self._analysis_reach(self.refinement_dilations)
        return samples / self.sampling_rate + self.baseline_seconds / 2

    @property
    def envelope_reach(self) -> int:
        """Samples to either side over which the codec takes a signal's amplitude."""
        return round(self.envelope_seconds * self.sampling_rate)

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

    @property
    def reads_missing_leads(self) -> bool:
        """Whether a lead of the features may be NaN throughout, which says that it is missing."""
        return True


_OF_THE_PAPERS_CODEC = (
    "window_samples", "encoder_hidden_size", "decoder_hidden_size", "num_downsamples", "num_norm_groups",
    "share_lead_encoder",
)  # fmt: skip
