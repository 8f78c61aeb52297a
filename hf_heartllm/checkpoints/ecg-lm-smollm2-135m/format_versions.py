"""Versions of what a checkpoint's files say, and of the libraries that the code in it needs. Both are one line.

This file travels with the code that asks it, so a checkpoint that is read by older code says what to upgrade, and code
that came with a checkpoint says what is missing where it runs.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

NEEDED = {"transformers": "5.20", "torch": "2.6", "tokenizers": "0.23.1"}
"""The oldest versions that this code runs with, as in the package's own requirements."""


class FormatVersionError(ValueError):
    """A file is of a version that this code does not read; the message is one line."""


def check_format_version(
    what: str, version: Any, newest: int, where: str | None = None, *, brings_code: bool = True
) -> int:
    """The version of a file, where this code reads it.

    Args:
        what: the file, in words: `"ECG codec"`.
        version: what it says; None: it was written before files said so, and is of version 1.
        newest: the newest that this code reads.
        where: the module that asks, `__name__`; from a checkpoint's own code something else is upgraded.
        brings_code: whether the file lies in a checkpoint, which may bring the code that reads it.

    Raises:
        FormatVersionError: if it is newer, or no version.

    Examples:
        >>> check_format_version("ECG codec", 2, newest=3)
        2
    """
    if version is None:
        return 1
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise FormatVersionError(f"the format version of this {what} is a whole number from 1, not {version!r:.60}")
    if version > newest:
        do = "pip install --upgrade hf_heartllm"
        if (where or "").startswith("transformers_modules."):
            do = "the code beside it is older than its files; take both of one revision"
        elif brings_code:
            do += ", or load it with its own code, trust_remote_code=True"
        raise FormatVersionError(f"this {what} has format version {version}, and this code reads up to {newest}: {do}")
    return version


def check_libraries() -> None:
    """That the libraries which are installed are new enough for this code.

    Raises:
        ImportError: if one is too old; the message names it and the version that is needed.
    """
    for name, least in NEEDED.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # what is missing altogether is named by the import of it
        if _numbers(installed) < _numbers(least):
            raise ImportError(
                f"this code needs {name} {least} or newer, and {installed} is installed: pip install --upgrade "
                f"'{name}>={least}'"
            )


def _numbers(version: str) -> tuple[int, ...]:
    """`2.13.0+cpu` → (2, 13, 0)."""
    found = re.match(r"\d+(\.\d+)*", version)
    parts = [] if found is None else [int(part) for part in found[0].split(".")]
    return (*parts, *[0] * (3 - len(parts)))


check_libraries()
