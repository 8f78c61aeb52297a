"""The reliability plot and the risk–coverage curve."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..models.notice import NOTICE
from ..models.whole_files import written_whole
from .confidence import ReliabilityBin, RiskCoverage

DOTS_PER_INCH = 160


def new_axes(title: str = "", size: tuple[float, float] = (4.5, 4.5)) -> tuple[Any, Any]:
    """A figure and its axes, without pyplot's state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def save_figure(figure: Any, path: str | os.PathLike[str], note: str | None = None) -> Path:
    """Write the picture whole, undated: equal input, equal file. Its format follows the ending of the name.

    Args:
        figure: of matplotlib.
        path: of the picture to write.
        note: kept in a PNG, such as a hash of what is shown.
    """
    from matplotlib import rc_context

    target, kind = Path(path), Path(path).suffix.lower().removeprefix(".")
    dated: dict[str, Any] = {"CreationDate": None} if kind == "pdf" else {"Description": NOTICE}
    if kind == "svg":
        dated["Date"] = None
    if kind == "png" and note is not None:
        dated["Comment"] = note
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as temporary, rc_context({"svg.hashsalt": "hf_heartllm"}):  # else its ids are random
        figure.savefig(temporary, format=kind, dpi=DOTS_PER_INCH, metadata=dated)
    return target


def plot_reliability(
    tables: Mapping[str, Sequence[ReliabilityBin]],
    path: str | os.PathLike[str],
    title: str = "Reliability",
    note: str | None = None,
) -> None:
    """Draw accuracy over confidence, one line a table (such as "before" and "after"), with the share of each bin below.

    Args:
        tables: from `confidence.reliability`, by their name in the legend.
        path: of the picture to write (.png, .svg, .pdf).
        title: above it.
        note: as of `save_figure`.
    """
    figure, axes = new_axes(title)
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="as sure as right")
    for name, table in tables.items():
        known = [row for row in table if row.weight > 0]
        line = axes.plot([row.confidence for row in known], [row.accuracy for row in known], marker="o", label=name)[0]
        width = [row.high - row.low for row in table]
        middle = [(row.high + row.low) / 2 for row in table]
        axes.bar(middle, [row.weight for row in table], width, color=line.get_color(), alpha=0.2)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share of right answers (bars: share of answers)")
    axes.legend(loc="upper left")
    save_figure(figure, path, note)


def plot_risk_coverage(
    curves: Mapping[str, RiskCoverage],
    path: str | os.PathLike[str],
    title: str = "Risk and coverage",
    note: str | None = None,
) -> None:
    """Draw the share of wrong answers over the share of questions answered, one line a curve.

    Args:
        curves: from `confidence.risk_coverage`, by their name in the legend.
        path: of the picture to write.
        title: above it.
        note: as of `save_figure`.
    """
    figure, axes = new_axes(title)
    for name, curve in curves.items():
        axes.step(curve.coverage, curve.risk, where="pre", label=f"{name} (area {curve.area:.3f})")
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="share of questions answered", ylabel="share of wrong answers")
    axes.legend()
    save_figure(figure, path, note)
