"""One line of a table: a figure on the real ECG and under every control, so that none can be printed without them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..conditions import BACKGROUND, BLIND, CONDITION_WORDS, CONDITIONS, CONTROL, DEAF, REAL
from ..intervals import Interval
from ..results import ResultRow

MAJORITY, MAJORITY_AGE_SEX = "majority", "majority by age and sex"
COLUMNS = (*CONDITIONS, MAJORITY, MAJORITY_AGE_SEX)
TEXT_ALONE = "trained on text alone"
ALL_COLUMNS = (*COLUMNS, TEXT_ALONE)
"""The controls that every row has, or says why not; and another model, which is there where one was given."""

COLUMN_WORDS = {
    **CONDITION_WORDS,
    MAJORITY: "majority answer of the template",
    MAJORITY_AGE_SEX: "majority answer of the template, age band and sex",
    TEXT_ALONE: "a model trained on text alone, shown the real ECG",
}
MARGIN_BAR = "interval > 0"
"""The bar of a row whose real ECG must beat another patient's."""

_SHORT = {
    REAL: "real ECG",
    CONTROL: "other patient's",
    BLIND: "no ECG",
    DEAF: "no question",
    BACKGROUND: "age, sex",
    MAJORITY: "majority",
    MAJORITY_AGE_SEX: "majority by age, sex",
    TEXT_ALONE: "trained on text alone",
}


@dataclass(frozen=True)
class ControlledRow:
    """A figure of a group of questions with its controls.

    Attributes:
        figure: such as `"exact match"`.
        group: such as `"question type verify"`.
        values: of every column in `COLUMNS`, and of `TEXT_ALONE` where there is such a model; None where a control has
            no such figure, with the reason in `absent`.
        margins: control → real ECG − control, paired by row, where it is known.
        absent: column → why it has no value.
        bar: what the real ECG's figure should reach, or `MARGIN_BAR`; None: nothing is asked.
        unit: of the values.

    Raises:
        ValueError: if a control is missing without a reason, or the real ECG has no value.
    """

    figure: str
    group: str
    values: Mapping[str, Interval | None]
    margins: Mapping[str, Interval] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    bar: str | None = None
    unit: str = "fraction"

    def __post_init__(self) -> None:
        missing = [column for column in COLUMNS if self.values.get(column) is None and not self.absent.get(column)]
        if missing:
            raise ValueError(f"{self.name}: no figure without its controls, and {', '.join(missing)} is missing")
        if self.values.get(REAL) is None:
            raise ValueError(f"{self.name}: no value on the real ECG")

    @property
    def name(self) -> str:
        """Figure and group."""
        return f"{self.figure}, {self.group}"

    @property
    def real(self) -> Interval:
        """The value on the real ECG."""
        value = self.values[REAL]
        assert value is not None
        return value

    def document(self) -> dict[str, Any]:
        """The row for JSON."""
        return {
            "figure": self.figure,
            "group": self.group,
            "unit": self.unit,
            "bar": self.bar,
            "rows": self.real.rows,
            "patients": self.real.groups,
            "values": {
                column: interval_document(self.values.get(column))
                for column in ALL_COLUMNS
                if column in COLUMNS or column in self.values
            },
            "real_minus": {column: interval_document(margin) for column, margin in self.margins.items()},
            "absent": dict(self.absent),
        }

    def result_rows(self, *, prefix: str, data: str, command: str, commit: str, machine: str) -> list[ResultRow]:
        """The row as it stands in git: each column's value, and the margins over another patient's ECG, with the bar
        where the row has one, and over a model trained on text alone."""
        of_margin = self.bar == MARGIN_BAR
        named: list[tuple[str, Interval | None, str | None]] = [
            (COLUMN_WORDS[column], self.values.get(column), self.bar if column == REAL and not of_margin else None)
            for column in ALL_COLUMNS
        ]
        for column in (CONTROL, TEXT_ALONE):
            bar = self.bar if of_margin and column == CONTROL else None
            named.append((f"real ECG − {COLUMN_WORDS[column]}", self.margins.get(column), bar))
        return [
            ResultRow(
                name=f"{prefix}: {self.name}, {words}",
                value=round(found.value, 4),
                interval=(round(found.low, 4), round(found.high, 4)),
                bar=bar,
                unit=self.unit,
                data=f"{data}; {found.rows} rows, {found.groups} patients",
                command=command,
                commit=commit,
                machine=machine,
            )
            for words, found, bar in named
            if found is not None and not math.isnan(found.low + found.high + found.value)
        ]


def interval_document(found: Interval | None) -> dict[str, Any] | None:
    """An interval for JSON; not-a-number, where a figure is not defined, becomes null."""
    if found is None:
        return None
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in asdict(found).items()
    }


def markdown_table(rows: Iterable[ControlledRow], every_margin: bool = False) -> str:
    """The rows as a Markdown table, each value with its 95 % interval.

    Args:
        rows: the rows.
        every_margin: print the difference to every control, not only to another patient's ECG.
    """
    rows = list(rows)
    # A column without any value is not drawn; the text below the table says why it is absent.
    shown = [column for column in ALL_COLUMNS if any(row.values.get(column) is not None for row in rows)]
    printed = ALL_COLUMNS if every_margin else (CONTROL, TEXT_ALONE)
    margins = [one for one in printed if one == CONTROL or any(one in row.margins for row in rows)]
    head = ["figure", "group", "n (patients)", *(_SHORT[column] for column in shown)]
    head += [f"real − {_SHORT[column]}" for column in margins]
    lines = [_line(head), _line(["---", "---", *(["---:"] * (len(head) - 2))])]
    for row in rows:
        cells = [row.figure, row.group, f"{row.real.rows:,} ({row.real.groups:,})"]
        cells += [cell(row.values.get(column)) for column in shown]
        lines.append(_line([*cells, *(cell(row.margins.get(column)) for column in margins)]))
    reasons = {(column, reason) for row in rows for column, reason in row.absent.items()}
    notes = [f"{_SHORT[column]}: {reason}." for column, reason in sorted(reasons)]
    return "\n".join([*lines, *([""] if notes else []), *(f"* {note}" for note in notes)])


def cell(found: Interval | None) -> str:
    """A value with its interval, "—" where there is none."""
    if found is None or math.isnan(found.value):
        return "—"
    if math.isnan(found.low):
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def cell_of(found: dict[str, Any] | None) -> str:
    """The same of an `interval_document`."""
    if found is None or found["value"] is None:
        return "—"
    if found["low"] is None:
        return f"{found['value']:.3f}"
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(text.replace("|", "or") for text in cells) + " |"
