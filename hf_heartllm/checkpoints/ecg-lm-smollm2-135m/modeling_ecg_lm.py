"""ECG-LM: a frozen causal language model that reads an ECG as soft tokens.

Source: ECG-LM, Yang et al., whose authors have published no code; what the paper leaves open is decided here.
"""

from __future__ import annotations

import copy
import os
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationConfig, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs

from .answer_files import remember_answer_files, write_answer_files
from .base_model import BaseModel, find_base
from .checkpoint_files import file_beside, of_the_hub
from .configuration_ecg_lm import ECGEncoderConfig, ECGLMConfig
from .ecg_projectors import ECGProjector
from .language_models import check_base, decoder_of, fit_to_positions
from .locks import LOADING
from .model_cache import cache_argument
from .modeling_ecg_encoder import ECGEncoderModel
from .pushed_files import push_model_folder

_TRAINED = ("encoder.", "projector.")


class ECGLMForCausalLM(PreTrainedModel, GenerationMixin):
    """Encoder, projection and a frozen causal language model of transformers.

    Where `input_ids` hold `config.ecg_token_id`, the soft tokens of the next ECG stand: `config.num_ecg_tokens` of them
    for each. The language model's weights get no gradient, and it stays in evaluation mode while the rest is trained.

    Attributes:
        encoder: an [`ECGEncoderModel`].
        projector: makes soft tokens of its output.
        language_model: the base, untouched.
    """

    config_class = ECGLMConfig
    base_model_prefix = "backbone"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True  # of a language model that can, as most; an instance has its own

    def __init__(self, config: ECGLMConfig) -> None:
        super().__init__(config)
        if config.text_config is None:
            raise ValueError("ECGLMConfig has no text_config: name the base, as ECGLMForCausalLM.from_base does")
        self.encoder = ECGEncoderModel(config.encoder_config)
        self.projector = ECGProjector(config)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self._freeze()
        inner = self.language_model._tied_weights_keys or {}
        self._tied_weights_keys = {f"language_model.{k}": f"language_model.{v}" for k, v in inner.items()}
        self.post_init()

    def _freeze(self) -> None:
        self.language_model.requires_grad_(False).eval()
        self.config.text_config = self.language_model.config
        for flag in ("_can_compile_fullgraph", "_is_stateful"):  # what generation asks of a class
            setattr(self, flag, getattr(self.language_model, flag, False))

    def train(self, mode: bool = True) -> ECGLMForCausalLM:
        """As of any module, but for the encoder's batch norms, and a language model of which nothing is trained: these
        stay in evaluation mode.
        """
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
        if not any(weight.requires_grad for weight in self.language_model.parameters()):
            self.language_model.eval()
        return self

    # ------------------------------------------------------------------ making, loading, saving

    @classmethod
    def from_base(
        cls,
        model_or_id: PreTrainedModel | str | os.PathLike[str],
        processor: Any,
        encoder: ECGEncoderModel | ECGEncoderConfig | None = None,
        projector: str = "record",
        num_ecg_tokens: int | None = None,
        base_model: BaseModel | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> ECGLMForCausalLM:
        """Put an encoder and an untrained projection before a causal language model.

        Args:
            model_or_id: a causal language model, or what `AutoModelForCausalLM.from_pretrained` accepts.
            processor: an `ECGLMProcessor` made with the base's own tokenizer.
            encoder: a trained one, or the configuration of a new one; None: a new ResNet-18.
            projector: one of `configuration_ecg_lm.PROJECTORS`.
            num_ecg_tokens: of each ECG; None: as the projector has it.
            base_model: names the base, where checkpoints are to hold encoder and projection alone; None: they hold the
                language model too.
            seed: of new weights.
            **kwargs: passed to `AutoModelForCausalLM.from_pretrained` (`dtype`, `revision`, …).

        Raises:
            ValueError: if the processor makes another number of tokens of an ECG, or the model cannot be a base
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
        check_base(base.eval(), embeds=True)
        config = ECGLMConfig(
            text_config=base.config,
            encoder_config=encoder.config if isinstance(encoder, ECGEncoderModel) else encoder,
            ecg_token_id=processor.ecg_token_id,
            projector=projector,
            num_ecg_tokens=num_ecg_tokens,
            base_model=None if base_model is None else base_model.document(),
            dtype=base.dtype,
        )
        if processor.num_ecg_tokens != config.num_ecg_tokens:
            raise ValueError(
                f"the processor makes {processor.num_ecg_tokens} tokens of an ECG, the model {config.num_ecg_tokens}: "
                "give both the same num_ecg_tokens"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = ECGEncoderModel(config.encoder_config)
            new = ECGProjector(config)
        model = cls._around(base, config)
        model.encoder = encoder if isinstance(encoder, ECGEncoderModel) else made
        model.projector = new.to(base.dtype)
        with torch.no_grad():
            rows = base.get_input_embeddings().weight.detach()[
                :: max(1, base.config.get_text_config().vocab_size // 1000)
            ]
            model.projector.norm.weight.fill_(rows.float().pow(2).mean().sqrt().item())
        model.generation_config = copy.deepcopy(base.generation_config)
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            if getattr(model.generation_config, name, None) is None:
                setattr(model.generation_config, name, getattr(processor.tokenizer, name, None))
        fit_to_positions(processor.tokenizer, base)
        model.eval()
        return model

    @classmethod
    def _around(cls, language_model: PreTrainedModel, config: ECGLMConfig) -> ECGLMForCausalLM:
        """The model of a language model that is loaded; encoder and projection have no values yet."""
        with LOADING, torch.device("meta"):
            model = cls(config)
        model.language_model = language_model
        model._freeze()
        return model

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As for any model; threads that load models wait for each other.

        A checkpoint may hold encoder and projection alone. Its language model is then looked for
        (`base_model.find_base`).

        Args:
            *args, **kwargs: as of any model, and of a checkpoint without a language model also
                base_model: folder of the base, or its name on the Hub; by default it is looked for.
                any_base: whether a base with other weights is taken; answers then differ.

        Raises:
            BaseModelError: if the base is not there, or has other weights than those trained on.
        """
        source = args[0] if args else kwargs.get("pretrained_model_name_or_path")
        base, any_base = kwargs.pop("base_model", None), kwargs.pop("any_base", False)
        config = kwargs.get("config")
        if source is not None and config is None:
            config = cls.config_class.from_pretrained(source, **of_the_hub(kwargs))
        if getattr(config, "base_model", None):
            return cls._before_base(source, base, any_base, **{**kwargs, "config": config})
        if base is not None:
            raise ValueError(f"{source} holds whole weights: base_model={base} would have no effect")
        with LOADING:
            loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        model._freeze()
        remember_answer_files(model, source, kwargs.get("revision"))
        return loaded

    @classmethod
    def _before_base(cls, source: Any, base: Any, any_base: bool, **kwargs: Any) -> Any:
        """Encoder and projection from `source`, before the base that it names."""
        from safetensors.torch import load_file

        device, with_info = kwargs.pop("device_map", None), kwargs.pop("output_loading_info", False)
        config, from_hub = copy.deepcopy(kwargs["config"]), of_the_hub(kwargs)
        folder = find_base(BaseModel(**config.base_model), base, any_base, **from_hub)
        options = {
            name: kwargs[name] for name in ("dtype", "attn_implementation", "quantization_config") if kwargs.get(name)
        }
        options.setdefault("dtype", kwargs.get("torch_dtype") or config.dtype or "auto")
        with LOADING:
            language_model = AutoModelForCausalLM.from_pretrained(folder, **options)
        model = cls._around(language_model, config)
        weights = file_beside(source, "model.safetensors", from_hub.get("revision"))
        if weights is None:
            raise OSError(f"{source}: no model.safetensors with encoder and projection")
        tensors = load_file(weights)
        for prefix in _TRAINED:
            part = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            module = getattr(model, prefix[:-1])
            module.load_state_dict(part, strict=True, assign=True)
            module.to(language_model.dtype if language_model.dtype.is_floating_point else torch.float32)
        if file_beside(source, "generation_config.json", from_hub.get("revision")) is not None:
            model.generation_config = GenerationConfig.from_pretrained(source, **from_hub)
        model.name_or_path = model.config.name_or_path = os.fspath(source)
        model.eval()
        if isinstance(device, (str, int, torch.device)) and device != "auto":
            model.to(device)
        remember_answer_files(model, source, kwargs.get("revision"))
        none: list[str] = []
        info = {"missing_keys": none, "unexpected_keys": none, "mismatched_keys": none, "error_msgs": none}
        return (model, info) if with_info else model

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Saves the model with the code that loads it.

        Where `config.base_model` names the language model, encoder and projection are saved alone. What was known about
        the answers of these weights is saved too, unless the weights have changed since.
        """
        from .pipeline_ecg import CUSTOM_PIPELINES  # in here: this line has the file travel too

        module = type(self).__module__.rsplit(".", 1)[-1]
        self.config.auto_map = {**(getattr(self.config, "auto_map", None) or {})}
        self.config.auto_map["AutoModel"] = f"{module}.{type(self).__name__}"
        state = kwargs.pop("state_dict", None)
        if self.config.base_model:
            state = self.state_dict() if state is None else state
            state = {name: value for name, value in state.items() if name.startswith(_TRAINED)}
        before = getattr(self.config, "custom_pipelines", None)
        self.config.custom_pipelines = CUSTOM_PIPELINES
        try:
            super().save_pretrained(save_directory, state_dict=state, **kwargs)
        finally:
            if before is None:
                del self.config.custom_pipelines
        if kwargs.get("is_main_process", True):
            write_answer_files(self, save_directory, state)

    def _upload_modified_files(
        self, working_dir: str | os.PathLike[str], repo_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """As for any model, with card, licences and what is known about its answers, in one commit."""
        return push_model_folder(self, working_dir, repo_id, *args, **kwargs)

    # ------------------------------------------------------------------ ECGs among tokens

    def encode_ecgs(self, input_features: Tensor) -> Tensor:
        """The soft tokens of ECGs.

        Args:
            input_features: float (ecgs, leads, samples), as `ECGLMProcessor` makes them.

        Returns:
            float (ecgs, `config.num_ecg_tokens`, hidden).
        """
        soft: Tensor = self.projector(input_features.to(self.device), self.encoder)
        return soft

    def embed(self, input_ids: Tensor, input_features: Tensor | None = None) -> Tensor:
        """The embeddings of tokens, soft tokens included.

        Args:
            input_ids: int64 (batch, tokens).
            input_features: of all ECGs of the batch, row after row; None: there are none.

        Returns:
            float (batch, tokens, hidden).

        Raises:
            ValueError: if the places for soft tokens are not those of the ECGs.
        """
        places = input_ids == self.config.ecg_token_id
        ecgs = 0 if input_features is None else len(input_features)
        if int(places.sum()) != ecgs * self.config.num_ecg_tokens:
            raise ValueError(
                f"{int(places.sum())} places for soft tokens but {ecgs} ECG(s) of {self.config.num_ecg_tokens}: "
                "give input_features as the processor made them with these input_ids"
            )
        embeds: Tensor = self.get_input_embeddings()(input_ids.masked_fill(places, 0))
        if input_features is None or not ecgs:
            return embeds
        soft = self.encode_ecgs(input_features).to(embeds)
        return embeds.masked_scatter(places[:, :, None], soft)

    def forward(
        self,
        input_ids: Tensor | None = None,
        input_features: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Unpack[TransformersKwargs],
    ) -> CausalLMOutputWithPast:
        """Soft tokens in place of `config.ecg_token_id`, then the language model.

        Args:
            input_ids: int64 (batch, tokens), `config.ecg_token_id` for each soft token.
            input_features: float (ecgs, leads, samples), all ECGs of the batch, row after row.
            attention_mask: (batch, tokens), 1 for tokens, 0 for padding.
            position_ids: int64 (batch, tokens).
            past_key_values: cache of the language model.
            inputs_embeds: float (batch, tokens, hidden) instead of `input_ids` and `input_features`.
            labels: int64 (batch, tokens); -100 and the places of soft tokens are not scored.
            use_cache: whether to return the cache.
            logits_to_keep: number of last positions, or the positions, to compute logits for; 0 is all.
            **kwargs: whatever else the language model understands.

        Returns:
            The language model's output.

        Raises:
            ValueError: if both or neither of `input_ids` and `inputs_embeds` are given, or as `embed` says.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.embed(input_ids, input_features)
        if labels is not None:
            labels = labels.masked_fill(labels == self.config.ecg_token_id, -100)
        return self.language_model(
            attention_mask=attention_mask,
            position_ids=position_ids,
            **cache_argument(self.language_model, past_key_values),
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, is_encoder_decoder: bool = False, input_ids: Any = None, **model_kwargs: Any
    ) -> Any:
        """Beams and samples: the ECGs of a row are repeated as a row is, all of them each time."""
        features = model_kwargs.pop("input_features", None)
        if features is not None and expand_size > 1:
            counts = ((input_ids == self.config.ecg_token_id).sum(dim=1) // self.config.num_ecg_tokens).tolist()
            of_rows = features.split(counts)
            features = torch.cat([rows for rows in of_rows for _ in range(expand_size)])
        input_ids, model_kwargs = super()._expand_inputs_for_generation(
            expand_size, is_encoder_decoder, input_ids, **model_kwargs
        )
        if features is not None:
            model_kwargs["input_features"] = features
        return input_ids, model_kwargs

    @property
    def backbone(self) -> Any:
        """The language model's decoder without its output matrix."""
        return decoder_of(self.language_model)

    def get_decoder(self) -> Any:
        """The language model's decoder, as `backbone`."""
        return self.backbone

    def get_input_embeddings(self) -> Any:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.language_model.set_output_embeddings(new_embeddings)


ECGLMForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["ECGLMForCausalLM"]
