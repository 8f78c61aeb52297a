"""A first guess for residual codebooks: principal components of what the first leaves of the signal.

From random weights they learn slowly, and the later ones hardly at all. With the linear path beside the
convolutions set to a Karhunen–Loève transform, and each codebook to the dimensions with most variance left (greedy
reverse water-filling), they begin near what a linear transform coder reaches, and training goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.training.codec_training import NOISE_FLOOR_MILLIVOLTS, SHARED_VARIANCE_REFINED, with_limb_leads

LEFT_BY_LEVELS = {2: 0.36, 3: 0.2, 4: 0.13, 5: 0.09, 6: 0.07, 8: 0.045}
"""About the share of a normal number's variance that is left after levels of equal probability, by their number."""

OUTERMOST = 1.5
"""About the mean of a normal number beyond its outermost border of four levels of equal probability."""


@torch.no_grad()
def start_from_principal_components(codec: ECGCodecModel, features: torch.Tensor) -> None:
    """Set the linear path and the codebooks of a codec's refinement; its convolutions begin at zero.

    Args:
        codec: ours, its first codebook trained, its refinement untouched.
        features: (recordings, leads, samples) in mV, no lead missing.
    """
    refinement: Any = codec.refinement
    hop = codec.config.hop_length
    codec.eval()
    signal, _, log_envelope = codec.decoder(codec.quantizer.decode(codec.encode(features)))
    left = (features - signal) / log_envelope.exp()
    to_weighted, to_leads = _lead_weights(features, log_envelope, codec.config.leads)
    blocks = torch.einsum("lk,nkt->nlt", to_weighted, left).unfold(-1, hop, hop)  # (recordings, leads, tokens, hop)
    rows = blocks.permute(0, 2, 1, 3).flatten(0, 1).flatten(1)
    variances, components = torch.linalg.eigh(rows.T @ rows / len(rows))
    variances, components = variances.flip(0).clamp(min=1e-9), components.flip(1)  # largest first
    leads, size = features.shape[1], min(components.shape[1], codec.config.hidden_sizes[-1])
    shapes = components[:, :size].T.reshape(size, leads, hop)

    for part in (refinement.analysis, refinement.synthesis):
        nn.init.zeros_(part.transform.weight)
    middle = slice(hop, 2 * hop)  # the kernels reach over three tokens
    refinement.analysis.transform.weight[:size, :leads, middle] = torch.einsum("slh,lk->skh", shapes, to_weighted)
    refinement.synthesis.transform.weight[:size, :, middle] = torch.einsum("slh,kl->skh", shapes, to_leads)
    nn.init.zeros_(refinement.analysis.mix.weight)
    nn.init.zeros_(refinement.synthesis.layers[-1].weight)
    nn.init.zeros_(refinement.synthesis.layers[-1].bias)

    remaining = variances[:size].clone()
    quantizer: Any = refinement.quantizer
    for stage, levels in enumerate(codec.config.codebook_levels[1:]):
        nn.init.zeros_(quantizer.down[stage].weight)
        nn.init.zeros_(quantizer.down[stage].bias)
        nn.init.zeros_(quantizer.up[stage].weight)
        for dimension, component in enumerate(remaining.argsort(descending=True)[: len(levels)]):
            deviation = remaining[component].sqrt()
            quantizer.down[stage].weight[dimension, component] = 1 / deviation
            quantizer.up[stage].weight[component, dimension] = OUTERMOST * deviation
            remaining[component] *= LEFT_BY_LEVELS.get(levels[dimension], 2.7 / levels[dimension] ** 2)


def _lead_weights(
    features: torch.Tensor, log_envelope: torch.Tensor, leads: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """A square root of the loss's mean weights of the leads, (leads, leads), and its inverse.

    The loss counts each lead by its own variance, derived limb leads too; the coded ones stand in several of them.
    """
    own = with_limb_leads(features, leads).var(dim=-1)
    variance = own + SHARED_VARIANCE_REFINED * own.mean(dim=1, keepdim=True) + NOISE_FLOOR_MILLIVOLTS**2
    power = (2 * log_envelope).exp().mean(dim=-1)
    derivation = with_limb_leads(torch.eye(features.shape[1])[None], leads)[0]  # (leads and derived ones, leads)
    weights = torch.einsum("ri,nr,rj->ij", derivation, power / variance, derivation) / len(features)
    values, vectors = torch.linalg.eigh(weights)
    return (vectors * values.sqrt()) @ vectors.T, (vectors / values.sqrt()) @ vectors.T
