"""Measured figures as tables with one row for each kind of question and one column for each control.

In a Markdown text an HTML comment says what a table shows, in TOML; the table stands behind it and is made anew each
time, between the comment and ``<!-- /pivot -->``:

    <!-- pivot
    file = "evaluation.json"
    name = "qa, heartllm-tiny: exact match, {row}, {column}"
    first = "questions"
    [rows]
    "all" = "all balanced questions"
    [columns]
    "real ECG" = "real ECG"
    "difference" = "real ECG − another patient's ECG"
    -->
    <!-- /pivot -->

Keys: `file` in the folder of results; `name`, a pattern for a figure's name (`*` is anything); `rows` and `columns`,
heading → what stands for ``{row}`` and ``{column}`` (a list where both are the same); `first`, the heading over the
rows. Optional: `intervals`, the headings of the columns that have them (all by default); `units` and `targets` (false
by default: units behind the numbers, a last column with what is aimed at); `data`, words instead of the file's own.
"""

from __future__ import annotations

import json
import math
import operator
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

_MARK = re.compile(r"<!-- pivot\n(.*?)\n-->\n(.*?)<!-- /pivot -->", re.DOTALL)
_KEYS = {"file", "name", "first", "rows", "columns", "intervals", "units", "targets", "data"}
_TARGET = re.compile(r"(interval )?(>=|<=|>|<) *(-?[\d.]+)")
_HOLDS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_WORDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}

Figure = Mapping[str, Any]
"""One figure of a results file: name, value, interval, unit, data, command, commit, machine and what is aimed at."""


def render_pivots(text: str, results_dir: str | os.PathLike[str]) -> str:
    """Fill the pivot marks of a Markdown text anew; a text without marks comes back as it is.

    Raises:
        FileNotFoundError: if a mark names a file that is not there.
        ValueError: if a mark is not closed, is no TOML, has a key that is not known, or a row or a column without any
            figure; the message names the line of the mark.
    """
    if text.count("<!-- pivot") != len(_MARK.findall(text)) or text.count("<!-- /pivot") != len(_MARK.findall(text)):
        raise ValueError("a pivot mark is not closed by <!-- /pivot -->")

    def table(match: re.Match[str]) -> str:
        line = text.count("\n", 0, match.start()) + 1
        try:
            settings = tomllib.loads(match[1])
            unknown = sorted(set(settings) - _KEYS)
            if unknown:
                raise ValueError(f"{unknown[0]!r} is no key of a pivot: {', '.join(sorted(_KEYS))}")
            figures = json.loads((Path(results_dir) / settings["file"]).read_text(encoding="utf-8"))
            return f"<!-- pivot\n{match[1]}\n-->\n\n{pivot_table(figures, settings)}\n<!-- /pivot -->"
        except KeyError as error:
            raise ValueError(f"line {line}: the pivot has no key {error}") from error
        except ValueError as error:
            raise ValueError(f"line {line}: {error}") from error

    return _MARK.sub(table, text)


def pivot_table(figures: Sequence[Figure], settings: Mapping[str, Any]) -> str:
    """One table in Markdown, and below it on what its figures were measured and by which command.

    Raises:
        ValueError: if a row or a column has no figure, or a name stands for several.
    """
    rows, columns = _named(settings["rows"]), _named(settings["columns"])
    cells: dict[tuple[str, str], Figure] = {}
    for row, in_row in rows.items():
        for column, in_column in columns.items():
            found = _find(figures, settings["name"].replace("{row}", in_row).replace("{column}", in_column))
            if found is not None:
                cells[row, column] = found
    for kind, place, headings in (("row", 0, rows), ("column", 1, columns)):
        for heading in headings:
            if not any(key[place] == heading for key in cells):
                raise ValueError(f"{settings['file']} has no figure for the {kind} {heading!r}")

    with_interval = settings.get("intervals", list(columns))
    wrong = sorted(set(with_interval) - set(columns))
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no column")
    shared, rests = _data_of(rows, cells)
    if "data" in settings:
        shared, rests = settings["data"], {}
    body = []
    for row in rows:
        line = [row]
        for column in columns:
            figure = cells.get((row, column))
            line.append("–" if figure is None else _cell(figure, column in with_interval, settings.get("units", False)))
        if settings.get("targets"):
            line.append("; ".join(filter(None, (_target(cells[row, c]) for c in columns if (row, c) in cells))))
        if rests:
            line.append(rests[row])
        body.append(line)

    head = [settings["first"], *columns]
    head += ["target"] if settings.get("targets") else []
    head += ["measured on"] if rests else []
    align = ["---", *["---:"] * len(columns), *["---"] * (len(head) - 1 - len(columns))]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in (head, *body)]
    lines.insert(1, "|" + "|".join(align) + "|")
    return "\n".join([*lines, "", _below(cells.values(), shared, bool(with_interval))])


