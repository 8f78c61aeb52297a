"""Stages of quantisation: each reads what those before it leave over, and any prefix of them is a codec."""

from __future__ import annotations

import pytest
import torch

from hf_heartllm.models.residual_fsq import ResidualQuantizer

LEVELS = [[5, 4, 3], [4, 4], [3, 3, 3]]


@pytest.fixture
def latents() -> torch.Tensor:
    return torch.randn(4, 50, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def quantizer(latents) -> ResidualQuantizer:
    torch.manual_seed(0)
    made = ResidualQuantizer(8, LEVELS, slope=1.702)
    for norm in made.norm:
        norm.momentum = None  # the mean over what was seen
    made(latents)
    return made.eval()


@torch.no_grad()
def test_what_training_decodes_is_what_the_codes_decode_to(quantizer, latents):
    quantized, codes, projections = quantizer(latents)
    assert codes.shape == (4, 3, 50)
    assert codes.dtype == torch.int64
    assert [tuple(one.shape) for one in projections] == [(4, 50, 3), (4, 50, 2), (4, 50, 3)]
    torch.testing.assert_close(quantized, quantizer.decode(codes))
    for stages in (1, 2, 3):
        prefix = quantizer.decode(codes[:, :stages])
        torch.testing.assert_close(quantizer(latents, stages)[0], prefix)
        torch.testing.assert_close(quantizer(latents, torch.full((4,), stages))[0], prefix)
        assert torch.equal(quantizer.encode(latents, stages), codes[:, :stages])
    assert not quantizer(latents, 0)[0].any()


@torch.no_grad()
def test_each_row_may_hold_another_number_of_stages(quantizer, latents):
    stages = torch.tensor([0, 1, 2, 3])
    quantized, codes, _ = quantizer(latents, stages)
    assert codes.shape[1] == 3
    assert not quantized[0].any()
    for row in (1, 2, 3):
        torch.testing.assert_close(quantized[row], quantizer.decode(codes[row : row + 1, :row])[0])


@torch.no_grad()
def test_a_stage_reads_what_those_before_it_leave_over(quantizer, latents):
    codes, projections = quantizer(latents)[1:]
    for stage in range(3):
        before = quantizer.decode(codes[:, :stage]) if stage else 0
        projection = quantizer.project(latents - before, stage)
        torch.testing.assert_close(projections[stage], projection)
        assert torch.equal(quantizer.quantizers[stage](projection)[1], codes[:, stage])


@torch.no_grad()
def test_the_lowest_and_highest_levels_stand_for_minus_1_and_1(quantizer):
    for code, value in ((0, -1.0), (5 * 4 * 3 - 1, 1.0)):
        decoded = quantizer.decode(torch.full((1, 1, 1), code))[0, 0]
        torch.testing.assert_close(decoded, quantizer.up[0](torch.full((3,), value)))


@torch.no_grad()
def test_a_stage_that_projects_back_what_it_reads_leaves_less_over(latents):
    """With levels enough, nothing: what is read is standardised, squashed to -1 … 1 and projected back."""
    torch.manual_seed(0)
    fine = ResidualQuantizer(8, [[201] * 8] * 2, slope=2.0).eval()
    for down, up in zip(fine.down, fine.up, strict=True):
        torch.nn.init.eye_(down.weight)
        torch.nn.init.zeros_(down.bias)
        torch.nn.init.eye_(up.weight)
    small = 0.1 * latents  # where 2 sigmoid(2 x) - 1 is x
    found = fine(small, 1)[0]
    assert (found - small).abs().max() < 0.02
    assert (found - torch.tanh(small)).abs().max() < 0.006
    assert (fine(small, 2)[0] - small).abs().max() < (found - small).abs().max()


@torch.no_grad()
def test_unrounded_is_what_fine_levels_come_to():
    torch.manual_seed(0)
    latents = torch.randn(2, 9, 6)
    fine = ResidualQuantizer(6, [[100_001] * 3, [100_001] * 2], slope=1.702).eval()
    for stages in (1, 2):
        torch.testing.assert_close(fine.unrounded(latents, stages), fine(latents, stages)[0], atol=1e-3, rtol=1e-3)
    assert (fine.unrounded(latents, 1) - fine.unrounded(latents, 2)).abs().max() > 0.01


def test_the_gradient_goes_straight_through(quantizer, latents):
    """As if nothing were rounded: the loss of the result reaches latents and weights of every stage."""
    latents.requires_grad_()
    quantizer(latents)[0].square().sum().backward()
    assert float(latents.grad.abs().min(dim=-1).values.max()) > 0
    assert all(float(weight.grad.abs().sum()) > 0 for weight in quantizer.parameters())


@torch.no_grad()
def test_more_precise_latents_give_the_same_codes_and_a_coarser_mode_none_other(quantizer, latents):
    codes = quantizer.encode(latents, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quantizer(latents)[1], codes)
    assert torch.equal(quantizer.encode(latents.half().float(), 3), quantizer.encode(latents.half(), 3))
    double = quantizer.double().encode(latents.double(), 3)
    assert (double == codes).float().mean() > 0.99


def test_codes_of_too_many_stages_are_refused(quantizer):
    with pytest.raises(ValueError, match="codes are of 4 codebooks, there are 3"):
        quantizer.decode(torch.zeros(1, 4, 2, dtype=torch.long))
    assert quantizer.decode(torch.zeros(1, 3, 2, dtype=torch.long)).shape == (1, 2, 8)
