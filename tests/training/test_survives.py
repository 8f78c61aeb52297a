"""Trainings that are broken off: killed, out of disk, out of numbers. What was whole stays, and one line says so."""

from __future__ import annotations

import json
import random
import resource
import shutil
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import nn

from benchmarks import kills
from benchmarks.kills import Killed, Stage, kill_and_go_on, same_weights, stages, start, tiny_inputs, to_the_end
from hf_heartllm.training.checkpoints import last_whole_checkpoint
from tests.forked import Forked


class Slope(nn.Module):
    """y = w x, whose loss at the step `breaks_at` is `breaks_with`."""

    def __init__(self, breaks_at: int | None = None, breaks_with: float = float("nan")) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(3))
        self.calls, self.breaks_at, self.breaks_with = 0, breaks_at, breaks_with

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        self.calls += 1
        loss = ((self.w * x) ** 2).mean()
        return {"loss": loss * self.breaks_with if self.calls == self.breaks_at else loss}


def trainer_of(model: nn.Module, output: Path, steps: int = 6):
    from transformers import Trainer, TrainingArguments

    rows = [{"x": torch.full((3,), float(i))} for i in range(1, 9)]
    arguments = TrainingArguments(
        output_dir=str(output), max_steps=steps, save_steps=2, use_cpu=True, report_to=[], disable_tqdm=True
    )
    return Trainer(model=model, args=arguments, train_dataset=rows)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_a_training_before_it_spoils_the_weights(tmp_path, capsys, value):
    from hf_heartllm.training.stages import train_from_last

    model = Slope(breaks_at=5, breaks_with=value)
    with pytest.raises(SystemExit) as ended:
        train_from_last(trainer_of(model, tmp_path))
    assert ended.value.code == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: step 5: the loss or its gradient is no finite number, and no weight was changed")
    assert line.endswith("checkpoint-4 is whole, and the same command goes on from it")
    assert torch.isfinite(model.w).all()
    again = Slope()
    train_from_last(trainer_of(again, tmp_path))
    assert again.calls == 2
    train_from_last(trainer_of(again, tmp_path))  # it had ended
    assert again.calls == 2
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-6")


def test_a_file_that_cannot_be_written_is_one_line(tmp_path, capsys, monkeypatch):
    from hf_heartllm.training.stages import train_from_last

    save, saved = torch.save, []

    def full(what, where, *more, **settings):
        saved.append(where)
        if len(saved) > 4:  # arguments, optimizer, scheduler and random state of a checkpoint
            Path(where).write_bytes(b"half")
            raise OSError(28, "No space left on device", str(where))
        save(what, where, *more, **settings)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(SystemExit) as ended:
        train_from_last(trainer_of(Slope(), tmp_path))
    assert ended.value.code == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "is the disk full?" in line
    assert "checkpoint-2 is whole" in line


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path):
    from hf_heartllm.training.stages import train_from_last

    class Broken(Slope):
        def forward(self, x):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train_from_last(trainer_of(Broken(), tmp_path))


def test_a_checkpoint_whose_last_file_is_cut_is_not_whole(tmp_path):
    for number in (2, 10, 9):
        folder = tmp_path / f"checkpoint-{number}"
        folder.mkdir()
        for name in ("optimizer.pt", "scheduler.pt"):
            (folder / name).touch()
        (folder / "trainer_state.json").write_text('{"step": 1}' if number != 10 else '{"step"')
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-9")


def forked(stage: Stage, output: Path) -> Forked:
    """A stage on its way, its libraries imported already."""
    return Forked([*stage.words, "--output", output], stage.environment)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    return tiny_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def grounded(inputs) -> Path:
    with mock.patch.object(kills, "start", forked):
        to_the_end(stages(inputs)[0], inputs / "ground")
    return inputs


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ground", "pretrain", "finetune", "finetune (adapter)"])
def test_killed_anywhere_a_training_ends_in_the_same_weights(name, grounded, tmp_path):
    stage = next(one for one in stages(grounded) if one.name == name)
    undisturbed = tmp_path / "undisturbed"
    seconds = to_the_end(stage, undisturbed)
    told = Killed()
    with mock.patch.object(kills, "start", forked):
        kill_and_go_on(stage, tmp_path / "killed", seconds, random.Random(name), 2, told)
        assert same_weights(undisturbed, tmp_path / "killed")
        to_the_end(stage, tmp_path / "killed")  # once more, after its end
    assert same_weights(undisturbed, tmp_path / "killed")


@pytest.mark.slow
def test_a_disk_that_is_full_leaves_the_last_checkpoint(inputs, tmp_path):
    def pretraining(steps: int) -> Stage:
        stage = stages(inputs, steps)[1]
        return Stage(stage.name, [*stage.words, "--set", "training.lr_scheduler_type=constant"])

    with mock.patch.object(kills, "start", forked):
        to_the_end(pretraining(3), tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))  # of its children: less than an optimizer's file
    try:
        process = start(pretraining(9), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    _, said = process.communicate()
    assert process.returncode == 2, said[-2000:]
    line = next(one for one in said.splitlines() if one.startswith("error: "))
    assert "checkpoint-3 is whole, and the same command goes on from it" in line
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-3")
    assert (tmp_path / "model" / "model.safetensors").is_file()
    with mock.patch.object(kills, "start", forked):
        to_the_end(pretraining(9), tmp_path)
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-9")


def _without_dropout(adapter: Path, folder: Path) -> Path:
    """A copy of an adapter's checkpoint that trains without dropout."""
    copy = Path(shutil.copytree(adapter, folder / "without-dropout"))
    config = json.loads((copy / "adapter_config.json").read_text())
    (copy / "adapter_config.json").write_text(json.dumps({**config, "lora_dropout": 0.0}))
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ground", "finetune", "finetune (adapter)"])
def test_two_processes_are_one_with_twice_the_batch(name, grounded, tmp_path):
    stage = next(one for one in stages(grounded, steps=6) if one.name == name)
    # rows that fill the batches: the last of an epoch would be filled up with its first rows in two processes
    if "adapter" in name:  # it was grounded with dropout, which draws otherwise for rows of two processes
        stage.words[stage.words.index("--model") + 1] = _without_dropout(grounded / "ground" / "model", tmp_path)
    plain = ["lora.lora_dropout=0"] if name == "ground" else ["data.repeat=null"]
    if name == "finetune":
        plain.append("training.train_sampling_strategy=random")  # groups depend on the size of a batch
    changes = [*plain, "training.logging_steps=1", "training.save_steps=3"]
    words = [*stage.words, *(part for one in changes for part in ("--set", one))]

    def losses(output: str, batch: int, *launcher: str) -> list[float]:
        set_batch = ["--set", f"training.per_device_train_batch_size={batch}"]
        told = Stage(name, [*launcher, *words, *set_batch], stage.environment)
        to_the_end(told, tmp_path / output)
        log = json.loads((tmp_path / output / "log.json").read_text())["log_history"]
        return [one["loss"] for one in log if "loss" in one]

    with mock.patch.object(kills, "start", forked):
        one = losses("one", 4)
    two = losses("two", 2, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
    assert len(one) == 6
    early, late = (_weights(tmp_path / "one" / f"checkpoint-{step}") for step in (3, 6))
    assert any(not torch.equal(early[name], late[name]) for name in late)  # it was trained
    assert two == pytest.approx(one, rel=1e-3)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    (file,) = folder.glob("*model.safetensors")
    return load_file(file)
