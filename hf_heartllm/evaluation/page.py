"""The Markdown page of an evaluation of a checkpoint: what was evaluated, its tables, its notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .controlled import ControlledResult, cell, controlled_table, markdown_table
from .results import Result


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Attributes:
        title: the page's heading.
        tables: title → rows, in the order of the page.
        document: everything, for JSON.
        sections: lines of the page between the tables and the notes.
        every_margin: whether the tables print the difference to every control, not only to another patient's ECG.
        headline: the rows that stand in a results file; None: all.
    """

    title: str
    tables: Mapping[str, Sequence[ControlledResult]]
    document: dict[str, Any]
    sections: Sequence[str] = ()
    every_margin: bool = False
    headline: Sequence[ControlledResult] | None = None

    def results(self, **facts: str) -> list[Result]:
        """The headline as it stands in git; `facts` are those of `ControlledResult.results`."""
        rows = self.headline
        if rows is None:
            rows = [row for table in self.tables.values() for row in table]
        return [one for row in rows for one in row.results(**facts)]

    def markdown(self) -> str:
        """The page: head, tables, sections, notes."""
        doc = self.document
        asked, reads = doc["questions"], doc["ecgs"].partition(",")[0]
        lines = [
            f"# {self.title}",
            "",
            f"{asked['asked']:,} questions about {asked['records']:,} records of {asked['patients']:,} patients "
            f"({asked.get('file') or doc['data']}, {asked['hash']}); weights {doc['model']['weights']}, "
            f"{reads}, seed {doc['settings']['seed']}. Intervals: 95 %, bootstrap over patients.",
        ]
        if doc["settings"].get("devices") is not None:
            lines[-1] += f" Only records of devices {doc['settings']['devices']}."
        for title, rows in self.tables.items():
            if rows:
                lines += ["", f"## {title}", "", controlled_table(rows, every_margin=self.every_margin)]
        lines += self.sections
        return "\n".join([*lines, "", "## Notes", "", *(f"* {note}" for note in doc["notes"]), ""])


def difference_section(title: str, of: str, found: Mapping[str, dict[str, Any] | None]) -> list[str]:
    """What each is of → its `interval_document`."""
    return [
        "",
        f"## {title}",
        "",
        markdown_table([of, "difference"], [[name, cell(one)] for name, one in found.items()]),
    ]
