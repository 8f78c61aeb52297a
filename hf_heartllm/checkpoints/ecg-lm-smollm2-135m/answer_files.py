"""Files about a checkpoint's answers, which travel with its weights as long as these are the same.

A model keeps what lay beside the weights that it was loaded with, and writes it where it is saved (`save_pretrained`,
`push_to_hub`). A pipeline that is given a model asks for what lies where it came from, and writes what it knows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.utils import logging

from .adapter_checkpoint import ADAPTER_WEIGHTS
from .answer_calibration import CALIBRATION_FILE, AnswerCalibration, read_calibration
from .base_terms import write_base_terms
from .card_files import remember_source, source_of, write_card_files
from .checkpoint_files import file_beside
from .question_understanding import QUESTIONS_FILE, TrainedQuestions, read_trained_questions
from .whole_files import write_whole

ANSWER_FILES = (CALIBRATION_FILE, QUESTIONS_FILE)

logger = logging.get_logger(__name__)


def remember_answer_files(model: Any, source: str | os.PathLike[str] | None, revision: str | None = None) -> None:
    """Keep where a model has just been loaded from, and what lies beside its weights.

    Args:
        model: as it came from `source`.
        source: a folder, or a repository on the Hub; None: nothing is kept.
        revision: of the repository.
    """
    if source is not None:
        remember_source(model, source, revision)
    if source is None or getattr(model, "_hf_peft_config_loaded", False):  # an adapter's folder is not the weights'
        return
    texts = {}
    for name in ANSWER_FILES:
        path = file_beside(source, name, revision)
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


def write_pushed_files(model: Any, folder: str | os.PathLike[str], repo_id: str) -> None:
    """What goes to the Hub beside a model's weights: what is known about their answers, card and licences.

    Raises:
        TermsError: if the licence of a base that is merged into them does not let them go there so.
    """
    write_answer_files(model, folder)
    write_base_terms(model, folder, repo_id)
    source, revision = source_of(model)
    same = (
        bool(source) and file_beside(source, ADAPTER_WEIGHTS, revision) is None
    )  # a card of an adapter is of it alone
    same = same and _has_weights_of(model, source, revision)
    write_card_files(model, folder, repo_id, source, revision, same=same)


def known_beside(
    model: Any, calibration: AnswerCalibration | None, questions: TrainedQuestions | None
) -> tuple[AnswerCalibration | None, TrainedQuestions | None]:
    """What is not given, from where a model was loaded; nothing for a model that was changed since.

    Raises:
        CalibrationError, QuestionsError: if a file is there and cannot be used.
    """
    source, revision = source_of(model)
    if not source or (calibration is not None and questions is not None):
        return calibration, questions
    beside = (calibration or read_calibration(source, revision), questions or read_trained_questions(source, revision))
    if beside == (calibration, questions) or not _has_weights_of(model, source, revision):
        return calibration, questions
    return beside


def write_known(
    folder: str | os.PathLike[str], calibration: AnswerCalibration | None, questions: TrainedQuestions | None
) -> None:
    """Write what is known about answers beside their weights, in place of what lay there."""
    for name, known in ((CALIBRATION_FILE, calibration), (QUESTIONS_FILE, questions)):
        path = Path(folder) / name
        if known is None:
            path.unlink(missing_ok=True)  # that of other weights
        else:
            write_whole(path, json.dumps(known.document(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _has_weights_of(model: Any, source: str | os.PathLike[str], revision: str | None = None) -> bool:
    """Whether a model's weights are those of a checkpoint, each of them, rounded to the model's dtype.

    Args:
        model: a model of torch.
        source: the checkpoint's folder, or its repository on the Hub.
        revision: of the repository.
    """
    from safetensors import safe_open

    if file_beside(source, ADAPTER_WEIGHTS, revision) is not None:  # whole weights are not there to compare
        _, mark = getattr(model, "_answer_files", ({}, None))
        return mark is not None and _weights_mark(model.named_parameters()) == mark
    single, index = "model.safetensors", "model.safetensors.index.json"
    listing = file_beside(source, index, revision)
    names = [single] if listing is None else sorted(set(json.loads(listing.read_text())["weight_map"].values()))
    here = model.state_dict()
    for name in names:
        path = file_beside(source, name, revision)
        if path is None:
            return False
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                own = here.get(key)
                if own is None or list(own.shape) != file.get_slice(key).get_shape():
                    return False
                if not bool((own == file.get_tensor(key).to(own)).all()):
                    return False
    return True


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
