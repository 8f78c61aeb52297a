"""A checkpoint's folder or repository → its answerer. A new system is one line in `SYSTEMS`."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..models.ecg_answerer import Answerer

SYSTEMS = {
    "hf_heartllm": ("modeling_heartllm.HeartLLMForCausalLM", "tokenization_heartllm.ECGTokenizer"),
    "hf_ecg_lm": ("modeling_ecg_lm.ECGLMForCausalLM", "processing_ecg_lm.ECGLMProcessor"),
}
"""`model_type` → the model's class and that of what reads ECGs for it (which has `answerer(model)`), in `models`."""


def load_answerer(source: str | os.PathLike[str] | None = None, device: str = "cpu", dtype: Any = None) -> Answerer:
    """Load a checkpoint as a model that answers prompts.

    Args:
        source: its folder, the name of an embedded checkpoint, or a repository on the Hub; None: heartllm-tiny.
        device: where it runs.
        dtype: of the weights; None: as saved.

    Raises:
        OSError: if there is no checkpoint.
        ValueError: if it is of a system that reads no ECGs.

    Examples:
        >>> from hf_heartllm.inference import Prompt
        >>> answerer = load_answerer()
        >>> scores = answerer.score([Prompt(None, "Does this ECG show atrial fibrillation?")], [("yes", "no")])
        >>> scores[0].answers
        ('yes', 'no')
    """
    from transformers import AutoConfig

    from ..checkpoints import checkpoint
    from ..models.checkpoint_files import find_checkpoint

    folder = checkpoint() if source is None else find_checkpoint(source)
    kind = AutoConfig.from_pretrained(folder).model_type
    if kind not in SYSTEMS:
        raise ValueError(f"{folder}: a model of type {kind!r} reads no ECGs; those that do are {', '.join(SYSTEMS)}")
    of_model, of_reader = (_class(name) for name in SYSTEMS[kind])
    options = {} if dtype is None else {"dtype": dtype}
    model = of_model.from_pretrained(folder, **options).to(device)
    answerer: Answerer = of_reader.from_pretrained(folder).answerer(model)
    return answerer


def _class(name: str) -> Any:
    module, _, of_module = name.partition(".")
    return getattr(importlib.import_module(f"hf_heartllm.models.{module}"), of_module)


def checkpoint_name(folder: str | os.PathLike[str]) -> str:
    """The folder's name; `RUN/model`, as training writes it, is called RUN.

    >>> checkpoint_name("build/run-3/model")
    'run-3'
    """
    path = Path(folder)
    return path.parent.name if path.name == "model" and path.parent.name else path.name
