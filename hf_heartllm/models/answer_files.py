"""Files about a checkpoint's answers, which travel with its weights as long as these are the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.utils import logging

from .answer_calibration import CALIBRATION_FILE
from .checkpoint_files import file_beside
from .question_understanding import QUESTIONS_FILE
from .whole_files import write_whole

ANSWER_FILES = (CALIBRATION_FILE, QUESTIONS_FILE)

logger = logging.get_logger(__name__)


def remember_answer_files(model: Any, source: str | os.PathLike[str] | None) -> None:
    """Keep what lies beside the weights that a model has just been loaded with.

    Args:
        model: as it came from `source`.
        source: a folder, or a repository on the Hub; None: nothing is kept.
    """
    if source is None or getattr(model, "_hf_peft_config_loaded", False):  # an adapter's folder is not the weights'
        return
    texts = {}
    for name in ANSWER_FILES:
        path = file_beside(source, name)
        if path is not None:
            texts[name] = path.read_bytes()
    if texts:
        model._answer_files = (texts, _weights_mark(model.named_parameters()))


def write_answer_files(
    model: Any, folder: str | os.PathLike[str], state_dict: Mapping[str, Tensor] | None = None
) -> list[Path]:
    """Write the files that were remembered beside weights that are still the same; else nothing, and that is said.

    Args:
        model: whose weights are saved.
        folder: where to.
        state_dict: what is saved instead of the model's own state.

    Returns:
        The files.
    """
    texts, mark = getattr(model, "_answer_files", ({}, None))
    if not texts:
        return []
    weights = list(model.named_parameters())
    if state_dict is not None:
        weights = [(name, state_dict[name]) for name, _ in weights if name in state_dict]
    if mark is None or _weights_mark(weights) != mark:
        logger.warning_once(
            f"{' and '.join(texts)} not written: they belong to the weights that were loaded, which have changed"
        )
        return []
    files = []
    for name, text in texts.items():
        path = Path(folder) / name
        write_whole(path, text)
        files.append(path)
    return files


_WHOLE_NUMBERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _weights_mark(weights: Iterable[tuple[str, Tensor]]) -> tuple[Any, ...] | None:
    """Equal for equal weights: names, shapes, and sums of the bits. None where the weights are not at hand."""
    found = []
    for name, weight in weights:
        if weight.is_meta:
            return None
        bits = weight.detach().contiguous().view(_WHOLE_NUMBERS[weight.element_size()])
        found.append((name, str(weight.dtype), tuple(weight.shape), int(bits.sum(dtype=torch.int64))))
    return tuple(sorted(found))
