"""How far probabilities can be believed: calibration, temperature, abstaining, other prevalences.

`confidence` is the probability that a model gives to the answer it chose, `right` whether that answer is the true one.
All functions are numpy only; `confidence_plots` draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from .intervals import Bootstrap, Resampled, ratio
from .metrics import Metric

BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers of similar confidence.

    Attributes:
        low: lower edge of the bin, belongs to it only in the first one.
        high: upper edge, belongs to it.
        rows: number of answers.
        weight: their share of all weight.
        confidence: mean confidence; NaN without rows.
        accuracy: share of right answers; NaN without rows.
    """

    low: float
    high: float
    rows: int
    weight: float
    confidence: float
    accuracy: float


def _columns(
    confidence: ArrayLike, right: ArrayLike, weights: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Checked float64 columns of equal length.

    Raises:
        ValueError: if lengths differ, a confidence is not in [0, 1], or a weight is negative.
    """
    values, truth = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    share = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not values.shape == truth.shape == share.shape:
        raise ValueError(f"lengths differ: {len(values)} confidences, {len(truth)} outcomes, {len(share)} weights")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a confidence is not between 0 and 1")
    if not (share >= 0).all():
        raise ValueError("a weight is negative")
    return values, truth, share


def _bin_of(values: np.ndarray, bins: int) -> np.ndarray:
    return np.clip(np.searchsorted(np.linspace(0, 1, bins + 1), values, side="left") - 1, 0, bins - 1)


def reliability(
    confidence: ArrayLike, right: ArrayLike, *, weights: ArrayLike | None = None, bins: int = BINS
) -> list[ReliabilityBin]:
    """The reliability table: bins of equal width over [0, 1], each (low, high] but for the first, which holds 0.

    Args:
        confidence: float (rows,) in [0, 1].
        right: bool or 0/1 (rows,).
        weights: float (rows,) ≥ 0, such as those of `prevalence_weights`; None weighs all rows alike.
        bins: number of bins.

    Raises:
        ValueError: if lengths differ or a value is out of range.
    """
    values, truth, share = _columns(confidence, right, weights)
    edges, of_row = np.linspace(0, 1, bins + 1), _bin_of(values, bins)
    weight, believed, true = (np.bincount(of_row, one, bins) for one in (share, share * values, share * truth))
    columns = (edges[:-1], edges[1:], np.bincount(of_row, minlength=bins), ratio(weight, weight.sum(), 0.0))
    means = (ratio(believed, weight), ratio(true, weight))
    return [ReliabilityBin(*row) for row in zip(*(one.tolist() for one in (*columns, *means)), strict=True)]


def expected_calibration_error(
    confidence: ArrayLike, right: ArrayLike, *, weights: ArrayLike | None = None, bins: int = BINS
) -> float:
    """Mean gap between confidence and accuracy over bins of equal width (Guo et al., ICML 2017); NaN without rows."""
    table = [row for row in reliability(confidence, right, weights=weights, bins=bins) if row.weight > 0]
    if not table:
        return float("nan")
    return float(sum(row.weight * abs(row.accuracy - row.confidence) for row in table))


def calibration_error(
    bootstrap: Bootstrap, confidence: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None
) -> Resampled:
    """`expected_calibration_error` on each resample, of what `reliability` takes; NaN without rows of weight."""
    values, truth, share = _columns(confidence, right, weights)
    gap = np.eye(BINS)[_bin_of(values, BINS)] * (share * (truth - values))[:, None]

    def error(sums: np.ndarray) -> np.ndarray:
        return ratio(np.abs(sums[:, 1:]).sum(axis=1), sums[:, 0])[:, None]

    return bootstrap.sums(np.column_stack([share, gap]), error)[0]


def tempered(scores: ArrayLike, temperature: float) -> np.ndarray:
    """Probabilities of closed answers from their log-likelihoods at a temperature.

    Args:
        scores: float (rows, answers); −inf where a row has fewer answers than others.
        temperature: above 0; above 1 makes probabilities more alike.

    Returns:
        float64 (rows, answers), rows sum to 1.
    """
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, not {temperature}")
    raised = np.asarray(scores, dtype=np.float64) / temperature
    powers = np.exp(raised - raised.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def padded_scores(scores: Sequence[Sequence[float]]) -> np.ndarray:
    """Rows of different numbers of answers as one table, −inf behind the shorter ones."""
    table = np.full((len(scores), max(map(len, scores), default=0)), -np.inf)
    for row, values in enumerate(scores):
        table[row, : len(values)] = values
    return table


def negative_log_likelihood(
    scores: ArrayLike,
    truth: ArrayLike,
    temperature: float = 1.0,
    weights: ArrayLike | None = None,
    prior: ArrayLike = 0.0,
) -> float:
    """Mean −log p(true answer) at a temperature; `truth` int (rows,) is its column, `prior` as in `fit_temperature`."""
    raised = np.asarray(scores, dtype=np.float64) / temperature + np.asarray(prior, dtype=np.float64)
    index = np.asarray(truth, dtype=np.int64)
    top = raised.max(axis=1)
    losses = top + np.log(np.exp(raised - top[:, None]).sum(axis=1)) - raised[np.arange(len(index)), index]
    return float(np.average(losses, weights=None if weights is None else np.asarray(weights, dtype=np.float64)))


TEMPERATURES = (0.05, 20.0)
"""Between these a temperature is sought; all-right or all-wrong answers end at an edge."""


def fit_temperature(
    scores: ArrayLike, truth: ArrayLike, *, weights: ArrayLike | None = None, prior: ArrayLike = 0.0
) -> float:
    """The temperature with the least negative log-likelihood (Guo et al., ICML 2017), within `TEMPERATURES`.

    Fit it on fold 8, never on what is reported. The order of a row's answers never changes.

    Args:
        scores: log-likelihoods, float (rows, answers), −inf where there is no answer.
        truth: column of the true answer, int (rows,).
        weights: float (rows,), such as those of `prevalence_weights`.
        prior: float (rows, answers), added to the scores at every temperature: log of the odds of another prevalence.

    Raises:
        ValueError: if there are no rows, lengths differ, or a true answer has the score −inf.
    """
    from scipy.optimize import minimize_scalar

    table, index = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.int64)
    if len(table) == 0 or len(table) != len(index):
        raise ValueError(f"{len(table)} rows of scores and {len(index)} true answers")
    if not np.isfinite(table[np.arange(len(index)), index]).all():
        raise ValueError("a true answer has no score")
    found = minimize_scalar(
        lambda log: negative_log_likelihood(table, index, float(np.exp(log)), weights, prior),
        bounds=tuple(np.log(TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


@dataclass(frozen=True)
class RiskCoverage:
    """What is gained by abstaining: one point a distinct confidence, from the highest down.

    Attributes:
        threshold: answers of at least this confidence are given, float64 (points,).
        coverage: share of questions answered, increasing to 1.
        risk: share of wrong ones among them.
        area: mean risk over the coverages (AURC; Geifman and El-Yaniv, NeurIPS 2017), ties answered together.
    """

    threshold: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray
    area: float


def risk_coverage(confidence: ArrayLike, right: ArrayLike) -> RiskCoverage:
    """The risk–coverage curve; without rows it has no points and the area NaN."""
    values, truth, _ = _columns(confidence, right, None)
    if not len(values):
        return RiskCoverage(np.array([]), np.array([]), np.array([]), float("nan"))
    threshold, group = np.unique(-values, return_inverse=True)
    given = np.cumsum(np.bincount(group))
    coverage, risk = given / len(values), np.cumsum(np.bincount(group, weights=1 - truth)) / given
    return RiskCoverage(-threshold, coverage, risk, float(np.diff(coverage, prepend=0) @ risk))


def prevalence_weights(positive: ArrayLike, prevalence: float) -> np.ndarray:
    """Weights, of mean 1, with which the positive rows make up `prevalence` of all.

    Questions are balanced, records are not: with these weights a balanced set stands for the natural one.

    Raises:
        ValueError: if the prevalence is not in [0, 1], or a class that it needs has no rows.
    """
    truth = np.asarray(positive, dtype=bool)
    if not 0 <= prevalence <= 1:
        raise ValueError(f"a prevalence is between 0 and 1, not {prevalence}")
    if (prevalence > 0 and not truth.any()) or (prevalence < 1 and truth.all()):
        raise ValueError("a class that the prevalence needs has no rows")
    share = truth.mean()
    return np.where(truth, prevalence / share if share else 0, (1 - prevalence) / (1 - share) if share < 1 else 0)


def at_prevalence(probability: ArrayLike, trained: float, wanted: ArrayLike) -> np.ndarray:
    """Probabilities of a finding, moved from one prevalence to another: its odds times the ratio of prior odds.

    Holds where only the prevalence differs (Saerens et al., Neural Computation 14, 21-41, 2002).

    Raises:
        ValueError: if a prevalence is not strictly between 0 and 1.
    """
    values, to = np.asarray(probability, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    for value in (trained, *to.flat):
        if not 0 < value < 1:
            raise ValueError(f"a prevalence is strictly between 0 and 1, not {value}")
    yes = values * to / trained
    no = (1 - values) * (1 - to) / (1 - trained)
    return yes / (yes + no)


def positive_predictive_value(sensitivity: float, specificity: float, prevalence: float) -> float:
    """The share of positive calls that are right at a prevalence, by Bayes; NaN if nothing is called positive.

    At prevalence 0 or 1 the rate of the absent class does not count, known or not.
    """
    right = 0.0 if prevalence == 0 else sensitivity * prevalence
    wrong = 0.0 if prevalence == 1 else (1 - specificity) * (1 - prevalence)
    return right / (right + wrong) if right + wrong else float("nan")


@dataclass(frozen=True)
class Believed:
    """Answers with the probability that stands for them.

    Attributes:
        confidence: of the chosen answer, (rows,).
        right: bool (rows,), whether it is true.
        called: bool (rows,), whether "yes" was chosen; empty where answers are not yes and no.
        positive: bool (rows,), whether "yes" is true; likewise.
        weights: of the rows; None weighs all alike.
    """

    confidence: np.ndarray
    right: np.ndarray
    called: np.ndarray = field(default_factory=lambda: np.zeros(0))
    positive: np.ndarray = field(default_factory=lambda: np.zeros(0))
    weights: np.ndarray | None = None


def predictive_value(rows: Believed, bootstrap: Bootstrap) -> Resampled:
    """Share of the rows called positive that are; NaN where none is called."""
    share = 1.0 if rows.weights is None else rows.weights
    return bootstrap.mean(rows.positive, rows.called * share)


CALIBRATION_ERROR = Metric[Believed](
    "expected calibration error",
    lambda rows, bootstrap: calibration_error(bootstrap, rows.confidence, rows.right, rows.weights),
)
PREDICTIVE_VALUE = Metric('positive predictive value of "yes"', predictive_value)
RISK_COVERAGE = Metric[Believed](
    "area under risk–coverage",
    lambda rows, bootstrap: bootstrap.without_samples(risk_coverage(rows.confidence, rows.right).area),
)
