"""The encoder of our own codec as it encodes: the same sums in fewer operations.

Batch normalisations go into the convolutions before them, and whether a lead is there, which does not change along a
recording, into constants: the convolutions that read the recording then have half as many channels to go through.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .ecg_codec_local import LocalEncoder


class InferenceEncoder(nn.Module):
    """Features (batch, leads, samples) in mV, whole tokens → latents (batch, tokens, hidden size).

    Args:
        encoder: trained; what is made of it does not follow its weights.
    """

    def __init__(self, encoder: LocalEncoder) -> None:
        super().__init__()
        folded: Any = without_batch_norm(encoder)
        self.inputs, analysis = folded.inputs, folded.analysis
        (first, *after), *rest = analysis.layers
        self.first = ConvolutionOfRecording(first)
        self.layers = nn.Sequential(*after, *rest)
        self.transform = ConvolutionOfRecording(analysis.transform)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        shape, log_envelope, present = self.inputs(features)
        signals = torch.cat([shape, log_envelope], dim=1)
        left = self.layers(self.first(signals, present))
        latents: torch.Tensor = self.transform(signals, present).add_(left)
        return latents.transpose(1, 2)


class ConvolutionOfRecording(nn.Module):
    """What a convolution makes of a recording's leads, whether each is there, and its envelope.

    Args:
        conv: of the channels (leads, presence of the leads, envelope); its stride divides the number of samples.
    """

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        leads = (conv.in_channels - 1) // 2
        width, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
        self.stride, self.padding, self.bias = stride, padding, conv.bias
        weight = conv.weight.detach()
        self.weight = nn.Buffer(weight[:, [*range(leads), 2 * leads]].contiguous())
        # What each lead's presence adds: the same at every place but those whose kernel reaches beyond the recording.
        samples = stride * (2 * width // stride + 1)
        one = torch.eye(leads, dtype=weight.dtype, device=weight.device)[..., None].expand(-1, -1, samples)
        added = nn.functional.conv1d(one, weight[:, leads : 2 * leads], stride=stride, padding=padding)
        self.before = -(-padding // stride)
        inside = (samples + padding - width) // stride + 1
        self.after = added.shape[-1] - inside
        keep = [*range(self.before), self.before, *range(inside, added.shape[-1])]
        self.added = nn.Buffer(added[..., keep].contiguous())  # (leads, out channels, before + 1 + after)

    def forward(self, signals: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(batch, leads + 1, samples) and (batch, leads) → (batch, out channels, places)."""
        result = nn.functional.conv1d(signals, self.weight, self.bias, self.stride, self.padding)
        # A sum over the leads one by one, in one order whatever the batch.
        added = (present[..., None, None] * self.added).sum(dim=1)
        before, inside = self.before, result.shape[-1] - self.after
        result[..., :before] += added[..., :before]
        result[..., before:inside] += added[..., before : before + 1]
        result[..., inside:] += added[..., before + 1 :]
        return result


def without_batch_norm(module: nn.Module) -> nn.Module:
    """A copy for inference whose convolutions hold the scales of the batch normalisations behind them."""
    module = copy.deepcopy(module).eval()
    for layers in [part for part in module.modules() if isinstance(part, nn.Sequential)]:
        for index in range(len(layers) - 1, 0, -1):
            conv, norm = layers[index - 1], layers[index]
            if isinstance(conv, nn.Conv1d) and isinstance(norm, nn.BatchNorm1d):
                layers[index - 1] = fuse_conv_bn_eval(conv, norm)
                del layers[index]
    return module