def _named(given: Mapping[str, str] | Sequence[str]) -> Mapping[str, str]:
    return given if isinstance(given, Mapping) else {name: name for name in given}


def _find(figures: Sequence[Figure], pattern: str) -> Figure | None:
    wanted = re.compile(".*?".join(map(re.escape, pattern.split("*"))))
    found = [figure for figure in figures if wanted.fullmatch(figure["name"])]
    if len(found) > 1:
        raise ValueError(f"{pattern!r} stands for several figures: {found[0]['name']!r}, {found[1]['name']!r}")
    return found[0] if found else None


def _cell(figure: Figure, with_interval: bool, with_unit: bool) -> str:
    unit = figure["unit"]
    text = number(figure["value"], unit)
    if with_unit and not unit.startswith("fraction"):
        text = f"{text} {unit}".rstrip()
    if with_interval and figure["interval"] is not None:
        text += f" ({' to '.join(number(end, unit) for end in figure['interval'])})"
    return text


def number(value: float, unit: str) -> str:
    """A figure for readers: fractions with three decimals, whole numbers whole, others with three digits or more."""
    if unit.startswith("fraction") or unit == "AUROC":
        return f"{value:.3f}"
    if not math.isfinite(value) or value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _target(figure: Figure) -> str:
    stated = figure.get("target") or figure.get("bar") or ""
    match = _TARGET.fullmatch(stated)
    if match is None:
        return stated
    held = figure["interval"] if match[1] and figure["interval"] is not None else [figure["value"]]
    met = all(_HOLDS[match[2]](value, float(match[3])) for value in held)
    return f"{match[1] or ''}{_WORDS[match[2]]} {float(match[3]):g}: {'met' if met else '**not met**'}"


def _data_of(rows: Mapping[str, str], cells: Mapping[tuple[str, str], Figure]) -> tuple[str, dict[str, str]]:
    """What all figures were measured on, and what stands beside it for each row where rows differ."""
    parts = {key: figure["data"].split("; ") for key, figure in cells.items()}
    same = takewhile(lambda beside: len(set(beside)) == 1, zip(*parts.values()))
    shared = [beside[0] for beside in same]
    rests = {
        row: " / ".join(dict.fromkeys("; ".join(part[len(shared) :]) for key, part in parts.items() if key[0] == row))
        for row in rows
    }
    return "; ".join(shared), rests if any(rests.values()) else {}


def _below(figures: Any, shared: str, with_intervals: bool) -> str:
    figures = list(figures)
    said = []
    if with_intervals and any(figure["interval"] is not None for figure in figures):
        said.append("In brackets: 95 % intervals.")
    if shared:
        said.append(f"Data: {shared}.")
    for command, commit, machine in dict.fromkeys((f["command"], f["commit"], f["machine"]) for f in figures):
        cores = re.sub(r"\b1 CPU cores", "1 CPU core", machine)
        said.append(f"Measured by `{command}` at commit `{commit[:12]}`, {cores}.")
    return "\n".join(said)
