"""What names a result beyond doubt: hashes of weights, codec, questions and files, and the versions of libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..hashes import file_sha256
from ..inference import Answerer
from .answering import weights_fingerprint
from .question_file import AskedRecord, question_set_hash


def model_facts(answerer: Answerer, name: str) -> dict[str, Any]:
    """What names a checkpoint: its weights, and what it reads ECGs with, by hash."""
    return {
        "name": name,
        "weights": weights_fingerprint(answerer.model),
        **answerer.reads,
        "parameters": sum(parameter.numel() for parameter in answerer.model.parameters()),
        "dtype": str(answerer.model.dtype).removeprefix("torch."),
    }


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
