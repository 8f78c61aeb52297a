from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from hf_heartllm.evaluation import confidence_plots
from hf_heartllm.evaluation.confidence import (
    TEMPERATURES,
    at_prevalence,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    padded_scores,
    positive_predictive_value,
    prevalence_weights,
    reliability,
    risk_coverage,
    tempered,
)
from hf_heartllm.evaluation.confidence_plots import plot_reliability, plot_risk_coverage

shares = st.floats(0.01, 0.99)
answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)
unhurried = settings(deadline=None, max_examples=40)


def drawn_scores(rows: int, answers: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihoods and true answers drawn from them, so that temperature 1 is right."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (rows, answers))
    truth = [rng.choice(answers, p=row) for row in tempered(scores, 1)]
    return scores, np.array(truth)


def test_calibration_error_by_hand():
    # Two bins: (0, 0.5] holds 0.4 (wrong) and 0.5 (right), (0.5, 1] holds 0.8 and 1.0 (both right).
    confidence, right = [0.4, 0.5, 0.8, 1.0], [0, 1, 1, 1]
    table = reliability(confidence, right, bins=2)
    assert [(row.rows, row.weight) for row in table] == [(2, 0.5), (2, 0.5)]
    assert [row.confidence for row in table] == pytest.approx([0.45, 0.9])
    assert [row.accuracy for row in table] == [0.5, 1]
    assert expected_calibration_error(confidence, right, bins=2) == pytest.approx(0.5 * 0.05 + 0.5 * 0.1)
    weighted = expected_calibration_error(confidence, right, weights=[3, 1, 0, 0], bins=2)
    assert weighted == pytest.approx(abs(0.25 - (3 * 0.4 + 0.5) / 4))


def test_the_reliability_table_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    confidence, right = rng.random(300), rng.random(300) < 0.5
    table = [row for row in reliability(confidence, right, bins=10) if row.rows]
    accuracy, mean = calibration_curve(right, confidence, n_bins=10)
    assert [row.accuracy for row in table] == pytest.approx(accuracy)
    assert [row.confidence for row in table] == pytest.approx(mean)


@unhurried
@given(answers)
def test_calibration_laws(rows):
    confidence, right = np.array(rows, dtype=float).T
    error = expected_calibration_error(confidence, right)
    assert 0 <= error <= 1
    assert sum(row.rows for row in reliability(confidence, right)) == len(rows)
    assert error >= abs(confidence.mean() - right.mean()) - 1e-9  # one bin is the least strict
    assert expected_calibration_error(confidence, right, weights=np.full(len(rows), 7)) == pytest.approx(error)


def test_the_temperature_is_found():
    scores, truth = drawn_scores(4000, 3)
    assert fit_temperature(scores, truth) == pytest.approx(1, abs=0.06)
    assert fit_temperature(scores * 3, truth) == pytest.approx(3 * fit_temperature(scores, truth), rel=1e-3)
    assert negative_log_likelihood(scores, truth) == pytest.approx(log_loss(truth, tempered(scores, 1)))
    assert expected_calibration_error(*_chosen(scores * 3, truth, 3)) < expected_calibration_error(
        *_chosen(scores * 3, truth, 1)
    )


def _chosen(scores, truth, temperature):
    probabilities = tempered(scores, temperature)
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == truth


def test_answer_sets_of_different_sizes():
    scores = padded_scores([[0.0, math.log(3)], [0.0, 0.0, 0.0]])
    assert tempered(scores, 1) == pytest.approx(np.array([[0.25, 0.75, 0], [1 / 3, 1 / 3, 1 / 3]]))
    assert negative_log_likelihood(scores, [1, 2]) == pytest.approx((-math.log(0.75) + math.log(3)) / 2)


@unhurried
@given(npst.arrays(float, (5, 3), elements=st.floats(-20, 20)), st.floats(*TEMPERATURES))
def test_a_temperature_changes_no_order(scores, temperature):
    probabilities = tempered(scores, temperature)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(5))
    chosen = np.argmax(scores, axis=1)
    assert (probabilities[np.arange(5), chosen] == probabilities.max(axis=1)).all()


def test_risk_and_coverage_by_hand():
    curve = risk_coverage([0.9, 0.8, 0.8, 0.3], [1, 0, 1, 0])
    assert curve.threshold.tolist() == [0.9, 0.8, 0.3]
    assert curve.coverage.tolist() == [0.25, 0.75, 1]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 1 / 2])
    assert curve.area == pytest.approx(0.5 / 3 + 0.25 / 2)


@unhurried
@given(answers)
def test_answering_everything_has_the_risk_of_all(rows):
    confidence, right = np.array(rows, dtype=float).T
    curve = risk_coverage(confidence, right)
    assert curve.coverage[-1] == pytest.approx(1)
    assert curve.risk[-1] == pytest.approx(1 - right.mean())
    assert (np.diff(curve.coverage) > 0).all()


def test_weights_give_the_prevalence():
    positive = np.array([True, True, False, False])
    weights = prevalence_weights(positive, 0.1)
    assert weights.tolist() == pytest.approx([0.2, 0.2, 1.8, 1.8])
    with pytest.raises(ValueError, match="no rows"):
        prevalence_weights([True, True], 0.5)


