"""A causal language model of any architecture whose vocabulary also holds ECG tokens."""

from __future__ import annotations

import copy
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationConfig, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs

from .adapter_checkpoint import merge_adapter
from .answer_files import remember_answer_files, write_answer_files
from .base_model import BaseModel, find_base
from .base_terms import base_of_model, remember_base, write_base_terms
from .checkpoint_files import file_beside, of_the_hub
from .configuration_heartllm import HeartLLMConfig
from .ecg_token_rows import ecg_token_rows
from .language_models import check_base, decoder_of, fit_to_positions
from .locks import LOADING
from .model_cache import cache_argument
from .pushed_files import push_model_folder
from .text_base import TextsByBase
from .whole_ecgs import WholeECGs


class HeartLLMForCausalLM(TextsByBase, GenerationMixin):
    """Any causal language model of transformers, with rows for ECG tokens.

    ECG tokens are ordinary ids: `forward` passes ids on and holds nothing of its own, so that trainers, servers and
    merged adapters that go straight to the language model compute the same thing. Only rows without an ECG may be
    another model's: of a checkpoint that holds an adapter, the base's (`texts_by_base`).

    Attributes:
        language_model: the base architecture, with its grown vocabulary.
    """

    config_class = HeartLLMConfig
    # trl calls `base_model` and applies the output matrix itself, so this names the decoder inside the language model
    base_model_prefix = "backbone"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True  # of a language model that can, as most; an instance has its own

    def __init__(self, config: HeartLLMConfig) -> None:
        super().__init__(config)
        if config.text_config is None:
            raise ValueError("HeartLLMConfig has no text_config: name the base, as HeartLLMForCausalLM.from_base does")
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self._whole_ecgs = None if config.ecg_token_offset is None else WholeECGs(config)
        self._adopt_config()
        inner = self.language_model._tied_weights_keys or {}
        # peft and save_pretrained look for tied weights on the outer model only
        self._tied_weights_keys = {f"language_model.{k}": f"language_model.{v}" for k, v in inner.items()}
        self.post_init()

    def _adopt_config(self) -> None:
        """Shares one text configuration with the language model, so that resizing is seen by both."""
        self.config.text_config = self.language_model.config
        if self._whole_ecgs is not None:  # there, since trl goes around this class's own forward
            self._whole_ecgs.watch(self.backbone)
        # what generation asks of a class
        for flag in ("_can_compile_fullgraph", "_is_stateful"):
            setattr(self, flag, getattr(self.language_model, flag, False))
        self.config.tie_word_embeddings = bool(getattr(self.language_model.config, "tie_word_embeddings", False))

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As for any model; threads that load models wait for each other.

        A checkpoint may hold an adapter alone. Its base is then looked for (`base_model.find_base`) and the adapter is
        added to its weights. In evaluation mode rows without an ECG are then answered by the base as it was
        (`texts_by_base`), until the model is trained.

        Args:
            *args, **kwargs: as of any model, and of an adapter's checkpoint also
                base_model: folder of the base, or its name on the Hub; by default it is looked for.
                any_base: whether a base with other weights is taken; answers then differ.

        Raises:
            BaseModelError: if an adapter's base is not there, or has other weights than those trained on.
        """
        source = args[0] if args else kwargs.get("pretrained_model_name_or_path")
        base, any_base = kwargs.pop("base_model", None), kwargs.pop("any_base", False)
        config = kwargs.get("config")
        if source is not None and config is None:
            config = cls.config_class.from_pretrained(source, **of_the_hub(kwargs))
        if getattr(config, "base_model", None):
            return cls._from_adapter(source, base_model=base, any_base=any_base, **{**kwargs, "config": config})
        if base is not None:
            raise ValueError(f"{source} holds whole weights: base_model={base} would have no effect")
        with LOADING:
            loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded  # output_loading_info=True gives both
        remember_answer_files(model, source, kwargs.get("revision"))
        return loaded

    @classmethod
    def _from_adapter(cls, source: Any, **kwargs: Any) -> Any:
        """A base with the adapter in `source` added to its weights."""
        device, with_info = kwargs.pop("device_map", None), kwargs.pop("output_loading_info", False)
        if kwargs.get("quantization_config") is not None:
            raise ValueError("an adapter is not added to quantised weights: use PeftModel.from_pretrained(base, …)")
        model = cls.base_of(source, **kwargs)
        merge_adapter(model, source, kwargs.get("revision"))
        _, folder = base_of_model(model) or (None, None)
        model.texts_by_base(folder)
        if isinstance(device, (str, int, torch.device)) and device != "auto":
            model.to(device)
        remember_answer_files(model, source, kwargs.get("revision"))
        none: list[str] = []
        info = {"missing_keys": none, "unexpected_keys": none, "mismatched_keys": none, "error_msgs": none}
        return (model, info) if with_info else model

    @classmethod
    def base_of(
        cls, source: str | os.PathLike[str], base_model: Any = None, any_base: bool = False, **kwargs: Any
    ) -> HeartLLMForCausalLM:
        """The base of a checkpoint that holds an adapter alone, with room for the ECG rows, without the adapter.

        For `PeftModel.from_pretrained(HeartLLMForCausalLM.base_of(folder), folder)`, which can be trained further and
        switched off. `from_pretrained` gives a model with the adapter in its weights.

        Args:
            source: the checkpoint's folder, or its repository on the Hub.
            base_model: folder of the base, or its name on the Hub; by default it is looked for.
            any_base: whether a base with other weights is taken.
            **kwargs: `dtype`, `attn_implementation`, `revision`, `cache_dir`, … as of any model.

        Raises:
            BaseModelError: if the base is not there, or has other weights than those trained on.
            ValueError: if the checkpoint holds whole weights.
        """
        from_hub = of_the_hub(kwargs)
        # a copy: what is given may be loaded with again
        config = copy.deepcopy(kwargs.get("config")) or cls.config_class.from_pretrained(source, **from_hub)
        if not config.base_model:
            raise ValueError(f"{source} holds whole weights and no adapter")
        folder = find_base(BaseModel(**config.base_model), base_model, any_base, **from_hub)
        options = {name: kwargs[name] for name in ("dtype", "attn_implementation") if kwargs.get(name) is not None}
        options.setdefault("dtype", kwargs.get("torch_dtype") or config.dtype or "auto")
        with LOADING:
            language_model = AutoModelForCausalLM.from_pretrained(folder, **options)
        language_model.resize_token_embeddings(config.text_config.vocab_size, mean_resizing=False)
        model: HeartLLMForCausalLM = cls._around(language_model, config)
        if file_beside(source, "generation_config.json", from_hub.get("revision")) is not None:
            model.generation_config = GenerationConfig.from_pretrained(source, **from_hub)
        remember_base(model, config.base_model["name"], folder)
        model.config.base_model = None  # what is in memory is whole
        model.name_or_path = model.config.name_or_path = os.fspath(source)
        model.eval()
        return model

    @classmethod
    def _around(cls, language_model: PreTrainedModel, config: HeartLLMConfig) -> HeartLLMForCausalLM:
        """The wrapper of a language model that is loaded."""
        with LOADING, torch.device("meta"):  # only the structure: the weights are the base's
            model = cls(config)
        model.language_model = language_model
        model._adopt_config()
        return model

    @classmethod
    def from_base(
        cls,
        model_or_id: PreTrainedModel | str | os.PathLike[str],
        tokenizer: Any,
        seed: int = 0,
        **kwargs: Any,
    ) -> HeartLLMForCausalLM:
        """Adds the rows of the ECG tokens to a causal language model.

        The matrix grows to `len(tokenizer)` rows, reuses spare rows of the base and never shrinks. Every logit of a
        text token stays what it was.

        Args:
            model_or_id: a causal language model (it is taken over and grown in place), or what
                `AutoModelForCausalLM.from_pretrained` accepts.
            tokenizer: an `ECGTokenizer` made from the base's own tokenizer.
            seed: of the first values of the new rows.
            **kwargs: passed to `AutoModelForCausalLM.from_pretrained` (`dtype`, `revision`, …).

        Returns:
            The model, in evaluation mode and in the base's dtype.

        Raises:
            ValueError: if the tokenizer names no ECG tokens, the model is already a HeartLLM, or it cannot be a base
                (`language_models.check_base`; docs/language-models.md).
            TypeError: if keyword arguments are given beside a loaded model.
        """
        if isinstance(model_or_id, PreTrainedModel):
            if kwargs:
                raise TypeError(f"the model is loaded already, so {', '.join(sorted(kwargs))} would have no effect")
            base = model_or_id
        else:
            with LOADING:
                base = AutoModelForCausalLM.from_pretrained(model_or_id, **kwargs)
        if base.config.model_type == HeartLLMConfig.model_type:
            raise ValueError("the base already has ECG rows; load it with HeartLLMForCausalLM.from_pretrained")
        size = getattr(tokenizer, "ecg_codebook_size", 0)
        if not size:
            raise ValueError("the tokenizer names no ECG tokens; make it with ECGTokenizer.from_base")
        check_base(base.eval())

        rows = base.get_input_embeddings().weight.shape[0]
        base.resize_token_embeddings(max(rows, len(tokenizer)), mean_resizing=False)
        config = HeartLLMConfig(
            text_config=base.config,
            ecg_token_offset=tokenizer.ecg_token_offset,
            ecg_codebook_size=size,
            ecg_start_token_id=tokenizer.ecg_start_token_id,
            ecg_end_token_id=tokenizer.ecg_end_token_id,
            dtype=base.dtype,
        )
        model = cls._around(base, config)
        model.generation_config = copy.deepcopy(base.generation_config)
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            if getattr(model.generation_config, name, None) is None:
                setattr(model.generation_config, name, getattr(tokenizer, name, None))
        model._write_text_alone()
        fit_to_positions(tokenizer, base)
        model.tie_weights()
        model.eval()
        model._initialize_rows(rows, _codec_levels(tokenizer), seed)
        model._level_ecg_rows(tokenizer(_ANY_TEXT)["input_ids"], seed)
        return model

    @torch.no_grad()
    def _initialize_rows(self, base_rows: int, levels: Sequence[int] | None, seed: int) -> None:
        """Sets every row behind the base's text tokens; `base_rows` is what the base had before it grew."""
        config = self.config
        generator = torch.Generator().manual_seed(seed)
        matrices: list[Tensor] = [self.get_input_embeddings().weight]
        head: Any = self.get_output_embeddings()
        if head.weight is not matrices[0]:
            matrices.append(head.weight)
        known = min(base_rows, min(config.ecg_token_ids))
        codes = slice(config.ecg_token_offset, config.ecg_token_offset + config.ecg_codebook_size)
        borders = [config.ecg_start_token_id, config.ecg_end_token_id]
        for matrix in matrices:
            text_rows = matrix[:known]
            border_rows, code_rows = ecg_token_rows(text_rows, config.ecg_codebook_size, levels, generator=generator)
            # a padding token that the tokenizer had to add, for instance
            matrix[base_rows:] = text_rows.float().mean(dim=0).to(matrix)
            matrix[borders] = border_rows.to(matrix)
            matrix[codes] = code_rows.to(matrix)
        if getattr(head, "bias", None) is not None:
            head.bias[sorted({*config.ecg_token_ids, *range(base_rows, len(head.bias))})] = head.bias[:known].mean()

    @torch.no_grad()
    def _level_ecg_rows(self, text_ids: Sequence[int], seed: int, codes: int = 64, rounds: int = 4) -> None:
        """Raises the ECG rows of the output matrix until the first loss on ECG tokens is near ln(vocabulary).

        A trained base is so sure of its text tokens that the average row is far less likely than one in a vocabulary.
        What is added to the rows is orthogonal to the mean hidden state of text, so ECG tokens become likely inside
        an ECG and not in an answer.
        """
        config, ids = self.config, self.config.ecg_token_ids
        head: Tensor = self.get_output_embeddings().weight
        generator = torch.Generator().manual_seed(seed)
        random_codes = torch.randint(config.ecg_codebook_size, (codes,), generator=generator) + config.ecg_token_offset
        ecg = [config.ecg_start_token_id, *random_codes.tolist(), config.ecg_end_token_id]
        room = getattr(config.text_config, "max_position_embeddings", None)
        ecg_ids = torch.tensor([ecg[:room]], device=self.device)
        text = torch.tensor([list(text_ids)[:room]], device=self.device)
        text_mean = self.backbone(input_ids=text).last_hidden_state[0].float().mean(dim=0)

        def excess() -> float:
            logits = self(input_ids=ecg_ids, use_cache=False).logits[0, :-1].float()
            return torch.nn.functional.cross_entropy(logits, ecg_ids[0, 1:]).item() - math.log(head.shape[0])

        above = excess()
        for _ in range(rounds):
            if above < 0.1:
                return
            ecg_mean = self.backbone(input_ids=ecg_ids).last_hidden_state[0, :-1].float().mean(dim=0)
            own = ecg_mean - (ecg_mean @ text_mean) / (text_mean @ text_mean) * text_mean
            if own.norm() < 0.05 * ecg_mean.norm():  # this base hardly tells an ECG from text
                own = ecg_mean
            before = head[ids]
            head[ids] += (above * own / (own @ ecg_mean)).to(head)
            previous, above = above, excess()
            if not above < previous:  # tied rows are inputs as well, so a step may miss
                head[ids] = before
                return

    @property
    def backbone(self) -> Any:
        """The decoder without its output matrix."""
        return decoder_of(self.language_model)

    def get_decoder(self) -> Any:
        """The decoder, as `backbone`."""
        return self.backbone

    def get_input_embeddings(self) -> Any:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        """The output matrix; where peft trains rows of it, with the bias that trl's fused loss asks it for."""
        head = self.language_model.get_output_embeddings()
        if hasattr(head, "token_adapter") and not hasattr(head, "bias"):
            # peft's wrapper shows the weight of what it wraps and not the bias. Past torch's registration of
            # parameters, so that no adapter or checkpoint holds it twice.
            object.__setattr__(head, "bias", getattr(head.original_module, "bias", None))
        return head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.language_model.set_output_embeddings(new_embeddings)

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, **kwargs: Any
    ) -> nn.Embedding:
        """Resizes the language model's vocabulary; the ECG ids do not move.

        Raises:
            ValueError: if no row would be left for some of them.
        """
        least = 1 + max(self.config.ecg_token_ids) if self.config.ecg_token_offset is not None else 0
        rows = new_num_tokens
        if rows is not None and pad_to_multiple_of:
            rows = -(-rows // pad_to_multiple_of) * pad_to_multiple_of
        if rows is not None and rows < least:
            raise ValueError(
                f"{rows} rows are too few: the ids of ECG tokens reach {least - 1}, so keep {least} at least"
            )
        embeddings: nn.Embedding = self.language_model.resize_token_embeddings(
            new_num_tokens, pad_to_multiple_of, **kwargs
        )
        self.vocab_size = embeddings.num_embeddings  # as of any model that was resized
        self._adopt_config()
        return embeddings

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Unpack[TransformersKwargs],
    ) -> CausalLMOutputWithPast:
        """Passes everything on to the language model.

        Args:
            input_ids: int64 (batch, tokens), text and ECG ids mixed.
            attention_mask: (batch, tokens), 1 for tokens, 0 for padding.
            position_ids: int64 (batch, tokens).
            past_key_values: cache of the language model.
            inputs_embeds: float (batch, tokens, hidden) instead of `input_ids`.
            labels: int64 (batch, tokens); -100 is not scored.
            use_cache: whether to return the cache.
            logits_to_keep: number of last positions, or the positions, to compute logits for; 0 is all.
            **kwargs: whatever else the language model understands.

        Returns:
            The language model's output: `loss` where labels are given, `logits` (batch, tokens, vocabulary), cache.
            It is the base's where no row holds an ECG and there is a base for texts (`texts_by_base`).
        """
        base, texts = self._texts(input_ids, past_key_values, inputs_embeds)
        of_text = base is not None and bool(texts.all())
        language_model = base.like(self) if base is not None and of_text else self.language_model
        # generate() and trainers read the names above from the signature, hence no bare **kwargs
        outputs = language_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            **cache_argument(language_model, past_key_values),
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )
        return base.grown(self, outputs) if base is not None and of_text else outputs

    def trainable_token_indices(self) -> list[int] | dict[str, list[int]]:
        """The ECG rows in the form that `peft.LoraConfig(trainable_token_indices=…)` needs.

        Returns:
            A list where input and output matrix are tied. Otherwise a dictionary with both matrices, because peft
            trains only the input rows of a list.
        """
        ids: list[int] = self.config.ecg_token_ids
        if self.config.tie_word_embeddings:
            return ids
        modules = {module: name.rsplit(".", 1)[-1] for name, module in self.named_modules()}
        return {modules[self.get_input_embeddings()]: ids, modules[self.get_output_embeddings()]: ids}

    def allow_parts_of_ecgs(self) -> None:
        """Training takes rows whose ECGs lack their start or end, too; else it refuses them (`whole_ecgs`)."""
        if self._whole_ecgs is not None:
            self._whole_ecgs.asked = False

    def _write_text_alone(self) -> None:
        """Generation writes no ECG tokens, which decoders hide; `generate(suppress_tokens=None)` lets it."""
        if self.generation_config.suppress_tokens is None and self.config.ecg_token_offset is not None:
            self.generation_config.suppress_tokens = list(self.config.ecg_token_ids)

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Saves the model with the code that loads it; `AutoModel`, `AutoModelForCausalLM` and `pipeline` find it.

        What was known about the answers of these weights (`calibration.json`, `questions.json` beside them when they
        were loaded) is saved too, unless the weights have changed since.
        """
        from .pipeline_ecg import CUSTOM_PIPELINES  # in here: this line has the file travel too

        # transformers writes the entry of one Auto class only
        module = type(self).__module__.rsplit(".", 1)[-1]
        self.config.auto_map = {**(getattr(self.config, "auto_map", None) or {})}
        self.config.auto_map["AutoModel"] = f"{module}.{type(self).__name__}"
        self._write_text_alone()
        before = getattr(self.config, "custom_pipelines", None)
        self.config.custom_pipelines = CUSTOM_PIPELINES
        try:
            super().save_pretrained(save_directory, **kwargs)
        finally:
            if before is None:  # the package knows its pipelines without it
                del self.config.custom_pipelines
        if kwargs.get("is_main_process", True):
            write_answer_files(self, save_directory, kwargs.get("state_dict"))

    def _upload_modified_files(
        self, working_dir: str | os.PathLike[str], repo_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """As for any model, with card, licences and what is known about its answers, in one commit."""
        return push_model_folder(self, working_dir, repo_id, *args, **kwargs)

    def save_language_model(self, directory: str | os.PathLike[str], tokenizer: Any) -> Path:
        """Writes the plain base architecture with its grown vocabulary, for servers that run no custom code.

        The tokenizer of that folder parses the text form of ECG tokens. Whoever lets strangers write prompts to such
        a server lets them write ECG tokens.

        Args:
            directory: folder to write; every file appears whole.
            tokenizer: the `ECGTokenizer` of this model.

        Returns:
            The folder.

        Raises:
            TermsError: if the licence of the base forbids it, or asks for a text that is not at hand.
        """
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        language_model = self.language_model
        language_model.generation_config = copy.deepcopy(self.generation_config)
        with tempfile.TemporaryDirectory(dir=target, prefix=".writing-") as scratch:
            language_model.save_pretrained(scratch)
            tokenizer.save_plain_tokenizer(scratch)
            write_base_terms(self, scratch)
            for file in sorted(Path(scratch).iterdir()):
                os.replace(file, target / file.name)
        return target


# stands for the text around an ECG where rows are levelled; its wording hardly matters
_ANY_TEXT = "Does this ECG show atrial fibrillation? No, it shows sinus rhythm with a normal axis."


def _codec_levels(tokenizer: Any) -> Sequence[int] | None:
    config = getattr(getattr(tokenizer, "codec", None), "config", None)
    return getattr(config, "levels", None)


HeartLLMForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["HeartLLMForCausalLM"]
