"""What every ECG codec does: a waveform becomes discrete codes, and codes become a waveform again."""

from __future__ import annotations

import copy
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from .card_files import source_of, write_card_files
from .codec_config import CodecConfig, renamed
from .codec_fingerprint import codec_fingerprint
from .ecg_leads import STANDARD_LEADS, derive_limb_leads
from .ecg_record import ECGRecord
from .locks import LOADING
from .one_core import on_one_core


@dataclass
class ECGCodecOutput(ModelOutput):
    """What the `forward` of a codec returns.

    Attributes:
        loss: mean squared error of the reconstruction, scalar.
        reconstruction: float32 (batch, leads, samples), in the units of the features.
        codes: int64 (batch, codebooks, tokens).
        latents: float32 (batch, tokens, dimensions), the first codebook's, before the quantiser's sigmoid.
        quantized: float32 (batch, tokens, dimensions), the first codebook's quantised values in [0, 1]; carries the
            straight-through gradient.
        presence_logits: float32 (batch, leads), whether the decoder holds a lead for present (our codec).
        log_envelope: float32 (batch, 1, samples), decoded amplitude over all leads, logarithm of mV (our codec).
    """

    loss: torch.Tensor | None = None
    reconstruction: torch.Tensor | None = None
    codes: torch.Tensor | None = None
    latents: torch.Tensor | None = None
    quantized: torch.Tensor | None = None
    presence_logits: torch.Tensor | None = None
    log_envelope: torch.Tensor | None = None


