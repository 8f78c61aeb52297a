"""Calibration error, predictive values and risk–coverage of answered questions, with their controls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..conditions import CONDITION_WORDS, CONDITIONS, REAL
from ..confidence import BINS, YesNo, padded_scores, reliability, risk_coverage, tempered
from ..confidence_plots import plot_reliability, plot_risk_coverage
from ..heldout import Answered
from ..intervals import Interval, bootstrap_sums
from .calibration import Calibration, Statement, YesNoRows, yes_no_rows
from .figures import MIN_POSITIVES, NO_PROBABILITIES, Settings
from .rows import MAJORITY, MAJORITY_AGE_SEX, ControlledRow

_ABSENT = dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), NO_PROBABILITIES)
AS_SCORED, CALIBRATED = "as scored", "calibrated"
NATURAL = "yes/no questions weighted to natural prevalence"
EVERY = "questions that every record is asked (natural prevalence)"


def calibration_error(
    confidence: np.ndarray, right: np.ndarray, patients: np.ndarray, weights: np.ndarray | None, settings: Settings
) -> Interval:
    """`confidence.expected_calibration_error` with its interval by patient; NaN without rows of weight."""
    share = np.ones(len(confidence)) if weights is None else weights
    of_row = np.clip(np.searchsorted(np.linspace(0, 1, BINS + 1), confidence, side="left") - 1, 0, BINS - 1)
    gap = np.zeros((len(confidence), BINS))
    gap[np.arange(len(confidence)), of_row] = share * (right - confidence)

    def error(sums: np.ndarray) -> np.ndarray:
        total = sums[:, :1]
        found: np.ndarray = np.divide(
            np.abs(sums[:, 1:]).sum(axis=1, keepdims=True), total, out=np.full(total.shape, np.nan), where=total > 0
        )
        return found

    return bootstrap_sums(np.column_stack([share, gap]), patients, error, **settings)[0]


def predictive_value(
    positive: np.ndarray, called: np.ndarray, patients: np.ndarray, weights: np.ndarray | None, settings: Settings
) -> Interval:
    """Share of the rows called positive that are; NaN where none is called."""
    share = np.ones(len(positive)) if weights is None else weights
    columns = np.column_stack([share * (positive & called), share * called])

    def value(sums: np.ndarray) -> np.ndarray:
        return np.divide(sums[:, :1], sums[:, 1:], out=np.full((len(sums), 1), np.nan), where=sums[:, 1:] > 0)

    return bootstrap_sums(columns, patients, value, **settings)[0]


def confidence_rows(
    answered: Answered,
    calibration: Calibration | None,
    prior: Mapping[Statement, float],
    prevalence: Mapping[Statement, float],
    settings: Settings,
) -> list[ControlledRow]:
    """Expected calibration error and positive predictive value, as scored and calibrated.

    Args:
        answered: the test questions.
        calibration: from the calibration questions; None: only as scored.
        prior: prevalence of each statement in the training folds, to which calibrated probabilities are moved.
        prevalence: its prevalence among the test records, for which weighted rows stand.
        settings: of the bootstrap.
    """
    result: list[ControlledRow] = []
    balanced = np.array([i for i, question in enumerate(answered.questions) if not question.every_record], dtype=int)
    steps = [AS_SCORED] if calibration is None else [AS_SCORED, CALIBRATED]
    for step in steps if len(balanced) else ():
        temperature = calibration.balanced_temperature if calibration and step == CALIBRATED else 1.0
        values: dict[str, Interval | None] = {}
        for condition in CONDITIONS:
            confidence = _confidence(answered, condition, balanced, temperature)
            right = answered.right[condition][balanced]
            values[condition] = calibration_error(confidence, right, answered.patients[balanced], None, settings)
        result.append(
            ControlledRow("expected calibration error", f"{answered.set_name}, {step}", values, absent=_ABSENT)
        )
    known = {statement: share for statement, share in prevalence.items() if statement in prior}
    sets = (
        (answered.set_name.replace("questions", "yes/no questions"), yes_no_rows(answered, every_record=False), None),
        (NATURAL, yes_no_rows(answered, every_record=False, known=known), known),
        (EVERY, yes_no_rows(answered, every_record=True, known=known), None),
    )
    for title, yes_no, weighted_to in sets:
        if not len(yes_no.rows):
            continue
        patients = answered.patients[yes_no.rows]
        weights = None if weighted_to is None else yes_no.weights(weighted_to)
        natural = title in (NATURAL, EVERY)
        for step in steps:
            errors: dict[str, Interval | None] = {}
            ppv: dict[str, Interval | None] = {}
            for condition in CONDITIONS:
                share = _yes(yes_no, condition, calibration if step == CALIBRATED else None, prior if natural else None)
                called = share > 0.5
                errors[condition] = calibration_error(
                    np.maximum(share, 1 - share), called == yes_no.positive, patients, weights, settings
                )
                ppv[condition] = predictive_value(yes_no.positive, called, patients, weights, settings)
            if natural:
                result.append(ControlledRow("expected calibration error", f"{title}, {step}", errors, absent=_ABSENT))
            result.append(ControlledRow('positive predictive value of "yes"', f"{title}, {step}", ppv, absent=_ABSENT))
    return result


def _confidence(answered: Answered, condition: str, rows: np.ndarray, temperature: float) -> np.ndarray:
    """Probability of the chosen answer at a temperature, float64 (rows,)."""
    scores = padded_scores([answered.scores[condition][row].tolist() for row in rows])
    highest: np.ndarray = tempered(scores, temperature).max(axis=1)
    return highest


def _yes(
    yes_no: YesNoRows, condition: str, calibration: Calibration | None, prior: Mapping[Statement, float] | None
) -> np.ndarray:
    """p("yes"): as scored without a calibration, at the balanced temperature without a prior, else at the prior."""
    if calibration is None:
        return yes_no.probability(condition)
    if prior is None or calibration.natural_temperature is None:
        return yes_no.probability(condition, calibration.balanced_temperature)
    return yes_no.probability(condition, calibration.natural_temperature, prior, calibration.yes_share)


def statement_figures(answered: Answered, prevalence: Mapping[Statement, float]) -> list[dict[str, Any]]:
    """Sensitivity, specificity and predictive value of each statement with enough balanced questions, each condition.

    The predictive value stands for the balanced questions and, by Bayes, for the statement's prevalence.
    """
    yes_no = yes_no_rows(answered, every_record=False, known=prevalence)
    result = []
    for statement in sorted(set(yes_no.statements)):
        here = np.array([one == statement for one in yes_no.statements])
        positive = yes_no.positive[here]
        if min(positive.sum(), (~positive).sum()) < MIN_POSITIVES:
            continue
        by_condition = {}
        for condition in CONDITIONS:
            rates = YesNo.of(positive, yes_no.margin[condition][here] > 0)
            by_condition[condition] = {
                "sensitivity": rates.sensitivity,
                "specificity": rates.specificity,
                "positive_predictive_value_balanced": rates.positive_predictive_value(float(positive.mean())),
                "positive_predictive_value_natural": rates.positive_predictive_value(prevalence[statement]),
            }
        result.append(
            {
                "attribute_type": statement[0],
                "attribute": statement[1],
                "questions": int(here.sum()),
                "positive": int(positive.sum()),
                "prevalence": prevalence[statement],
                "conditions": by_condition,
            }
        )
    return result


def risk_coverage_row(answered: Answered, calibration: Calibration | None, settings: Settings) -> ControlledRow:
    """Area under the risk–coverage curve of the balanced questions; its interval is left out."""
    rows = np.array([i for i, question in enumerate(answered.questions) if not question.every_record], dtype=int)
    none, patients = float("nan"), len(set(answered.patients[rows].tolist()))
    temperature = 1.0 if calibration is None else calibration.balanced_temperature
    values: dict[str, Interval | None] = {}
    for condition in CONDITIONS:
        curve = risk_coverage(
            _confidence(answered, condition, rows, temperature), answered.right[condition][rows].astype(float)
        )
        values[condition] = Interval(curve.area, none, none, 0.95, len(rows), patients)
    step = AS_SCORED if calibration is None else CALIBRATED
    return ControlledRow("area under risk–coverage", f"{answered.set_name}, {step}", values, absent=_ABSENT)


def draw(
    answered: Answered,
    calibration: Calibration | None,
    prior: Mapping[Statement, float],
    prevalence: Mapping[Statement, float],
    folder: Path,
) -> list[Path]:
    """Reliability (balanced, and at natural prevalence) and risk–coverage as pictures; returns their paths."""
    written = []
    rows = np.array([i for i, question in enumerate(answered.questions) if not question.every_record], dtype=int)
    right = answered.right[REAL][rows].astype(float)
    steps = {AS_SCORED: None} if calibration is None else {AS_SCORED: None, CALIBRATED: calibration}
    tables = {}
    for step, used in steps.items():
        temperature = 1.0 if used is None else used.balanced_temperature
        tables[step] = reliability(_confidence(answered, REAL, rows, temperature), right)
    written.append(folder / "reliability-balanced.png")
    plot_reliability(tables, written[-1], f"Reliability, {answered.set_name}")
    known = {statement: share for statement, share in prevalence.items() if statement in prior}
    yes_no = yes_no_rows(answered, every_record=False, known=known)
    if len(yes_no.rows):
        tables = {}
        for step, used in steps.items():
            share = _yes(yes_no, REAL, used, prior)
            true = ((share > 0.5) == yes_no.positive).astype(float)
            tables[step] = reliability(np.maximum(share, 1 - share), true, weights=yes_no.weights(known))
        written.append(folder / "reliability-natural.png")
        plot_reliability(tables, written[-1], "Reliability, yes/no at natural prevalence")
    curves = {}
    for condition in CONDITIONS:
        temperature = 1.0 if calibration is None else calibration.balanced_temperature
        confidence = _confidence(answered, condition, rows, temperature)
        curves[CONDITION_WORDS[condition]] = risk_coverage(confidence, answered.right[condition][rows].astype(float))
    written.append(folder / "risk-coverage.png")
    plot_risk_coverage(curves, written[-1], f"Risk and coverage, {answered.set_name}")
    return written
