"""What training a codec adds to the codec: its losses, and a probe that reads statements from the quantised values.

Reconstruction alone spends the few bits of a code on whatever has most energy, which is the QRS complex. A small
classifier on the quantised values of the codebook that a language model reads, trained along and then thrown away,
makes the encoder keep what cardiologists' statements depend on (P waves, ST segments, rhythm) too; speech codecs do the
same with the features of a speech model (SpeechTokenizer, arXiv:2308.16692).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hf_heartllm.data.record import Record
from hf_heartllm.evaluation.codec.probes import cross_entropy_of_known
from hf_heartllm.models.codec_config import CodecConfig
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_codec import ECGCodec
from hf_heartllm.models.ecg_codec_local import envelope
from hf_heartllm.models.ecg_leads import INDEPENDENT_LEADS, LIMB_LEADS, augmented_leads
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.training.recordings import statements_of

PRESETS: dict[str, type[CodecConfig]] = {"default": ECGCodecConfig, "heartllm-paper": PaperCodecConfig}
"""What a recipe names as `preset`."""

NOISE_FLOOR_MILLIVOLTS = 0.01
SHARED_VARIANCE = 0.1
"""Share of the leads' mean variance that is added to each lead's while the first codebook is trained: without it, small
leads such as a derived aVL decide, and little is learned (after 100 steps an error of 0.9 instead of 0.5)."""

SHARED_VARIANCE_REFINED = 0.02
"""The same for trainings that begin with a signal that is mostly there."""

LEAD_MASK_WEIGHT = 0.05
"""Of the binary cross-entropy of which leads are there, beside the reconstruction's error; see `CodecWithProbe`."""


