"""The figures of written reports: with controls, with the paired margins over them, and over another checkpoint's."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..conditions import REAL
from ..findings import resampled_findings
from ..intervals import Interval, Resampled
from ..question_file import HeldOutRecord
from ..report_metrics import resampled_reports
from ..wordnet import Synonyms
from .figures import Settings
from .paired import read_other_run
from .rows import COLUMNS, ControlledRow

FINDINGS, WORDS = "Findings", "Words"
REPORTS = "reports.jsonl"

_TITLES = {
    "precision": "precision of stated findings",
    "recall": "recall of the label's findings",
    "f1": "F1 of findings",
    "hallucinated": "hallucination rate (stated findings that the label does not hold)",
    "reports_with_hallucination": "reports with a hallucinated finding",
    "contradicted": "label's findings that the report denies",
}

Figure = tuple[str, str, str]
"""Table, figure, group."""


@dataclass(frozen=True)
class ReportScorer:
    """Every metric of words and of findings of one column of reports, on the same resamples as any other's.

    Attributes:
        references: the true reports.
        labels: SCP codes of each record.
        patients: of each record.
        synonyms: for METEOR.
        settings: of the bootstrap.
    """

    references: Sequence[str]
    labels: Sequence[Collection[str]]
    patients: Sequence[str]
    synonyms: Synonyms
    settings: Settings

    def __call__(self, reports: Sequence[str]) -> dict[Figure, Resampled]:
        """The figures of these reports, findings first."""
        stated = resampled_findings(reports, self.labels, self.patients, **self.settings)
        words = resampled_reports(reports, self.references, self.patients, synonyms=self.synonyms, **self.settings)
        return {
            **{
                (FINDINGS, _TITLES[name], level): one
                for (level, name), one in stated.items()
                # Denials are counted for statements only; then all columns have none.
                if not (name == "contradicted" and math.isnan(one.value))
            },
            **{
                (WORDS, f"{metric} ({convention})", f"{len(reports)} reports"): one
                for (metric, convention), one in words.items()
            },
        }


def report_rows(
    scores: Mapping[str, Mapping[Figure, Resampled]], absent: Mapping[str, str]
) -> dict[str, list[ControlledRow]]:
    """Table → rows: each figure under every column, and the real ECG's less each other one, paired by record.

    Args:
        scores: column → what `ReportScorer` found of its reports.
        absent: why a column is not in `scores`.
    """
    tables: dict[str, list[ControlledRow]] = {FINDINGS: [], WORDS: []}
    for key, real in scores[REAL].items():
        values: dict[str, Interval | None] = {}
        margins = {}
        for column, found in scores.items():
            if key in found:
                values[column] = found[key].interval()
                if column != REAL:
                    margins[column] = real.minus(found[key])
        missing = dict.fromkeys(set(COLUMNS) - set(values), "no finding of the label can be denied")
        reasons = {**missing, **{column: why for column, why in absent.items() if column not in scores}}
        tables[key[0]].append(ControlledRow(key[1], key[2], values, margins, reasons))
    return tables


def other_reports(
    other: Path, questions: Mapping[str, Any], records: Sequence[HeldOutRecord]
) -> tuple[dict[str, Any], list[str]]:
    """What names another checkpoint, and its report of each record by the real ECG.

    Args:
        other: folder of partial results of its run.
        questions: what names the question file (`facts.question_facts`).
        records: those wanted.

    Raises:
        ValueError: if the other run was on another file, or has not written about all records.
    """
    model, lines = read_other_run(other, REPORTS, questions, "report")
    texts = {line["of"]: line["text"] for line in lines if line["condition"] == REAL}
    if missing := [record.ecg_id for record in records if record.ecg_id not in texts]:
        raise ValueError(f"{other}: no report of ecg_id {missing[0]} ({len(missing)} are missing)")
    return model, [texts[record.ecg_id] for record in records]


def report_differences(ours: Mapping[Figure, Resampled], theirs: Mapping[Figure, Resampled]) -> dict[str, Interval]:
    """Figure and group → ours less theirs, paired by record."""
    return {f"{key[1]}, {key[2]}": one.minus(theirs[key]) for key, one in ours.items() if key in theirs}
