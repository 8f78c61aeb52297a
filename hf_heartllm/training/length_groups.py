"""Batches of examples of about one length, so that little of a batch is padding."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from torch.utils.data import Sampler

BATCHES = 25
"""That many batches are drawn at random and then arranged by length; fewer leave more padding."""


class LengthGroups(Sampler[int]):
    """The order of an epoch: drawn at random, in stretches of some batches arranged by length, batches in random order.

    The order depends on the seed, the epoch and the examples alone, so a resumed training goes on in it.

    Args:
        examples: a data set that draws examples anew in each `epoch` and tells their `length` (`QuestionDataset`).
        batch_size: of a batch; indices come batch after batch.
        seed: of the order.
    """

    def __init__(self, examples: Any, batch_size: int, seed: int = 42) -> None:
        self._examples, self._batch_size, self._seed = examples, batch_size, seed

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(f"{self._seed}-lengths-{self._examples.epoch}")
        order = rng.sample(range(len(self)), len(self))
        size = self._batch_size
        for first in range(0, len(order), BATCHES * size):
            stretch = order[first : first + BATCHES * size]
            stretch.sort(key=lambda index: (self._examples.length(index), index))
            batches = [stretch[start : start + size] for start in range(0, len(stretch), size)]
            # A batch that is not full stays the last: behind it the others would begin in its middle.
            rest = [batches.pop()] if len(batches[-1]) < size else []
            rng.shuffle(batches)
            for batch in [*batches, *rest]:
                yield from batch
