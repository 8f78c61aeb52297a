"""What goes to the Hub and what stays, before anything is sent: files, sizes, reasons."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..models.checkpoint_files import is_local_name


class PushError(ValueError, OSError):
    """Something that cannot be pushed, or not so. The message is one line that says what to do."""


@dataclass(frozen=True)
class PushFile:
    """A file of the repository: its path there, and its content, or the file that has it."""

    path: str
    content: bytes | Path

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def read(self) -> bytes:
        """Its content; a link is followed."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass
class PushPlan:
    """What a push writes.

    Attributes:
        what: in words, such as "checkpoint (hf_heartllm)".
        kind: "model" or "dataset", as the Hub divides repositories.
        files: all that go up, by path.
        left_out: what stays, and why.
        notes: what whoever pushes should know.
        replaces: patterns of files that belong to what is pushed: those in the repository that are not among `files`
            are deleted in the same commit, so that no calibration or shard of something older stays.
    """

    what: str
    kind: str
    files: list[PushFile] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    replaces: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)


_TOKEN = re.compile(r"\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|sk-[A-Za-z0-9-]{30,})")
_PATH = re.compile(
    r"(?<![\w/.:~-])(?:(?:/(?:home|Users|root|mnt|media|scratch|tmp|Volumes)|~)/[\w.-]|[A-Za-z]:\\{1,2}\w)"
)
_NAMES_OF_MODELS = ("_name_or_path", "name_or_path", "base_model_name_or_path", "tokenizer_name_or_path")
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt")  # pieces of anything, paths among them
_BINARY = (".safetensors", ".parquet", ".png", ".jpg", ".svg", ".model")


def without_local_folders(content: bytes, base: str | None) -> bytes:
    """A JSON file without the folders of this machine that transformers and peft note as names of models.

    Args:
        content: the file.
        base: the repository of an adapter's base, which stands in their place; None: nothing does.
    """
    try:
        document = json.loads(content)
    except ValueError:
        return content
    changed = False

    def clean(value: Any) -> None:
        nonlocal changed
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            clean(inner)
        for name in _NAMES_OF_MODELS if isinstance(value, dict) else ():
            if isinstance(value.get(name), str) and is_local_name(value[name]):
                value[name] = base if name == "base_model_name_or_path" else ""
                changed = True

    clean(document)
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode() if changed else content


def check_secrets(files: Iterable[PushFile], folder: Path, token: str | None = None) -> None:
    """That no file names a folder of this machine or an access token.

    Args:
        files: all that would go up.
        folder: where they lie.
        token: the access token in use; None: there is none.

    Raises:
        PushError: with the file and the line.
    """
    own = {name for name in (str(folder.resolve()), str(Path.home()), str(Path.cwd())) if len(name) > len("/root")}
    for file in files:
        content = _header(file) if file.path.endswith(".safetensors") else file.read()
        if token and token.encode() in content:
            raise PushError(f"{file.path}: holds your access token; take it out")
        if file.path.endswith(_BINARY) and not file.path.endswith(".safetensors"):
            continue
        pieces = file.path in _VOCABULARIES
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if found := None if pieces else _TOKEN.search(line):
                raise PushError(f"{file.path}, line {number}: an access token ({found[0][:6]}…); take it out")
            code = pieces or file.path.endswith(".py")
            path = next((name for name in own if name + os.sep in line), None) or (None if code else _PATH.search(line))
            if path:
                start = line.find(path) if isinstance(path, str) else path.start()
                shown = line[start : start + 60].strip()
                raise PushError(f"{file.path}, line {number}: names a folder of this machine ({shown!r}); take it out")


def _header(file: PushFile) -> bytes:
    """Names and metadata of a safetensors file."""
    if isinstance(file.content, bytes):
        return file.content[8 : 8 + int.from_bytes(file.content[:8], "little")]
    with open(file.content, "rb") as opened:
        return opened.read(int.from_bytes(opened.read(8), "little"))


def read_text(path: Path) -> str:
    """A text file; "" where it is not there.

    Raises:
        PushError: if it is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        raise PushError(f"{path}: no text in UTF-8") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds a mapping; an empty one where it is not there, or holds something else.

    Raises:
        PushError: if it is no JSON.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PushError(f"{path}: no JSON file ({str(error).splitlines()[0]})") from None
    return found if isinstance(found, dict) else {}


def in_words(size: int) -> str:
    """A size in bytes for readers.

    >>> in_words(999), in_words(7_601_240)
    ('999 B', '7.6 MB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