class ECGCodec(PreTrainedModel):
    """An ECG codec of any kind: what the tokenizer, the training of language models and the evaluation ask of it.

    `ECGCodec.from_pretrained(folder)` gives a codec of the class that the folder's `config.json` names.

    A codec of one's own is a subclass with `codes_of` and `features_of`, and, to be trained by
    `training/train_codec.py`, a `forward` that returns an `ECGCodecOutput`. What `encode` promises holds as long as
    `codes_of` gives a record the same codes in every group of up to `records_at_once`.

    Examples:
        >>> class SignConfig(CodecConfig):
        ...     "Whether lead II is above a level: two codes, 100 tokens a second."
        ...     model_type = "sign_codec"
        ...     hop_length = 1
        >>> class SignCodec(ECGCodec):
        ...     config_class = SignConfig
        ...
        ...     def __init__(self, config):
        ...         super().__init__(config)
        ...         self.level = nn.Parameter(torch.tensor(0.0))
        ...         self.post_init()
        ...
        ...     def codes_of(self, features, num_codebooks):
        ...         return (features[:, 1:2] > self.level).long()  # (batch, codebooks, tokens)
        ...
        ...     def features_of(self, codes):
        ...         return (codes - 0.5).expand(-1, len(self.config.leads), -1)  # (batch, leads, samples)
        >>> codec = SignCodec(SignConfig(leads=["I", "II"]))
        >>> codec.encode(torch.tensor([[[0.0, 0.0, 0.0], [0.1, -0.2, 0.3]]]))
        tensor([[[1, 0, 1]]])
        >>> codec.to_record(codec.decode(codec.encode(torch.zeros(1, 2, 200))))
        ECGRecord: 6 leads I … aVF; 2 s at 100 Hz, mV; decoded
    """

    config_class: ClassVar[Any] = CodecConfig
    main_input_name = "input_features"
    base_model_prefix = "codec"
    records_at_once: ClassVar[int] = 1

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """As for any model; threads that load models wait for each other.

        Raises:
            OSError: if there is no such folder or repository, or it holds no model.
            ValueError: if `ECGCodec` itself is asked and the folder holds a model that is no codec.
        """
        with LOADING:
            if cls is not ECGCodec:
                return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
            folder = Path(pretrained_model_name_or_path, kwargs.get("subfolder", ""))
            if folder.is_dir():
                _check_folder(folder)
            from transformers import AutoModel

            codec = AutoModel.from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
            if not isinstance(codec, ECGCodec):
                raise ValueError(f"{pretrained_model_name_or_path}: a {type(codec).__name__}, which is no ECG codec")
            return codec

    def _upload_modified_files(
        self, working_dir: str | os.PathLike[str], repo_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """As for any model, with a card and the licences of where it came from, in one commit."""
        write_card_files(self, working_dir, repo_id, *source_of(self))
        return super()._upload_modified_files(working_dir, repo_id, *args, **kwargs)

    def codes_of(self, features: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        """Checked features of up to `records_at_once` records → codes; outside autocast, in evaluation mode.

        Args:
            features: float32 or float64 (batch, leads, samples), on the codec's device.
            num_codebooks: codebooks that are wanted, no more than there are.

        Returns:
            int64 (batch, codebooks, tokens).
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it encodes (codes_of)")

    def features_of(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes int64 (batch, codebooks, tokens) of the first codebooks → features (batch, leads, samples)."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it decodes (features_of)")

    def reconstruct_unrounded(self, features: torch.Tensor, num_codebooks: int) -> torch.Tensor | None:
        """Encode and decode with the same layers, nothing rounded; None for a codec that cannot tell.

        Args:
            features: (batch, leads, samples).
            num_codebooks: codebooks whose dimensions the reconstruction is made of.

        Returns:
            (batch, leads, samples).
        """
        return None

    def fingerprinted_tensors(self) -> dict[str, torch.Tensor]:
        """The weights that decide the codes of the first codebook, by name; all of them where a codec does not say."""
        return dict(self.state_dict())

    @torch.no_grad()
    def encode(
        self, input_features: torch.Tensor, num_codebooks: int = 1, *, num_streams: int | None = None
    ) -> torch.Tensor:
        """Features → codes, outside autocast, each record on one core; several threads may call at once.

        Args:
            input_features: float (batch, leads, samples).
            num_codebooks: codebooks whose codes are wanted; the first is what a language model reads.
            num_streams: the former name of `num_codebooks`.

        Returns:
            int64 (batch, codebooks, tokens). A record's codes depend on that record alone: not on its neighbours in the
            batch, the number of threads or an autocast around the call.

        Raises:
            ValueError: for a wrong shape, codebooks that the codec has not, or samples that are not finite (a lead that
                is NaN throughout is a missing lead to a codec that reads such).
        """
        num_codebooks = renamed(num_streams, num_codebooks, stacklevel=4)  # torch.no_grad stands between
        input_features = self.checked(input_features)
        self.config.bits_per_second_of(num_codebooks)  # raises for codebooks that the codec has not
        # Another thread may be using this codec as it is.
        codec = copy.deepcopy(self).eval() if self.training else self

        def codes_of(features: torch.Tensor) -> torch.Tensor:
            return codec._codes(features, num_codebooks)

        if self.device.type != "cpu":
            return codes_of(input_features)
        workers = torch.get_num_threads() if len(input_features) > 3 else 1
        shares = on_one_core(codes_of, input_features.split(-(-len(input_features) // workers)))
        return shares[0] if len(shares) == 1 else torch.cat(shares)

    @torch.no_grad()  # a setting of the thread, as autocast is
    def _codes(self, features: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        """Features → codes, in groups that go through torch's convolutions alike."""
        self._check_finite(features)
        dtype = torch.float64 if self.dtype == torch.float64 else torch.float32
        with torch.autocast(self.device.type, enabled=False):
            groups = [some.to(self.device, dtype) for some in features.split(self.records_at_once)]
            return torch.cat([self.codes_of(some, num_codebooks) for some in groups])

    @torch.no_grad()
    def decode(self, codes: torch.Tensor, num_samples: int | None = None) -> torch.Tensor:
        """Codes → features.

        Args:
            codes: int64 (batch, codebooks, tokens), of the first codebooks or all, or (batch, tokens) of the first.
            num_samples: samples to return; by default as many as the tokens stand for.

        Returns:
            float32 (batch, leads, samples) in the units of the features; NaN for a lead that the codes say was missing.

        Raises:
            ValueError: for a wrong shape, or codes of codebooks that the codec has not.
        """
        if codes.ndim == 2:
            codes = codes[:, None]
        if codes.ndim != 3:
            raise ValueError(f"codes must be (batch, codebooks, tokens) or (batch, tokens), got {tuple(codes.shape)}")
        if codes.shape[1] > self.config.num_codebooks:
            raise ValueError(f"codes are of {codes.shape[1]} codebooks, this codec has {self.config.num_codebooks}")
        if num_samples is None:
            num_samples = self.config.num_samples(codes.shape[-1])
        with torch.autocast(self.device.type, enabled=False):
            return self.features_of(codes.to(self.device))[..., :num_samples]

    def to_record(self, features: torch.Tensor) -> ECGRecord:
        """What was decoded, as a recording.

        Args:
            features: (windows, leads, samples) as `decode` gives them, one window after another, or (leads, samples);
                a lead that is NaN somewhere was missing.

        Returns:
            From features in mV a recording in mV with the codec's leads, without the missing ones, and the limb leads
            that follow from them by Einthoven's and Goldberger's laws; else one in z-scores with the codec's leads.

        Raises:
            ValueError: if every lead was missing.
        """
        config, windows = self.config, features.detach().float().cpu().numpy()
        signal = windows if windows.ndim == 2 else np.concatenate(windows, axis=-1)
        if config.feature_units != "mV":
            units = config.feature_units
            return ECGRecord(signal, config.sampling_rate, tuple(config.leads), units=units, source="decoded")
        present = {name: row for name, row in zip(config.leads, signal, strict=True) if not np.isnan(row).any()}
        if not present:
            raise ValueError("these codes say that every lead was missing")
        present |= derive_limb_leads(np.stack(list(present.values())), list(present))
        leads = [name for name in STANDARD_LEADS if name in present]
        leads += [name for name in present if name not in leads]
        return ECGRecord(
            np.stack([present[name] for name in leads]), config.sampling_rate, tuple(leads), source="decoded"
        )

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits over what decides the codes of the first codebook, which a language model reads.

        Tokens made by codecs with the same fingerprint may be mixed; decoder and residual codebooks do not count. What
        is read, see `codec_fingerprint`.
        """
        return codec_fingerprint(self.config, self.fingerprinted_tensors())

    def identity(self) -> str:
        """The former name of `fingerprint`."""
        warnings.warn("identity() is now called fingerprint()", DeprecationWarning, stacklevel=2)
        return self.fingerprint()

    def checked(self, input_features: torch.Tensor) -> torch.Tensor:
        """The features, of the right shape; for a codec of any length without a rest that fills no token.

        Raises:
            ValueError: for a wrong shape.
        """
        config = self.config
        if input_features.ndim != 3 or input_features.shape[1] != len(config.leads):
            raise ValueError(
                f"input_features must be (batch, {len(config.leads)}, samples), got {tuple(input_features.shape)}"
            )
        if config.window_samples is not None:
            return input_features
        return input_features[..., : input_features.shape[-1] // config.hop_length * config.hop_length]

    def _check_finite(self, input_features: torch.Tensor) -> None:
        if bool(torch.isfinite(input_features.sum(dim=-1)).all()):  # nothing to look at more closely
            return
        bad = ~torch.isfinite(input_features)
        if self.config.reads_missing_leads:
            bad &= ~torch.isnan(input_features).all(dim=-1, keepdim=True)
        if bool(bad.any()):
            raise ValueError("input_features hold NaN or infinite samples")

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own initialisation of every layer."""
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d | nn.Linear):
            # The layers' default: uniform within 1 / sqrt(fan in), weight and bias alike.
            weight = module.weight
            bound = weight[0].numel() ** -0.5
            nn.init.uniform_(weight, -bound, bound)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, nn.GroupNorm | nn.BatchNorm1d | nn.LayerNorm):
            if module.weight is not None:
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()


def _check_folder(folder: Path) -> None:
    """That a folder's `config.json` is there and of a registered type: transformers says either in many lines."""
    from transformers import CONFIG_MAPPING

    file = folder / "config.json"
    if not file.is_file():
        raise OSError(f"{folder}: the folder holds no config.json, so it is no codec")
    try:
        name = json.loads(file.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError):
        raise ValueError(f"{file}: this is no JSON object, so no codec's configuration") from None
    if name not in CONFIG_MAPPING:
        raise ValueError(
            f"{file}: no codec of type {name!r} is known here; import the module that registers it with AutoConfig and "
            "AutoModel"
        )


def squared_error(reconstruction: torch.Tensor, input_features: torch.Tensor) -> torch.Tensor:
    """Mean squared error over the leads that are present, scalar; both (batch, leads, samples), NaN where missing."""
    wanted = input_features[..., : reconstruction.shape[-1]].float()
    present = ~torch.isnan(wanted)
    error = (reconstruction.float() - torch.nan_to_num(wanted)).square()
    return (error * present).sum() / present.sum()
