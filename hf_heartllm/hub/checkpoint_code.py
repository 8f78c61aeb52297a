"""The code that travels with a checkpoint: the files that its settings name, and those that these import."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..models.whole_files import write_whole
from .push_plan import read_json, read_text

MODELS = Path(__file__).resolve().parents[1] / "models"
"""Where the package has the code of all checkpoints."""

SETTINGS = (
    "config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "codec/config.json",
)


ENDPOINT = "handler.py"
"""What Inference Endpoints look for by its name; it starts the checkpoint's pipelines."""


def code_named(folder: Path) -> list[tuple[str, str]]:
    """The modules that a checkpoint's settings name for transformers (`auto_map`, `custom_pipelines`).

    Args:
        folder: of the checkpoint.

    Returns:
        The file of settings, and the module's name, of each; those of another repository are not among them.

    Raises:
        PushError: if a file of settings is no JSON.
    """
    named = []
    for name in SETTINGS:
        settings = read_json(folder / name)
        entries = [settings.get("auto_map"), *_implementations(settings.get("custom_pipelines"))]
        named += [(name, text.partition(".")[0]) for text in _texts(entries) if text and "--" not in text]
    return named


def reached_code(folder: Path, code: Path | None = None) -> list[Path]:
    """The files of code that a checkpoint needs, sorted.

    Args:
        folder: of the checkpoint.
        code: where its code is looked for; None: in the same folder.

    Raises:
        FileNotFoundError: if one is not there.
    """
    code = folder if code is None else code
    left, found = code_named(folder), set[Path]()
    if read_json(folder / "config.json").get("custom_pipelines") and (code / ENDPOINT).is_file():
        left.append(("config.json", Path(ENDPOINT).stem))
    while left:
        where, module = left.pop()
        path = code / f"{module}.py"
        if path in found:
            continue
        if not path.is_file():
            raise FileNotFoundError(f"{where} needs {module}.py, which is not there")
        found.add(path)
        # transformers finds what else it has to fetch by lines such as this one, wherever they stand in a file
        imported = re.findall(r"^\s*from \.(\w+) import", read_text(path), re.MULTILINE)
        left += [(path.name, name) for name in imported]
    return sorted(found)


def write_code(folder: Path, code: Path = MODELS) -> list[str]:
    """Have exactly the code that a checkpoint needs lie beside it, as files.

    Args:
        folder: of the checkpoint.
        code: where the files are copied from.

    Returns:
        The names of the files that were written or removed, sorted.

    Raises:
        FileNotFoundError: if one that is needed is not in `code`.
    """
    needed = {file.name: file for file in reached_code(folder, code)}
    changed = []
    for path in list(folder.glob("*.py")):
        if path.name not in needed or path.is_symlink():
            path.unlink()
            changed.append(path.name)
    for name, file in needed.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != file.read_bytes():
            write_whole(path, file.read_bytes())
            changed.append(name)
    return sorted(set(changed))


def _implementations(pipelines: Any) -> Iterator[Any]:
    for entry in pipelines.values() if isinstance(pipelines, dict) else ():
        yield entry.get("impl") if isinstance(entry, dict) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
