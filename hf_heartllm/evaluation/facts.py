"""What names a result beyond doubt: hashes of weights, codec, questions and files, and the versions of libraries."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..hashes import file_sha256
from .heldout import record_reader, weights_fingerprint
from .question_file import HeldOutRecord, question_set_hash


def ecg_source(
    tokenizer: Any, ptbxl: Path, tokens: Path | None, rate: int
) -> tuple[Callable[[HeldOutRecord], list[int]], str]:
    """A function that gives a record's token ids, and words that name what it gives.

    Raises:
        ValueError: if the codes were made by another codec; later, if a record has none.
    """
    identity = tokenizer.codec.fingerprint()
    if tokens is None:
        return record_reader(tokenizer, ptbxl, rate), f"codec {identity}, records at {rate} Hz"
    from ..data.token_file import load_codes

    codes = load_codes(tokens, identity)

    def cached(record: HeldOutRecord) -> list[int]:
        if str(record.ecg_id) not in codes:
            raise ValueError(f"{tokens}: no codes of ecg_id {record.ecg_id}")
        return [int(token) for token in tokenizer.codes_to_ids(codes[str(record.ecg_id)].astype(int).tolist())]

    return cached, f"codec {identity}, codes of a file"


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    import numpy as np
    import tokenizers
    import torch
    import transformers

    import hf_heartllm

    return {
        "hf_heartllm": hf_heartllm.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "numpy": np.__version__,
    }


def model_facts(model: Any, tokenizer: Any, name: str) -> dict[str, Any]:
    """What names a checkpoint: its weights and codec by hash."""
    return {
        "name": name,
        "weights": weights_fingerprint(model),
        "codec": tokenizer.codec.fingerprint(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "dtype": str(model.dtype).removeprefix("torch."),
    }


def question_facts(path: Path, whole: Sequence[HeldOutRecord], records: Sequence[HeldOutRecord]) -> dict[str, Any]:
    """What names a question set, and how much of it was asked."""
    return {
        "file": path.name,
        "hash": question_set_hash(path),
        "all": sum(len(record.questions) for record in whole),
        "asked": sum(len(record.questions) for record in records),
        "records": len(records),
        "patients": len({record.patient_id for record in records}),
    }


def file_facts(path: Path) -> dict[str, Any]:
    """Name and hash of a file's bytes."""
    return {"file": path.name, "sha256": file_sha256(path)}
