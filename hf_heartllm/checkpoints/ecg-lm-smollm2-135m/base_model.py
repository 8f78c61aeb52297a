"""The language model that an adapter was trained on: which it is, where it may lie, and whether it is the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.utils import cached_file

BASE_VARIABLE = "HEARTLLM_BASE"
"""Environment variable that names a base's folder."""

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"


class BaseModelError(ValueError, OSError):
    """The base of an adapter is not there, or is another one. The message is one line that says what to do."""


@dataclass(frozen=True)
class BaseModel:
    """The language model that an adapter belongs to.

    Attributes:
        name: its repository on the Hub.
        revision: the commit there; None: not known.
        sha256: of the weights that the adapter was trained on (`weights_sha256`), which need not be those of the Hub.
        source: how to get these weights, in words; None: they are the Hub's.
    """

    name: str
    sha256: str
    revision: str | None = None
    source: str | None = None

    def document(self) -> dict[str, Any]:
        """As `config.json` holds it."""
        return asdict(self)


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of named weights, the same for every order, file format and dtype that holds the same values.

    Args:
        tensors: name → weight; those that are tied to another stand there once.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name} {tuple(value.shape)}\n".encode())
        digest.update(value.numpy().data.cast("B") if value.numel() else b"")
    return digest.hexdigest()


def model_sha256(model: Any) -> str:
    """`weights_sha256` of a loaded model, without the output matrix where it is tied to the input's."""
    return weights_sha256(dict(model.named_parameters()))


def find_base(wanted: BaseModel, given: Any = None, any_base: bool = False, **options: Any) -> str:
    """Where the weights of a base lie.

    Looked for in this order: what is given, the folder that `HEARTLLM_BASE` names, the Hub's cache, the folder that
    `make base` writes (in the working folder, and in the clone that this code is in), the Hub.

    Args:
        wanted: the base.
        given: its folder or a repository on the Hub; nothing else is looked at then.
        any_base: whether other weights are taken too.
        **options: `cache_dir`, `token`, `local_files_only`, as of any `from_pretrained`.

    Returns:
        A folder.

    Raises:
        BaseModelError: if it is nowhere, or what is there has other weights.
    """
    others: list[str] = []
    for place, folder in _places(wanted, given, options):
        if folder is None:
            continue
        if any_base or folder_sha256(folder) == wanted.sha256:
            return os.fspath(folder)
        others.append(place)
    how = f"{wanted.source or 'download it'}, or name its folder as base_model=… or in {BASE_VARIABLE}"
    if others:
        raise BaseModelError(
            f"{others[0]}: these are not the weights that the adapter was trained on ({wanted.name}, sha256 "
            f"{wanted.sha256[:12]}…); {how}; any_base=True goes on with other weights, and answers then differ"
        )
    if given is not None:
        raise BaseModelError(f"{given}: no language model there; {how}")
    raise BaseModelError(f"the base {wanted.name} is not on this machine and the Hub cannot be reached: {how}")


def _places(wanted: BaseModel, given: Any, options: Mapping[str, Any]) -> Iterator[tuple[str, Path | None]]:
    """What the places are called, and the folders, if any, that they have."""
    if given is not None:
        yield os.fspath(given), _folder_of(os.fspath(given), options)
        return
    if named := os.environ.get(BASE_VARIABLE):
        yield f"{BASE_VARIABLE}={named}", _folder_of(named, {**options, "local_files_only": True})
    yield f"{wanted.name} in the Hub's cache", _folder_of(wanted.name, {**options, "local_files_only": True}, wanted)
    made = Path("build") / wanted.name.rpartition("/")[2].lower()
    for parent in (Path(), Path(__file__).resolve().parents[2]):
        yield os.fspath(parent / made), _folder_of(os.fspath(parent / made), {**options, "local_files_only": True})
    if not options.get("local_files_only"):
        yield f"{wanted.name} on the Hub", _folder_of(wanted.name, options, wanted)


def _folder_of(source: str, options: Mapping[str, Any], wanted: BaseModel | None = None) -> Path | None:
    """The folder of a model's weights; None where there are none."""
    if Path(source).is_dir():
        return Path(source) if any((Path(source) / name).is_file() for name in (_WEIGHTS, _INDEX)) else None
    if source.count("/") > 1 or source.startswith((".", "/")) or (wanted is None and not source.count("/")):
        return None
    found: str | None = None
    for name in ("config.json", _WEIGHTS):
        try:
            found = cached_file(
                source,
                name,
                revision=wanted.revision if wanted else None,
                _raise_exceptions_for_gated_repo=False,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_connection_errors=False,
                **{key: value for key, value in options.items() if key in ("cache_dir", "token", "local_files_only")},
            )
        except (OSError, ValueError):  # no such repository, or a name that can be none
            return None
        if found is None:
            return None
    return Path(found).parent if found else None


def folder_sha256(folder: str | os.PathLike[str]) -> str:
    """`weights_sha256` of the safetensors files in a folder."""
    from safetensors.torch import load_file

    folder = Path(folder)
    index = folder / _INDEX
    names = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.is_file() else [_WEIGHTS]
    tensors: dict[str, Tensor] = {}
    for name in names:
        tensors |= load_file(folder / name)
    if json.loads((folder / "config.json").read_text()).get("tie_word_embeddings", True):
        tensors.pop("lm_head.weight", None)
    return weights_sha256(tensors)


__all__ = [
    "BASE_VARIABLE",
    "BaseModel",
    "BaseModelError",
    "find_base",
    "folder_sha256",
    "model_sha256",
    "weights_sha256",
]
