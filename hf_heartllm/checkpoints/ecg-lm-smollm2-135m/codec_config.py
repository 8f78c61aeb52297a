"""What the configuration of every ECG codec says: the part of a codec that needs no torch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from transformers import PretrainedConfig

from .ecg_resample import ResamplingFilter


class CodecConfig(PretrainedConfig):
    """Sizes that every ECG codec has, and what follows from them.

    A codec of one's own is a subclass of this, with a `model_type` and a `hop_length`, and one of `ECGCodec`; both are
    registered with transformers (`AutoConfig.register`, `AutoModel.register`). Nothing else asks for a codec's layers.

    Args:
        sampling_rate: Hz of the features that the codec reads.
        leads: in the order in which it reads them.
        levels: levels of each dimension of the first codebook, which a language model reads; a learned codebook of N
            vectors is one dimension of N levels.
        window_samples: samples of one window; None for recordings of any length from `min_duration`.
        required_leads: leads that a recording must hold or allow to be derived, the others may be missing; all by
            default.
        min_duration: seconds of the shortest recording; the length of a window, or 2.
        baseline_seconds: length of the moving average that the features leave out, where there are no windows (its
            half is the reach to either side).
        resample_zero_crossings, resample_roll_off, resample_kaiser_beta: of the filters that bring a recording to
            `sampling_rate`, see `ResamplingFilter`.

    Raises:
        ValueError: if `required_leads` are no `leads`, or there is no such average or filter.
    """

    architecture: ClassVar[str] = ""
    """The kind of layers, in a word; the `model_type` where it is empty."""
    short_name: ClassVar[str] = ""
    """What tables of figures call the codec; the `model_type` where it is empty."""
    description: ClassVar[str] = ""
    """The codec in the words of a model card."""
    fingerprinted: ClassVar[tuple[str, ...]] = ("sampling_rate", "window_samples", "leads", "levels", "model_type")
    """Fields that decide the codes of the first codebook, in the order in which the fingerprint reads them."""
    unmentioned: ClassVar[Mapping[str, Any]] = {
        "baseline_seconds": 3.0,
        "resample_zero_crossings": 24,
        "resample_roll_off": 0.92,
        "resample_kaiser_beta": 9.0,
    }
    """Further fields that decide them, and the values at which the fingerprint does not mention them: those that every
    codec had before there was a field. They are no defaults, and stay as they are if a default is changed."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        own_init = "__init__" in cls.__dict__
        super().__init_subclass__(**kwargs)
        if not own_init and "__init__" in cls.__dict__:  # transformers makes one that goes past the one below
            del cls.__init__
        cls.architecture = cls.architecture or cls.model_type
        cls.short_name = cls.short_name or cls.model_type
        cls.description = cls.description or f"a codec of type {cls.model_type}"

    def __init__(
        self,
        sampling_rate: int = 100,
        leads: Sequence[str] = (),
        levels: Sequence[int] = (2,),
        window_samples: int | None = None,
        required_leads: Sequence[str] | None = None,
        min_duration: float | None = None,
        baseline_seconds: float = 3.0,
        resample_zero_crossings: int = 24,
        resample_roll_off: float = 0.92,
        resample_kaiser_beta: float = 9.0,
        **kwargs: Any,
    ) -> None:
        self.sampling_rate = sampling_rate
        self.leads = list(leads)
        self.levels = list(levels)
        self.window_samples = window_samples
        self.required_leads = list(leads if required_leads is None else required_leads)
        if min_duration is None:
            min_duration = 2.0 if window_samples is None else window_samples / sampling_rate
        self.min_duration = min_duration
        self.baseline_seconds = float(baseline_seconds)
        self.resample_zero_crossings = int(resample_zero_crossings)
        self.resample_roll_off = float(resample_roll_off)
        self.resample_kaiser_beta = float(resample_kaiser_beta)
        check_feature_settings(self)
        if not set(self.required_leads) <= set(self.leads):
            raise ValueError(f"required_leads={self.required_leads} must be among leads={self.leads}")
        super().__init__(**kwargs)

    @property
    def hop_length(self) -> int:
        """Samples between two tokens."""
        raise NotImplementedError(f"{type(self).__name__} does not say its hop_length")

    @property
    def codebook_levels(self) -> list[list[int]]:
        """Levels of every codebook: the language model's, then the residual ones that refine it."""
        return [self.levels]

    @property
    def codebook_size(self) -> int:
        """Number of different codes of the first codebook, which a language model reads."""
        return math.prod(self.levels)

    @property
    def num_codebooks(self) -> int:
        """Codes at every instant; a language model reads the first."""
        return len(self.codebook_levels)

    @property
    def feature_units(self) -> str:
        """Units of the features: standardised leads (`"z-score"`) where the codec reads windows, else `"mV"`."""
        return "mV" if self.window_samples is None else "z-score"

    @property
    def reads_missing_leads(self) -> bool:
        """Whether a lead of the features may be NaN throughout, which says that it is missing."""
        return len(self.required_leads) < len(self.leads)

    @property
    def frame_rate(self) -> float:
        """Instants a second at which there is a code of every codebook, in Hz."""
        return self.sampling_rate / self.hop_length

    @property
    def tokens_per_second(self) -> float:
        """Tokens that a language model reads in a second of ECG."""
        return self.frame_rate

    def bits_per_second_of(self, num_codebooks: int) -> float:
        """Fixed-length rate of the first codebooks, all leads together.

        Raises:
            ValueError: if the codec has not so many.
        """
        if not 1 <= num_codebooks <= self.num_codebooks:
            raise ValueError(f"num_codebooks={num_codebooks} must lie in 1…{self.num_codebooks}")
        bits = sum(math.log2(math.prod(levels)) for levels in self.codebook_levels[:num_codebooks])
        if self.window_samples is None:
            return bits * self.frame_rate
        return self.num_tokens(self.window_samples) * bits * self.sampling_rate / self.window_samples

    @property
    def bits_per_second(self) -> float:
        """Fixed-length rate of all codebooks and leads together."""
        return self.bits_per_second_of(self.num_codebooks)

    @property
    def bandwidth(self) -> float:
        """Hz up to which the features can hold a signal: half their sampling rate."""
        return self.sampling_rate / 2

    @property
    def receptive_field(self) -> float | None:
        """Seconds of features that decide one code of the first codebook; None where it is the whole window."""
        return None

    @property
    def latency(self) -> float | None:
        """Seconds of signal after a token's end that decide its code in the first codebook, the features' baseline
        filter included; None where the whole window does."""
        return self.latency_of(1)

    def latency_of(self, num_codebooks: int) -> float | None:
        """`latency` of the first codebooks together."""
        return None

    def num_tokens(self, num_samples: int) -> int:
        """Tokens made of so many samples; a rest that fills no token is left out."""
        return num_samples // self.hop_length

    def num_samples(self, num_tokens: int) -> int:
        """Samples that so many tokens stand for."""
        if self.window_samples is not None and num_tokens == self.num_tokens(self.window_samples):
            return self.window_samples
        return num_tokens * self.hop_length

    @property
    def num_streams(self) -> int:
        """The former name of `num_codebooks`."""
        former: int = renamed(self.num_codebooks, 0)
        return former

    @property
    def stream_levels(self) -> list[list[int]]:
        """The former name of `codebook_levels`."""
        warnings.warn("stream_levels is now called codebook_levels", DeprecationWarning, stacklevel=2)
        return self.codebook_levels


def check_feature_settings(of: Any) -> ResamplingFilter:
    """The resampling filter that a codec's configuration or a feature extractor asks for.

    Raises:
        ValueError: if there is no such filter, or no moving average of `baseline_seconds`.
    """
    if not 0 < of.baseline_seconds <= 3600:
        raise ValueError(f"baseline_seconds={of.baseline_seconds} must be above 0 and at most 3600")
    return ResamplingFilter(of.resample_zero_crossings, of.resample_roll_off, of.resample_kaiser_beta)


def renamed(num_streams: Any, num_codebooks: Any, stacklevel: int = 3) -> Any:
    """`num_codebooks`, or what was given under its former name, with a warning to the caller's caller."""
    if num_streams is None:
        return num_codebooks
    warnings.warn("num_streams is now called num_codebooks", DeprecationWarning, stacklevel=stacklevel)
    return num_streams
