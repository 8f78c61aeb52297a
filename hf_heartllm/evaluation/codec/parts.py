"""Parts of an evaluation that are kept once they are whole."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...models.whole_files import write_whole
from ..results import Result


@dataclass(frozen=True)
class Part:
    """What one part of an evaluation gave: figures, and arrays that comparisons need."""

    figures: list[Result] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def folder_name(name: str) -> str:
    """A name as a folder's name: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")


def kept_part(folder: str | Path, name: str, key: dict[str, Any], make: Callable[[], Part]) -> Part:
    """The part that was made with this key before, or a new one, written when it is whole.

    Args:
        folder: for `NAME.json` and `NAME.npz`.
        name: of the part.
        key: all that the part depends on, plain JSON values; with another key it is made anew.
        make: makes it.
    """
    folder = Path(folder)
    facts, arrays = folder / f"{name}.json", folder / f"{name}.npz"
    if facts.is_file() and arrays.is_file():
        kept = json.loads(facts.read_text(encoding="utf-8"))
        if kept["key"] == key:
            figures = [Result.read(row) for row in kept["figures"]]
            with np.load(arrays) as loaded:
                return Part(figures, {item: loaded[item] for item in loaded.files})
    part = make()
    folder.mkdir(parents=True, exist_ok=True)
    facts.unlink(missing_ok=True)  # never the facts of one run beside the arrays of another
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **part.arrays)  # type: ignore[arg-type]
    write_whole(arrays, buffer.getvalue())
    rows = [one.document() for one in part.figures]
    write_whole(facts, json.dumps({"key": key, "figures": rows}, indent=1, ensure_ascii=False) + "\n")
    return part


def table(figures: Iterable[Result]) -> str:
    """The figures as an aligned text table."""
    rows = list(figures)
    width = max((len(one.name) for one in rows), default=0)
    lines = []
    for one in rows:
        interval = f"[{one.interval[0]:.4g}, {one.interval[1]:.4g}]" if one.interval else ""
        lines.append(
            f"{one.name:<{width}}  {one.value:10.4g} {one.unit:<12} {interval:<20} {one.target or ''}".rstrip()
        )
    return "\n".join(lines)