@unhurried
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40), shares)
def test_ppv_by_bayes_is_that_of_the_weighted_rows(rows, prevalence):
    positive, called = np.array(rows).T
    if positive.all() or not positive.any():
        return
    weights = prevalence_weights(positive, prevalence)
    assert weights.mean() == pytest.approx(1)
    found = positive_predictive_value(called[positive].mean(), (~called[~positive]).mean(), prevalence)
    if called.any():
        assert found == pytest.approx((weights * positive)[called].sum() / weights[called].sum())
    else:
        assert math.isnan(found)


@unhurried
@given(st.floats(0, 1), shares, shares)
def test_moving_the_prevalence_there_and_back(probability, trained, wanted):
    moved = at_prevalence(probability, trained, wanted)
    assert at_prevalence(moved, wanted, trained) == pytest.approx(probability, abs=1e-9)
    assert at_prevalence(trained, trained, wanted) == pytest.approx(wanted)  # an uninformed answer is the prevalence


def test_degenerate_input_is_defined():
    assert math.isnan(expected_calibration_error([], []))
    assert math.isnan(risk_coverage([], []).area)
    assert positive_predictive_value(0.5, math.nan, 1) == 1  # nobody without it, so no specificity
    assert fit_temperature([[0.5, 0.0]], [0]) == pytest.approx(TEMPERATURES[0], rel=0.05)
    for arguments in (([], []), ([[0.0, -np.inf]], [1]), ([[0.0]], [0, 0])):
        with pytest.raises(ValueError, match=r"rows of scores|no score"):
            fit_temperature(*arguments)
    with pytest.raises(ValueError, match="between 0 and 1"):
        reliability([1.2], [1])


def test_plots_are_written_whole(tmp_path):
    confidence, right = [0.2, 0.6, 0.9], [0, 1, 1]
    plot_reliability({"model": reliability(confidence, right)}, tmp_path / "plots" / "reliability.png")
    plot_risk_coverage({"model": risk_coverage(confidence, right)}, tmp_path / "plots" / "risk.svg")
    assert (tmp_path / "plots" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"reliability.png", "risk.svg"}


@pytest.fixture
def drawn(monkeypatch):
    """Axes that would have been written."""
    axes = []
    monkeypatch.setattr(confidence_plots, "save_figure", lambda figure, *_: axes.append(figure.axes[0]))
    return axes


def test_a_risk_coverage_plot_shows_all_of_both_shares(drawn, tmp_path):
    curves = {
        "sure": risk_coverage([0.9, 0.8, 0.8, 0.3], [1, 0, 1, 0]),
        "wrong": risk_coverage([0.9, 0.4], [0, 0]),
    }
    plot_risk_coverage(curves, tmp_path / "risk.png", "Fold 9")
    (axes,) = drawn
    assert axes.get_title() == "Fold 9"
    assert axes.get_xlim() == (0, 1)
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 1  # the highest risk that was drawn is in the picture
    assert [line.get_label() for line in axes.lines] == ["sure (area 0.292)", "wrong (area 1.000)"]
    for line, curve in zip(axes.lines, curves.values(), strict=True):
        assert line.get_xdata().tolist() == curve.coverage.tolist()
        assert line.get_ydata().tolist() == curve.risk.tolist()


def test_a_reliability_plot_shows_what_is_known_of_each_bin(drawn, tmp_path):
    table = reliability([0.4, 0.5, 0.8, 1.0, 1.0], [0, 1, 1, 1, 1], bins=4)
    plot_reliability({"before": table, "after": table[2:]}, tmp_path / "reliability.png")
    (axes,) = drawn
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (0, 1))
    diagonal, before, after = axes.lines
    assert [list(diagonal.get_xdata()), list(diagonal.get_ydata())] == [[0, 1], [0, 1]]
    assert (before.get_label(), after.get_label()) == ("before", "after")
    assert before.get_xdata() == pytest.approx([0.45, 2.8 / 3])  # bins without an answer have no point
    assert before.get_ydata() == pytest.approx([0.5, 1])
    bars = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in axes.containers[0]]
    assert np.array(bars) == pytest.approx(
        np.array([(0, 0.25, 0), (0.25, 0.25, 0.4), (0.5, 0.25, 0), (0.75, 0.25, 0.6)])
    )


@pytest.mark.parametrize("suffix", ["png", "PNG", "svg", "pdf"])
def test_a_picture_holds_no_date_and_a_png_its_note(tmp_path, suffix):
    figure, axes = confidence_plots.new_axes(size=(1, 1))
    axes.set_axis_off()
    path = tmp_path / "new" / f"a.{suffix}"
    assert confidence_plots.save_figure(figure, path, "made of x") == path
    content = path.read_bytes()
    assert not any(word in content for word in (b"CreationDate", b"dc:date", b"tIME"))
    again = path.with_stem("again")
    confidence_plots.save_figure(figure, again, "made of x")
    assert again.read_bytes() == content
    again.unlink()
    assert (b"made of x" in content) == (suffix.lower() == "png")
    assert [one.name for one in path.parent.iterdir()] == [path.name]
