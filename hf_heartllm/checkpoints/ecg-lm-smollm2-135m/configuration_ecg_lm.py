"""Configurations of the ECG encoder, and of a language model that reads its output as soft tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from transformers import AutoConfig, PretrainedConfig

from .checkpoint_files import without_local_names
from .ecg_leads import STANDARD_LEADS
from .format_versions import check_format_version
from .text_settings import TextSettings, without_answered

FORMAT_VERSION = ENCODER_FORMAT_VERSION = 1

PROJECTORS = ("record", "leads", "time")
"""What `ECGLMConfig.projector` may be.

* record: the encoding of the whole recording becomes `num_ecg_tokens` tokens; one, as published.
* leads: the encoding of each lead alone becomes a token, in the encoder's lead order; a missing lead has one too.
* time: `num_ecg_tokens` learned queries read the encoder's positions in time.
"""


class ECGEncoderConfig(PretrainedConfig):
    """Configuration of [`ECGEncoderModel`], a one-dimensional ResNet.

    Args:
        leads: that are read, in the order of the input; each has kernels of its own in the first convolution.
        sampling_rate: Hz of the input.
        hidden_sizes: channels of the stages; each stage after the first halves the length.
        depths: residual blocks of each stage; (2, 2, 2, 2) is ResNet-18.
        kernel_size: samples, of the convolutions in blocks; odd.
        stem_kernel_size: samples, of the first convolution; odd.
        min_duration: seconds of the shortest recording.
        max_duration: seconds of the longest that was trained on; None: not known.
        initializer_range: of the first weights.
        format_version: version of the encoder's files.

    Raises:
        ValueError: if sizes and depths do not fit together, or a kernel is even.
    """

    model_type = "hf_ecg_encoder"

    def __init__(
        self,
        leads: Sequence[str] = STANDARD_LEADS,
        sampling_rate: int = 100,
        hidden_sizes: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] = (2, 2, 2, 2),
        kernel_size: int = 5,
        stem_kernel_size: int = 15,
        min_duration: float = 2.0,
        max_duration: float | None = None,
        initializer_range: float = 0.02,
        format_version: int = ENCODER_FORMAT_VERSION,
        **kwargs: Any,
    ) -> None:
        if len(hidden_sizes) != len(depths) or not depths or min(*depths, *hidden_sizes) < 1:
            raise ValueError(f"one depth for each of hidden_sizes, at least 1: {list(depths)} and {list(hidden_sizes)}")
        if kernel_size % 2 == 0 or stem_kernel_size % 2 == 0:
            raise ValueError(f"kernels have an odd number of samples, not {kernel_size} and {stem_kernel_size}")
        self.leads = list(leads)
        self.sampling_rate = sampling_rate
        self.hidden_sizes = list(hidden_sizes)
        self.depths = list(depths)
        self.kernel_size = kernel_size
        self.stem_kernel_size = stem_kernel_size
        self.min_duration = min_duration
        self.max_duration = max_duration
        self.initializer_range = initializer_range
        self.format_version = check_format_version("ECG encoder", format_version, ENCODER_FORMAT_VERSION, __name__)
        super().__init__(**kwargs)

    @property
    def hidden_size(self) -> int:
        """Channels of the encoder's output."""
        return self.hidden_sizes[-1]


class ECGLMConfig(TextSettings, PretrainedConfig):
    """Configuration of [`ECGLMForCausalLM`]; it answers for `text_config` as `HeartLLMConfig` does.

    Args:
        text_config: configuration of the frozen language model (an object, or its dictionary with `model_type`).
        encoder_config: configuration of the encoder, likewise.
        ecg_token_id: id that stands for a soft token in `input_ids`; it may lie behind the language model's vocabulary,
            since its row is never read.
        projector: how the encoder's output becomes soft tokens, one of `PROJECTORS`.
        num_ecg_tokens: of each ECG; None: 1, or one for each lead where `projector` says so.
        format_version: version of the checkpoint's layout.
        seen_in_training: as of `HeartLLMConfig`.
        base_model: of a checkpoint without the language model's weights, which one it belongs to
            (`base_model.BaseModel`); None: the checkpoint holds whole weights.

    Raises:
        ValueError: for another projector, or a number of tokens that it cannot make.
    """

    model_type = "hf_ecg_lm"
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": AutoConfig, "encoder_config": ECGEncoderConfig}
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values", "cache"]

    def __init__(
        self,
        text_config: PretrainedConfig | dict[str, Any] | None = None,
        encoder_config: ECGEncoderConfig | dict[str, Any] | None = None,
        ecg_token_id: int | None = None,
        projector: str = "record",
        num_ecg_tokens: int | None = None,
        format_version: int = FORMAT_VERSION,
        seen_in_training: list[str] | None = None,
        base_model: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(text_config, dict):
            text_config = AutoConfig.for_model(**text_config)
        if isinstance(encoder_config, dict):
            encoder_config = ECGEncoderConfig(**encoder_config)
        self.text_config = text_config
        self.encoder_config = ECGEncoderConfig() if encoder_config is None else encoder_config
        if projector not in PROJECTORS:
            raise ValueError(f"projector must be one of {', '.join(map(repr, PROJECTORS))}, not {projector!r}")
        leads = len(self.encoder_config.leads)
        if num_ecg_tokens is None:
            num_ecg_tokens = leads if projector == "leads" else 1
        if num_ecg_tokens < 1 or (projector == "leads" and num_ecg_tokens != leads):
            raise ValueError(f"projector {projector!r} does not make {num_ecg_tokens} tokens of {leads} leads")
        self.ecg_token_id = ecg_token_id
        self.projector = projector
        self.num_ecg_tokens = num_ecg_tokens
        self.format_version = check_format_version("ECG-LM checkpoint", format_version, FORMAT_VERSION, __name__)
        self.seen_in_training = seen_in_training
        self.base_model = base_model
        if not __name__.startswith("transformers_modules."):
            kwargs.pop("custom_pipelines", None)  # as in HeartLLMConfig: the package registers its own
        kwargs = without_answered(kwargs)
        kwargs["tie_word_embeddings"] = bool(getattr(text_config, "tie_word_embeddings", False))
        super().__init__(**kwargs)

    def to_dict(self) -> dict[str, Any]:
        """As `config.json` holds it, without names of folders of this machine."""
        return without_local_names(super().to_dict())


ECGEncoderConfig.register_for_auto_class()
ECGLMConfig.register_for_auto_class()

__all__ = ["PROJECTORS", "ECGEncoderConfig", "ECGLMConfig"]
