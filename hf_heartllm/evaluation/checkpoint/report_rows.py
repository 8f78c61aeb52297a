"""The figures of written reports: with controls, with the paired margins over them, and over another checkpoint's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..conditions import REAL
from ..controlled import ControlledResult
from ..findings import FIGURES, LEVELS, finding_metrics
from ..intervals import Bootstrap, Interval
from ..metrics import Metric, controlled
from ..question_file import AskedRecord
from ..report_metrics import Reports, report_metrics
from .paired import read_other_run

DENIED = FIGURES["contradicted"]
REPORTS = "reports.jsonl"


def report_results(
    columns: Mapping[str, Reports], bootstrap: Bootstrap, absent: Mapping[str, str]
) -> dict[str, list[ControlledResult]]:
    """Table → results: each figure under every column, and the real ECG's less each other one, paired by record.

    Args:
        columns: condition or control → its reports.
        bootstrap: over the patients of the records.
        absent: why a column is not in `columns`.
    """
    found = {
        title: [controlled(metric, group, columns, bootstrap, absent=absent) for group, metric in metrics]
        for title, metrics in _metrics(columns[REAL]).items()
    }
    # Denials are counted for statements only, and where no label can be denied there is nothing to print.
    return {
        title: [one for one in results if one.figure != DENIED or not math.isnan(one.real.value)]
        for title, results in found.items()
    }


def _metrics(reports: Reports) -> dict[str, list[tuple[str, Metric[Reports]]]]:
    """Table → group and metric."""
    of_findings = [(level, metric) for level in LEVELS for metric in finding_metrics(level).values()]
    words = [(f"{len(reports.predictions)} reports", metric) for metric in report_metrics(reports)]
    return {"Findings": of_findings, "Words": words}


def other_reports(
    other: Path, questions: Mapping[str, Any], asked: Sequence[AskedRecord]
) -> tuple[dict[str, Any], list[str]]:
    """What names another checkpoint, and its report of each record by the real ECG.

    Args:
        other: folder of partial results of its run.
        questions: what names the question file (`provenance.question_facts`).
        asked: the records wanted.

    Raises:
        ValueError: if the other run was on another file, or has not written about all records.
    """
    model, lines = read_other_run(other, REPORTS, questions, "report")
    texts = {str(line["of"]): line["text"] for line in lines if line["condition"] == REAL}
    if missing := [one.record_id for one in asked if one.record_id not in texts]:
        raise ValueError(f"{other}: no report of record {missing[0]} ({len(missing)} are missing)")
    return model, [texts[one.record_id] for one in asked]


def report_differences(ours: Reports, theirs: Reports, bootstrap: Bootstrap) -> dict[str, Interval]:
    """Figure and group → ours less theirs, paired by record."""
    found = {}
    for metrics in _metrics(ours).values():
        for group, metric in metrics:
            one = metric.measure(ours, bootstrap)
            if metric.name != DENIED or not math.isnan(one.value):
                found[f"{metric.name}, {group}"] = one.minus(metric.measure(theirs, bootstrap))
    return found
