"""Partial results of a long run, one line of JSON each, from which a broken-off run goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..hashes import sha256_of
from ..models.whole_files import write_whole


def run_mark(*what: Any) -> str:
    """Sixteen hexadecimal digits that name a run by all that its results depend on (their `repr`)."""
    return sha256_of(repr(what))[:16]


class PartialResults:
    """A file of lines that is open for more.

    Args:
        path: of the file; its first line names the run.
        mark: names the run (`run_mark`).

    Attributes:
        lines: what the file held when it was opened.

    Raises:
        ValueError: if the file holds results of another run.
    """

    def __init__(self, path: str | os.PathLike[str], mark: str) -> None:
        self.path, self._mark = Path(path), mark
        self.lines: list[dict[str, Any]] = self._read()
        self._file: IO[str] | None = None

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8")
        complete, newline, cut = text.rpartition("\n")
        if cut:  # a line that a broken-off run did not finish
            write_whole(self.path, complete + newline)
        lines = [json.loads(line) for line in complete.splitlines()]
        if lines and lines[0].get("run") != self._mark:
            raise ValueError(
                f"{self.path}: partial results of another model, other questions or another seed; give a new folder"
            )
        return lines[1:]

    def __enter__(self) -> PartialResults:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a", encoding="utf-8")
        if self._file.tell() == 0:
            self.append({"run": self._mark})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, line: dict[str, Any]) -> None:
        """Write one more line, at once."""
        assert self._file is not None
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
