"""A result on the real ECG and under every control, so that none can be printed without them; their table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .conditions import BACKGROUND, CONDITION_WORDS, CONDITIONS, NO_ECG, NO_QUESTION, REAL, SHUFFLED_ECG
from .intervals import Interval
from .results import Result

MAJORITY, MAJORITY_AGE_SEX = "majority", "majority by age and sex"
MAJORITIES = (MAJORITY, MAJORITY_AGE_SEX)
COLUMNS = (*CONDITIONS, *MAJORITIES)
TEXT_ONLY = "trained on text alone"
ALL_COLUMNS = (*COLUMNS, TEXT_ONLY)
"""The controls that every result has, or says why not; and another model, which is there where one was given."""

COLUMN_WORDS = {
    **CONDITION_WORDS,
    MAJORITY: "majority answer of the template",
    MAJORITY_AGE_SEX: "majority answer of the template, age band and sex",
    TEXT_ONLY: "a model trained on text alone, shown the real ECG",
}
RANKS_NOTHING = dict.fromkeys(MAJORITIES, "it gives answers without probabilities, so it ranks nothing")
"""Why the majority has no AUROC."""
MARGIN = "interval > 0"
"""The target of a result whose real ECG must beat another patient's."""

_SHORT = {
    REAL: "real ECG",
    SHUFFLED_ECG: "other patient's",
    NO_ECG: "no ECG",
    NO_QUESTION: "no question",
    BACKGROUND: "age, sex",
    MAJORITY: "majority",
    MAJORITY_AGE_SEX: "majority by age, sex",
    TEXT_ONLY: "trained on text alone",
}


@dataclass(frozen=True)
class ControlledResult:
    """A figure of a group of rows with its controls.

    Attributes:
        figure: such as `"exact match"`.
        group: such as `"question type verify"`.
        values: of every column in `COLUMNS`, and of `TEXT_ONLY` where there is such a model; None where a control has
            no such figure, with the reason in `absent`.
        margins: control → real ECG − control, paired by row, where it is known.
        absent: column → why it has no value.
        target: what the real ECG's figure should reach, or `MARGIN`; None: nothing is asked.
        unit: of the values.
        model: the column that the others are controls of: `REAL`, or another name where a file brings its own controls.

    Raises:
        ValueError: if a control is missing without a reason, or the real ECG has no value.
    """

    figure: str
    group: str
    values: Mapping[str, Interval | None]
    margins: Mapping[str, Interval] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    unit: str = "fraction"
    model: str = REAL

    def __post_init__(self) -> None:
        wanted = COLUMNS if self.model == REAL else ()
        missing = [column for column in wanted if self.values.get(column) is None and not self.absent.get(column)]
        if missing:
            raise ValueError(f"{self.name}: no figure without its controls, and {', '.join(missing)} is missing")
        if self.values.get(self.model) is None:
            raise ValueError(f"{self.name}: no value on the real ECG")

    @property
    def name(self) -> str:
        """Figure and group."""
        return f"{self.figure}, {self.group}"

    @property
    def real(self) -> Interval:
        """The value on the real ECG."""
        value = self.values[self.model]
        assert value is not None
        return value

    def document(self) -> dict[str, Any]:
        """The result for JSON."""
        return {
            "figure": self.figure,
            "group": self.group,
            "unit": self.unit,
            "target": self.target,
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

    def results(self, prefix: str, data: str, **provenance: str) -> list[Result]:
        """The result as it stands in git: each column's value, and the margins over another patient's ECG, with the
        target where there is one, and over a model trained on text alone. Further arguments are those of `Result`."""
        of_margin = self.target == MARGIN
        named: list[tuple[str, Interval | None, str | None]] = [
            (COLUMN_WORDS[column], self.values.get(column), self.target if column == REAL and not of_margin else None)
            for column in ALL_COLUMNS
        ]
        for column in (SHUFFLED_ECG, TEXT_ONLY):
            target = self.target if of_margin and column == SHUFFLED_ECG else None
            named.append((f"real ECG − {COLUMN_WORDS[column]}", self.margins.get(column), target))
        return [
            Result.of(
                f"{prefix}: {self.name}, {words}",
                found,
                target=target,
                unit=self.unit,
                data=f"{data}; {found.rows} rows, {found.groups} patients",
                **provenance,
            ).rounded(4)
            for words, found, target in named
            if found is not None and not math.isnan(found.low + found.high + found.value)
        ]


def interval_document(found: Interval | None) -> dict[str, Any] | None:
    """An interval for JSON; not-a-number, where a figure is not defined, becomes null."""
    if found is None:
        return None
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in asdict(found).items()
    }


def interval_documents(found: Mapping[str, Interval]) -> dict[str, dict[str, Any] | None]:
    """Named intervals for JSON."""
    return {name: interval_document(one) for name, one in found.items()}


def controlled_table(found: Iterable[ControlledResult], every_margin: bool = False) -> str:
    """Results as a Markdown table, controls as columns, each value with its 95 % interval.

    Args:
        found: the results.
        every_margin: print the difference to every control, not only to another patient's ECG.
    """
    rows = list(found)
    model = rows[0].model if rows else REAL
    own = model == REAL  # a file's controls have its own names
    columns = ALL_COLUMNS if own else tuple(dict.fromkeys(column for row in rows for column in row.values))
    words = {column: _SHORT[column] if own else column for column in columns}
    # A column without any value is not drawn; the text below the table says why it is absent.
    shown = [column for column in columns if any(row.values.get(column) is not None for row in rows)]
    margins = [
        column
        for column in shown
        if (every_margin or column in (SHUFFLED_ECG, TEXT_ONLY)) and any(column in row.margins for row in rows)
    ]
    head = ["figure", "group", "n (patients)", *(words[column] for column in shown)]
    head += [f"{'real' if own else model} − {words[column]}" for column in margins]
    lines = []
    for row in rows:
        cells = [row.figure, row.group, f"{row.real.rows:,} ({row.real.groups:,})"]
        cells += [cell(row.values.get(column)) for column in shown]
        lines.append([*cells, *(cell(row.margins.get(column)) for column in margins)])
    reasons = {(column, reason) for row in rows for column, reason in row.absent.items()}
    notes = [f"* {words[column]}: {reason}." for column, reason in sorted(reasons)]
    return "\n".join([markdown_table(head, lines, left=2), *([""] if notes else []), *notes])


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table; every column but the first `left` is aligned to the right."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left), *rows]
    return "\n".join("| " + " | ".join(text.replace("|", "or") for text in line) + " |" for line in lines)


def cell(found: Interval | Mapping[str, Any] | None) -> str:
    """A value with its interval, "—" where there is none; also of an `interval_document`."""
    if isinstance(found, Interval):
        found = interval_document(found)
    if found is None or found["value"] is None:
        return "—"
    if found["low"] is None:
        return f"{found['value']:.3f}"
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
