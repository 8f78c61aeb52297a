"""Confidence intervals by bootstrap over patients.

The rows of one patient are not independent, so patients are drawn with replacement and each brings all its rows
(cluster bootstrap; Efron and Tibshirani, An Introduction to the Bootstrap, 1993). Intervals are percentile
intervals, those of macro-F1 moved to the value (`Resampled.centred_interval`).
One patient alone says nothing of others: its figures have no interval (both ends are NaN).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES_AT_ONCE = 250  # bounds memory: this many rows of weights


@dataclass(frozen=True)
class Interval:
    """An estimate with its bootstrap interval.

    Attributes:
        value: the estimate on all rows.
        low: lower end of the interval; NaN where there is none, as with one patient.
        high: upper end of the interval, likewise.
        level: coverage, such as 0.95.
        rows: number of rows.
        groups: number of patients.
    """

    value: float
    low: float
    high: float
    level: float
    rows: int
    groups: int


def _group_index(groups: ArrayLike, rows: int) -> tuple[np.ndarray, int]:
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    if len(index) != rows:
        raise ValueError(f"{rows} rows but {len(index)} groups")
    if rows == 0:
        raise ValueError("no rows to resample")
    return index, len(names)


@lru_cache(maxsize=1)  # the metrics of one group of rows share them
def _draws(groups: int, resamples: int, seed: int) -> np.ndarray:
    """How often each patient was drawn, int (resamples, groups), read-only; every row sums to `groups`."""
    draws = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)
    draws.flags.writeable = False
    return draws


def _percentiles(values: np.ndarray, level: float, groups: int) -> tuple[float, float]:
    """Of the resamples that have a value; NaN without any, or where there is one patient to draw."""
    known = values[~np.isnan(values)]
    if groups < 2 or not len(known):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_mean(
    values: ArrayLike, groups: ArrayLike, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The mean of rows with its interval, resampling patients.

    Args:
        values: float (rows,).
        groups: patient of each row, (rows,), any dtype that sorts.
        resamples: number of bootstrap samples.
        seed: of the draws.
        level: coverage of the interval.

    Raises:
        ValueError: if there are no rows or the lengths differ.
    """
    values = np.asarray(values, dtype=np.float64)
    index, count = _group_index(groups, len(values))
    sums = np.bincount(index, weights=values, minlength=count)
    sizes = np.bincount(index, minlength=count)
    draws = _draws(count, resamples, seed)
    low, high = _percentiles((draws @ sums) / (draws @ sizes), level, count)
    return Interval(float(values.mean()), low, high, level, len(values), count)


