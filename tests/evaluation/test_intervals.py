from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from hf_heartllm.evaluation.intervals import Bootstrap, Interval, Resampled


def mean(values, patients, **settings) -> Interval:
    return Bootstrap(patients, **settings).mean(values).interval()


def test_what_is_measured_on_one_bootstrap_is_paired():
    rng = np.random.default_rng(0)
    a, b, patients = rng.random(300), rng.random(300), rng.integers(0, 60, 300)
    bootstrap = Bootstrap(patients, resamples=200)
    found, wanted = bootstrap.mean(a).minus(bootstrap.mean(b)), bootstrap.mean(a - b).interval()
    assert (found.value, found.low, found.high) == pytest.approx((wanted.value, wanted.low, wanted.high))
    assert (found.rows, found.groups) == (300, wanted.groups)
    with pytest.raises(ValueError, match="not paired"):
        bootstrap.mean(a).minus(Bootstrap(patients, resamples=200, seed=1).mean(b))


def test_a_ratio_and_weights_draw_patients():
    b = np.array([1.0, 2.0, 4.0, 8.0])
    bootstrap = Bootstrap([1, 1, 2, 3], resamples=50)
    found = bootstrap.ratio(b / 4, b).interval()
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert bootstrap.mean([1, 1, 0, 0], weights=b).value == pytest.approx(3 / 15)
    assert np.isnan(bootstrap.mean(b, weights=np.zeros(4)).value)


def test_paired_difference_holds_the_true_one_and_is_paired():
    rng = np.random.default_rng(0)
    difficulty = rng.random(800)
    a, b = difficulty + 0.1 + rng.normal(0, 0.05, 800), difficulty + rng.normal(0, 0.05, 800)
    bootstrap = Bootstrap(np.arange(800))
    interval = bootstrap.mean(a).minus(bootstrap.mean(b))
    assert interval.low < 0.1 < interval.high
    assert interval.value == pytest.approx((a - b).mean())
    assert interval.high - interval.low < 0.02  # the spread of the difficulty has cancelled


def test_rows_of_one_patient_do_not_count_as_independent():
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(40), 25)
    values = rng.normal(size=40)[patients]  # the same value in all rows of a patient
    by_patient = mean(values, patients)
    by_row = mean(values, np.arange(len(values)))
    assert by_patient.high - by_patient.low > 3 * (by_row.high - by_row.low)
    assert (by_patient.rows, by_patient.groups) == (1000, 40)


def test_any_statistic_is_resampled_as_the_mean_is():
    rng = np.random.default_rng(3)
    values, patients = rng.random(200), rng.integers(0, 50, 200)
    found = Bootstrap(patients, resamples=100).rows(values, np.mean).interval()
    wanted = mean(values, patients, resamples=100)
    assert (found.value, found.low, found.high) == pytest.approx((wanted.value, wanted.low, wanted.high))
    both = Bootstrap([1, 2]).rows([0.0, 1.0], lambda rows: rows.mean() if len(set(rows)) > 1 else None)
    sometimes = both.interval()
    assert (sometimes.value, sometimes.low, sometimes.high) == (0.5, 0.5, 0.5)  # resamples without a value do not count


def test_the_interval_covers_as_often_as_it_says():
    covered = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        values = rng.normal(0.3, 1, size=120)
        interval = mean(values, np.arange(120), resamples=400, seed=trial)
        covered += interval.low <= 0.3 <= interval.high
    assert 180 <= covered <= 199


def test_an_interval_leaves_out_as_much_on_either_side():
    samples = np.random.default_rng(0).permutation(np.append(np.arange(101) / 100, [np.nan] * 50))
    found = Resampled(0.4, samples, (0, 30, 10))
    for level, low, high in ((0.95, 0.025, 0.975), (0.5, 0.25, 0.75), (0.9, 0.05, 0.95)):
        assert found.interval(level) == Interval(0.4, pytest.approx(low), pytest.approx(high), level, 30, 10)
    for nothing in (Resampled(0.4, samples, (0, 30, 1)), Resampled(0.4, np.full(5, np.nan), (0, 30, 10))):
        assert np.isnan([nothing.interval().low, nothing.interval().high]).all()
        assert nothing.interval().value == 0.4


