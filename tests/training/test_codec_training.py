"""The losses of a codec in training reach what they are to train, and nothing else."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel
from hf_heartllm.training.codec_training import CodecWithProbe, DecoderTraining
from tests.tiny import tiny_codec


def published_codec() -> PaperCodecModel:
    sizes = {"encoder_hidden_size": 8, "decoder_hidden_size": 8, "num_norm_groups": 2, "window_samples": 1000}
    return PaperCodecModel(PaperCodecConfig(**sizes))


@pytest.mark.parametrize("make", [tiny_codec, published_codec])
def test_the_first_stream_and_the_probe_learn_and_refinements_wait(make):
    torch.manual_seed(0)
    codec = make()
    training = CodecWithProbe(codec, num_statements=3, probe_weight=1.0).train()
    features = torch.randn(4, len(codec.config.leads), 1000)
    training(features, torch.tensor([[0, 1, 0]] * 4))["loss"].backward()
    learning = {name.split(".")[0] for name, weight in codec.named_parameters() if weight.grad is not None}
    assert learning >= {"encoder", "decoder"}
    assert "refinement" not in learning
    assert not any(weight.requires_grad for name, weight in codec.named_parameters() if name.startswith("refinement"))
    assert all(weight.grad is not None for weight in training.probe.parameters())


@pytest.mark.parametrize("training", [partial(CodecWithProbe, num_statements=0, probe_weight=0), DecoderTraining])
def test_the_weight_of_presence_counts_in_the_loss(training):
    torch.manual_seed(0)
    codec = tiny_codec()
    features = torch.randn(4, len(codec.config.leads), 1000)
    features[:, 5] = float("nan")
    results = [training(codec, lead_mask_weight=weight).train()(features) for weight in (0.0, 2.0)]
    presence = results[1]["lead_mask_loss"]
    assert presence > 0.1  # an untrained codec does not know
    assert torch.allclose(results[1]["loss"], results[0]["loss"] + 2 * presence)
