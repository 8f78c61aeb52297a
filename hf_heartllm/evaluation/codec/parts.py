"""Figures, and parts of an evaluation that are kept once they are whole."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..results import ResultRow, write_whole


@dataclass(frozen=True)
class Figure:
    """One figure of an evaluation.

    Attributes:
        name: what it is.
        value: the figure.
        unit: of value and interval.
        interval: its 95 % interval, or None.
        bar: what it should reach, as text, or None.
        data: what it was measured on, beyond what the whole part was measured on.
    """

    name: str
    value: float
    unit: str
    interval: tuple[float, float] | None = None
    bar: str | None = None
    data: str = ""

    def row(self, *, prefix: str, data: str, command: str, commit: str, machine: str) -> ResultRow:
        """The figure as it stands in git."""
        interval = None if self.interval is None else (round(self.interval[0], 5), round(self.interval[1], 5))
        if interval is not None and math.isnan(interval[0] + interval[1]):
            interval = None  # as with one patient
        return ResultRow(
            name=f"{prefix}{self.name}",
            value=round(self.value, 5),
            interval=interval,
            bar=self.bar,
            unit=self.unit,
            data="; ".join(text for text in (data, self.data) if text),
            command=command,
            commit=commit,
            machine=machine,
        )


@dataclass(frozen=True)
class Part:
    """What one part of an evaluation gave: figures, and arrays that comparisons need."""

    figures: list[Figure] = field(default_factory=list)
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
            figures = [
                Figure(**{**row, "interval": row["interval"] and tuple(row["interval"])}) for row in kept["figures"]
            ]
            with np.load(arrays) as loaded:
                return Part(figures, {item: loaded[item] for item in loaded.files})
    part = make()
    folder.mkdir(parents=True, exist_ok=True)
    facts.unlink(missing_ok=True)  # never the facts of one run beside the arrays of another
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **part.arrays)  # type: ignore[arg-type]
    write_whole(arrays, buffer.getvalue())
    rows = [asdict(figure) for figure in part.figures]
    write_whole(facts, json.dumps({"key": key, "figures": rows}, indent=1, ensure_ascii=False) + "\n")
    return part


def table(figures: Iterable[Figure]) -> str:
    """The figures as an aligned text table."""
    rows = list(figures)
    width = max((len(figure.name) for figure in rows), default=0)
    lines = []
    for figure in rows:
        known = figure.interval is not None and not math.isnan(sum(figure.interval))
        interval = f"[{figure.interval[0]:.4g}, {figure.interval[1]:.4g}]" if figure.interval and known else ""
        lines.append(
            f"{figure.name:<{width}}  {figure.value:10.4g} {figure.unit:<12} {interval:<20} {figure.bar or ''}".rstrip()
        )
    return "\n".join(lines)
