"""Configuration of a causal language model that reads and writes ECG tokens."""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import AutoConfig, PretrainedConfig

from .checkpoint_files import without_local_names
from .format_versions import check_format_version
from .text_settings import TextSettings, without_answered

FORMAT_VERSION = 1


class HeartLLMConfig(TextSettings, PretrainedConfig):
    """Configuration of [`HeartLLMForCausalLM`].

    The ids of the ECG tokens are one contiguous range: start, end, then one id for every code. They come after the
    text tokens of the base, so that `id = ecg_token_offset + code`. `vocab_size`, `hidden_size` and what else others
    ask of a language model (`text_settings.ANSWERED`) is that of `text_config`.

    Args:
        text_config: configuration of the base language model (an object, or its dictionary with `model_type`).
        ecg_token_offset: id of code 0.
        ecg_codebook_size: number of codes.
        ecg_start_token_id: id of the token that opens an ECG; by default the second id before the codes.
        ecg_end_token_id: id of the token that closes an ECG; by default the id before the codes.
        format_version: version of the checkpoint's layout.
        tie_word_embeddings: taken from `text_config` where there is one, because the inner value decides.
        seen_in_training: what the weights saw of what they may be tested on, some of `"labels"`, `"report text"`,
            `"letter choice"` and `"yes/no"` (`heartllm evaluate classify`), and `"other questions"` that no ECG
            answers, so that the model may say so; an empty list: none of them; None: unknown.
        base_model: of a checkpoint that holds an adapter alone, the base it belongs to (`base_model.BaseModel`): its
            `name`, `revision`, `sha256` and `source`; None: the checkpoint holds whole weights.

    Raises:
        ValueError: if the ECG ids overlap, or do not fit into the vocabulary of `text_config`.
    """

    model_type = "hf_heartllm"
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": AutoConfig}
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values", "cache"]

    def __init__(
        self,
        text_config: PretrainedConfig | dict[str, Any] | None = None,
        ecg_token_offset: int | None = None,
        ecg_codebook_size: int | None = None,
        ecg_start_token_id: int | None = None,
        ecg_end_token_id: int | None = None,
        format_version: int = FORMAT_VERSION,
        tie_word_embeddings: bool = False,
        seen_in_training: list[str] | None = None,
        base_model: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(text_config, dict):
            text_config = AutoConfig.for_model(**text_config)
        self.text_config = text_config
        if ecg_token_offset is not None:
            ecg_start_token_id = ecg_token_offset - 2 if ecg_start_token_id is None else ecg_start_token_id
            ecg_end_token_id = ecg_token_offset - 1 if ecg_end_token_id is None else ecg_end_token_id
        self.ecg_token_offset = ecg_token_offset
        self.ecg_codebook_size = ecg_codebook_size
        self.ecg_start_token_id = ecg_start_token_id
        self.ecg_end_token_id = ecg_end_token_id
        self.format_version = check_format_version("HeartLLM checkpoint", format_version, FORMAT_VERSION, __name__)
        self.seen_in_training = seen_in_training
        self.base_model = base_model
        if text_config is not None:
            tie_word_embeddings = bool(getattr(text_config, "tie_word_embeddings", False))
            self._check_ecg_ids(text_config)
        kwargs = without_answered(kwargs)
        if not __name__.startswith("transformers_modules."):
            # where a checkpoint's own code runs transformers needs this entry; the package registers its pipelines, and
            # with the entry transformers would ask to trust the checkpoint's
            kwargs.pop("custom_pipelines", None)
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)

    def _check_ecg_ids(self, text_config: PretrainedConfig) -> None:
        if self.ecg_token_offset is None or self.ecg_codebook_size is None:
            return
        ids = self.ecg_token_ids
        if len(set(ids)) != len(ids) or min(ids) < 0 or self.ecg_codebook_size < 1:
            raise ValueError(
                f"ECG token ids overlap: start {self.ecg_start_token_id}, end {self.ecg_end_token_id}, "
                f"{self.ecg_codebook_size} codes from {self.ecg_token_offset}"
            )
        if max(ids) >= text_config.vocab_size:
            raise ValueError(
                f"ECG token ids reach {max(ids)} but the vocabulary of text_config has {text_config.vocab_size} rows; "
                "HeartLLMForCausalLM.from_base adds the missing rows"
            )

    def to_dict(self) -> dict[str, Any]:
        """As `config.json` holds it, without names of folders of this machine."""
        return without_local_names(super().to_dict())

    @property
    def ecg_token_ids(self) -> list[int]:
        """All ids that stand for ECGs, ascending: start, end and every code.

        Raises:
            ValueError: if the configuration names no ECG tokens.
        """
        if (
            self.ecg_token_offset is None
            or self.ecg_codebook_size is None
            or self.ecg_start_token_id is None
            or self.ecg_end_token_id is None
        ):
            raise ValueError("this HeartLLMConfig names no ECG tokens: give ecg_token_offset and ecg_codebook_size")
        codes = range(self.ecg_token_offset, self.ecg_token_offset + self.ecg_codebook_size)
        return sorted([self.ecg_start_token_id, self.ecg_end_token_id, *codes])


HeartLLMConfig.register_for_auto_class()

__all__ = ["HeartLLMConfig"]