class StatementProbe(nn.Module):
    """Quantised values (batch, tokens, dimensions) → logits (batch, statements).

    Dilated convolutions see about ten seconds at 12.5 tokens a second, and the pooled mean, maximum and deviation see
    the record, so rhythm can be told.
    """

    def __init__(self, dimensions: int, statements: int, hidden_size: int = 128) -> None:
        super().__init__()
        self.project = nn.Conv1d(dimensions, hidden_size, 5, padding=2)
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden_size, hidden_size, 3, padding=dilation, dilation=dilation)
            for dilation in (1, 2, 4, 8, 16, 32)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_size) for _ in self.layers)
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Linear(3 * hidden_size, statements)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        x = self.project(values.transpose(1, 2) * 2 - 1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + self.dropout(nn.functional.relu(norm(layer(x))))
        pooled = torch.cat([x.mean(dim=-1), x.amax(dim=-1), x.std(dim=-1)], dim=-1)
        logits: torch.Tensor = self.classify(pooled)
        return logits


def with_limb_leads(signal: torch.Tensor, leads: Sequence[str] = INDEPENDENT_LEADS) -> torch.Tensor:
    """Leads in mV, and the limb leads that follow from I and II; NaN spreads.

    Args:
        signal: (batch, leads, samples).
        leads: names of its rows.

    Returns:
        (batch, leads with the derived ones, samples): of I, II and V1 to V6 the twelve standard leads in their order.
    """
    if not {"I", "II"} <= set(leads):
        return signal
    rows = dict(zip(leads, signal.split(1, dim=1), strict=True))
    derived = dict(zip(LIMB_LEADS[2:], augmented_leads(rows["I"], rows["II"]), strict=True))
    limb = {name: rows[name] for name in ("I", "II")} | {n: row for n, row in derived.items() if n not in rows}
    return torch.cat([*limb.values(), *(row for name, row in rows.items() if name not in limb)], dim=1)


def relative_error(
    decoded: torch.Tensor,
    wanted: torch.Tensor,
    shared_variance: float = SHARED_VARIANCE,
    leads: Sequence[str] = INDEPENDENT_LEADS,
) -> torch.Tensor:
    """Squared error of each lead over about the variance of the wanted lead, mean over those there.

    The limb leads that follow from the others count too: with I, II and V1 to V6 it is a mean over twelve.

    Args:
        decoded: (batch, leads, samples) in mV.
        wanted: the same; a missing lead is NaN.
        shared_variance: share of the leads' mean variance that is added to each lead's.
        leads: names of the rows.

    Returns:
        (batch,).
    """
    decoded, wanted = with_limb_leads(decoded, leads), with_limb_leads(wanted, leads)
    present = ~torch.isnan(wanted[..., :1])[..., 0]
    wanted = torch.nan_to_num(wanted)
    own = wanted.var(dim=-1)
    variance = own + shared_variance * own.mean(dim=1, keepdim=True) + NOISE_FLOOR_MILLIVOLTS**2
    error = (decoded - wanted).square().mean(dim=-1) / variance
    return (error * present).sum(dim=-1) / present.sum(dim=-1).clamp(min=1)


def uneven_use(projections: torch.Tensor) -> torch.Tensor:
    """How far a stage's dimensions are from filling their range evenly and independently of each other.

    Args:
        projections: (batch, tokens, dimensions), before the quantiser's sigmoid.

    Returns:
        scalar: squared distance between the sorted values and evenly spread ones, plus squared correlations.
    """
    values = torch.sigmoid(projections.float()).flatten(0, 1)
    even = (torch.arange(len(values), device=values.device) + 0.5) / len(values)
    spread = (values.sort(dim=0).values - even[:, None]).square().mean() * 12
    centred = values - values.mean(dim=0)
    scaled = centred / (centred.std(dim=0) + 1e-4)
    correlation = scaled.T @ scaled / len(values)
    off_diagonal = correlation - torch.diag(torch.diag(correlation))
    return spread + off_diagonal.square().mean()


class CodecWithProbe(nn.Module):
    """A codec in training; its forward returns the loss that `transformers.Trainer` minimises.

    Our codec's first codebook is trained with the root of each record's relative error; what comes after it has
    trainings of its own (`DecoderTraining`, `RefinementTraining`), and residual codebooks that are there already stay
    as they are until those. Any other codec is trained with the loss of its `forward`; the published one's is the mean
    squared error, as published.

    Args:
        codec: the codec.
        num_statements: statements of the probe; 0 for reconstruction alone.
        probe_weight: weight of the probe's binary cross-entropy.
        even_weight: weight of `uneven_use` of the codebook that a language model reads (our codec).
        lead_mask_weight: weight of the binary cross-entropy of which leads are there (our codec). With the little of
            the default the codes do not tell a missing lead from one that is there.
    """

    def __init__(
        self,
        codec: ECGCodec,
        num_statements: int,
        probe_weight: float,
        even_weight: float = 0.0,
        lead_mask_weight: float = LEAD_MASK_WEIGHT,
    ) -> None:
        super().__init__()
        self.codec = codec
        if isinstance(codec, ECGCodecModel) and codec.refinement is not None:
            codec.refinement.requires_grad_(False)
        self.probe_weight = probe_weight
        self.even_weight = even_weight
        self.lead_mask_weight = lead_mask_weight
        self.probe = (
            StatementProbe(len(codec.config.levels), num_statements) if num_statements and probe_weight else None
        )

    def forward(
        self,
        input_features: torch.Tensor,
        statement_labels: torch.Tensor | None = None,
        target_features: torch.Tensor | None = None,
        as_recorded: torch.Tensor | None = None,
    ) -> dict[str, Any]:
        """Losses of a batch.

        Args:
            input_features: what the codec reads.
            statement_labels: 0 to 1 (batch, statements); NaN is left open, and counts neither way.
            target_features: what it should decode to; the input by default.
            as_recorded: bool (batch,), rows whose statements still hold for the input (its gain is not changed).
        """
        target = input_features if target_features is None else target_features
        if isinstance(self.codec, ECGCodecModel):
            result, quantized = self._first_codebook(input_features, target)
        else:
            output = self.codec(input_features)
            result = {"loss": output.loss, "reconstruction_loss": output.loss.detach(), "codes": output.codes[:, 0]}
            quantized = output.quantized
        if self.probe is not None and statement_labels is not None:
            logits = self.probe(quantized).float()
            each = cross_entropy_of_known(logits, statement_labels.float())
            rows = torch.ones(len(each), device=each.device) if as_recorded is None else as_recorded.float()
            probe_loss = (each.mean(dim=-1) * rows).sum() / rows.sum().clamp(min=1)
            result["loss"] = result["loss"] + self.probe_weight * probe_loss
            result["probe_loss"] = probe_loss.detach()
        return result

    def _first_codebook(self, features: torch.Tensor, target: torch.Tensor) -> tuple[dict[str, Any], torch.Tensor]:
        output = self.codec(features, return_loss=False, num_codebooks=1)
        result = first_codebook_losses(
            self.codec.config, output, features, target, SHARED_VARIANCE, self.lead_mask_weight
        )
        if self.even_weight:
            result["loss"] = result["loss"] + self.even_weight * uneven_use(output.latents)
        return result, output.quantized


def first_codebook_losses(
    config: ECGCodecConfig,
    output: Any,
    features: torch.Tensor,
    target: torch.Tensor,
    shared_variance: float,
    lead_mask_weight: float = LEAD_MASK_WEIGHT,
) -> dict[str, Any]:
    """What our codec's decoding of the first codebook is trained with.

    Args:
        config: of the codec.
        output: `ECGCodecOutput` for the features, of the first codebook alone.
        features: (batch, leads, samples) in mV, what the codec read.
        target: the same, what it should decode.
        shared_variance: see `relative_error`.
        lead_mask_weight: see `CodecWithProbe`.

    Returns:
        `loss`; for the log `reconstruction_loss`, `lead_mask_loss`, `envelope_loss` and the `codes` (batch, tokens).
    """
    error = relative_error(output.reconstruction, target, shared_variance, config.leads)
    present = (~torch.isnan(features).any(dim=-1)).float()
    lead_mask = nn.functional.binary_cross_entropy_with_logits(output.presence_logits, present)
    wanted = envelope(torch.nan_to_num(target), config.envelope_reach, config.hop_length, config.envelope_floor).log()
    amplitude = nn.functional.mse_loss(output.log_envelope, wanted)
    return {
        "loss": (error + 1e-4).sqrt().mean() + lead_mask_weight * lead_mask + 0.2 * amplitude,
        "codes": output.codes[:, 0],
        "envelope_loss": amplitude.detach(),
        "lead_mask_loss": lead_mask.detach(),
        "reconstruction_loss": error.detach().mean(),
    }


class PartTraining(nn.Module):
    """A codec of which one part is in training; the others stay as in use, with the scales of their normalisations.

    Args:
        codec: ours, with a trained first codebook.
        part: name of the part.
    """

    def __init__(self, codec: ECGCodecModel, part: str) -> None:
        super().__init__()
        self.codec = codec
        self.part = part
        codec.requires_grad_(False)
        getattr(codec, part).requires_grad_(True)

    def train(self, mode: bool = True) -> PartTraining:
        """Only the part."""
        super().train(False)
        getattr(self.codec, self.part).train(mode)
        self.training = mode
        return self


class DecoderTraining(PartTraining):
    """A codec whose decoder is in training; the codes of its first codebook stay as they are.

    Args:
        codec: ours, with a trained first codebook.
        lead_mask_weight: see `CodecWithProbe`.
    """

    def __init__(self, codec: ECGCodecModel, lead_mask_weight: float) -> None:
        super().__init__(codec, "decoder")
        self.lead_mask_weight = lead_mask_weight

    def forward(
        self, input_features: torch.Tensor, target_features: torch.Tensor | None = None, **unread: torch.Tensor
    ) -> dict[str, Any]:
        """Losses of a batch, see `CodecWithProbe.forward`; what it reads beyond these is left aside."""
        output = self.codec(input_features, return_loss=False, num_codebooks=1)
        target = input_features if target_features is None else target_features
        return first_codebook_losses(
            self.codec.config, output, input_features, target, SHARED_VARIANCE_REFINED, self.lead_mask_weight
        )


class RefinementTraining(PartTraining):
    """A codec whose residual codebooks are in training; the first and what is decoded from it stay as they are.

    Each record is decoded from a random number of codebooks, so that the first ones, however many, are a codec.

    Args:
        codec: ours, with a trained first codebook.
    """

    def __init__(self, codec: ECGCodecModel) -> None:
        super().__init__(codec, "refinement")

    def forward(
        self, input_features: torch.Tensor, target_features: torch.Tensor | None = None, **unread: torch.Tensor
    ) -> dict[str, Any]:
        """Losses of a batch, see `CodecWithProbe.forward`; what it reads beyond these is left aside."""
        codebooks = self.codec.config.num_codebooks
        weights = torch.ones(codebooks - 1)
        weights[0], weights[-1] = 5.0, 2.0  # at about the rate of the published codec, and the best that there is
        counts = torch.multinomial(weights, len(input_features), replacement=True).to(input_features.device) + 2
        output = self.codec(input_features, return_loss=False, num_codebooks=counts)
        target = input_features if target_features is None else target_features
        error = relative_error(output.reconstruction, target, SHARED_VARIANCE_REFINED, self.codec.config.leads)
        result: dict[str, Any] = {"loss": (error + 1e-4).sqrt().mean(), "codes": output.codes[:, 1]}
        for name, count in (("second_codebook_loss", 2), ("reconstruction_loss", codebooks)):
            rows = counts == count
            if bool(rows.any()):
                result[name] = error.detach()[rows].mean()
        return result


PARTS = FIRST_CODEBOOK, DECODER, REFINEMENTS = "first codebook", "decoder", "refinements"
"""What a recipe names as the `part` to train further: with `CodecWithProbe`, after which the codes are others, with
`DecoderTraining` or with `RefinementTraining`."""


def extended(codec: ECGCodec, **sizes: Any) -> ECGCodec:
    """A codec with the same weights, and new layers in its decoder or new residual codebooks.

    Args:
        codec: ours; another is given back as it is, if nothing is to change.
        sizes: fields of its configuration to change: those of the refinements if it has none, `context_layers`,
            `context_reach`. New layers of the decoder change nothing before they are trained.

    Raises:
        ValueError: if another codec is to be changed, the sizes contradict each other, or leave no place for weights
            that the codec has.
    """
    if not isinstance(codec, ECGCodecModel):
        if sizes:
            raise ValueError(f"{', '.join(sizes)}: a {type(codec).__name__} cannot be extended")
        return codec
    before = codec.config.to_dict()
    del before["format_version"]  # what is saved has today's
    larger = ECGCodecModel(ECGCodecConfig.from_dict(before | sizes))
    state, weights = larger.state_dict(), codec.state_dict()
    lost = [name for name, weight in weights.items() if name not in state or state[name].shape != weight.shape]
    if lost:
        raise ValueError(f"{', '.join(f'{k}={v}' for k, v in sizes.items())}: no place for the codec's {lost[0]}")
    larger.load_state_dict(state | weights)
    return larger


def probe_statements(recordings: Sequence[Record], at_least: int) -> list[str]:
    """Codes that occur in at least so many recordings, alphabetically, then the superclasses that do."""
    counts = Counter(name for recording in recordings for name in statements_of(recording))
    often = [name for name, count in counts.items() if count >= at_least]
    return sorted(often, key=lambda name: (True, "") if name.startswith("superclass ") else (False, name))
