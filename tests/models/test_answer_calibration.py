"""Calibrated answers: the prior shift, which statement a question asks for, the file and its faults."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_heartllm as hl
from hf_heartllm.evaluation.confidence import at_prevalence
from hf_heartllm.models.answer_calibration import (
    CALIBRATION_FILE,
    AnswerCalibration,
    AskedStatement,
    CalibrationError,
    read_calibration,
)

AFIB = AskedStatement("rhythm", "AFIB", ("atrial fibrillation",), 0.07)
NORM = AskedStatement("diagnosis", "NORM", ("normal ecg", "normal"), 0.43)
HYP = AskedStatement("superclass", "HYP", ("hypertrophy",), 0.12)
LVH = AskedStatement("diagnosis", "LVH", ("left ventricular hypertrophy",), 0.1)
CALIBRATION = AnswerCalibration(2.0, 1.5, 0.4, (AFIB, NORM, HYP, LVH), fitted_on={"folds": [8]})
QUESTION = "Does this ECG show atrial fibrillation?"


def yes(found) -> float:
    return dict(found.ranked)["yes"]


@settings(deadline=None)
@given(margin=st.floats(-20, 20), prevalence=st.floats(0.001, 0.999))
def test_a_prevalence_moves_the_odds_from_the_share_that_was_fitted_on(margin, prevalence):
    found = CALIBRATION.answers(["no", "yes"], [-3.0, margin - 3.0], QUESTION, prevalence)
    before = 1 / (1 + np.exp(-margin / 1.5))
    assert yes(found) == pytest.approx(at_prevalence(before, 0.4, prevalence), abs=1e-12)
    assert found.prevalence == prevalence
    turned = CALIBRATION.answers(["yes", "no"], [margin - 3.0, -3.0], QUESTION, prevalence)
    assert dict(turned.ranked) == dict(found.ranked)  # two alike stand in the order that they were given in


def test_a_known_statement_has_its_own_prevalence_and_the_answer_may_turn():
    found = CALIBRATION.answers(["no", "yes"], [0.0, 1.5], QUESTION)
    odds = np.e * (0.07 / 0.93) / (0.4 / 0.6)
    assert yes(found) == pytest.approx(odds / (1 + odds))
    assert found.ranked[0][0] == "no"
    assert found.prevalence == 0.07
    assert "AFIB (rhythm) in PTB-XL, 0.07" in found.basis


def test_what_is_unknown_stands_for_balanced_questions():
    found = CALIBRATION.answers(["no", "yes"], [0.0, 2.0], "Is the heart rate high?")
    assert yes(found) == pytest.approx(1 / (1 + np.exp(-1)))
    assert found.prevalence == 0.4
    assert "prevalence is unknown" in found.basis
    others = CALIBRATION.answers(["a", "b", "c"], [0.0, 2.0, -4.0], QUESTION)
    assert [answer for answer, _ in others.ranked] == ["b", "a", "c"]
    assert others.ranked[0][1] == pytest.approx(np.e / (np.e + 1 + np.exp(-2)))
    assert others.prevalence is None
    without = AnswerCalibration(2.0, None, None, (AFIB,))
    assert yes(without.answers(["no", "yes"], [0.0, 2.0], QUESTION)) == pytest.approx(1 / (1 + np.exp(-1)))
    with pytest.raises(CalibrationError, match="no prevalence can be assumed"):
        without.answers(["no", "yes"], [0.0, 2.0], QUESTION, 0.1)
    with pytest.raises(CalibrationError, match="belongs to a yes/no question"):
        CALIBRATION.answers(["a", "b"], [0.0, 2.0], QUESTION, 0.1)


@pytest.mark.parametrize(
    ("question", "statement"),
    [
        (QUESTION, AFIB),
        ("Can ATRIAL FIBRILLATION be seen in this ECG?", AFIB),
        ("Are there signs of left ventricular hypertrophy on this ECG?", LVH),
        ("Is there evidence of hypertrophy in this ECG?", HYP),
        ("Is this ECG normal?", NORM),
        ("Would you call this recording normal?", NORM),
        ("Is there no atrial fibrillation?", None),
        ("Is the axis normal?", None),
        ("Does this ECG show new atrial fibrillation?", None),
        ("Does this ECG show right ventricular hypertrophy?", None),
        ("Does this ECG show atrial fibrillation with hypertrophy?", None),
        ("Does this ECG show atrial fibrillations?", None),
    ],
)
def test_a_statement_is_known_only_where_nothing_else_is_said(question, statement):
    assert CALIBRATION.statement_in(question) is statement


def test_the_file_gives_back_what_was_written(tmp_path):
    assert read_calibration(tmp_path) is None
    path = tmp_path / CALIBRATION_FILE
    path.write_text(json.dumps(CALIBRATION.document()))
    assert read_calibration(tmp_path) == CALIBRATION
    doubtful = dataclasses.replace(CALIBRATION, at_edge=("natural",), fitted_on={"folds_in_training": [8]})
    basis = doubtful.answers(["no", "yes"], [0.0, 1.0], QUESTION).basis
    assert "trained on" in basis
    assert "no fit" in basis


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not of the format"),
        ({"balanced_temperature": 0}, "a temperature is above 0"),
        ({"yes_share": 1.0}, "strictly between 0 and 1"),
        ({"statements": [{}]}, "not a whole calibration"),
        ({"balanced_temperature": "warm"}, "warm"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, change, message):
    path = tmp_path / CALIBRATION_FILE
    path.write_text(json.dumps({**CALIBRATION.document(), **change}))
    with pytest.raises(CalibrationError, match=message) as caught:
        read_calibration(tmp_path)
    assert str(path) in str(caught.value)
    path.write_text("[1]")
    with pytest.raises(CalibrationError):
        read_calibration(tmp_path)


def test_the_shipped_file_has_the_version_of_today():
    stored = json.loads((Path(hl.checkpoint()) / "calibration.json").read_text())
    assert stored["format_version"] == CALIBRATION.document()["format_version"] == 2
