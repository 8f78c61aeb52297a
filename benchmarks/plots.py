"""Draw the plots of docs/results: each shows the figures of a table on its page, as points with their intervals.

python benchmarks/plots.py          # writes docs/images/results-*.svg
python benchmarks/plots.py --check  # writes nothing; exit code 1 and a line each for what is out of date

A picture names a hash of the figures that it shows, so whether it is up to date is told without drawing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_heartllm.hashes import sha256_of
from hf_heartllm.hub.pivots import Figure, pivot_cells, pivot_settings
from hf_heartllm.models.whole_files import write_whole

ROOT = Path(__file__).resolve().parent.parent
COLOURS = ("#b2182b", "#4d4d4d", "#2166ac", "#e08214")
"""Of the columns in turn: the real ECG is red."""


@dataclass(frozen=True)
class Plot:
    """Which table of a page is drawn, and how.

    Attributes:
        page: below docs/results.
        first: the heading over the rows of its table.
        columns: the columns that are drawn.
        axis: what the values are.
        chance: where a line is drawn, or None.
    """

    page: str
    first: str
    columns: tuple[str, ...]
    axis: str
    chance: float | None = None


CONTROLS = ("real ECG", "another patient's ECG", "no ECG")
PLOTS = {
    "results-questions.svg": Plot(
        "questions.md", "balanced questions", (*CONTROLS, "majority, by age band and sex"), "exact match"
    ),
    "results-findings.svg": Plot("questions.md", "finding", CONTROLS[:2], "AUROC", 0.5),
    "results-corruptions.svg": Plot("corruptions.md", "exact match", CONTROLS[:2], "exact match"),
    "results-ablations.svg": Plot(
        "../protocol.md", "ablation", ("exact match", "AUROC of yes/no", "ROUGE-L of reports"), "fold 9"
    ),
    "results-probes.svg": Plot(
        "codec.md", "AUROC, fold 9", ("codes", "raw signal", "codes of untrained layers"), "AUROC of a probe"
    ),
}


def figures_of(plot: Plot) -> dict[tuple[str, str], Figure]:
    """The figures that a plot shows: row and column → figure.

    Raises:
        ValueError: if its page has no such table, or the table no such column.
    """
    text = (ROOT / "docs" / "results" / plot.page).read_text(encoding="utf-8")
    for settings in pivot_settings(text):
        if settings["first"] == plot.first:
            stored = json.loads((ROOT / "benchmarks" / "results" / settings["file"]).read_text(encoding="utf-8"))
            cells = pivot_cells(stored, settings)
            missing = set(plot.columns) - {column for _, column in cells}
            if missing:
                raise ValueError(f"{plot.page}: the table {plot.first!r} has no column {missing.pop()!r}")
            return {key: figure for key, figure in cells.items() if key[1] in plot.columns}
    raise ValueError(f"{plot.page} has no table {plot.first!r}")


def fingerprint(plot: Plot, figures: Mapping[tuple[str, str], Figure]) -> str:
    """Sixteen hexadecimal digits over what a plot shows."""
    shown: list[Any] = [[*key, figure["value"], figure["interval"]] for key, figure in figures.items()]
    return sha256_of(json.dumps([repr(plot), shown]))[:16]


def draw(plot: Plot, figures: Mapping[tuple[str, str], Figure], path: Path) -> None:
    """Write an SVG whose words are text and which refers to nothing outside of it; equal input gives equal files."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    rows = list(dict.fromkeys(row for row, _ in figures))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "heartllm", "font.size": 9}):
        canvas = Canvas(figsize=(7, 0.8 + 0.22 * len(rows)), layout="constrained")
        axes = canvas.add_subplot()
        for number, column in enumerate(plot.columns):
            places = [place for place, row in enumerate(rows) if (row, column) in figures]
            found = [figures[rows[place], column] for place in places]
            values = [figure["value"] for figure in found]
            ends = [figure["interval"] or [figure["value"]] * 2 for figure in found]
            colour = COLOURS[number]
            axes.hlines(places, [end[0] for end in ends], [end[1] for end in ends], color=colour, linewidth=1.2)
            axes.plot(values, places, "o", color=colour, markersize=4, label=column)
        if plot.chance is not None:
            axes.axvline(plot.chance, color="#bbbbbb", linewidth=0.8, zorder=0)
        axes.set_yticks(range(len(rows)), [row.rstrip("*") for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(f"{plot.axis}, with 95 % intervals")
        axes.grid(axis="x", color="#eeeeee")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        canvas.legend(loc="outside upper center", ncols=len(plot.columns), frameon=False)
        metadata = {"Date": None, "Creator": None, "Description": fingerprint(plot, figures)}
        temporary = path.with_name(f".{path.name}")
        canvas.savefig(temporary, format="svg", metadata=metadata)
    text = re.sub(r"[ \t]+$", "", temporary.read_text(encoding="utf-8"), flags=re.MULTILINE)
    temporary.unlink()
    write_whole(path, text)


def out_of_date() -> list[str]:
    """Names of the pictures that are not there or show other figures than their tables."""
    return [
        name
        for name, plot in PLOTS.items()
        if not (path := ROOT / "docs" / "images" / name).is_file()
        or fingerprint(plot, figures_of(plot)) not in path.read_text(encoding="utf-8")
    ]


def main(argv: list[str] | None = None) -> int:
    """Draw or check. Returns the exit code: 1 for pictures out of date, 2 if there is nothing to draw from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a picture is out of date")
    args = parser.parse_args(argv)
    try:
        old = out_of_date()
        for name in old if args.check else PLOTS:
            if not args.check:
                draw(PLOTS[name], figures_of(PLOTS[name]), ROOT / "docs" / "images" / name)
            print(f"{name}: {'out of date' if args.check else 'written'}")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 1 if args.check and old else 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "plots"))
