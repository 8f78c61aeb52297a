"""What an evaluation of classification is made of; the options of `heartllm evaluate classify` are these fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..settings import RunSettings
from .seen import Seen
from .tasks import TASKS


@dataclass(frozen=True, kw_only=True)
class ClassifySettings(RunSettings):
    """What to evaluate on, and how. Further attributes are those of `RunSettings`.

    Attributes:
        records: PTB-XL's folder or a label file: the test records, or beside `data`, PTB-XL's folder alone, what the
            checkpoint was trained on.
        data: WFDB records whose headers hold labels (PhysioNet/CinC Challenges, LUDB), instead of PTB-XL's folds; with
            PTB-XL's folder as records, its training folds give the majority and copies of them are left out.
        folds: of PTB-XL's test records.
        splits: of the test records of a label file.
        tasks: what is classified.
        tokens: codes of PTB-XL's records, made with the checkpoint's codec, instead of reading them.
        seen: what the checkpoint saw in training, separated by commas: labels, report text, letter choice, yes/no,
            prompt format (both formats), or nothing; what its configuration says, else unknown, when None.
    """

    records: Path | None = None
    data: Path | None = None
    folds: tuple[int, ...] = (9,)
    splits: tuple[str, ...] = ("test",)
    tasks: tuple[str, ...] = tuple(TASKS)
    tokens: Path | None = None
    seen: Seen | None = None
