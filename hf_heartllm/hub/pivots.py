"""Measured figures as tables with one row for each kind of question and one column for each control.

In a Markdown text an HTML comment says what a table shows, in TOML; the table stands behind it and is made anew each
time, between the comment and ``<!-- /pivot -->``:

    <!-- pivot
    file = "evaluation.json"
    name = "qa, heartllm-tiny: exact match, @row, @column"
    first = "questions"
    [rows]
    "all" = "all balanced questions"
    [columns]
    "real ECG" = "real ECG"
    "difference" = "real ECG − another patient's ECG"
    -->
    <!-- /pivot -->

Keys: `file` in the folder of results; `name`, a pattern for a figure's name (`*` is anything); `rows` and `columns`,
heading → what stands for ``@row`` and ``@column`` (a list where both are the same; a ``*`` in the heading of a row is
what the first one in the name is); `first`, the heading over the rows. Optional: `intervals`, the headings of the
columns that have them (all by default); `brackets`, what they are where they are no 95 % intervals; `units` and
`targets` (false by default: units behind the numbers, a last column with what is aimed at); `data`, words instead of
the file's own.

Below a table stands on what its figures were measured and by which command. A page with many tables says this once:
where it has ``<!-- sources -->`` and ``<!-- /sources -->``, the sources of all its tables stand there instead.
"""

from __future__ import annotations

import json
import math
import operator
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

_MARK = re.compile(r"<!-- pivot\n(.*?)\n-->\n(.*?)<!-- /pivot -->", re.DOTALL)
_SOURCES = re.compile(r"<!-- sources -->\n(.*?)<!-- /sources -->", re.DOTALL)
_KEYS = {"file", "name", "first", "rows", "columns", "intervals", "brackets", "units", "targets", "data"}
_TARGET = re.compile(r"(interval )?(>=|<=|>|<|reaches) *(-?[\d.]+)")
_HOLDS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_WORDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than", "reaches": "reaches"}

Figure = Mapping[str, Any]
"""One figure of a results file: name, value, interval, unit, data, command, commit, machine and what is aimed at."""


def render_pivots(text: str, results_dir: str | os.PathLike[str]) -> str:
    """Fill the pivot marks of a Markdown text anew; a text without marks comes back as it is.

    Raises:
        FileNotFoundError: if a mark names a file that is not there.
        ValueError: if a mark is not closed, is no TOML, has a key that is not known, or a row or a column without any
            figure; the message names the line of the mark.
    """
    for mark, whole in (("pivot", _MARK), ("sources", _SOURCES)):
        found = len(whole.findall(text))
        if text.count(f"<!-- {mark}") != found or text.count(f"<!-- /{mark} -->") != found:
            raise ValueError(f"a mark of {mark} is not closed by <!-- /{mark} -->")
    once = _SOURCES.search(text) is not None
    shown: list[Figure] = []

    @cache
    def figures_of(file: str) -> Sequence[Figure]:
        found: list[Figure] = json.loads((Path(results_dir) / file).read_text(encoding="utf-8"))
        return found

    def table(match: re.Match[str]) -> str:
        line = text.count("\n", 0, match.start()) + 1
        try:
            settings = tomllib.loads(match[1])
            unknown = sorted(set(settings) - _KEYS)
            if unknown:
                raise ValueError(f"{unknown[0]!r} is no key of a pivot: {', '.join(sorted(_KEYS))}")
            body, below, used = pivot_table(figures_of(settings["file"]), settings)
        except KeyError as error:
            raise ValueError(f"line {line}: the pivot has no key {error}") from error
        except ValueError as error:
            raise ValueError(f"line {line}: {error}") from error
        shown.extend(used)
        return "\n".join([f"<!-- pivot\n{match[1]}\n-->\n", body, *([] if once else ["", below]), "<!-- /pivot -->"])

    text = _MARK.sub(table, text)
    return _SOURCES.sub(lambda match: f"<!-- sources -->\n{sources_list(shown)}\n<!-- /sources -->", text)


def pivot_table(figures: Sequence[Figure], settings: Mapping[str, Any]) -> tuple[str, str, list[Figure]]:
    """One table in Markdown, on what its figures were measured and by which command, and the figures.

    Raises:
        ValueError: if a row or a column has no figure, or a name stands for several.
    """
    rows, columns = _named(settings["rows"]), _named(settings["columns"])
    cells = pivot_cells(figures, settings)
    with_interval = settings.get("intervals", list(columns))
    wrong = sorted(set(with_interval) - set(columns))
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no column")
    shared, rests = _data_of(rows, cells)
    if "data" in settings:
        shared, rests = settings["data"], {}
    aimed = len({column for (_, column), figure in cells.items() if _target(figure)})
    body = []
    for row in rows:
        line = [_heading(row, rows[row], columns, settings["name"], cells)]
        for column in columns:
            figure = cells.get((row, column))
            line.append(
                "–" if figure is None else figure_cell(figure, column in with_interval, settings.get("units", False))
            )
        if settings.get("targets"):
            aims = {c: aim for c in columns if (row, c) in cells and (aim := _target(cells[row, c]))}
            alone = aimed == 1 or (len(aims) > 1 and len(set(aims.values())) == 1)
            line.append("; ".join(dict.fromkeys(aim if alone else f"{c}: {aim}" for c, aim in aims.items())))
        if rests:
            line.append(grouped(rests[row]))
        body.append(line)

    head = [settings["first"], *columns]
    head += ["target"] if settings.get("targets") else []
    head += ["measured on"] if rests else []
    align = ["---", *["---:"] * len(columns), *["---"] * (len(head) - 1 - len(columns))]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in (head, *body)]
    lines.insert(1, "|" + "|".join(align) + "|")
    used = list(cells.values())
    brackets = with_interval and any(figure["interval"] is not None for figure in used)
    said = [f"In brackets: {settings.get('brackets', '95 % intervals')}."] if brackets else []
    said += [f"Data: {grouped(shared)}."] if shared else []
    said += [f"Measured by {command}." for command in dict.fromkeys(map(_command, used))]
    return "\n".join(lines), "\n".join(said), used


