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
    AnsweredQuestion,
    answer_figures,
    answer_set,
    answer_tables,
    exact_match,
    exact_match_public_code,
    split_at_full_stops,
)
from hf_heartllm.evaluation.intervals import bootstrap_mean, bootstrap_sums

GOLDEN = Path(__file__).parents[1] / "golden" / "heartllm_metrics.json"


def question(answer, prediction, patient="1", **more):
    return AnsweredQuestion(tuple(answer), prediction, patient, **more)


def test_the_public_codes_exact_match_is_the_golden_one():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["exact_match"]
    assert len(golden["pairs"]) == 12
    for pair in golden["pairs"]:
        assert split_at_full_stops(pair["prediction_text"]) == pair["split_prediction"]
        for prediction in (pair["prediction_text"], tuple(pair["split_prediction"])):
            assert exact_match_public_code(question(pair["answer"], prediction)) is pair["match"]
    questions = [question(p["answer"], p["prediction_text"], question_type=p["question_type"]) for p in golden["pairs"]]
    tables = {figures.group: figures for figures in answer_tables(questions, resamples=10)}
    for kind, percent in golden["percent"].items():
        assert tables[f"question type {kind}"].exact_public_code.value * 100 == pytest.approx(percent)


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
    assert exact_match(question(["qt corrected", "rr interval"], prediction)) is match


def test_an_answer_with_commas_is_one_answer():
    answer = "bigeminal pattern (unknown origin, supraventricular, or ventricular)"
    assert answer_set(f"{answer}, sinus rhythm") == {answer, "sinus rhythm"}
    assert answer_set("a, b", allowed=["A, b", "a"]) == {"a, b"}


def test_macro_f1_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    names = np.array(["yes", "no", "not sure"])
    truth, predicted = names[rng.integers(0, 3, 60)], names[rng.integers(0, 3, 60)]
    figures = answer_figures([question([a], b) for a, b in zip(truth, predicted, strict=True)], resamples=10)
    assert figures.macro_f1.value == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert figures.exact.value == pytest.approx((truth == predicted).mean())


def test_macro_f1_of_sets_by_hand():
    rows = [question(["a", "b"], "a"), question(["a"], "a.c"), question(["b"], "foreign")]
    # a: 2 of 2 found, none too much: 1. b: none of 2 found: 0. c and "foreign" are never true: no class.
    assert answer_figures(rows, resamples=10).macro_f1.value == pytest.approx(0.5)


def test_what_is_counted_apart():
    closed = {"allowed": ("yes", "no")}
    rows = [
        question(["yes"], "yes", "1", **closed),
        question(["no"], "perhaps", "2", **closed),
        question(["no"], None, "3", **closed),
        question(["no"], " . ", "4", **closed),
    ]
    figures = answer_figures(rows, resamples=50)
    assert (figures.outside, figures.abstained, figures.empty, figures.classes) == (1, 1, 1, 2)
    assert figures.exact.value == 0.25
    assert figures.exact_answered.value == pytest.approx(1 / 3)
    assert answer_figures([question(["yes"], "yes")], resamples=10).outside is None


def test_degenerate_input_is_defined():
    abstained = answer_figures([question(["yes"], None), question(["yes"], None, "2")], resamples=20)
    assert abstained.exact.value == 0
    assert abstained.macro_f1.value == 0
    assert math.isnan(abstained.exact_answered.value)
    assert math.isnan(abstained.exact_answered.low)
    one_class = answer_figures([question(["yes"], "yes"), question(["yes"], "yes", "2")], resamples=20)
    assert (one_class.macro_f1.value, one_class.classes) == (1, 1)
    with pytest.raises(ValueError, match="no questions"):
        answer_figures([])
    with pytest.raises(ValueError, match="no true answer"):
        question([" "], "yes")


def test_tables_by_type_and_template_in_order():
    rows = [
        question(["yes"], "yes", template="10", question_type="single-verify"),
        question(["no"], "yes", template="9", question_type="single-verify"),
    ]
    tables = answer_tables(rows, resamples=10)
    assert [table.group for table in tables] == ["all", "question type single-verify", "template 9", "template 10"]
    assert [table.exact.value for table in tables] == [0.5, 0.5, 0, 1]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30))
def test_the_bootstrap_of_sums_is_that_of_means(rows):
    groups, values = [row[0] for row in rows], [float(row[1]) for row in rows]
    columns = np.column_stack([np.ones(len(rows)), values])
    (found,) = bootstrap_sums(columns, groups, lambda sums: (sums[:, 1] / sums[:, 0])[:, None], resamples=40)
    expected = bootstrap_mean(values, groups, resamples=40)
    theirs = (expected.value, expected.low, expected.high)  # of one patient there is no interval
    assert (found.value, found.low, found.high) == pytest.approx(theirs, nan_ok=True)
    assert (found.rows, found.groups) == (expected.rows, expected.groups)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), min_size=2, max_size=12))
def test_a_macro_f1_lies_within_its_interval(rows):
    questions = [AnsweredQuestion((true,), said, str(number)) for number, (true, said) in enumerate(rows)]
    found = answer_figures(questions, resamples=60).macro_f1
    assert 0 <= found.low <= found.value <= found.high <= 1
