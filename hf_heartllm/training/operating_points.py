"""Operating points of yes/no questions: where each statement's answer turns, chosen on patients not trained on.

For a statement the point is the margin (log-likelihood of "yes" less that of "no") with the largest sensitivity +
specificity (Youden, Cancer 3, 32, 1950) among those with a specificity of 0.8 at least. What `fit_points` says of it
was measured on a fifth of the patients at a time, the point chosen on the other four; `measured` says what it is worth
for the checkpoint that carries it, on patients of a third part. Statements with few positives take the point that is
best for all others together. Rhythms are compared with one another, so that a recording has exactly one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..evaluation.people import id_number
from ..models.answer_calibration import AskedStatement
from ..models.operating_points import OperatingPoint, logit

MIN_POSITIVES = 20  # recordings with a statement for a point of its own
MIN_OF_ONE = 15  # for a place among the rhythms that every recording is sorted into on equal terms
MIN_SPECIFICITY = 0.8
RARE_SPECIFICITY = 0.995  # of rhythms with fewer recordings, which must not take others' place
PARTS = 5  # of the patients
WIDTH = 0.4  # of the smoothing along the margin, in nats: what some patients more would change
SLOPE_SPREAD, INTERCEPT_SPREAD = 0.25, 1.0  # of statements' lines around the common one


@dataclass(frozen=True)
class StatementMargins:
    """Every record asked for every statement.

    Attributes:
        statements: the columns.
        margins: float64 (records, statements).
        stated: bool (records, statements), whether the record's labels state it.
        patients: names, (records,).
        denied: bool (records, statements), whether they say that it is absent; where neither holds, the record does not
            count for the statement. None: whatever is not stated is absent.
    """

    statements: tuple[AskedStatement, ...]
    margins: np.ndarray
    stated: np.ndarray
    patients: np.ndarray
    denied: np.ndarray | None = None

    @property
    def absent(self) -> np.ndarray:
        """bool (records, statements), whether a statement is known not to hold."""
        return ~self.stated if self.denied is None else self.denied

    def column(self, attribute: str) -> int:
        """The place of an attribute; ValueError if there is none."""
        return [one.attribute for one in self.statements].index(attribute)


@dataclass(frozen=True)
class Fitted:
    """What was chosen: the statements with lines and points, and the rhythms of which a recording has one."""

    statements: tuple[AskedStatement, ...]
    one_of: tuple[str, ...]


def fit_points(asked: StatementMargins, temperature: float, yes_share: float) -> Fitted:
    """Choose operating points, and fit the lines from margins to log-odds.

    Args:
        asked: of patients that the model was not trained on.
        temperature: for yes/no questions at a prevalence, around which the statements' slopes are sought.
        yes_share: share of "yes" among the questions it was fitted on.
    """
    rhythms = _rhythms(asked)
    parts = patient_parts(asked.patients)
    chosen = _points(asked, np.ones(len(parts), dtype=bool), rhythms)
    yes = np.zeros(asked.margins.shape, dtype=bool)
    for part in range(PARTS):
        out = parts == part
        points = _points(asked, ~out, rhythms)
        yes[out] = answers_at(asked, points, rhythms)[out]
    statements = []
    for column, statement in enumerate(asked.statements):
        stated, absent = asked.stated[:, column], asked.absent[:, column]
        positives, negatives = int(stated.sum()), int(absent.sum())
        if not positives or not negatives:
            statements.append(statement)
            continue
        known = stated | absent
        margins = asked.margins[known, column]
        slope, intercept = _line(margins, stated[known], statement.prevalence, temperature, yes_share)
        point = OperatingPoint(
            round(float(chosen[column]), 4),
            round(float(yes[stated, column].mean()), 4),
            round(float((~yes[absent, column]).mean()), 4),
            positives,
            negatives,
            positives >= MIN_POSITIVES or (column in rhythms and positives >= MIN_OF_ONE),
        )
        statements.append(replace(statement, slope=round(slope, 5), intercept=round(intercept, 5), point=point))
    return Fitted(tuple(statements), tuple(asked.statements[column].attribute for column in rhythms))


def answers_at(asked: StatementMargins, points: np.ndarray, rhythms: Sequence[int]) -> np.ndarray:
    """The answers, bool (records, statements), with a point for each column; of `rhythms` each record has one."""
    above = asked.margins - points
    yes: np.ndarray = above >= 0
    if len(rhythms):
        yes[:, list(rhythms)] = False
        first = np.asarray(rhythms)[above[:, list(rhythms)].argmax(axis=1)]
        yes[np.arange(len(yes)), first] = True
    return yes


def patient_parts(patients: np.ndarray) -> np.ndarray:
    """A fifth of the patients each, the same whatever else is there; int (records,)."""
    return np.array([(id_number(str(patient)) * 2654435761 % 2**32) * PARTS >> 32 for patient in patients])


def _rhythms(asked: StatementMargins) -> list[int]:
    """Columns of the rhythms of which a recording has one; bigeminy and trigeminy stand beside another."""
    found = [
        column
        for column, one in enumerate(asked.statements)
        if one.attribute_type == "rhythm"
        and one.attribute not in ("BIGU", "TRIGU")
        and asked.stated[:, column].any()
        and asked.absent[:, column].any()
    ]
    return found if len(found) > 1 else []


def _points(asked: StatementMargins, rows: np.ndarray, rhythms: Sequence[int]) -> np.ndarray:
    """The point of each column, float64 (statements,), chosen on some of the records."""
    margins, stated, absent = asked.margins[rows], asked.stated[rows], asked.absent[rows]
    counts, least = stated.sum(axis=0), MIN_POSITIVES * 0.7
    points = np.zeros(margins.shape[1])
    own = [c for c in range(len(points)) if counts[c] >= least and absent[:, c].sum() >= least]
    known = stated | absent
    columns = {c: (margins[known[:, c], c], stated[known[:, c], c]) for c in own}
    for column in own:
        points[column] = best_margin([columns[column]])
    common = best_margin([columns[c] for c in own if c not in rhythms]) if own else 0.0
    for column in set(range(len(points))) - set(own):
        points[column] = common
    return _of_one(margins, stated, absent, points, rhythms)


def best_margin(columns: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The margin with the largest mean of sensitivity + specificity over columns, specificity 0.8 at least.

    Args:
        columns: margins and whether the statement holds, each with both kinds.
    """
    if not columns:
        return 0.0
    everything = np.concatenate([margins for margins, _ in columns])
    low, high = np.percentile(everything, [0.5, 99.5]).tolist()
    grid = np.linspace(low, high, 241)
    gains, specificities = [], []
    for margins, stated in columns:
        below_yes = np.searchsorted(np.sort(margins[stated]), grid) / max(1, stated.sum())
        below_no = np.searchsorted(np.sort(margins[~stated]), grid) / max(1, (~stated).sum())
        gains.append(below_no - below_yes)
        specificities.append(below_no)
    step = grid[1] - grid[0] or 1.0
    reach = max(1, round(2 * WIDTH / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / WIDTH) ** 2)
    gain = np.convolve(np.pad(np.mean(gains, axis=0), reach, mode="edge"), kernel / kernel.sum(), mode="valid")
    gain[np.mean(specificities, axis=0) < MIN_SPECIFICITY] = -1.0
    return float(grid[int(gain.argmax())])


