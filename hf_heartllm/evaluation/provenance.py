"""What names a result beyond doubt: hashes of weights, codec, questions and files, and the versions of libraries."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..hashes import file_sha256
from ..inference import Answerer
from .question_file import AskedRecord, question_set_hash


@dataclass(frozen=True)
class Checkpoint:
    """A model that is asked.

    Attributes:
        answerer: the model.
        name: of the checkpoint, for the page.
    """

    answerer: Answerer
    name: str

    @cached_property
    def weights(self) -> str:
        """`weights_fingerprint` of the model."""
        return weights_fingerprint(self.answerer.model)

    def facts(self) -> dict[str, Any]:
        """What names it: its weights, and what it reads ECGs with, by hash."""
        model = self.answerer.model
        return {
            "name": self.name,
            "weights": self.weights,
            **self.answerer.reads,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "dtype": str(model.dtype).removeprefix("torch."),
        }


def weights_fingerprint(model: Any) -> str:
    """Sixteen hexadecimal digits over a model's weights: partial results of another checkpoint are not mixed in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def question_facts(path: Path, whole: Sequence[AskedRecord], asked: Sequence[AskedRecord]) -> dict[str, Any]:
    """What names a question set, and how much of it was asked."""
    return {"file": path.name, **asked_facts(question_set_hash(path), whole, asked)}


def asked_facts(mark: str, whole: Sequence[AskedRecord], asked: Sequence[AskedRecord]) -> dict[str, Any]:
    """The same of questions that are in no file; `mark` is their hash."""
    return {
        "hash": mark,
        "all": sum(len(one.questions) for one in whole),
        "asked": sum(len(one.questions) for one in asked),
        "records": len(asked),
        "patients": len({one.record.patient for one in asked}),
    }


def file_facts(path: Path) -> dict[str, Any]:
    """Name and hash of a file's bytes."""
    return {"file": path.name, "sha256": file_sha256(path)}
