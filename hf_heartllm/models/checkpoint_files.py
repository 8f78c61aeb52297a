"""Where the checkpoint that the package ships lies, and small files that any carries beside its weights."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

EMBEDDED = "heartllm-tiny"
"""The name of the checkpoint that the package ships."""


def default_checkpoint() -> Path:
    """The folder of the checkpoint that the package ships.

    Raises:
        FileNotFoundError: if it is not beside this code, as when the code came with a checkpoint of its own.
    """
    folder = Path(__file__).resolve().parents[1] / "checkpoints" / EMBEDDED
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder}: no embedded checkpoint there; name a model folder or a Hub repository")
    return folder


def file_beside(source: str | os.PathLike[str], name: str, revision: str | None = None) -> Path | None:
    """Where a checkpoint's file lies; None where it has none of that name, or the Hub cannot be asked.

    Args:
        source: the checkpoint's folder, or its repository on the Hub.
        name: of the file.
        revision: of the repository; None: its main one.
    """
    path: str | Path | None = Path(source) / name
    if not Path(source).is_dir():
        from transformers.utils import cached_file

        path = cached_file(
            os.fspath(source),
            name,
            revision=revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    return Path(path) if path is not None and Path(path).is_file() else None


def has_weights_of(model: Any, source: str | os.PathLike[str], revision: str | None = None) -> bool:
    """Whether a model's weights are those of a checkpoint, each of them, rounded to the model's dtype.

    Args:
        model: a model of torch.
        source: the checkpoint's folder, or its repository on the Hub.
        revision: of the repository.
    """
    from safetensors import safe_open

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
