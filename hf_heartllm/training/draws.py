"""Random draws of a data set that do not depend on where a training was interrupted.

A draw depends on the seed, the row and the epoch, never on the state of a generator: data loaders read ahead, so
that state is another one after an interruption.
"""

from __future__ import annotations

import random
from typing import Any

from transformers import TrainerCallback


def draws(seed: int, row: int, epoch: int) -> random.Random:
    """The generator for one row of a data set in one epoch."""
    return random.Random(f"{seed}-{row}-{epoch}")


class EpochOfDraws(TrainerCallback):
    """Sets the attribute `epoch` of a data set when an epoch begins."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.dataset.epoch = int((state.epoch or 0) + 1e-6)  # resumed in mid-epoch, it is a fraction
