"""Batches of about one length: every example once an epoch, little padding, the same order after an interruption."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_heartllm.training.length_groups import LengthGroups
from hf_heartllm.training.recipes import read_recipe
from hf_heartllm.training.settings import FinetuneRecipe
from hf_heartllm.training.teacher import SFTTrainerWithTeacher

SIZE = 8
GROUPED = "group_by_length"
recipes = Path(__file__).resolve().parents[2] / "hf_heartllm" / "recipes"


class Drawn:
    """Examples whose lengths are drawn anew in each epoch, as a `QuestionDataset`'s are."""

    def __init__(self, count: int, epoch: int = 0) -> None:
        self.count, self.epoch = count, epoch

    def __len__(self) -> int:
        return self.count

    def length(self, index: int) -> int:
        return random.Random(f"{index}-{self.epoch}").randint(200, 400)


def padding(examples: Drawn, order: list[int]) -> float:
    lengths = [examples.length(index) for index in order]
    batches = [lengths[first : first + SIZE] for first in range(0, len(lengths), SIZE)]
    return 1 - sum(lengths) / sum(max(batch) * len(batch) for batch in batches)


@pytest.mark.parametrize("count", [1, 8, 403, 2000])
def test_every_example_comes_once(count):
    assert sorted(LengthGroups(Drawn(count), SIZE)) == list(range(count))
    assert len(LengthGroups(Drawn(count), SIZE)) == count


def test_little_is_padding_in_every_epoch_and_long_batches_are_not_together():
    for epoch in range(3):
        examples = Drawn(2000, epoch)
        order = list(LengthGroups(examples, SIZE))
        assert padding(examples, order) < 0.03 < 0.1 < padding(examples, list(range(2000)))
        halves = [sum(map(examples.length, half)) / 1000 for half in (order[:1000], order[1000:])]
        assert halves[0] == pytest.approx(halves[1], rel=0.05)


def test_the_order_depends_on_seed_and_epoch_alone():
    first = list(LengthGroups(Drawn(100), SIZE))
    random.random()
    assert list(LengthGroups(Drawn(100), SIZE)) == first
    assert list(LengthGroups(Drawn(100, epoch=1), SIZE)) != first != list(LengthGroups(Drawn(100), SIZE, seed=1))


def test_the_recipe_asks_for_it_and_the_trainer_goes_by_what_is_drawn():
    assert read_recipe(recipes / "finetune_tiny.yaml", FinetuneRecipe).training["train_sampling_strategy"] == GROUPED
    args = SimpleNamespace(train_sampling_strategy=GROUPED, train_batch_size=SIZE, seed=42)
    trainer = SFTTrainerWithTeacher.__new__(SFTTrainerWithTeacher)
    trainer._draws, trainer.args = Drawn(100), args
    assert list(trainer._get_train_sampler()) == list(LengthGroups(Drawn(100), SIZE))
