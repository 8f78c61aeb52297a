"""First values of the embedding rows that stand for ECG tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def fsq_code_geometry(levels: Sequence[int], hidden_size: int, generator: torch.Generator | None = None) -> Tensor:
    """Places the codes of a finite scalar quantiser on a grid in embedding space.

    A code is the mixed-radix number of its levels `l_d`, dimension 0 least significant (FSQ: Mentzer et al. 2024,
    https://arxiv.org/abs/2309.15505). It is placed at `sum_d (2 l_d / (L_d - 1) - 1) u_d` with random
    directions `u_d`, so that codes that differ in one level are neighbours, as they are for the codec's decoder.

    Args:
        levels: number of levels of every dimension, each at least 2.
        hidden_size: width of the embedding.
        generator: source of the directions.

    Returns:
        float32 (prod(levels), hidden_size), mean 0 and root mean square 1.

    Raises:
        ValueError: if a dimension has fewer than 2 levels.
    """
    if not levels or min(levels) < 2:
        raise ValueError(f"a finite scalar quantiser needs at least 2 levels in every dimension, got {list(levels)}")
    rest = torch.arange(math.prod(levels))
    columns = []
    for count in levels:
        columns.append(2.0 * (rest % count).float() / (count - 1) - 1.0)
        rest = rest // count
    directions = torch.randn(len(levels), hidden_size, generator=generator)
    grid = torch.stack(columns, dim=1) @ directions
    return grid / grid.square().mean().sqrt()


def ecg_token_rows(
    text_rows: Tensor,
    codebook_size: int,
    levels: Sequence[int] | None = None,
    scale: float = 0.1,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """First values of the rows of an embedding matrix (or output matrix) for ECG tokens.

    Every row is the mean of the text rows plus a component whose size is `scale` times the standard deviation of the
    text rows: the mean keeps a new token as likely as the average text token (Hewitt 2021, "Initializing new word
    embeddings"), the component tells the codes apart.

    Args:
        text_rows: (text tokens, hidden) rows of the base, any float dtype.
        codebook_size: number of codes.
        levels: levels of the finite scalar quantiser behind the codes; None or levels that do not multiply to
            `codebook_size` give every code its own random component.
        scale: size of the component in standard deviations of the text rows.
        generator: source of all randomness.

    Returns:
        Two float32 tensors: (2, hidden) for the start and end tokens, (codebook_size, hidden) for the codes.
    """
    deviation, mean = torch.std_mean(text_rows.detach().float().cpu(), dim=0)
    hidden = mean.shape[0]
    if levels is not None and math.prod(levels) == codebook_size:
        codes = fsq_code_geometry(levels, hidden, generator)
    else:
        codes = torch.randn(codebook_size, hidden, generator=generator)
    structure = torch.randn(2, hidden, generator=generator)
    return mean + scale * deviation * structure, mean + scale * deviation * codes


__all__ = ["ecg_token_rows", "fsq_code_geometry"]
