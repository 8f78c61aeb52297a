"""Does a report state what the record's labels hold? Precision, recall, F1, and the rate of hallucinated findings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..labels.stated_findings import groups_of, stated_findings
from .intervals import Interval, Resampled, resample_sums

LEVELS = ("SCP statements", "groups of statements")
"""A statement must be the label's own, or one that reports use for it (`labels.stated_findings.GROUPS`)."""

FIGURES = ("precision", "recall", "f1", "hallucinated", "reports_with_hallucination", "contradicted")
"""The figures of `FindingFigures`, in the order in which they are computed."""


@dataclass(frozen=True)
class FindingFigures:
    """Findings of reports against the labels of their records, on one of `LEVELS`.

    Attributes:
        level: what is compared.
        precision: share of the stated findings that the label holds; NaN if no report states one.
        recall: share of the label's findings that the report states; NaN if no label holds one.
        f1: 2 TP / (2 TP + FP + FN), over all findings of all reports.
        hallucinated: share of the stated findings that the label does not hold: 1 − precision.
        reports_with_hallucination: share of the reports that state at least one such finding.
        contradicted: share of the label's findings that the report denies in words; only for SCP statements, else NaN.
        without_finding: number of reports in which no finding was recognised.
    """

    level: str
    precision: Interval
    recall: Interval
    f1: Interval
    hallucinated: Interval
    reports_with_hallucination: Interval
    contradicted: Interval
    without_finding: int


def finding_figures(
    reports: Sequence[str],
    labels: Sequence[Collection[str]],
    patients: Sequence[str],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> list[FindingFigures]:
    """The figures on each of `LEVELS`, with intervals by patient: those of `resampled_findings`.

    Raises:
        ValueError: if there are no reports or the lengths differ.
    """
    found = resampled_findings(reports, labels, patients, resamples=resamples, seed=seed)
    read = [stated_findings(report) for report in reports]
    silent = {LEVELS[0]: sum(not one.codes for one in read), LEVELS[1]: sum(not one.groups for one in read)}
    return [
        FindingFigures(
            level=level, without_finding=silent[level], **{name: found[level, name].interval() for name in FIGURES}
        )
        for level in LEVELS
    ]


def resampled_findings(
    reports: Sequence[str],
    labels: Sequence[Collection[str]],
    patients: Sequence[str],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[tuple[str, str], Resampled]:
    """Each of `FIGURES` on each of `LEVELS`, by level and name.

    Args:
        reports: in English; an empty one states nothing.
        labels: SCP codes of each record.
        patients: of each report.
        resamples: number of bootstrap samples.
        seed: of the draws.

    Raises:
        ValueError: if there are no reports or the lengths differ.
    """
    if len(reports) != len(labels):
        raise ValueError(f"{len(reports)} reports but {len(labels)} labels")
    read = [stated_findings(report) for report in reports]
    result: dict[tuple[str, str], Resampled] = {}
    for level in LEVELS:
        by_code = level == LEVELS[0]
        counts = []
        for found, codes in zip(read, labels, strict=True):
            stated = found.codes if by_code else found.groups
            held = frozenset(codes) if by_code else groups_of(codes)
            denied = len(found.denied & held) if by_code else np.nan
            counts.append([1, len(stated & held), len(stated), len(held), bool(stated - held), denied])
        columns = np.array(counts, dtype=float).reshape(-1, 6)
        figures = resample_sums(columns, patients, _figures, resamples=resamples, seed=seed)
        result |= {(level, name): one for name, one in zip(FIGURES, figures, strict=True)}
    return result


def _figures(sums: np.ndarray) -> np.ndarray:
    rows, both, stated, held, wrong, denied = sums.T

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.full(len(sums), np.nan), where=whole > 0)

    precision = share(both, stated)
    return np.column_stack(
        [precision, share(both, held), share(2 * both, stated + held), 1 - precision, wrong / rows, share(denied, held)]
    )
