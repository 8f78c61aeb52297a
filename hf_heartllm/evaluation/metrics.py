"""A metric, and its results for groups of rows beside every control, all on the same resamples of patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from .conditions import REAL
from .controlled import ControlledResult
from .intervals import Bootstrap, Interval, Resampled, Settings

Rows = TypeVar("Rows")


@dataclass(frozen=True)
class Metric(Generic[Rows]):
    """What is measured of rows that were answered.

    Attributes:
        name: as tables print it.
        measure: the rows and a bootstrap over their patients → the estimate.
        centred: whether its interval is moved to the value (`Resampled.interval`).
        margins: whether the difference to each control stands beside it.
    """

    name: str
    measure: Callable[[Rows, Bootstrap], Resampled]
    centred: bool = False
    margins: bool = False


def controlled(
    metric: Metric[Rows],
    group: str,
    columns: Mapping[str, Rows],
    bootstrap: Bootstrap,
    *,
    absent: Mapping[str, str] | None = None,
    target: str | None = None,
    model: str = REAL,
) -> ControlledResult:
    """A metric of one group of rows under every column, with its differences paired by row.

    Args:
        metric: what to measure.
        group: which rows they are.
        columns: condition or control → the rows as they were answered under it.
        bootstrap: over the patients of these rows.
        absent: column → why it is not there.
        target: what the value, or the margin, should reach.
        model: the column that the others are controls of.
    """
    found = {column: metric.measure(rows, bootstrap) for column, rows in columns.items()}
    values: dict[str, Interval | None] = {name: one.interval(centred=metric.centred) for name, one in found.items()}
    margins = {name: found[model].minus(one) for name, one in found.items() if metric.margins and name != model}
    return ControlledResult(metric.name, group, values, margins, absent or {}, target, model=model)


@dataclass(frozen=True)
class Measured(Generic[Rows]):
    """All rows under every column, for results of any groups of them.

    Attributes:
        columns: condition or control → rows.
        patients: of each row.
        settings: of the bootstrap.
        absent: column → why it is not there.
        unanswered: column → bool (rows,), the rows that it says nothing of: a group with one has no value there.
        reason: why it says nothing.
        model: the column that the others are controls of.
    """

    columns: Mapping[str, Any]
    patients: np.ndarray
    settings: Settings
    absent: Mapping[str, str] = field(default_factory=dict)
    unanswered: Mapping[str, np.ndarray] | None = None
    reason: str = ""
    model: str = REAL

    def results(
        self, metrics: Sequence[Metric[Any]], group: str, rows: np.ndarray, target: str | None = None
    ) -> list[ControlledResult]:
        """Each metric of some rows; the target is that of metrics with margins."""
        lacking = [column for column, no in (self.unanswered or {}).items() if no[rows].any()]
        columns = {name: one[rows] for name, one in self.columns.items() if name not in lacking}
        absent = {**self.absent, **dict.fromkeys(lacking, self.reason)}
        bootstrap = Bootstrap(self.patients[rows], **self.settings)
        return [
            controlled(
                metric,
                group,
                columns,
                bootstrap,
                absent=absent,
                target=target if metric.margins else None,
                model=self.model,
            )
            for metric in metrics
        ]

    def of(self, rows: np.ndarray) -> Measured[Rows]:
        """Some rows of it."""
        return replace(
            self,
            columns={name: one[rows] for name, one in self.columns.items()},
            patients=self.patients[rows],
            unanswered={name: no[rows] for name, no in (self.unanswered or {}).items()},
        )

    def without(self, *columns: str) -> Measured[Rows]:
        """The same without some columns."""
        return replace(self, columns={name: one for name, one in self.columns.items() if name not in columns})


@dataclass(frozen=True)
class Ranked:
    """Labels and the scores that should rank them; shapes as `Bootstrap.auroc` takes them."""

    labels: np.ndarray
    scores: np.ndarray


AUROC = Metric[Ranked]("AUROC", lambda rows, bootstrap: bootstrap.auroc(rows.labels, rows.scores))
MACRO_AUROC = replace(AUROC, name="macro-AUROC")