def test_a_centred_interval_is_moved_so_that_the_median_is_the_value():
    samples = 0.3 + np.arange(101) / 1000  # from 0.3 to 0.4
    for value, low, high in ((0.35, 0.325, 0.375), (0.5, 0.475, 0.525), (0.1, 0.075, 0.125)):
        found = Resampled(value, samples, (0, 30, 10)).interval(0.5, centred=True)
        assert (found.low, found.high) == pytest.approx((low, high))
    assert Resampled(0.99, samples, (0, 30, 10)).interval(0.5, centred=True).high == 1
    assert Resampled(0.01, samples, (0, 30, 10)).interval(0.5, centred=True).low == 0
    plain = Resampled(0.5, samples, (0, 30, 10)).interval(0.5)
    assert (plain.low, plain.high) == pytest.approx((0.325, 0.375))


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=1, max_size=30), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_centred_interval_is_of_shares_and_holds_the_value(value, samples, level):
    centred, plain = (Resampled(value, np.array(samples), (0, 5, 3)).interval(level, one) for one in (True, False))
    assert 0 <= centred.low <= value + 1e-9
    assert value - 1e-9 <= centred.high <= 1
    assert centred.high - centred.low <= plain.high - plain.low + 1e-9


def test_a_difference_to_itself_is_nothing():
    bootstrap = Bootstrap([1, 2, 3], resamples=30)
    found = bootstrap.mean([0.0, 1.0, 0.5])
    assert found.minus(found) == Interval(0, 0, 0, 0.95, 3, 3)
    for other in (Bootstrap([1, 2, 3], resamples=20), Bootstrap([1, 2, 2], resamples=30)):
        with pytest.raises(ValueError, match="not paired"):
            found.minus(other.mean([0.0, 1.0, 0.5]))


def test_the_seed_decides():
    values = np.random.default_rng(2).random(50)
    first, second = (mean(values, np.arange(50), seed=7) for _ in range(2))
    assert first == second
    assert first != mean(values, np.arange(50), seed=8)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=40))
def test_auroc_is_that_of_scikit_learn_with_ties(rows):
    labels, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if labels.all() or not labels.any():
        assert np.isnan(Bootstrap(np.arange(len(rows))).auroc(labels, scores).value)
        return
    interval = Bootstrap(np.arange(len(rows)), resamples=20).auroc(labels, scores).interval()
    assert interval.value == pytest.approx(roc_auc_score(labels, scores))
    assert 0 <= interval.low <= interval.high <= 1


def test_auroc_of_a_resample_weighs_rows_as_repeating_them_does():
    rng = np.random.default_rng(3)
    labels, scores, patients = rng.random(60) < 0.4, rng.integers(0, 9, 60), rng.integers(0, 12, 60)
    interval = Bootstrap(patients, resamples=300, seed=4).auroc(labels, scores).interval()
    draws = np.random.default_rng(4).multinomial(12, np.full(12, 1 / 12), size=300)
    slow = []
    for draw in draws:
        rows = np.repeat(np.arange(60), draw[patients])
        slow.append(roc_auc_score(labels[rows], scores[rows]))
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))


def test_what_cannot_be_resampled_is_refused():
    with pytest.raises(ValueError, match="no rows"):
        Bootstrap([])
    with pytest.raises(ValueError, match="3 rows of 2 patients"):
        Bootstrap([0, 1]).mean([1, 2, 3])
    with pytest.raises(ValueError, match="NaN"):
        Bootstrap([0, 1]).auroc([0, 1], [0.5, np.nan])
    with pytest.raises(ValueError, match="labels of shape"):
        Bootstrap([0, 1]).auroc([0, 1], [[0.5, 1], [0.2, 0.1]])
