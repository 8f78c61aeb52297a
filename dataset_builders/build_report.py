"""What a build wrote, in numbers and as tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .shards import ShardFile

_MOST_VALUES = 40  # of a counted column that a table shows


@dataclass(frozen=True)
class BuildReport:
    """What a build wrote.

    Attributes:
        output: the folder, or the single file.
        config_name: name of the configuration.
        files: whole shards by split, in order; of all parts of the build that are there.
        missing: shards that other parts of the build (`--shard i/n`) have still to write; 0 when all is written.
        written: shards that this call wrote; the others were there.
        seconds: what it took.
        notes: the builder's own lines.
    """

    output: Path
    config_name: str
    files: dict[str, list[ShardFile]]
    missing: int
    written: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        """Rows in all splits."""
        return sum(file.num_rows for files in self.files.values() for file in files)

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Damaged records that were left out, as (name, reason)."""
        return [item for files in self.files.values() for file in files for item in file.skipped]


def counts_table(report: BuildReport) -> str:
    """Rows per split, and per value of each counted column, as Markdown tables."""
    splits = list(report.files)
    parts = [
        _table(
            ["split", "rows", "shards", "MB on disk", "records left out"],
            [
                [
                    split,
                    f"{sum(f.num_rows for f in files):,}",
                    str(len(files)),
                    f"{sum(f.file_bytes for f in files) / 1e6:,.1f}",
                    str(sum(len(f.skipped) for f in files)),
                ]
                for split, files in report.files.items()
            ],
        )
    ]
    columns = dict.fromkeys(column for files in report.files.values() for file in files for column in file.counts)
    for column in columns:
        totals = {split: Counter[str]() for split in splits}
        for split, files in report.files.items():
            for file in files:
                totals[split].update(file.counts.get(column, {}))
        values = sorted({value for counts in totals.values() for value in counts})
        if len(values) > _MOST_VALUES:
            values.sort(key=lambda value: -sum(counts[value] for counts in totals.values()))
        if shown := [[value, *(f"{totals[split][value]:,}" for split in splits)] for value in values[:_MOST_VALUES]]:
            parts.append(_table([column, *splits], shown))
    return "\n\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        first = cells[0].ljust(widths[0])
        return "| " + " | ".join([first, *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]) + " |"

    rule = "| " + " | ".join(["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]) + " |"
    return "\n".join([line(head), rule, *(line(row) for row in rows)])
