"""The Markdown page of an evaluation of a checkpoint: what was evaluated, its tables, its notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .rows import ControlledRow, cell_of, markdown_table


@dataclass(frozen=True)
class CheckpointEvaluation:
    """What was found. Each evaluation has its own `title`, and may add sections to its page.

    Attributes:
        tables: title → rows, in the order of the page.
        document: everything, for JSON.
    """

    tables: Mapping[str, Sequence[ControlledRow]]
    document: dict[str, Any]

    every_margin = False
    """Whether the tables print the difference to every control, not only to another patient's ECG."""

    @property
    def title(self) -> str:
        """The page's heading."""
        raise NotImplementedError

    def sections(self) -> list[str]:
        """Lines between the tables and the notes."""
        return []

    def markdown(self) -> str:
        """The page: head, tables, sections, notes."""
        doc = self.document
        asked = doc["questions"]
        counted = f"{asked['records']:,} records of {asked['patients']:,} patients"
        if "asked" in asked:
            counted = f"{asked['asked']:,} questions about {counted}"
        lines = [
            f"# {self.title}",
            "",
            f"{counted} ({asked.get('file') or doc['data']}, {asked['hash']}); weights {doc['model']['weights']}, "
            f"codec {doc['model']['codec']}, seed {doc['settings']['seed']}. Intervals: 95 %, bootstrap over patients.",
        ]
        if doc["settings"].get("devices") is not None:
            lines[-1] += f" Only records of devices {doc['settings']['devices']}."
        for title, rows in self.tables.items():
            if rows:
                lines += ["", f"## {title}", "", markdown_table(rows, every_margin=self.every_margin)]
        lines += self.sections()
        return "\n".join([*lines, "", "## Notes", "", *(f"* {note}" for note in doc["notes"]), ""])


def difference_section(title: str, of: str, found: Mapping[str, dict[str, Any] | None]) -> list[str]:
    """What each is of → its `interval_document`."""
    rows = [f"| {name} | {cell_of(one)} |" for name, one in found.items()]
    return ["", f"## {title}", "", f"| {of} | difference |", "| --- | ---: |", *rows]
