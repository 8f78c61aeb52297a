from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from hf_heartllm.evaluation.answers import (
    EXACT,
    MACRO_F1,
    OF_ANSWERED,
    OUTSIDE,
    PUBLIC_CODE,
    AnsweredQuestion,
    Answers,
    answer_set,
    grouped,
    split_at_full_stops,
)
from hf_heartllm.evaluation.intervals import Bootstrap, Interval
from hf_heartllm.evaluation.metrics import Metric

GOLDEN = Path(__file__).parents[1] / "golden" / "heartllm_metrics.json"


def question(answer, prediction, patient="1", **more):
    return AnsweredQuestion(tuple(answer), prediction, patient, **more)


def measured(metric: Metric, questions, resamples: int = 10) -> Interval:
    bootstrap = Bootstrap([one.patient for one in questions], resamples=resamples)
    return metric.measure(Answers(questions), bootstrap).interval(centred=metric.centred)


def test_the_public_codes_exact_match_is_the_golden_one():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["exact_match"]
    assert len(golden["pairs"]) == 12
    for pair in golden["pairs"]:
        assert split_at_full_stops(pair["prediction_text"]) == pair["split_prediction"]
        for prediction in (pair["prediction_text"], tuple(pair["split_prediction"])):
            assert question(pair["answer"], prediction).right_by_public_code is pair["match"]
    questions = [question(p["answer"], p["prediction_text"], question_type=p["question_type"]) for p in golden["pairs"]]
    groups = grouped(questions)
    for kind, percent in golden["percent"].items():
        rows = [questions[row] for row in groups[f"question type {kind}"]]
        assert measured(PUBLIC_CODE, rows).value * 100 == pytest.approx(percent)


@pytest.mark.parametrize(
    ("prediction", "match"),
    [
        ("rr interval.qt corrected", True),
        ("QT corrected, RR  interval.", True),
        ("qt corrected; rr interval; qt corrected", True),
        (("rr interval", "qt corrected", ""), True),
        ("qt corrected", False),
        ("qt corrected. rr interval. p duration", False),
        ("", False),
        (None, False),
    ],
)
def test_exact_match_is_equality_of_sets(prediction, match):
    assert question(["qt corrected", "rr interval"], prediction).right is match


def test_an_answer_with_commas_is_one_answer():
    answer = "bigeminal pattern (unknown origin, supraventricular, or ventricular)"
    assert answer_set(f"{answer}, sinus rhythm") == {answer, "sinus rhythm"}
    assert answer_set("a, b", allowed=["A, b", "a"]) == {"a, b"}


def test_macro_f1_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    names = np.array(["yes", "no", "not sure"])
    truth, predicted = names[rng.integers(0, 3, 60)], names[rng.integers(0, 3, 60)]
    rows = [question([a], b) for a, b in zip(truth, predicted, strict=True)]
    assert measured(MACRO_F1, rows).value == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert measured(EXACT, rows).value == pytest.approx((truth == predicted).mean())


def test_macro_f1_of_sets_by_hand():
    rows = [question(["a", "b"], "a"), question(["a"], "a.c"), question(["b"], "foreign")]
    # a: 2 of 2 found, none too much: 1. b: none of 2 found: 0. c and "foreign" are never true: no class.
    assert measured(MACRO_F1, rows).value == pytest.approx(0.5)


def test_what_is_counted_apart():
    closed = {"allowed": ("yes", "no")}
    rows = [
        question(["yes"], "yes", "1", **closed),
        question(["no"], "perhaps", "2", **closed),
        question(["no"], None, "3", **closed),
        question(["no"], " . ", "4", **closed),
    ]
    assert Answers(rows).counts() == {"outside": 1, "abstained": 1, "empty": 1, "classes": 2}
    assert measured(EXACT, rows).value == 0.25
    assert measured(OF_ANSWERED, rows).value == pytest.approx(1 / 3)
    assert measured(OUTSIDE, rows).value == 0.75  # what is empty is no answer of the set
    assert Answers([question(["yes"], "yes")]).counts()["outside"] is None


def test_degenerate_input_is_defined():
    abstained = [question(["yes"], None), question(["yes"], None, "2")]
    assert measured(EXACT, abstained).value == 0
    assert measured(MACRO_F1, abstained).value == 0
    assert math.isnan(measured(OF_ANSWERED, abstained).value)
    assert math.isnan(measured(OF_ANSWERED, abstained).low)
    assert measured(MACRO_F1, [question(["yes"], "yes"), question(["yes"], "yes", "2")]).value == 1
    with pytest.raises(ValueError, match="no rows"):
        measured(EXACT, [])
    with pytest.raises(ValueError, match="no true answer"):
        question([" "], "yes")


def test_tables_by_type_and_template_in_order():
    rows = [
        question(["yes"], "yes", template="10", question_type="single-verify"),
        question(["no"], "yes", template="9", question_type="single-verify"),
    ]
    groups = grouped(rows)
    assert list(groups) == ["all", "question type single-verify", "template 9", "template 10"]
    assert [measured(EXACT, [rows[i] for i in one]).value for one in groups.values()] == [0.5, 0.5, 0, 1]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30))
def test_the_bootstrap_of_sums_is_that_of_means(rows):
    groups, values = [row[0] for row in rows], [float(row[1]) for row in rows]
    columns = np.column_stack([np.ones(len(rows)), values])
    bootstrap = Bootstrap(groups, resamples=40)
    found = bootstrap.sums(columns, lambda sums: (sums[:, 1] / sums[:, 0])[:, None])[0].interval()
    expected = bootstrap.mean(values).interval()
    theirs = (expected.value, expected.low, expected.high)  # of one patient there is no interval
    assert (found.value, found.low, found.high) == pytest.approx(theirs, nan_ok=True)
    assert (found.rows, found.groups) == (expected.rows, expected.groups)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), min_size=2, max_size=12))
def test_a_macro_f1_lies_within_its_interval(rows):
    questions = [AnsweredQuestion((true,), said, str(number)) for number, (true, said) in enumerate(rows)]
    found = measured(MACRO_F1, questions, 60)
    assert 0 <= found.low <= found.value <= found.high <= 1
