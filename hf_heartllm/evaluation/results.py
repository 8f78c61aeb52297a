"""Measured figures as they stand in git: `benchmarks/results/<topic>.json`, written by what measured them."""

from __future__ import annotations

import json
import math
import operator
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..models.whole_files import write_whole
from .intervals import Interval, Resampled

MODEL_LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")
METRIC_LIBRARIES = ("numpy", "nltk", "rouge", "rouge-score", "sacrebleu")
"""What figures of a checkpoint, and figures of a file, depend on."""

_TARGET = re.compile(r"(>=|<=|>|<) *(-?[\d.]+)")
_COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


@dataclass(frozen=True)
class Result:
    """One measured figure.

    Attributes:
        name: what was measured; unique within its file.
        value: the figure.
        interval: lower and upper end of its 95 % interval, or None.
        target: what it should reach, as text (`">= 0.95"`), or None.
        unit: of value and interval, such as `"fraction"` or `"tokens/s"`.
        data: on what it was measured, with the number of rows.
        command: the command that measured it.
        commit: of the code when measured.
        machine: in general words (`"2 CPU cores"`), never a name.
    """

    name: str
    value: float
    interval: tuple[float, float] | None = None
    target: str | None = None
    unit: str = "fraction"
    data: str = ""
    command: str = ""
    commit: str = ""
    machine: str = ""

    @classmethod
    def of(cls, name: str, found: Interval | Resampled, **more: Any) -> Result:
        """An estimate; without interval where it has none."""
        found = found.interval() if isinstance(found, Resampled) else found
        known = not math.isnan(found.low)
        return cls(name, found.value, (found.low, found.high) if known else None, **more)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Result:
        """From its `document`; files of before have "bar" for "target"."""
        known = {"target" if name == "bar" else name: value for name, value in row.items()}
        return cls(**{**known, "interval": known["interval"] and tuple(known["interval"])})

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def rounded(self, decimals: int) -> Result:
        """With value and interval of so many decimals."""
        ends = self.interval and (round(self.interval[0], decimals), round(self.interval[1], decimals))
        return replace(self, value=round(self.value, decimals), interval=ends)


def meets_target(row: Result) -> bool | None:
    """Whether a figure reaches its target, by the unrounded value; None without one that can be computed.

    A target such as `">= 0.95"` is about the value, `"interval > 0"` about the whole interval.
    """
    about_interval = (row.target or "").startswith("interval")
    match = _TARGET.fullmatch((row.target or "").removeprefix("interval").strip())
    if match is None or (about_interval and row.interval is None):
        return None
    values = row.interval if about_interval and row.interval is not None else (row.value,)
    return all(_COMPARISONS[match[1]](value, float(match[2])) for value in values)


def current_commit(folder: str | os.PathLike[str] | None = None) -> str:
    """The commit checked out in `folder` (here by default); `-dirty` if tracked files differ; `unknown` without git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude", "*", "--dirty"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def library_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Our version, Python's and the libraries'; None for one that is not installed."""
    found: dict[str, str | None] = {"hf_heartllm": __version__, "python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def machine_words() -> str:
    """This machine in general words: CPU cores, and the accelerator's model where torch sees one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = f"{cores} CPU core{'s' * (cores != 1)}"
    import torch

    if torch.cuda.is_available():
        words += f", {torch.cuda.device_count()} GPU ({torch.cuda.get_device_name(0)})"
    return words


def read_results(path: str | os.PathLike[str]) -> list[Result]:
    """The rows of a results file, in its order."""
    rows = json.loads(Path(path).read_text(encoding="utf-8"))
    return [Result.read(row) for row in rows]


def write_results(path: str | os.PathLike[str], rows: Iterable[Result]) -> None:
    """Write rows into a results file: a row of the same name is replaced in its place, others stay, new ones follow.

    Raises:
        ValueError: if two of the new rows have one name.
    """
    new = list(rows)
    if len({row.name for row in new}) != len(new):
        raise ValueError("two result rows have the same name")
    merged = {row.name: row for row in read_results(path)} if Path(path).exists() else {}
    merged.update({row.name: row for row in new})
    write_whole(path, json.dumps([row.document() for row in merged.values()], indent=1, ensure_ascii=False) + "\n")