def pivot_settings(text: str) -> list[dict[str, Any]]:
    """What the pivot marks of a page ask for, in their order."""
    return [tomllib.loads(settings) for settings, _ in _MARK.findall(text)]


def pivot_cells(figures: Sequence[Figure], settings: Mapping[str, Any]) -> dict[tuple[str, str], Figure]:
    """Heading of the row and of the column → figure, in the order of a table; a cell without a figure is left out.

    Raises:
        ValueError: if a row or a column has no figure, or a name stands for several.
    """
    rows, columns = _named(settings["rows"]), _named(settings["columns"])
    cells: dict[tuple[str, str], Figure] = {}
    for row, in_row in rows.items():
        for column, in_column in columns.items():
            found = find_figure(figures, _pattern(settings["name"], in_row, in_column))
            if found is not None:
                cells[row, column] = found
    for kind, place, headings in (("row", 0, rows), ("column", 1, columns)):
        for heading in headings:
            if not any(key[place] == heading for key in cells):
                raise ValueError(f"{settings['file']} has no figure for the {kind} {heading!r}")
    return cells


def _named(given: Mapping[str, str] | Sequence[str]) -> Mapping[str, str]:
    return given if isinstance(given, Mapping) else {name: name for name in given}


def find_figure(figures: Sequence[Figure], pattern: str) -> Figure | None:
    """The figure whose name fits a pattern, `*` for anything; None for none.

    Raises:
        ValueError: if there are several.
    """
    start, wanted = pattern.split("*")[0], _expression(pattern)  # few names begin so, of thousands
    found = [one for one in figures if one["name"].startswith(start) and wanted.fullmatch(one["name"])]
    if len(found) > 1:
        raise ValueError(f"{pattern!r} stands for several figures: {found[0]['name']!r}, {found[1]['name']!r}")
    return found[0] if found else None


def _pattern(name: str, in_row: str, in_column: str) -> str:
    return name.replace("@column", in_column).replace("@row", in_row)  # so that a column may hold the row


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, pattern.split("*"))))


def _heading(
    row: str, in_row: str, columns: Mapping[str, str], name: str, cells: Mapping[tuple[str, str], Figure]
) -> str:
    if "*" not in row:
        return row
    for column, in_column in columns.items():
        pattern = _pattern(name, in_row, in_column)
        if (
            (row, column) in cells
            and (match := _expression(pattern).fullmatch(cells[row, column]["name"]))
            and match.groups()
        ):
            return row.replace("*", match[1])
    raise ValueError(f"there is no * in the name behind the heading {row!r}")


def figure_cell(figure: Figure, with_interval: bool, with_unit: bool) -> str:
    """A figure as a cell shows it."""
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
        text = f"{value:.3f}"
    elif not math.isfinite(value) or value == int(value) or abs(value) >= 100:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", "−")


def _target(figure: Figure) -> str:
    stated = figure.get("target") or figure.get("bar") or ""
    match = _TARGET.fullmatch(stated)
    if match is None:
        return stated
    held = figure["interval"] if match[1] and figure["interval"] is not None else [figure["value"]]
    if match[2] == "reaches":
        met = held[-1] >= float(match[3])
    else:
        met = all(_HOLDS[match[2]](value, float(match[3])) for value in held)
    return f"{match[1] or ''}{_WORDS[match[2]]} {float(match[3]):g}: {'met' if met else '**not met**'}"


def grouped(text: str) -> str:
    """Counts with their thousands apart: 10,649 rows."""
    return re.sub(r"(?<![\w.,])\d{4,}(?= [A-Za-z])", lambda match: f"{int(match[0]):,}", text)


def _common(parts: Iterable[Sequence[str]]) -> list[str]:
    """The parts that all begin with."""
    return [beside[0] for beside in takewhile(lambda beside: len(set(beside)) == 1, zip(*parts))]


def _data_of(rows: Mapping[str, str], cells: Mapping[tuple[str, str], Figure]) -> tuple[str, dict[str, str]]:
    """What all figures were measured on, and what stands beside it for each row where rows differ."""
    parts = {key: figure["data"].split("; ") for key, figure in cells.items()}
    shared = _common(parts.values())
    rests = {
        row: " / ".join(dict.fromkeys("; ".join(part[len(shared) :]) for key, part in parts.items() if key[0] == row))
        for row in rows
    }
    return "; ".join(shared), rests if any(rests.values()) else {}


def _command(figure: Figure) -> str:
    machine = re.sub(r"\b1 CPU cores", "1 CPU core", figure["machine"])
    return f"`{figure['command']}` at commit `{figure['commit'][:12]}`, {machine}"


def sources_list(figures: Sequence[Figure]) -> str:
    """Every command that figures of a page came from, with the data it read."""
    data: dict[str, list[list[str]]] = {}
    for figure in figures:
        data.setdefault(_command(figure), []).append(figure["data"].split("; "))
    said = []
    for command, read in data.items():
        stated = _common(read) or list(dict.fromkeys(parts[0] for parts in read))
        said.append(f"* {command}. Data: {grouped('; '.join(stated))}.")
    return "\n".join(["In brackets: 95 % intervals. Measured by", "", *said])
