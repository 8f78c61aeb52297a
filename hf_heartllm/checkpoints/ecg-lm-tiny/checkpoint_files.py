"""Where the checkpoint that the package ships lies, and small files that any carries beside its weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
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


def find_checkpoint(name: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """What a name stands for: a folder, else a checkpoint that the package ships, else a repository on the Hub."""
    if Path(name).exists() or os.path.basename(name) != os.fspath(name):
        return name
    folder = Path(__file__).resolve().parents[1] / "checkpoints" / name
    return folder if (folder / "config.json").is_file() else name


def model_type(folder: str | os.PathLike[str]) -> str | None:
    """The `model_type` of a folder's `config.json`; None where it says none that can be read."""
    try:
        found = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(found)


def is_local_name(name: str) -> bool:
    """Whether the name of a model says where a folder lies on this machine, and not a repository."""
    return bool(name) and (Path(name).exists() or os.path.isabs(name) or name.startswith((".", "~")) or "\\" in name)


def without_local_names(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a model, the name of its language model left out where it is a folder of this machine."""
    inner = settings.get("text_config")
    if isinstance(inner, dict) and is_local_name(inner.get("_name_or_path") or ""):
        inner["_name_or_path"] = ""
    return settings


def of_the_hub(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments of `from_pretrained` that say where and how files are fetched."""
    names = ("cache_dir", "force_download", "local_files_only", "token", "revision", "subfolder")
    return {name: options[name] for name in names if options.get(name) is not None}


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
