"""Finding the point from which an interrupted training goes on."""

from __future__ import annotations

import re
from pathlib import Path

# transformers writes a checkpoint folder in place, these last; without them it is a half-written one, and without the
# optimizer the Trainer would go on in silence with a fresh one.
_WHOLE = ("trainer_state.json", "optimizer.pt", "scheduler.pt")


def last_whole_checkpoint(output_dir: str | Path) -> str | None:
    """The newest `checkpoint-N` folder in `output_dir` that was written to its end, or None."""
    found = []
    for folder in Path(output_dir).glob("checkpoint-*"):
        match = re.fullmatch(r"checkpoint-(\d+)", folder.name)
        if match and all((folder / name).is_file() for name in _WHOLE):
            found.append((int(match[1]), folder))
    return str(max(found)[1]) if found else None
