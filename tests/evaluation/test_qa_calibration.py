"""Temperatures, calibration error and predictive values at natural prevalence, on answers that are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from hf_heartllm.data.label_names import statement_labels
from hf_heartllm.data.question import EVERY_RECORD, SAMPLED, Question
from hf_heartllm.data.record import Record
from hf_heartllm.evaluation.answered import Answered, tabulate
from hf_heartllm.evaluation.checkpoint.calibration import fit_calibration, prevalences, yes_no_rows
from hf_heartllm.evaluation.checkpoint.confidence_figures import (
    _believed,
    confidence_results,
    draw,
    measured_curves,
    statement_figures,
)
from hf_heartllm.evaluation.conditions import CONDITIONS
from hf_heartllm.evaluation.confidence import (
    Believed,
    calibration_error,
    expected_calibration_error,
    predictive_value,
)
from hf_heartllm.evaluation.intervals import Bootstrap
from hf_heartllm.evaluation.question_file import AskedRecord

SETTINGS = {"resamples": 30, "seed": 0}
AFIB = ("rhythm", "AFIB")
PREVALENCE = {AFIB: 0.1}


def answered_by(overconfident: float, records: int = 3000, share: float = 0.5, every: bool = False) -> Answered:
    """Log-likelihood ratios of two normal classes (so they are calibrated at 1 : 1), times a factor."""
    rng = np.random.default_rng(1)
    made, outcomes = [], {}
    for index in range(records):
        positive = rng.random() < share
        ratio = 2 * rng.normal(1 if positive else -1)  # log N(x; 1, 1) − log N(x; −1, 1) = 2 x
        asked = "Does it?", ("yes" if positive else "no",), ("no", "yes"), "verify", "rhythm", "AFIB"
        question = Question(*asked, question_set=EVERY_RECORD if every else SAMPLED)
        made.append(AskedRecord(Record(str(index), str(index)), (question,)))
        for condition in CONDITIONS:
            outcomes[str(index), condition] = [[0.0, ratio * overconfident if condition == "real" else 0.0]]
    return tabulate(made, outcomes, CONDITIONS)


def test_the_temperature_of_overconfident_answers_is_found_on_both_scales():
    found = fit_calibration(answered_by(3.0), PREVALENCE)
    assert found.balanced_temperature == pytest.approx(3, rel=0.1)
    assert found.natural_temperature == pytest.approx(3, rel=0.15)
    assert (found.questions, found.yes_no_questions, found.at_edge) == (3000, 3000, ())
    assert found.yes_share == pytest.approx(0.5, abs=0.03)
    assert fit_calibration(answered_by(3.0), {}).natural_temperature is None
    with pytest.raises(ValueError, match="no balanced questions"):
        fit_calibration(answered_by(1.0, 10, every=True), PREVALENCE)


def test_calibrated_probabilities_hold_at_natural_prevalence():
    calibration = fit_calibration(answered_by(3.0), PREVALENCE)
    natural = answered_by(3.0, share=0.1, every=True)
    rows = {row.name: row for row in confidence_results(natural, calibration, PREVALENCE, PREVALENCE, SETTINGS)}
    group = "questions that every record is asked (natural prevalence)"
    before = rows[f"expected calibration error, {group}, as scored"].real.value
    after = rows[f"expected calibration error, {group}, calibrated"].real.value
    assert after < 0.025 < 0.08 < before
    called = rows[f'positive predictive value of "yes", {group}, calibrated'].real.value
    assert called > rows[f'positive predictive value of "yes", {group}, as scored'].real.value + 0.2
    # The weighted balanced questions tell the same.
    balanced = {
        row.name: row for row in confidence_results(answered_by(3.0), calibration, PREVALENCE, PREVALENCE, SETTINGS)
    }
    weighted = "yes/no questions weighted to natural prevalence, calibrated"
    assert balanced[f'positive predictive value of "yes", {weighted}'].real.value == pytest.approx(called, abs=0.1)
    assert balanced[f"expected calibration error, {weighted}"].real.value < 0.025


def test_the_error_is_that_of_the_confidence_module():
    rng = np.random.default_rng(0)
    confidence, right, weights = rng.random(400), rng.random(400) < 0.6, rng.random(400)
    for share in (None, weights):
        found = calibration_error(Bootstrap(np.arange(400), **SETTINGS), confidence, right, share).interval()
        assert found.value == pytest.approx(expected_calibration_error(confidence, right, weights=share))
        assert found.low < found.value < found.high + 0.05


def test_a_predictive_value_by_hand_and_where_nothing_is_called():
    positive = np.array([True, True, False, False])
    called = np.array([True, False, True, True])

    def value(called: np.ndarray, weights: np.ndarray | None = None) -> float:
        rows = Believed(np.ones(4), called == positive, called, positive, weights)
        return predictive_value(rows, Bootstrap(np.arange(4), **SETTINGS)).value

    assert value(called) == pytest.approx(1 / 3)
    assert value(called, np.array([1.0, 1.0, 2.0, 5.0])) == pytest.approx(1 / 8)
    assert np.isnan(value(~positive & positive))


def test_prevalences_are_shares_of_records():
    codes = ({"AFIB"}, {"IMI", "SR"}, {"NORM"}, {"SR"})
    records = [Record(str(number), labels=statement_labels(one), complete=True) for number, one in enumerate(codes)]
    wanted = {AFIB, ("superclass", "MI"), ("rhythm", "PACE"), ("noise", "V1")}
    assert prevalences(records, wanted) == {AFIB: 0.25, ("superclass", "MI"): 0.25}


def test_statements_curves_and_pictures(tmp_path):
    answered = answered_by(1.0, 300)
    (statement,) = statement_figures(answered, PREVALENCE)
    rates = statement["conditions"]["real"]
    sensitivity, specificity = rates["sensitivity"], rates["specificity"]
    assert rates["positive_predictive_value_natural"] == pytest.approx(
        0.1 * sensitivity / (0.1 * sensitivity + 0.9 * (1 - specificity))
    )
    assert statement["positive"] == yes_no_rows(answered, every_record=False).positive.sum()
    row = confidence_results(answered, None, PREVALENCE, PREVALENCE, SETTINGS)[-1]
    assert row.figure == "area under risk–coverage"
    assert np.isnan(row.real.low)
    assert row.real.value < row.values["no_ecg"].value
    calibration = fit_calibration(answered, PREVALENCE)
    for path in draw(measured_curves(answered, calibration, PREVALENCE, PREVALENCE), tmp_path):
        assert path.stat().st_size > 5000


def test_as_scored_an_answer_is_believed_as_the_model_says():
    answered = answered_by(1.0, 20)
    found = _believed(answered, "real", None).confidence
    ratios = np.array([answered.scores["real"][row][1] for row in answered.balanced])
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.abs(ratios))))


def test_one_row_makes_up_no_prevalence():
    with pytest.raises(ValueError, match="no rows"):
        yes_no_rows(answered_by(1.0, 1, every=True), every_record=True).weights(PREVALENCE)
