"""Operating points: chosen on one part of the patients, measured on another, one rhythm for each recording."""

from __future__ import annotations

import numpy as np
import pytest

from hf_heartllm.models.answer_calibration import AnswerCalibration, AskedStatement
from hf_heartllm.models.operating_points import OperatingPoint, decide, decide_one_of
from hf_heartllm.training.operating_points import (
    MIN_SPECIFICITY,
    StatementMargins,
    answers_at,
    best_margin,
    fit_points,
    points_of,
    probabilities,
)

SHARES = {"SR": 0.78, "AFIB": 0.11, "STACH": 0.1, "AFLT": 0.01}


def simulated(records: int = 1500, seed: int = 0) -> StatementMargins:
    """Margins that know the statements, the wrong way calibrated: below 0 for nearly every finding."""
    rng = np.random.default_rng(seed)
    statements = [AskedStatement("rhythm", name, (name.lower(),), share) for name, share in SHARES.items()]
    statements += [AskedStatement("diagnosis", "LVH", ("lvh",), 0.12), AskedStatement("form", "RARE", ("rare",), 0.003)]
    stated = np.zeros((records, 6), dtype=bool)
    stated[np.arange(records), rng.choice(4, size=records, p=list(SHARES.values()))] = True
    stated[:, 4] = rng.random(records) < 0.12
    stated[:5, 5] = True
    margins = rng.normal(size=stated.shape) * 1.2 - 4 + 3 * stated
    return StatementMargins(tuple(statements), margins, stated, np.arange(records) // 2)


@pytest.fixture(scope="module")
def fitted():
    return fit_points(simulated(), 1.0, 0.5)


def test_findings_that_even_odds_never_show_are_found(fitted):
    again = simulated(seed=1)
    yes = answers_at(again, points_of(fitted.statements), [again.column(name) for name in fitted.one_of])
    assert (again.margins[again.stated[:, 4], 4] > 0).mean() < 0.3
    for name in ("AFIB", "LVH"):
        column = again.column(name)
        point = fitted.statements[column].point
        found = yes[again.stated[:, column], column].mean()
        assert found > 0.75
        assert found == pytest.approx(point.sensitivity, abs=0.12)  # what is said of a point holds on other patients
        assert (~yes[~again.stated[:, column], column]).mean() == pytest.approx(point.specificity, abs=0.05)
    assert not fitted.statements[5].point.own
    assert fitted.statements[5].point.positives == 5


def test_every_recording_has_exactly_one_rhythm(fitted):
    again = simulated(seed=2)
    assert set(fitted.one_of) == set(SHARES)
    columns = [again.column(name) for name in fitted.one_of]
    assert (answers_at(again, points_of(fitted.statements), columns)[:, columns].sum(axis=1) == 1).all()
    calibration = AnswerCalibration(1.0, 1.0, 0.5, fitted.statements, fitted.one_of)
    of = {one.attribute: one for one in fitted.statements}
    for row in range(20):
        margins = dict(zip(of, again.margins[row].tolist(), strict=True))
        assert sum(calibration.decide(of[name], margins).yes for name in SHARES) == 1


def test_lines_make_probabilities_that_hold_on_average(fitted):
    again = simulated(seed=3)
    p = probabilities(again, {one.attribute: one for one in fitted.statements})
    assert p[:, 4].mean() == pytest.approx(again.stated[:, 4].mean(), abs=0.02)
    high = p[:, 1] > 0.8
    assert again.stated[high, 1].mean() == pytest.approx(p[high, 1].mean(), abs=0.1)


def test_the_best_margin_keeps_to_the_least_specificity():
    rng = np.random.default_rng(4)
    stated = rng.random(4000) < 0.5
    margins = rng.normal(size=4000) + 0.2 * stated  # hardly told apart: without the floor nearly any point would do
    point = best_margin([(margins, stated)])
    assert (margins[~stated] < point).mean() >= MIN_SPECIFICITY


def test_a_decision_turns_at_its_point_and_rivals_are_compared_by_what_lies_above_theirs():
    point = OperatingPoint(-1.0, 0.8, 0.9, 100, 900)
    assert decide(-1.0, point).yes
    assert not decide(-1.01, point).yes
    assert decide(-1.0, point).confidence(2.0) == 0.5
    assert decide(3.0, point).confidence(1.0) > decide(0.0, point).confidence(1.0) > 0.5
    points = {"A": point, "B": OperatingPoint(2.0, 0.8, 0.9, 100, 900)}
    assert decide_one_of("A", {"A": 0.5, "B": 3.0}, points).yes
    assert not decide_one_of("B", {"A": 0.5, "B": 3.0}, points).yes
    assert not decide_one_of("A", {"A": -3.0, "B": 3.0}, points).yes
    equal = [decide_one_of(name, {"A": 0.0, "B": 3.0}, points).yes for name in "AB"]
    assert sum(equal) == 1
