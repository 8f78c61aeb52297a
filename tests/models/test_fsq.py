"""Finite scalar quantisation: levels and codes are two ways to write one number, and gradients pass through."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_heartllm.models.fsq import FiniteScalarQuantizer

LEVELS = st.lists(st.integers(2, 8), min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(LEVELS, st.integers(0, 2**31))
def test_codes_and_levels_are_exact_inverses(levels, seed):
    quantizer = FiniteScalarQuantizer(levels)
    codes = torch.randint(quantizer.codebook_size, (7, 5), generator=torch.Generator().manual_seed(seed))
    assert torch.equal(quantizer.levels_to_codes(quantizer.codes_to_levels(codes)), codes)
    assert quantizer.codebook_size == math.prod(levels)


@settings(max_examples=30, deadline=None)
@given(LEVELS, st.integers(0, 2**31))
def test_decoder_reads_from_codes_what_it_read_in_training(levels, seed):
    quantizer = FiniteScalarQuantizer(levels)
    latents = torch.randn(3, 11, len(levels), generator=torch.Generator().manual_seed(seed)) * 3
    values, codes = quantizer(latents)
    assert torch.allclose(quantizer.codes_to_values(codes), values, atol=1e-6)


@pytest.mark.parametrize(
    ("levels", "code"),
    [((0, 0, 0), 0), ((1, 0, 0), 1), ((2, 0, 0), 2), ((0, 1, 0), 3), ((0, 0, 1), 6), ((2, 1, 3), 23)],
)
def test_the_first_dimension_is_the_least_digit(levels, code):
    quantizer = FiniteScalarQuantizer([3, 2, 4])
    assert quantizer.levels_to_codes(torch.tensor(levels)).item() == code
    assert tuple(quantizer.codes_to_levels(torch.tensor(code)).tolist()) == levels
    latents = torch.logit(
        torch.tensor([level / (of - 1) for level, of in zip(levels, (3, 2, 4), strict=True)]), eps=1e-3
    )
    assert quantizer(latents)[1].item() == code


def test_every_code_is_reached():
    quantizer = FiniteScalarQuantizer([3, 2])
    grid = torch.cartesian_prod(torch.linspace(-9, 9, 7), torch.linspace(-9, 9, 7))
    assert set(quantizer(grid)[1].tolist()) == set(range(6))


def test_gradient_is_that_of_the_sigmoid():
    latents = torch.randn(4, 2, requires_grad=True)
    FiniteScalarQuantizer([6, 6])(latents)[0].sum().backward()
    squashed = torch.sigmoid(latents.detach())
    assert torch.allclose(latents.grad, squashed * (1 - squashed))


def test_half_precision_autocast_changes_no_code():
    latents = torch.randn(1000, 4) * 2
    quantizer = FiniteScalarQuantizer([6, 6, 6, 6])
    with torch.autocast("cpu", torch.bfloat16):
        inside = quantizer(latents)[1]
    assert torch.equal(inside, quantizer(latents)[1])


def test_refuses_what_is_no_code_and_no_level():
    with pytest.raises(ValueError, match="at least 2"):
        FiniteScalarQuantizer([6, 1])
    with pytest.raises(ValueError, match=r"\[0, 6\)"):
        FiniteScalarQuantizer([3, 2]).codes_to_levels(torch.tensor([6]))
