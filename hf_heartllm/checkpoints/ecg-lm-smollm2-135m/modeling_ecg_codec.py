"""Our ECG codec: local convolutions over all leads, one codebook for a language model and residual ones behind it."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import torch
from torch import nn

from .codec_config import renamed
from .configuration_ecg_codec import ECGCodecConfig
from .configuration_paper_codec import PaperCodecConfig
from .ecg_codec import ECGCodec, ECGCodecOutput, squared_error
from .ecg_codec_inference import InferenceEncoder
from .ecg_codec_local import BeatContext, LocalDecoder, LocalEncoder, Refinement
from .modeling_paper_codec import PaperCodecModel
from .residual_fsq import ResidualQuantizer


class ECGCodecModel(ECGCodec):
    """This project's own ECG codec, with residual finite scalar quantisation.

    `encode` and `decode` are the two calls most users need; `forward` is for training.

    Examples:
        >>> codec = ECGCodecModel(ECGCodecConfig()).eval()
        >>> features = torch.zeros(1, 8, 1000)  # 10 s at 100 Hz of I, II and V1 to V6, in mV
        >>> codec.encode(features).shape  # (batch, codebooks, tokens)
        torch.Size([1, 1, 125])
        >>> codec.decode(codec.encode(features, num_codebooks=7)).shape
        torch.Size([1, 8, 1000])
    """

    config_class = ECGCodecConfig
    # It bounds the memory, and from 16 on torch takes another way through its convolutions, with other rounding.
    records_at_once = 8
    _keep_in_fp32_modules_strict: ClassVar[set[str]] = {
        "encoder",
        "quantizer",
        "decoder",
        "refinement",
    }  # in half precision 9 % of the codes change

    def __new__(cls, config: Any = None, *args: Any, **kwargs: Any) -> Any:
        """For one version: a `PaperCodecConfig` still gives the other codec."""
        if isinstance(config, PaperCodecConfig):
            warnings.warn("for the published codec there is PaperCodecModel", DeprecationWarning, stacklevel=2)
            return PaperCodecModel(config, *args, **kwargs)
        return super().__new__(cls)

    def __init__(self, config: ECGCodecConfig) -> None:
        super().__init__(config)
        self.encoder = LocalEncoder(config)
        self.quantizer = ResidualQuantizer(config.hidden_sizes[-1], [config.levels], config.quantizer_slope)
        self.decoder = LocalDecoder(config)
        self.refinement: Any = Refinement(config) if config.num_refinements else None
        self._inference_encoder: tuple[tuple[Any, ...], nn.Module] | None = None
        self.post_init()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """As for any model; for one version, a folder of the published codec still gives a `PaperCodecModel`."""
        if kwargs.get("config") is None:
            hub = {name: kwargs[name] for name in _HUB_ARGUMENTS if name in kwargs}
            config = ECGCodecConfig.from_pretrained(pretrained_model_name_or_path, **hub)
            if isinstance(config, PaperCodecConfig):
                warnings.warn("for the published codec there is PaperCodecModel", DeprecationWarning, stacklevel=2)
                return PaperCodecModel.from_pretrained(
                    pretrained_model_name_or_path, *args, **kwargs | {"config": config}
                )
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, BeatContext):  # adds nothing at first
            for parameter in (module.distance, *module.out.parameters()):
                nn.init.zeros_(parameter)

    def forward(
        self,
        input_features: torch.Tensor,
        return_loss: bool = True,
        return_dict: bool | None = None,
        num_codebooks: int | torch.Tensor | None = None,
        *,
        num_streams: int | torch.Tensor | None = None,
    ) -> ECGCodecOutput | tuple[Any, ...]:
        """Encode, quantise and decode a batch.

        Args:
            input_features: (batch, leads, samples) at `config.sampling_rate` in mV, as the feature extractor makes
                them, with a whole lead NaN where it is missing.
            return_loss: whether to compute the mean squared error over the leads that are present.
            return_dict: whether to return an `ECGCodecOutput` (the default) or a tuple.
            num_codebooks: codebooks that the reconstruction is made of, for all or int64 (batch,); all by default.
            num_streams: the former name of `num_codebooks`.
        """
        num_codebooks = renamed(num_streams, num_codebooks)
        input_features = self.checked(input_features)
        quantized, codes, (latents,) = self.quantizer(self.encoder(input_features))
        reconstruction, presence, log_envelope = self.decoder(quantized)
        values = self.quantizer.quantizers[0](latents)[0]
        if self.refinement is not None and not (isinstance(num_codebooks, int) and num_codebooks == 1):
            wanted = torch.as_tensor(self.config.num_codebooks if num_codebooks is None else num_codebooks)
            wanted = wanted.to(self.device).expand(len(codes))
            left = self.refinement.latents(input_features, reconstruction, log_envelope)
            refined, more_codes, _ = self.refinement.quantizer(left, wanted - 1)
            more = self.refinement.signal(refined, quantized, log_envelope)
            reconstruction = reconstruction + more * (wanted > 1).to(more.dtype)[:, None, None]
            codes = torch.cat([codes, more_codes], dim=1)  # (batch, codebooks, tokens)
        output = ECGCodecOutput(
            loss=squared_error(reconstruction, input_features) if return_loss else None, reconstruction=reconstruction,
            codes=codes, latents=latents, quantized=values, presence_logits=presence, log_envelope=log_envelope,
        )  # fmt: skip
        return output if return_dict is not False else output.to_tuple()

    def codes_of(self, features: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        """See `ECGCodec.codes_of`."""
        if len(features) == 1:
            # Two rows at least: one alone would take another way through torch's convolutions, with other rounding.
            return self.codes_of(features.expand(2, -1, -1), num_codebooks)[:1]
        codes = self.quantizer.encode(self._encoder_for_inference()(features), 1)
        if num_codebooks == 1:
            return codes
        signal, _, log_envelope = self.decoder(self.quantizer.decode(codes))
        left = self.refinement.latents(features, signal, log_envelope)
        return torch.cat([codes, self.refinement.quantizer.encode(left, num_codebooks - 1)], dim=1)

    def _encoder_for_inference(self) -> nn.Module:
        """The encoder in fewer operations, made anew when a weight has changed."""
        state = [*self.encoder.parameters(), *self.encoder.buffers()]
        # A tensor that was made in inference mode counts no changes: nothing outside that mode can change it.
        key = tuple((one.data_ptr(), 0 if one.is_inference() else one._version) for one in state)
        known = self._inference_encoder
        if known is None or known[0] != key:
            known = self._inference_encoder = (key, InferenceEncoder(self.encoder))
        return known[1]

    def features_of(self, codes: torch.Tensor) -> torch.Tensor:
        """See `ECGCodec.features_of`."""
        latents = self.quantizer.decode(codes[:, :1])
        signal: torch.Tensor
        signal, presence, log_envelope = self.decoder(latents)
        if codes.shape[1] > 1:
            refined = self.refinement.quantizer.decode(codes[:, 1:])
            signal = signal + self.refinement.signal(refined, latents, log_envelope)
        return signal.masked_fill(presence[..., None] < 0, float("nan"))

    def reconstruct_unrounded(self, features: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        """See `ECGCodec.reconstruct_unrounded`: the residual codebooks read what the first leaves over unrounded."""
        first = self.quantizer.unrounded(self.encoder(features), 1)
        signal: torch.Tensor
        signal, _, log_envelope = self.decoder(first)
        if num_codebooks > 1:
            left = self.refinement.latents(features, signal, log_envelope)
            refined = self.refinement.quantizer.unrounded(left, num_codebooks - 1)
            signal = signal + self.refinement.signal(refined, first, log_envelope)
        return signal

    def fingerprinted_tensors(self) -> dict[str, torch.Tensor]:
        """The encoder and the projection of the first codebook."""
        tensors = dict(self.encoder.state_dict())
        for part in ("down", "norm"):
            state = getattr(self.quantizer, part)[0].state_dict()
            tensors |= {f"{part}.{name}": value for name, value in state.items()}
        return tensors


_HUB_ARGUMENTS = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token")
