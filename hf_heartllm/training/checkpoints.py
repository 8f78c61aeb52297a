"""What a training leaves when it is broken off, and going on from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

# transformers writes a checkpoint folder in place, these last; without them it is a half-written one, and without the
# optimizer the Trainer would go on in silence with a fresh one.
_WHOLE = ("trainer_state.json", "optimizer.pt", "scheduler.pt")
_NOT_WRITTEN = ("PytorchStreamWriter", "inline_container", "iostream error", "unexpected pos", "I/O error", "os error")
"""What torch and safetensors say, beside errors of the operating system, where a file could not be written."""


class TrainingError(ValueError):
    """A training that cannot go on: one line."""


def last_whole_checkpoint(output_dir: str | Path) -> str | None:
    """The newest `checkpoint-N` folder in `output_dir` that was written to its end, or None."""
    found = []
    for folder in Path(output_dir).glob("checkpoint-*"):
        match = re.fullmatch(r"checkpoint-(\d+)", folder.name)
        if match and all((folder / name).is_file() for name in _WHOLE) and _is_json(folder / _WHOLE[0]):
            found.append((int(match[1]), folder))
    return str(max(found)[1]) if found else None


def _is_json(path: Path) -> bool:
    """Whether the last file of a checkpoint was written to its end, too."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def one_line_where_it_ends(output: str | Path) -> Iterator[None]:
    """Within it, a gradient that is no number and a file that cannot be written are a `TrainingError`.

    Args:
        output: folder of the run, whose checkpoints the line names.
    """
    try:
        yield
    except TrainingError as error:
        raise TrainingError(f"{error}; {_what_is_left(output)}") from None
    except Exception as error:
        words = " ".join(str(error).split())
        if not (_is_of_the_disk(error) or any(sign in words for sign in _NOT_WRITTEN)):
            raise
        text = f"a file was not written, is the disk full? ({words[:80]})"
        raise TrainingError(f"{output}: {text}; {_what_is_left(output)}") from error


def _is_of_the_disk(error: BaseException) -> bool:
    """Whether the operating system refused to write; a file that is not there is another matter."""
    return isinstance(error, OSError) and error.errno is not None and not isinstance(error, FileNotFoundError)


def _what_is_left(output: str | Path) -> str:
    last = last_whole_checkpoint(output)
    if last is None:
        return "no checkpoint was whole yet, so the same command begins anew"
    return f"{Path(last).name} is whole, and the same command goes on from it"


class AllStepsDoneError(Exception):
    """A training whose last checkpoint is its end; the model holds its weights."""


class StopWhereItEnded(TrainerCallback):
    """Ends a training that was broken off after its last step; a trainer of transformers would take one step more."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step >= state.max_steps:
            raise AllStepsDoneError


class StopAtNaN(TrainerCallback):
    """Ends a training before a step that would write NaN or infinity into its weights.

    A trainer of transformers goes on with them, hides them in its log, and puts checkpoints of them in the place of the
    good ones.
    """

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if args.fp16 and torch.cuda.is_available():
            return  # the scaler of float16 meets infinite gradients, and leaves such a step out
        gradients = [one.grad for one in kwargs["model"].parameters() if one.grad is not None]
        if not gradients or type(gradients[0]) is not torch.Tensor:
            return  # sharded: another process may hold what is wrong
        norms = torch.stack([norm.to(gradients[0].device) for norm in torch._foreach_norm(gradients)])
        if not bool(torch.isfinite(norms).all()):
            raise TrainingError(
                f"step {state.global_step + 1}: the loss or its gradient is no finite number, and no weight was "
                "changed; a smaller training.learning_rate or more training.warmup_steps may help"
            )
