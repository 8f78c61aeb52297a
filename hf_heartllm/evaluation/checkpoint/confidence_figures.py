"""Calibration error, predictive values and risk–coverage of answered questions, with their controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..answered import Answered
from ..conditions import CONDITION_WORDS, CONDITIONS, REAL
from ..confidence import (
    CALIBRATION_ERROR,
    PREDICTIVE_VALUE,
    RISK_COVERAGE,
    Believed,
    padded_scores,
    positive_predictive_value,
    reliability,
    risk_coverage,
    tempered,
)
from ..confidence_curves import AT_NATURAL, Curves
from ..confidence_plots import plot_reliability, plot_risk_coverage
from ..controlled import RANKS_NOTHING, ControlledResult
from ..intervals import Bootstrap, Settings
from ..metrics import Metric, controlled
from .calibration import Calibration, Statement, YesNoRows, yes_no_rows
from .figures import MIN_POSITIVES

AS_SCORED, CALIBRATED = "as scored", "calibrated"
NATURAL = "yes/no questions weighted to natural prevalence"
EVERY = "questions that every record is asked (natural prevalence)"


def confidence_results(
    answered: Answered,
    calibration: Calibration | None,
    prior: Mapping[Statement, float],
    prevalence: Mapping[Statement, float],
    settings: Settings,
) -> list[ControlledResult]:
    """Expected calibration error and positive predictive value, as scored and calibrated; area under risk–coverage.

    Args:
        answered: the test questions.
        calibration: from the calibration questions; None: only as scored.
        prior: prevalence of each statement in the training folds, to which calibrated probabilities are moved.
        prevalence: its prevalence among the test records, for which weighted rows stand.
        settings: of the bootstrap.
    """
    result: list[ControlledResult] = []

    def add(metrics: Sequence[Metric[Believed]], group: str, columns: Mapping[str, Believed], rows: np.ndarray) -> None:
        bootstrap = Bootstrap(answered.patients[rows], **settings)
        result.extend(controlled(metric, group, columns, bootstrap, absent=RANKS_NOTHING) for metric in metrics)

    balanced, steps = answered.balanced, _steps(calibration)
    for step, used in steps.items() if len(balanced) else ():
        columns = {one: _believed(answered, one, used) for one in CONDITIONS}
        add([CALIBRATION_ERROR], f"{answered.set_name}, {step}", columns, balanced)
    known = {statement: share for statement, share in prevalence.items() if statement in prior}
    sets = (
        (answered.set_name.replace("questions", "yes/no questions"), yes_no_rows(answered, every_record=False), None),
        (NATURAL, yes_no_rows(answered, every_record=False, known=known), known),
        (EVERY, yes_no_rows(answered, every_record=True, known=known), None),
    )
    for title, yes_no, weighted_to in sets:
        if not len(yes_no.rows):
            continue
        weights = None if weighted_to is None else yes_no.weights(weighted_to)
        natural = title in (NATURAL, EVERY)
        for step, used in steps.items():
            moved = prior if natural else None
            columns = {one: _believed_yes(yes_no, one, used, moved, weights) for one in CONDITIONS}
            metrics = [CALIBRATION_ERROR, PREDICTIVE_VALUE] if natural else [PREDICTIVE_VALUE]
            add(metrics, f"{title}, {step}", columns, yes_no.rows)
    if len(balanced):
        step, used = list(steps.items())[-1]
        columns = {one: _believed(answered, one, used) for one in CONDITIONS}
        add([RISK_COVERAGE], f"{answered.set_name}, {step}", columns, balanced)
    return result


def _steps(calibration: Calibration | None) -> dict[str, Calibration | None]:
    """As scored and, where there is a calibration, with it."""
    return {AS_SCORED: None} if calibration is None else {AS_SCORED: None, CALIBRATED: calibration}


def _believed(answered: Answered, condition: str, calibration: Calibration | None) -> Believed:
    """The balanced questions."""
    temperature, rows = 1.0 if calibration is None else calibration.balanced_temperature, answered.balanced
    scores = padded_scores([answered.scores[condition][row].tolist() for row in rows])
    return Believed(tempered(scores, temperature).max(axis=1), answered.right[condition][rows])


def _believed_yes(
    yes_no: YesNoRows,
    condition: str,
    calibration: Calibration | None,
    prior: Mapping[Statement, float] | None,
    weights: np.ndarray | None,
) -> Believed:
    """By p("yes"): as scored without a calibration, at the balanced temperature without a prior, else at the prior."""
    if calibration is None:
        share = yes_no.probability(condition)
    elif prior is None or calibration.natural_temperature is None:
        share = yes_no.probability(condition, calibration.balanced_temperature)
    else:
        share = yes_no.probability(condition, calibration.natural_temperature, prior, calibration.yes_share)
    called, positive = share > 0.5, yes_no.positive
    return Believed(np.maximum(share, 1 - share), called == positive, called, positive, weights)


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
            called = yes_no.margin[condition][here] > 0
            rates = float(called[positive].mean()), float((~called[~positive]).mean())
            by_condition[condition] = {
                "sensitivity": rates[0],
                "specificity": rates[1],
                "positive_predictive_value_balanced": positive_predictive_value(*rates, float(positive.mean())),
                "positive_predictive_value_natural": positive_predictive_value(*rates, prevalence[statement]),
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


def measured_curves(
    answered: Answered,
    calibration: Calibration | None,
    prior: Mapping[Statement, float],
    prevalence: Mapping[Statement, float],
) -> Curves:
    """Reliability on the real ECG (of the balanced questions, and at natural prevalence), and risk–coverage."""
    steps = _steps(calibration)
    balanced = {step: _believed(answered, REAL, used) for step, used in steps.items()}
    tables = {answered.set_name: {step: reliability(one.confidence, one.right) for step, one in balanced.items()}}
    known = {statement: share for statement, share in prevalence.items() if statement in prior}
    yes_no = yes_no_rows(answered, every_record=False, known=known)
    if len(yes_no.rows):
        natural = {}
        for step, used in steps.items():
            one = _believed_yes(yes_no, REAL, used, prior, yes_no.weights(known))
            natural[step] = reliability(one.confidence, one.right, weights=one.weights)
        tables[AT_NATURAL] = natural
    curves = {}
    for condition in CONDITIONS:
        one = _believed(answered, condition, calibration)
        curves[CONDITION_WORDS[condition]] = risk_coverage(one.confidence, one.right)
    return Curves(tables, {answered.set_name: curves})


def draw(curves: Curves, folder: Path) -> list[Path]:
    """Each reliability and risk–coverage as a picture; returns their paths."""
    written = []
    for questions, tables in curves.reliability.items():
        written.append(folder / f"reliability-{'natural' if questions == AT_NATURAL else 'balanced'}.png")
        plot_reliability(tables, written[-1], f"Reliability, {questions}")
    for questions, risks in curves.risk_coverage.items():
        written.append(folder / "risk-coverage.png")
        plot_risk_coverage(risks, written[-1], f"Risk and coverage, {questions}")
    return written
