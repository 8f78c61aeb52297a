"""Confidence intervals by bootstrap over patients.

The rows of one patient are not independent, so patients are drawn with replacement and each brings all its rows
(cluster bootstrap; Efron and Tibshirani, An Introduction to the Bootstrap, 1993). Intervals are percentile
intervals, those of macro-F1 moved to the value (`Resampled.interval(centred=True)`).
One patient alone says nothing of others: its figures have no interval (both ends are NaN).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES_AT_ONCE = 250  # bounds memory: this many rows of weights
NONE = float("nan")

Settings = Mapping[str, Any]
"""`resamples` and `seed` of a `Bootstrap`."""


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

    def interval(self, level: float = 0.95, centred: bool = False) -> Interval:
        """Its interval; resamples without a value are left out, and the ends are NaN where there is none.

        Args:
            level: coverage of the interval.
            centred: for a share that is lower on resamples than on all rows, such as macro-F1: the resamples' quantiles
                are moved so that their median is the value, and cut to 0 and 1.
        """
        known, (_, rows, groups) = self.samples[~np.isnan(self.samples)], self.drawn
        if groups < 2 or not len(known):
            return Interval(self.value, NONE, NONE, level, rows, groups)
        tail = (1 - level) / 2
        low, high = map(float, np.quantile(known, [tail, 1 - tail]))
        if centred:
            moved = self.value - float(np.median(known))
            low, high = max(0.0, low + moved), min(1.0, high + moved)
        return Interval(self.value, low, high, level, rows, groups)

    def minus(self, other: Resampled, level: float = 0.95) -> Interval:
        """The difference to an estimate of the same rows in the same order, on the same resamples: a paired one.

        Raises:
            ValueError: if the resamples were others.
        """
        if self.drawn != other.drawn or self.samples.shape != other.samples.shape:
            raise ValueError("not paired: the resamples are others")
        return Resampled(self.value - other.value, self.samples - other.samples, self.drawn).interval(level)


class Bootstrap:
    """Resamples of the patients of some rows; all that is estimated on one of them is paired.

    Args:
        patients: of each row, (rows,), any dtype that sorts.
        resamples: number of bootstrap samples.
        seed: of the draws.

    Raises:
        ValueError: if there are no rows.
    """

    def __init__(self, patients: ArrayLike, *, resamples: int = 2000, seed: int = 0) -> None:
        names, self._index = np.unique(np.asarray(patients), return_inverse=True)
        if not len(self._index):
            raise ValueError("no rows to resample")
        self._groups, self._resamples, self._seed = len(names), resamples, seed
        self._order = np.argsort(self._index, kind="stable")
        self._starts = np.searchsorted(self._index[self._order], np.arange(self._groups))

    def _table(self, values: ArrayLike, dtype: Any = np.float64) -> np.ndarray:
        table = np.asarray(values, dtype=dtype)
        if len(table) != len(self._index):
            raise ValueError(f"{len(table)} rows of {len(self._index)} patients")
        return table

    def _draws(self) -> np.ndarray:
        return _draws(self._groups, self._resamples, self._seed)

    def _found(self, value: float, samples: np.ndarray) -> Resampled:
        return Resampled(float(value), samples, (self._seed, len(self._index), self._groups))

    def without_samples(self, value: float) -> Resampled:
        """A value that is not resampled, so that it has no interval."""
        return self._found(value, np.full(self._resamples, NONE))

    def sums(self, columns: ArrayLike, statistic: Callable[[np.ndarray], np.ndarray]) -> list[Resampled]:
        """Several statistics of summed columns.

        Whatever is a function of sums over rows fits: F1 of counts, BLEU of a corpus from its matched n-grams.

        Args:
            columns: float (rows, columns), what is summed.
            statistic: (n, columns) sums → (n, statistics); NaN where a statistic has no value.
        """
        table = self._table(columns)
        sums = np.add.reduceat(table[self._order], self._starts, axis=0)
        found = np.concatenate([statistic(part @ sums) for part in _parts(self._draws())])
        values = statistic(sums.sum(axis=0, keepdims=True))[0]
        return [self._found(value, samples) for value, samples in zip(values, found.T, strict=True)]

    def mean(self, values: ArrayLike, weights: ArrayLike | None = None) -> Resampled:
        """The mean of rows, float or bool (rows,), weighed alike where no weights are given; NaN without weight."""
        share = np.ones(len(self._index)) if weights is None else np.asarray(weights, dtype=np.float64)
        return self.ratio(share * self._table(values), share)

    def ratio(self, a: ArrayLike, b: ArrayLike) -> Resampled:
        """The mean of one column over that of another, both (rows,)."""
        return self.sums(np.column_stack([self._table(a), self._table(b)]), lambda sums: ratio(*sums.T)[:, None])[0]

    def rows(self, table: ArrayLike, statistic: Callable[[np.ndarray], float | None]) -> Resampled:
        """Any statistic of rows; means, sums and AUROCs have quicker ways here.

        Args:
            table: (rows,) or (rows, columns).
            statistic: rows like the given ones, some left out and some repeated → its value, None where it has none.
        """
        given = self._table(table, None)
        drawn = self._draws().astype(int)[:, self._index]
        found = [statistic(given), *(statistic(np.repeat(given, times, axis=0)) for times in drawn)]
        values = np.array([NONE if value is None else value for value in found], dtype=np.float64)
        return self._found(values[0], values[1:])

    def auroc(self, labels: ArrayLike, scores: ArrayLike) -> Resampled:
        """The area under the ROC curve, of several classes their mean, in which each counts alike.

        The rank statistic: the probability that a positive row scores higher than a negative one, ties counted half
        (Hanley and McNeil, 1982). A class with rows of one side only has no area and is left out, in a resample too;
        NaN if no class has one.

        Args:
            labels: 0 or 1 (rows,) or (rows, classes); NaN where it is not known, which leaves the row out of that
                class.
            scores: float, likewise, higher means more likely positive. A third axis in front holds scores of several
                models, whose areas are averaged too.

        Raises:
            ValueError: if lengths differ or a score of a known label is NaN.
        """
        truth, values = self._table(labels), np.asarray(scores, dtype=np.float64)
        truth = truth[:, None] if truth.ndim == 1 else truth
        values = values[:, None] if values.ndim == 1 else values
        if values.shape[-2:] != truth.shape:
            raise ValueError(f"labels of shape {truth.shape} but scores of shape {values.shape}")
        values = values.reshape(-1, *truth.shape)
        if np.isnan(values[:, ~np.isnan(truth)]).any():
            raise ValueError("a score is NaN")
        areas = [
            ranked_area(truth[:, column] == 1, truth[:, column] == 0, np.nan_to_num(one[:, column]))
            for column in range(truth.shape[1])
            if {0.0, 1.0} <= set(truth[:, column].tolist())
            for one in values
        ]
        if not areas:
            return self.without_samples(NONE)

        def mean(weights: np.ndarray) -> np.ndarray:
            found = np.stack([area(weights) for area in areas])
            return ratio(np.nansum(found, axis=0), (~np.isnan(found)).sum(axis=0))

        samples = [mean(draws[:, self._index]) for draws in _parts(self._draws())]
        return self._found(mean(np.ones((1, len(truth))))[0], np.concatenate(samples))


def _parts(draws: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(draws), RESAMPLES_AT_ONCE):
        yield draws[first : first + RESAMPLES_AT_ONCE]


@lru_cache(maxsize=1)  # the metrics of one group of rows share them
def _draws(groups: int, resamples: int, seed: int) -> np.ndarray:
    """How often each patient was drawn, float64 (resamples, groups), read-only; every row sums to `groups`."""
    draws = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples).astype(float)
    draws.flags.writeable = False
    return draws


def ratio(part: np.ndarray, whole: np.ndarray, without: float = NONE) -> np.ndarray:
    """Element by element; `without` where the whole is not above 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), whole)
    shares: np.ndarray = np.divide(part, whole, out=np.full(part.shape, without), where=whole > 0)
    return shares


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
        return ratio((gained * (below + lost / 2)).sum(axis=1), gained.sum(axis=1) * lost.sum(axis=1))

    return area
