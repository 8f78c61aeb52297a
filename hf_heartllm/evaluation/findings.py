"""Does a report state what the record's labels hold? Precision, recall, F1, and the rate of hallucinated findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..labels.stated_findings import groups_of
from .intervals import Bootstrap, Resampled, ratio
from .metrics import Metric
from .report_metrics import Reports

LEVELS = ("SCP statements", "groups of statements")
"""A statement must be the label's own, or one that reports use for it (`labels.stated_findings.GROUPS`)."""

FIGURES = {
    "precision": "precision of stated findings",
    "recall": "recall of the label's findings",
    "f1": "F1 of findings",
    "hallucinated": "hallucination rate (stated findings that the label does not hold)",
    "reports_with_hallucination": "reports with a hallucinated finding",
    "contradicted": "label's findings that the report denies",
}
"""Name of a figure → what tables call it. Precision is NaN if no report states a finding, recall if no label holds one;
F1 is 2 TP / (2 TP + FP + FN), over all findings of all reports. Denials are counted for SCP statements only."""


def finding_metrics(level: str) -> dict[str, Metric[Reports]]:
    """The metrics of findings on one of `LEVELS`, by name; those without a value are NaN."""
    return {name: Metric(words, _measure(level, name), margins=True) for name, words in FIGURES.items()}


def _measure(level: str, name: str) -> Callable[[Reports, Bootstrap], Resampled]:
    def statistic(sums: np.ndarray) -> np.ndarray:
        return _figures(sums)[name][:, None]

    return lambda reports, bootstrap: bootstrap.sums(_counts(reports, level), statistic)[0]


def _counts(reports: Reports, level: str) -> np.ndarray:
    """Of each report 1, the findings that are both stated and held, stated, held, whether one is wrong, denied ones."""

    def rows() -> Iterator[list[float]]:
        for found, codes in zip(reports.stated, reports.labels, strict=True):
            by_code = level == LEVELS[0]
            stated = found.codes if by_code else found.groups
            held = frozenset(codes) if by_code else groups_of(codes)
            denied = len(found.denied & held) if by_code else np.nan
            yield [1, len(stated & held), len(stated), len(held), bool(stated - held), denied]

    return np.array(list(rows()), dtype=float).reshape(-1, 6)


def _figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    rows, both, stated, held, wrong, denied = sums.T
    precision = ratio(both, stated)
    return {
        "precision": precision,
        "recall": ratio(both, held),
        "f1": ratio(2 * both, stated + held),
        "hallucinated": 1 - precision,
        "reports_with_hallucination": wrong / rows,
        "contradicted": ratio(denied, held),
    }
