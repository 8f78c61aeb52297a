"""Where "no" turns into "yes": an operating point for each statement, and one rhythm for each recording.

The margin of a yes/no question is the log-likelihood of "yes" less that of "no". At the prevalence of a rare finding
the likelier answer is "no" for nearly everybody, so the answer is not the likelier one: it is "yes" from a margin on
that was chosen for the statement, on patients whose findings are known, and that comes with its sensitivity and
specificity. The probability at a prevalence is said beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class OperatingPoint:
    """From which margin on a statement is answered with "yes".

    Attributes:
        margin: the answer is "yes" here and above.
        sensitivity: share of "yes" among the patients with the finding; measured on others than it was chosen on.
        specificity: share of "no" among those without it, likewise.
        positives: number of recordings with the finding that these were measured on.
        negatives: number without it.
        own: False where there were too few with the finding, so that `margin` is that of all statements together.
    """

    margin: float
    sensitivity: float
    specificity: float
    positives: int
    negatives: int
    own: bool = True


@dataclass(frozen=True)
class Decision:
    """The answer at an operating point.

    Attributes:
        yes: the answer.
        excess: by how much the margin lies above (or, negative, below) where the answer would turn.
    """

    yes: bool
    excess: float

    def confidence(self, slope: float) -> float:
        """How sure that answer is at even odds, 0.5 where it is about to turn; `slope` turns margins into log-odds."""
        return 1 / (1 + math.exp(-min(500.0, slope * abs(self.excess))))


def decide(margin: float, point: OperatingPoint) -> Decision:
    """The answer to one statement alone."""
    excess = margin - point.margin
    return Decision(excess >= 0, excess)


def decide_one_of(attribute: str, margins: Mapping[str, float], points: Mapping[str, OperatingPoint]) -> Decision:
    """The answer to one of several statements of which a recording has exactly one.

    "yes" is for the statement that lies highest above its operating point (or the least below), so that exactly one is
    answered with "yes".

    Args:
        attribute: the statement asked for, a key of both mappings.
        margins: of all of these statements.
        points: of the same.
    """
    above = {name: margins[name] - points[name].margin for name in points}
    other = max(value for name, value in above.items() if name != attribute)
    first = max(above, key=lambda name: above[name])  # the first of two equal ones, so never two
    return Decision(first == attribute, above[attribute] - other)


def logit(share: float) -> float:
    """ln(share / (1 − share))."""
    return math.log(share) - math.log1p(-share)


def probability_words(probability: float) -> str:
    """A probability to two significant digits, near 1 to three decimals; none is certain, so never 0 or 1.

    >>> [probability_words(one) for one in (0.0432, 0.5, 0.98, 0.9968, 0.99997, 0.00002)]
    ['0.043', '0.5', '0.98', '0.997', 'above 0.999', 'below 0.0001']
    """
    if probability > 0.999:
        return "above 0.999"
    if probability < 0.0001:
        return "below 0.0001"
    return f"{probability:.3f}" if probability > 0.985 else f"{probability:.2g}"


def times(ratio: float) -> str:
    """In words, how the probability stands to the prevalence."""
    if ratio >= 1.95:
        return f"{ratio:.0f} times the average patient" if ratio >= 9.5 else f"{ratio:.1f} times the average patient"
    if ratio > 1.05:
        return f"{ratio:.1f} times the average patient"
    return "as for the average patient" if ratio > 0.95 else f"{ratio:.2g} of the average patient"


def words_of_folds(folds: Sequence[int | str]) -> str:
    """Folds, or of a collection without folds its splits, in words; empty for none.

    >>> words_of_folds([9]), words_of_folds([8, 9]), words_of_folds(["test"])
    ('fold 9', 'folds 8, 9', 'split test')
    """
    what = "split" if any(isinstance(fold, str) for fold in folds) else "fold"
    return f"{what}{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}" if folds else ""


def words_of_point(point: OperatingPoint, folds: Sequence[int | str]) -> str:
    """What the answer is worth, for whoever reads it."""
    where = words_of_folds(folds) or "the fitted questions"
    found = f"sensitivity {point.sensitivity:.2f}, specificity {point.specificity:.2f} on {where}"
    few = f" ({point.positives} with the finding)" if point.positives < 20 else ""
    return found + few
