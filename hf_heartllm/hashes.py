"""SHA-256 of what a result depends on, as hexadecimal digits; where a short name is enough, their first 16."""

from __future__ import annotations

import hashlib
import os


def sha256_of(content: str | bytes) -> str:
    """Of a text, as UTF-8, or of bytes: 64 digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Of a file's content: 64 digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
