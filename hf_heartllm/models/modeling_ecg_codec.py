"""The ECG codec: a waveform becomes discrete codes, and codes become a waveform again.

Two architectures share the calls: this project's own (`ecg_codec_local`, the default) and the published HeartLLM codec
(`ecg_codec_published`, arXiv:2508.15338).
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from .configuration_ecg_codec import ECGCodecConfig
from .ecg_codec_inference import InferenceEncoder
from .ecg_codec_local import BeatContext, LocalDecoder, LocalEncoder, Refinement
from .ecg_codec_published import PublishedDecoder, PublishedEncoder
from .fsq import FiniteScalarQuantizer
from .locks import LOADING
from .one_core import on_one_core
from .residual_fsq import ResidualQuantizer


@dataclass
class ECGCodecOutput(ModelOutput):
    """What `ECGCodecModel.forward` returns.

    Attributes:
        loss: mean squared error of the reconstruction, scalar.
        reconstruction: float32 (batch, leads, samples), in the units of the features.
        codes: int64 (batch, streams, tokens).
        latents: float32 (batch, tokens, dimensions), the first stream's, before the quantiser's sigmoid.
        quantized: float32 (batch, tokens, dimensions), the first stream's quantised values in [0, 1]; carries the
            straight-through gradient.
        presence_logits: float32 (batch, leads), whether the decoder holds a lead for present (local codec).
        log_envelope: float32 (batch, 1, samples), decoded amplitude over all leads, logarithm of mV (local codec).
    """

    loss: torch.Tensor | None = None
    reconstruction: torch.Tensor | None = None
    codes: torch.Tensor | None = None
    latents: torch.Tensor | None = None
    quantized: torch.Tensor | None = None
    presence_logits: torch.Tensor | None = None
    log_envelope: torch.Tensor | None = None


ENCODED_AT_ONCE = 8
"""Records that go through the encoder together. It bounds the memory, and from 16 on torch takes another way through
its convolutions, with other rounding."""


class ECGCodecModel(PreTrainedModel):
    """ECG codec with finite scalar quantisation.

    `encode` and `decode` are the two calls most users need; `forward` is for training.
    """

    config_class = ECGCodecConfig
    main_input_name = "input_features"
    base_model_prefix = "codec"
    _keep_in_fp32_modules_strict: ClassVar[set[str]] = {
        "encoder",
        "quantizer",
        "decoder",
        "refinement",
    }  # in half precision 9 % of the codes change

    def __init__(self, config: ECGCodecConfig) -> None:
        super().__init__(config)
        if config.architecture == "local":
            self.encoder: Any = LocalEncoder(config)
            self.quantizer: Any = ResidualQuantizer(config.hidden_sizes[-1], [config.levels])
            self.decoder: Any = LocalDecoder(config)
            self.refinement: Any = Refinement(config) if config.num_refinements else None
        else:
            self.encoder = PublishedEncoder(config)
            self.quantizer = FiniteScalarQuantizer(config.levels)
            self.decoder = PublishedDecoder(config)
        self._inference_encoder: tuple[tuple, nn.Module] | None = None
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> ECGCodecModel:
        """As for any model; threads that load models wait for each other."""
        with LOADING:
            return super().from_pretrained(*args, **kwargs)  # type: ignore[no-any-return]

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own initialisation of every layer, as the published code has it."""
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d | nn.Linear):
            # The layers' default: uniform within 1 / sqrt(fan in), weight and bias alike.
            weight = module.weight
            fan_in = weight[0].numel()
            bound = fan_in**-0.5
            nn.init.uniform_(weight, -bound, bound)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, nn.GroupNorm | nn.BatchNorm1d | nn.LayerNorm):
            if module.weight is not None:
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()
        elif isinstance(module, BeatContext):  # adds nothing at first
            for parameter in (module.distance, *module.out.parameters()):
                nn.init.zeros_(parameter)

    def _checked(self, input_features: torch.Tensor) -> torch.Tensor:
        """The features, of the right shape; the local codec's without a rest that fills no token."""
        if input_features.ndim != 3 or input_features.shape[1] != len(self.config.leads):
            raise ValueError(
                f"input_features must be (batch, {len(self.config.leads)}, samples), got {tuple(input_features.shape)}"
            )
        if self.config.architecture != "local":
            return input_features
        hop = self.config.hop_length
        return input_features[..., : input_features.shape[-1] // hop * hop]

    def forward(
        self,
        input_features: torch.Tensor,
        return_loss: bool = True,
        return_dict: bool | None = None,
        num_streams: int | torch.Tensor | None = None,
    ) -> ECGCodecOutput | tuple:
        """Encode, quantise and decode a batch.

        Args:
            input_features: (batch, leads, samples) at `config.sampling_rate`, in what the feature extractor makes: mV
                with a whole lead NaN where it is missing (local), or each lead standardised (inception).
            return_loss: whether to compute the mean squared error over the leads that are present.
            return_dict: whether to return an `ECGCodecOutput` (the default) or a tuple.
            num_streams: streams that the reconstruction is made of, for all or int64 (batch,); all by default.
        """
        input_features = self._checked(input_features)
        latents = self.encoder(input_features)
        presence = log_envelope = None
        if self.config.architecture == "local":
            quantized, codes, (latents,) = self.quantizer(latents)
            reconstruction, presence, log_envelope = self.decoder(quantized)
            values = self.quantizer.quantizers[0](latents)[0]
            if self.refinement is not None and not (isinstance(num_streams, int) and num_streams == 1):
                streams = torch.as_tensor(self.config.num_streams if num_streams is None else num_streams)
                streams = streams.to(self.device).expand(len(codes))
                left = self.refinement.latents(input_features, reconstruction, log_envelope)
                refined, more_codes, _ = self.refinement.quantizer(left, streams - 1)
                more = self.refinement.signal(refined, quantized, log_envelope)
                reconstruction = reconstruction + more * (streams > 1).to(more.dtype)[:, None, None]
                codes = torch.cat([codes, more_codes], dim=1)
        else:
            values, codes = self.quantizer(latents)
            codes = codes[:, None]
            reconstruction = self.decoder(values)[..., : input_features.shape[-1]]
        loss = None
        if return_loss:
            wanted = input_features[..., : reconstruction.shape[-1]].float()
            present = ~torch.isnan(wanted)
            error = (reconstruction.float() - torch.nan_to_num(wanted)).square()
            loss = (error * present).sum() / present.sum()
        output = ECGCodecOutput(
            loss=loss, reconstruction=reconstruction, codes=codes, latents=latents, quantized=values,
            presence_logits=presence, log_envelope=log_envelope,
        )  # fmt: skip
        return output if return_dict is not False else output.to_tuple()

    @torch.no_grad()
    def encode(self, input_features: torch.Tensor, num_streams: int = 1) -> torch.Tensor:
        """Features → codes, outside autocast, each record on one core; several threads may call at once.

        Args:
            input_features: float (batch, leads, samples).
            num_streams: streams of codes; the first is what a language model reads.

        Returns:
            int64 (batch, streams, tokens). A record's codes depend on that record alone: not on its neighbours in the
            batch, the number of threads or an autocast around the call.

        Raises:
            ValueError: for a wrong shape, or samples that are not finite (a lead that is NaN throughout is a missing
                lead to the local codec).
        """
        input_features = self._checked(input_features)
        self.config.bits_per_second_of(num_streams)  # raises for streams that the codec has not
        # Another thread may be using this codec as it is.
        codec = copy.deepcopy(self).eval() if self.training else self

        def codes_of(features: torch.Tensor) -> torch.Tensor:
            return codec._codes(features, num_streams)

        if self.device.type != "cpu":
            return codes_of(input_features)
        workers = torch.get_num_threads() if len(input_features) > 3 else 1
        shares = on_one_core(codes_of, input_features.split(-(-len(input_features) // workers)))
        return shares[0] if len(shares) == 1 else torch.cat(shares)

    def _encoder_for_inference(self) -> nn.Module:
        """The encoder in fewer operations, made anew when a weight has changed."""
        if self.config.architecture != "local":
            return self.encoder  # type: ignore[no-any-return]
        state = [*self.encoder.parameters(), *self.encoder.buffers()]
        # A tensor that was made in inference mode counts no changes: nothing outside that mode can change it.
        key = tuple((one.data_ptr(), 0 if one.is_inference() else one._version) for one in state)
        known = self._inference_encoder
        if known is None or known[0] != key:
            known = self._inference_encoder = (key, InferenceEncoder(self.encoder))
        return known[1]

    @torch.no_grad()  # a setting of the thread, as autocast is
    def _codes(self, features: torch.Tensor, num_streams: int) -> torch.Tensor:
        """Features → codes, in groups that go through torch's convolutions alike."""
        self._check_finite(features)
        dtype = torch.float64 if self.dtype == torch.float64 else torch.float32
        encoder = self._encoder_for_inference()
        at_once = ENCODED_AT_ONCE if self.config.architecture == "local" else 1
        with torch.autocast(self.device.type, enabled=False):
            groups = [some.to(self.device, dtype) for some in features.split(at_once)]
            return torch.cat([self._codes_of_group(encoder, some, num_streams) for some in groups])

    def _codes_of_group(self, encoder: nn.Module, features: torch.Tensor, num_streams: int) -> torch.Tensor:
        if self.config.architecture == "local" and len(features) == 1:
            # Two rows at least: one alone would take another way through torch's convolutions, with other rounding.
            return self._codes_of_group(encoder, features.expand(2, -1, -1), num_streams)[:1]
        latents = encoder(features)
        if self.config.architecture != "local":
            return self.quantizer(latents)[1][:, None]
        codes = self.quantizer.encode(latents, 1)
        if num_streams == 1:
            return codes
        signal, _, log_envelope = self.decoder(self.quantizer.decode(codes))
        left = self.refinement.latents(features, signal, log_envelope)
        return torch.cat([codes, self.refinement.quantizer.encode(left, num_streams - 1)], dim=1)

    def _check_finite(self, input_features: torch.Tensor) -> None:
        if bool(torch.isfinite(input_features.sum(dim=-1)).all()):  # nothing to look at more closely
            return
        bad = ~torch.isfinite(input_features)
        if self.config.architecture == "local":
            bad &= ~torch.isnan(input_features).all(dim=-1, keepdim=True)
        if bool(bad.any()):
            raise ValueError("input_features hold NaN or infinite samples")

    @torch.no_grad()
    def decode(self, codes: torch.Tensor, num_samples: int | None = None) -> torch.Tensor:
        """Codes → features.

        Args:
            codes: int64 (batch, streams, tokens), the first streams or all, or (batch, tokens) of the first.
            num_samples: samples to return; by default as many as the tokens stand for.

        Returns:
            float32 (batch, leads, samples): mV, NaN for a lead that the codes say was missing (local), or standardised
            leads (inception).
        """
        if codes.ndim == 2:
            codes = codes[:, None]
        if codes.ndim != 3:
            raise ValueError(f"codes must be (batch, streams, tokens) or (batch, tokens), got {tuple(codes.shape)}")
        if num_samples is None:
            num_samples = self.config.num_samples(codes.shape[-1])
        with torch.autocast(self.device.type, enabled=False):
            if self.config.architecture == "local":
                codes = codes.to(self.device)
                if codes.shape[1] > self.config.num_streams:
                    raise ValueError(f"codes have {codes.shape[1]} streams, this codec has {self.config.num_streams}")
                latents = self.quantizer.decode(codes[:, :1])
                signal, presence, log_envelope = self.decoder(latents)
                if codes.shape[1] > 1:
                    refined = self.refinement.quantizer.decode(codes[:, 1:])
                    signal = signal + self.refinement.signal(refined, latents, log_envelope)
                return signal.masked_fill(presence[..., None] < 0, float("nan"))[..., :num_samples]
            values = self.quantizer.codes_to_values(codes[:, 0].to(self.device)).to(self.dtype)
            return self.decoder(values)[..., :num_samples]

    def identity(self) -> str:
        """Sixteen hexadecimal digits over what decides the codes that a language model reads: encoder and first stage.

        Tokens made by codecs with the same identity may be mixed; the decoder does not count.
        """
        digest = hashlib.sha256()
        config = self.config
        names = ["sampling_rate", "window_samples", "leads", "levels"]
        names += ["architecture"] if config.architecture == "local" else ["num_downsamples", "share_lead_encoder"]
        for name in names:
            digest.update(f"{name}={getattr(config, name)};".encode())
        tensors = dict(self.encoder.state_dict())
        if config.architecture == "local":
            for part in ("down", "norm"):
                state = getattr(self.quantizer, part)[0].state_dict()
                tensors |= {f"{part}.{name}": value for name, value in state.items()}
        for name, tensor in sorted(tensors.items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]