def _of_one(
    margins: np.ndarray, stated: np.ndarray, absent: np.ndarray, points: np.ndarray, rhythms: Sequence[int]
) -> np.ndarray:
    """The points of rhythms moved until the sum of their sensitivities and specificities grows no more."""
    points, counts = points.copy(), stated.sum(axis=0)
    equal = [column for column in rhythms if counts[column] >= MIN_OF_ONE * 0.7]
    for column in set(rhythms) - set(equal):
        others = margins[absent[:, column], column]
        points[column] = np.quantile(others, RARE_SPECIFICITY) if len(others) else np.inf
    if len(equal) < 2:
        return points

    def gain(tried: np.ndarray) -> float:
        above = margins[:, list(rhythms)] - tried[list(rhythms)]
        first = np.asarray(rhythms)[above.argmax(axis=1)]
        found = [
            (first == c)[stated[:, c]].mean() - (first == c)[absent[:, c]].mean()
            for c in equal
            if stated[:, c].any() and absent[:, c].any()
        ]
        return float(np.mean(found)) if found else 0.0

    best = gain(points)
    for step in (1.0, 0.5, 0.25, 0.25):
        for column in equal:
            for move in (-step, step):
                while True:
                    tried = points.copy()
                    tried[column] += move
                    if (value := gain(tried)) <= best + 5e-4:
                        break
                    points, best = tried, value
    return points


def _line(
    margins: np.ndarray, stated: np.ndarray, prevalence: float, temperature: float, yes_share: float
) -> tuple[float, float]:
    """Slope and intercept from margins to log-odds: a logistic regression, with few patients near the common line."""
    from scipy.optimize import minimize

    slope = 1 / temperature
    intercept = logit(prevalence) - logit(yes_share)
    sign = np.where(stated, 1.0, -1.0)

    def loss(moved: np.ndarray) -> float:
        odds = slope * np.exp(moved[0]) * margins + intercept + moved[1]
        far = (moved[0] / SLOPE_SPREAD) ** 2 + (moved[1] / INTERCEPT_SPREAD) ** 2
        return float(np.logaddexp(0, -sign * odds).sum() + far / 2)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-4})
    return float(slope * np.exp(found.x[0])), float(intercept + found.x[1])


def measured(fitted: Fitted, asked: StatementMargins) -> Fitted:
    """The same points with what they are worth on other patients, asked by the checkpoint that carries them.

    Nothing is chosen by it. A statement that none of these patients has keeps no point: nothing could be said of it.
    """
    one_of = tuple(name for name in fitted.one_of if asked.absent[:, asked.column(name)].any())
    one_of = one_of if len(one_of) > 1 else ()
    columns = [asked.column(name) for name in one_of]
    yes = answers_at(asked, points_of(fitted.statements), columns)
    statements = []
    for column, one in enumerate(fitted.statements):
        stated, absent = asked.stated[:, column], asked.absent[:, column]
        if one.point is None or not absent.any() or not (stated.any() or one.attribute in one_of):
            statements.append(replace(one, point=None))
            continue
        point = replace(
            one.point,
            sensitivity=round(float(yes[stated, column].mean()), 4) if stated.any() else 0.0,
            specificity=round(float((~yes[absent, column]).mean()), 4),
            positives=int(stated.sum()),
            negatives=int(absent.sum()),
        )
        statements.append(replace(one, point=point))
    return Fitted(tuple(statements), one_of)


def points_of(statements: Sequence[AskedStatement]) -> np.ndarray:
    """The points of statements, float64 (statements,); infinite where a statement has none."""
    return np.array([np.inf if one.point is None else one.point.margin for one in statements])


def probabilities(asked: StatementMargins, of: Mapping[str, AskedStatement]) -> np.ndarray:
    """p("yes") of each record and statement at its prevalence by its line, float64 (records, statements)."""
    lines = [of[one.attribute] for one in asked.statements]
    slope = np.array([one.slope if one.slope is not None else np.nan for one in lines])
    intercept = np.array([one.intercept if one.intercept is not None else np.nan for one in lines])
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * asked.margins + intercept, -500, 500))))