def bootstrap_statistic(
    rows: ArrayLike,
    groups: ArrayLike,
    statistic: Callable[[np.ndarray], float | None],
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Any statistic of rows with its interval, resampling patients; means, sums and AUROCs have quicker ways here.

    Args:
        rows: (rows,) or (rows, columns).
        groups: patient of each row, (rows,).
        statistic: rows like the given ones, some left out and some repeated → its value, None where it has none.
        resamples: number of bootstrap samples; those without a value are left out.
        seed: of the draws.
        level: coverage of the interval.

    Raises:
        ValueError: if there are no rows or the lengths differ.
    """
    table = np.asarray(rows)
    index, count = _group_index(groups, len(table))
    draws = _draws(count, resamples, seed)
    found = [statistic(table), *(statistic(np.repeat(table, draw[index], axis=0)) for draw in draws)]
    values = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
    return Resampled(float(values[0]), values[1:], (seed, len(table), count)).interval(level)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, groups: ArrayLike, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The mean of a − b over rows with its interval, resampling patients with all their rows.

    Args:
        a: score of each row under the first condition, float or bool (rows,).
        b: score of the same rows under the second condition, (rows,).
        groups: patient of each row, (rows,).
        resamples: number of bootstrap samples.
        seed: of the draws.
        level: coverage of the interval.

    Raises:
        ValueError: if there are no rows or the lengths differ.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"not paired: {first.shape} and {second.shape}")
    return bootstrap_mean(first - second, groups, resamples=resamples, seed=seed, level=level)


def bootstrap_auroc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The area under the ROC curve with its interval, resampling patients.

    The rank statistic: the probability that a positive row scores higher than a negative one, ties counted half
    (Hanley and McNeil, 1982). Resamples without both classes are left out.

    Args:
        labels: bool or 0/1 (rows,).
        scores: float (rows,), higher means more likely positive.
        groups: patient of each row, (rows,).
        resamples: number of bootstrap samples.
        seed: of the draws.
        level: coverage of the interval.

    Raises:
        ValueError: if one of the classes is absent, lengths differ or a score is NaN.
    """
    positive = np.asarray(labels).astype(bool)
    values = np.asarray(scores, dtype=np.float64)
    if positive.shape != values.shape:
        raise ValueError(f"{len(positive)} labels but {len(values)} scores")
    if np.isnan(values).any():
        raise ValueError("a score is NaN")
    if positive.all() or not positive.any():
        raise ValueError("AUROC needs rows of both classes")
    index, count = _group_index(groups, len(values))
    area = ranked_area(positive, ~positive, values)
    draws = _draws(count, resamples, seed)
    areas = [
        area(draws[first : first + RESAMPLES_AT_ONCE][:, index]) for first in range(0, resamples, RESAMPLES_AT_ONCE)
    ]
    low, high = _percentiles(np.concatenate(areas), level, count)
    value = float(area(np.ones((1, len(values))))[0])
    return Interval(value, low, high, level, len(values), count)


def ranked_area(positive: np.ndarray, negative: np.ndarray, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function from how often each row counts, (n, rows), to AUROCs (n,); ties count half.

    Args:
        positive: bool (rows,).
        negative: bool (rows,); a row may be neither.
        values: (rows,), higher means more likely positive.

    Returns:
        The function; it gives NaN where a class has no weight.
    """
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(values[order]) > 0])  # of the runs of equal scores

    def area(weights: np.ndarray) -> np.ndarray:
        sorted_weights = weights[:, order]
        gained = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
        lost = np.add.reduceat(sorted_weights * negative[order], starts, axis=1)
        below = np.cumsum(lost, axis=1) - lost
        pairs = gained.sum(axis=1) * lost.sum(axis=1)
        wins = (gained * (below + lost / 2)).sum(axis=1)
        return np.divide(wins, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)

    return area


def bootstrap_macro_auroc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The mean of several classes' AUROCs with its interval, resampling patients; each class counts alike.

    A class with rows of one side only has no AUROC and is left out; so it is in a resample where that happens. NaN if
    no class has one.

    Args:
        labels: 0 or 1 (rows, classes); NaN where it is not known, which leaves the row out of that class.
        scores: float (rows, classes), higher means more likely positive.
        groups: patient of each row, (rows,).
        resamples: number of bootstrap samples.
        seed: of the draws.
        level: coverage of the interval.

    Raises:
        ValueError: if there are no rows, lengths differ or a score of a known label is NaN.
    """
    truth, values = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if truth.shape != values.shape or truth.ndim != 2:
        raise ValueError(f"labels of shape {truth.shape} but scores of shape {values.shape}")
    if np.isnan(values[~np.isnan(truth)]).any():
        raise ValueError("a score is NaN")
    index, count = _group_index(groups, len(truth))
    areas = [
        ranked_area(truth[:, column] == 1, truth[:, column] == 0, np.nan_to_num(values[:, column]))
        for column in range(truth.shape[1])
        if {0.0, 1.0} <= set(truth[:, column].tolist())
    ]
    if not areas:
        none = float("nan")
        return Interval(none, none, none, level, len(truth), count)
    draws = _draws(count, resamples, seed)
    means = []
    for first in range(0, resamples, RESAMPLES_AT_ONCE):
        weights = draws[first : first + RESAMPLES_AT_ONCE][:, index]
        found = np.stack([area(weights) for area in areas])
        known = (~np.isnan(found)).sum(axis=0)
        mean = np.divide(np.nansum(found, axis=0), known, out=np.full(len(weights), np.nan), where=known > 0)
        means.append(mean[known > 0])
    low, high = _percentiles(np.concatenate(means), level, count)
    value = float(np.mean([area(np.ones((1, len(truth))))[0] for area in areas]))
    return Interval(value, low, high, level, len(truth), count)


@dataclass(frozen=True)
class Resampled:
    """An estimate with its values on resamples of patients, for an interval or a paired difference.

    Attributes:
        value: the estimate on all rows.
        samples: on each resample, float64 (resamples,), NaN where it has no value.
        drawn: seed, number of rows and of patients: equal ones had the same draws.
    """

    value: float
    samples: np.ndarray
    drawn: tuple[int, int, int]

    def interval(self, level: float = 0.95) -> Interval:
        """Its interval; resamples without a value are left out, and the ends are NaN where there is none."""
        low, high = _percentiles(self.samples, level, self.drawn[2])
        return Interval(self.value, low, high, level, self.drawn[1], self.drawn[2])

    def centred_interval(self, level: float = 0.95) -> Interval:
        """The interval of a share that is lower on resamples than on all rows, such as macro-F1: it holds the value.

        The resamples' quantiles, moved so that their median is the value, and cut to 0 and 1.
        """
        found = self.interval(level)
        known = self.samples[~np.isnan(self.samples)]
        if np.isnan(found.low):
            return found
        middle = float(np.median(known))
        low, high = self.value + (found.low - middle), self.value + (found.high - middle)
        return replace(found, low=max(0.0, low), high=min(1.0, high))

    def minus(self, other: Resampled, level: float = 0.95) -> Interval:
        """The difference to an estimate of the same rows in the same order, on the same resamples: a paired one.

        Raises:
            ValueError: if the resamples were others.
        """
        if self.drawn != other.drawn or self.samples.shape != other.samples.shape:
            raise ValueError("not paired: the resamples are others")
        return Resampled(self.value - other.value, self.samples - other.samples, self.drawn).interval(level)


def resample_sums(
    columns: ArrayLike,
    groups: ArrayLike,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> list[Resampled]:
    """Several statistics of summed columns on the same resamples of patients.

    Whatever is a function of sums over rows fits: F1 of counts, BLEU of a corpus from its matched n-grams.

    Args:
        columns: float (rows, columns), what is summed.
        groups: patient of each row, (rows,).
        statistic: (n, columns) sums → (n, statistics); NaN where a statistic has no value.
        resamples: number of bootstrap samples.
        seed: of the draws.

    Raises:
        ValueError: if there are no rows or the lengths differ.
    """
    table = np.asarray(columns, dtype=np.float64)
    index, count = _group_index(groups, len(table))
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(count))
    sums = np.add.reduceat(table[order], starts, axis=0)
    draws = _draws(count, resamples, seed)
    found = np.concatenate(
        [statistic(draws[first : first + RESAMPLES_AT_ONCE] @ sums) for first in range(0, resamples, RESAMPLES_AT_ONCE)]
    )
    values = statistic(sums.sum(axis=0, keepdims=True))[0]
    drawn = seed, len(table), count
    return [Resampled(float(value), found[:, column], drawn) for column, value in enumerate(values)]


def bootstrap_sums(
    columns: ArrayLike,
    groups: ArrayLike,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> list[Interval]:
    """The statistics of `resample_sums` with their intervals.

    Returns:
        One interval a statistic. Resamples without a value are left out; value and ends are NaN where there is none.

    Raises:
        ValueError: if there are no rows or the lengths differ.
    """
    found = resample_sums(columns, groups, statistic, resamples=resamples, seed=seed)
    return [one.interval(level) for one in found]
