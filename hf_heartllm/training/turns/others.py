"""Questions that are not about an ECG: what a pretrained language model is to go on knowing, and what no ECG tells.

General questions keep the answers that the base gives (`scripts/general_turns.py` asks it), with an ECG before them and
without; so tuning on ECGs does not teach the model to answer everything with a finding. What cannot be known from an
ECG is answered by saying so.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from .turn import Turn

REFUSALS = (
    "That can't be answered from an ECG.",
    "This can't be answered from an ECG.",
    "That can't be answered from an ECG: it shows the electrical activity of the heart alone.",
)
"""Answers to what no ECG tells; each says that it can't be answered from an ECG."""


def general_questions() -> list[str]:
    """Questions about the world that a base is asked for its own answers."""
    return _lines("general_questions.txt")


def unanswerable_questions() -> list[str]:
    """Questions about a patient that no ECG answers."""
    rows = csv.DictReader(_lines("unanswerable.tsv"), delimiter="\t")
    return [row["question"] for row in rows]


def _lines(name: str) -> list[str]:
    text = files("hf_heartllm").joinpath(f"training/turns/{name}").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


@dataclass(frozen=True)
class OtherTurns:
    """Draws questions that are not about an ECG.

    Args:
        general: the base's own answers.
        unanswerable: questions that no ECG answers.
    """

    general: Sequence[Turn]
    unanswerable: Sequence[str]

    def behind_an_ecg(self, rng: random.Random) -> Turn:
        """One question beside others about an ECG, in half of the cases one that no ECG answers."""
        if self.unanswerable and (not self.general or rng.random() < 0.5):
            return Turn(rng.choice(self.unanswerable), rng.choice(REFUSALS))
        return rng.choice(self.general)

    def without_an_ecg(self, rng: random.Random, count: int) -> list[Turn]:
        """General questions for an example without an ECG."""
        return rng.sample(list(self.general), min(count, len(self.general)))


def read_general_turns(path: str | Path) -> list[Turn]:
    """The base's answers of a file of `scripts/general_turns.py`.

    Raises:
        ValueError: if it is none.
    """
    turns = [
        Turn(row["question"], row["answer"], goes_on=not row["finished"]) for row in _rows(path) if "answer" in row
    ]
    if not turns:
        raise ValueError(f"{path}: no answers of training/general_turns.py")
    return turns


def read_base_texts(path: str | Path) -> list[str]:
    """The texts of the same file that the base wrote by itself; none in files of before there were any."""
    return [row["text"] for row in _rows(path) if "text" in row]


def _rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a file of `scripts/general_turns.py`; none where it is another."""
    try:
        rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError):
        return []
    needed = ({"question", "answer", "finished"}, {"text"})
    return rows if all(isinstance(row, dict) and any(names <= row.keys() for names in needed) for row in rows) else []
