"""What every evaluation of a checkpoint does with its answers: one document and one page of all that was found.

A task says which prompts and which metrics: it asks by `Run.asker`, measures, and gives an `Evaluation` of its tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .answering import Asker
from .controlled import ControlledResult, cell, controlled_table, markdown_table
from .intervals import Interval
from .provenance import file_facts
from .results import MODEL_LIBRARIES, Result, library_versions
from .settings import RunSettings


@dataclass(frozen=True)
class Run:
    """A checkpoint before its test records.

    Attributes:
        subject: of `heartllm evaluate`.
        asker: asks the checkpoint about them.
        questions: what names the questions (`provenance.asked_facts`).
        data: the records' collection, in words.
        files: its tables that were read.
        settings: of the evaluation.
    """

    subject: str
    asker: Asker
    questions: dict[str, Any]
    data: str
    files: Sequence[Path]
    settings: RunSettings


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Attributes:
        run: whom was asked what.
        title: the page's heading, before the checkpoint's name.
        tables: title → rows, in the order of the page.
        notes: what a reader must know, one sentence each.
        found: what the document holds beside what every one has.
        sections: lines of the page between the tables and the notes.
        every_margin: whether the tables print the difference to every control, not only to another patient's ECG.
        headline: the rows that stand in a results file; None: all.
    """

    run: Run
    title: str
    tables: Mapping[str, Sequence[ControlledResult]]
    notes: Sequence[str]
    found: Mapping[str, Any]
    sections: Sequence[str] = ()
    every_margin: bool = False
    headline: Sequence[ControlledResult] | None = None

    @cached_property
    def document(self) -> dict[str, Any]:
        """Everything, for JSON."""
        run = self.run
        return {
            "format": f"heartllm evaluate {run.subject}",
            "format_version": 2,
            "settings": run.settings.plain(),
            "versions": library_versions(MODEL_LIBRARIES),
            "model": run.asker.checkpoint.facts(),
            "data": run.data,
            "tables_read": [file_facts(path) for path in run.files],
            "ecgs": run.asker.ecgs,
            "questions": run.questions,
            **self.found,
            "tables": {title: [row.document() for row in rows] for title, rows in self.tables.items()},
            "notes": list(self.notes),
        }

    def results(self, **facts: str) -> list[Result]:
        """The headline as it stands in git; `facts` are those of `ControlledResult.results`."""
        rows = self.headline
        if rows is None:
            rows = [row for table in self.tables.values() for row in table]
        return [one for row in rows for one in row.results(**facts)]

    def markdown(self) -> str:
        """The page: head, tables, sections, notes."""
        doc, checkpoint = self.document, self.run.asker.checkpoint
        asked, reads = doc["questions"], doc["ecgs"].partition(",")[0]
        lines = [
            f"# {self.title} by {checkpoint.name}",
            "",
            f"{asked['asked']:,} questions about {asked['records']:,} records of {asked['patients']:,} patients "
            f"({asked.get('file') or doc['data']}, {asked['hash']}); weights {checkpoint.weights}, "
            f"{reads}, seed {doc['settings']['seed']}. Intervals: 95 %, bootstrap over patients.",
        ]
        if doc["settings"].get("devices") is not None:
            lines[-1] += f" Only records of devices {doc['settings']['devices']}."
        for title, rows in self.tables.items():
            if rows:
                lines += ["", f"## {title}", "", controlled_table(rows, every_margin=self.every_margin)]
        lines += self.sections
        return "\n".join([*lines, "", "## Notes", "", *(f"* {note}" for note in self.notes), ""])


def difference_section(title: str, of: str, found: Mapping[str, Interval]) -> list[str]:
    """A table of what each difference is of, and the difference."""
    lines = [[name, cell(one)] for name, one in found.items()]
    return ["", f"## {title}", "", markdown_table([of, "difference"], lines)]
