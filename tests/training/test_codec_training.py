"""The losses of a codec in training reach what they are to train, and nothing else."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_codec import squared_error
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel
from hf_heartllm.training.codec_training import (
    NOISE_FLOOR_MILLIVOLTS,
    CodecWithProbe,
    DecoderTraining,
    relative_error,
    with_limb_leads,
)
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


LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.mark.parametrize("missing", [(), (2,), (4, 7), (1,)])
def test_a_missing_lead_counts_neither_as_an_error_nor_as_a_lead(missing):
    """The loss is the mean over the leads that are there, whatever is decoded where none is."""
    generator = torch.Generator().manual_seed(0)
    wanted, decoded = (torch.randn(2, 8, 300, generator=generator) for _ in range(2))
    wanted[1] *= 3
    for row in missing:
        wanted[:, row] = float("nan")
    there = [row for row in range(8) if row not in missing]
    expected = ((decoded - wanted)[:, there] ** 2).mean(dim=-1)

    assert torch.allclose(squared_error(decoded, wanted), expected.mean())
    # an error as large as the signal is 1 in each lead: the share of the others' variance aside
    error = relative_error(decoded, wanted, shared_variance=0.0, leads=LEADS)
    twelve = [lead.isnan().any() for lead in with_limb_leads(wanted, LEADS)[0]]
    assert sum(twelve) == len(missing) + (4 if 1 in missing else 0)
    both = [with_limb_leads(one, LEADS)[:, [not gone for gone in twelve]] for one in (decoded, wanted)]
    size = both[1].var(dim=-1) + NOISE_FLOOR_MILLIVOLTS**2
    assert torch.allclose(error, ((both[0] - both[1]) ** 2).mean(dim=-1).div(size).mean(dim=1), rtol=1e-5)
    decoded[:, list(missing)] += 1e3
    if 1 not in missing:  # else the limb leads that follow from it are not there either
        assert torch.allclose(relative_error(decoded, wanted, shared_variance=0.0, leads=LEADS), error)
        assert torch.allclose(squared_error(decoded, wanted), expected.mean())


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
