"""Figures of questions with their controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.data.question import AS_WRITTEN, EVERY_RECORD, SAMPLED, Question
from hf_heartllm.data.record import Record
from hf_heartllm.evaluation.answered import Answered, tabulate
from hf_heartllm.evaluation.checkpoint.figures import (
    answer_results,
    auroc_results,
    mean_auroc,
    measured_answers,
    question_groups,
    subgroup_results,
)
from hf_heartllm.evaluation.conditions import CONDITIONS
from hf_heartllm.evaluation.controlled import (
    COLUMNS,
    MAJORITY,
    MAJORITY_AGE_SEX,
    MARGIN,
    RANKS_NOTHING,
    TEXT_ONLY,
    ControlledResult,
    controlled_table,
)
from hf_heartllm.evaluation.intervals import Interval
from hf_heartllm.evaluation.majority import MajorityAnswers
from hf_heartllm.evaluation.people import age_band, people
from hf_heartllm.evaluation.question_file import AskedRecord, evenly_spaced, rows_hash

SETTINGS = {"resamples": 50, "seed": 0}
RHYTHMS = ("atrial fibrillation", "sinus rhythm")


def verify(answer: str, every_record: bool = False) -> Question:
    asked = "Does this ECG show atrial fibrillation?", (answer,), ("no", "yes"), "verify", "rhythm", "AFIB"
    return Question(*asked, question_set=EVERY_RECORD if every_record else SAMPLED)


def query(answer: str) -> Question:
    return Question("What rhythm does this ECG show?", (answer,), RHYTHMS, "query", "rhythm", "rhythm")


def answered_by(records: int = 120) -> Answered:
    """A model that is always right with the real ECG, says "no" and "sinus rhythm" under every control."""
    rng = np.random.default_rng(0)
    made, outcomes = [], {}
    for index in range(records):
        truth = index % 3 == 0
        questions = (
            verify("yes" if truth else "no", True),
            verify("yes" if truth else "no"),
            query(RHYTHMS[not truth]),
        )
        made.append(AskedRecord(Record(str(index), str(index // 2)), questions))
        for condition in CONDITIONS:
            yes = (0.8 if truth else -0.7) if condition == "real" else -1 - float(rng.random())
            outcomes[str(index), condition] = [[0.0, yes], [0.0, yes], [yes, 0.0]]
    return tabulate(made, outcomes, CONDITIONS)


def results_of(answered: Answered, majority: dict | None) -> list[ControlledResult]:
    return answer_results(answered, measured_answers(answered, majority, SETTINGS))


def test_a_row_without_its_controls_cannot_be_made():
    value = Interval(0.5, 0.4, 0.6, 0.95, 10, 5)
    whole = dict.fromkeys(COLUMNS, value)
    assert "0.500 [0.400, 0.600]" in controlled_table([ControlledResult("exact match", "all", whole)])
    for column in COLUMNS:
        rest = {name: one for name, one in whole.items() if name != column}
        with pytest.raises(ValueError, match="no figure without its controls"):
            ControlledResult("exact match", "all", rest)
    rest = {name: one for name, one in whole.items() if name != MAJORITY}
    text = controlled_table([ControlledResult("exact match", "all", rest, absent={MAJORITY: "no training rows"})])
    assert "* majority: no training rows." in text


def test_exact_match_macro_f1_and_auroc_of_a_model_that_needs_the_ecg():
    answered = answered_by()
    truth = [question.answer for question in answered.questions]
    rows = {row.name: row for row in results_of(answered, {MAJORITY: truth, MAJORITY_AGE_SEX: truth})}
    row = rows["exact match, all balanced questions"]
    assert row.real.value == 1
    assert (row.real.rows, row.real.groups) == (240, 60)
    assert row.values["no_ecg"].value == pytest.approx(2 / 3)
    assert row.margins["shuffled_ecg"].value == pytest.approx(1 / 3)
    assert row.margins[MAJORITY].value == 0
    # "no" and "sinus rhythm": F1 0.8 each; "yes" and "atrial fibrillation": 0
    assert rows["macro-F1 over answers, all balanced questions"].values["no_question"].value == pytest.approx(0.4)
    assert rows["exact match, question type query"].real.rows == 120
    areas = {row.group: row for row in auroc_results(answered, SETTINGS)}
    assert areas["AFIB (rhythm), every record, 40 positive"].real.value == 1
    assert areas["AFIB (rhythm), every record, 40 positive"].target == ">= 0.95"
    assert 0.3 < areas["AFIB (rhythm), balanced questions, 40 positive"].values["shuffled_ecg"].value < 0.7
    assert areas["rhythm query: atrial fibrillation, balanced questions, 40 positive"].real.value == 1
    assert mean_auroc(list(areas.values()), "questions")[0].real.value == 1
    assert mean_auroc([], "questions") == []


def test_without_training_rows_the_table_says_so():
    rows = results_of(answered_by(), None)
    assert rows[0].values.get(MAJORITY) is None
    assert "* majority: no training rows were given." in controlled_table(rows)


def test_subgroups_have_their_n_and_unknown_stays_unknown():
    ages, sexes, devices = [30.0, 64.0, 300.0, None], ["male", "female", None], ["CS-12   E", "AT-6 C 5.5", None]
    records = [
        Record(str(index), age=ages[index % 4], sex=sexes[index % 3], device=devices[index % 3]) for index in range(120)
    ]
    persons = people(records)
    assert persons["2"].background == "Patient: over 89 years."
    assert persons["3"].background == "Patient: male."
    assert (persons["2"].sex, persons["2"].age_band, persons["2"].device) == ("unknown", "≥ 80", "unknown")
    answered = answered_by()
    found = subgroup_results(answered, measured_answers(answered, None, SETTINGS), persons)
    rows = {row.group: row for row in found}
    assert list(rows) == [
        *("sex male", "sex female", "age < 50", "age 50–64", "age ≥ 80"),
        *("age unknown", "device AT", "device CS", "device unknown", "sex unknown"),
    ]
    assert rows["device CS"].real.rows == 80


@given(st.floats(0, 120))
def test_age_bands_are_those_of_the_issue(age):
    bands = {"< 50": age < 50, "50–64": 50 <= age < 65, "65–79": 65 <= age < 80, "≥ 80": age >= 80}
    assert bands[age_band(age)]


def test_the_majority_answer_falls_back_from_age_and_sex_to_the_template_to_its_kind():
    majority = MajorityAnswers()
    for answer, times, group in (("no", 6, "old"), ("yes", 5, "young"), ("yes", 4, "middle")):
        for _ in range(times):
            majority.add(verify(answer), group)
    assert majority.answer(verify("yes")) == "yes"
    assert majority.answer(verify("yes"), "old") == "no"
    assert majority.answer(verify("yes"), "middle") == "yes"  # too few of them: the template's
    once = replace(verify("no"), attribute="AFLT")
    assert majority.answer(once) == "yes"
    majority.add(once)
    assert majority.answer(once) == "no"  # seen once, and nearer than other templates of its kind
    assert majority.answer(query("sinus rhythm")) is None  # nothing like it in training: there is no majority
    answers = ("a", "b", "both", "none")
    majority.add(Question("?", ("both",), answers, "choose", "form", "PVC|PAC"))
    asked = Question("?", ("none",), answers, "choose", "form", "PAC|PVC")
    assert majority.answer(asked) == "both"


def test_the_hash_of_a_question_set_knows_its_rows_and_nothing_else():
    rows = [{"a": 1, "b": ["x"]}, {"a": 2, "b": []}]
    assert rows_hash(rows) == rows_hash([{"b": [], "a": 2}, {"b": ["x"], "a": 1}])
    assert rows_hash(rows) != rows_hash([*rows, rows[0]])
    assert rows_hash(rows) != rows_hash([{"a": 1, "b": ["y"]}, rows[1]])


@given(st.integers(1, 50), st.integers(1, 60))
def test_some_records_are_spread_over_all(count, wanted):
    records = [AskedRecord(Record(str(index)), ()) for index in range(count)]
    chosen = [int(one.record_id) for one in evenly_spaced(records, wanted)]
    assert len(chosen) == min(count, wanted) == len(set(chosen))
    assert chosen == sorted(chosen)
    assert chosen[0] == 0


def test_only_all_balanced_questions_must_beat_another_patients_ecg():
    answered = answered_by()
    targets = {row.name: row.target for row in results_of(answered, None)}
    assert [name for name, target in targets.items() if target] == ["exact match, all balanced questions"]
    assert targets["exact match, all balanced questions"] == MARGIN
    others = [replace(question, question_set=AS_WRITTEN) for question in answered.questions]
    assert all(row.target is None for row in results_of(replace(answered, questions=others), None))


def test_groups_of_questions_are_of_those_that_not_every_record_is_asked():
    answered = answered_by(30)
    groups = {title: rows.tolist() for title, rows in question_groups(answered).items()}
    yes_no, of_set = list(range(1, 90, 3)), list(range(2, 90, 3))
    assert groups["all balanced questions"] == sorted(yes_no + of_set)
    assert groups["question type verify"] == yes_no
    assert groups["question type query"] == of_set
    assert groups["attribute type rhythm"] == sorted(yes_no + of_set)
    assert groups["query rhythm"] == of_set


@pytest.mark.parametrize(("records", "positive"), [(60, 20), (57, 19)])
def test_an_auroc_needs_twenty_questions_with_the_answer(records, positive):
    found = auroc_results(answered_by(records), SETTINGS)
    assert [row.target for row in found] == ([">= 0.95", None, None, None] if positive >= 20 else [])
    assert all(f", {positive} positive" in row.group or ", 40 positive" in row.group for row in found)


def test_of_two_alternatives_nothing_is_ranked():
    answered = answered_by()
    choose = [replace(one, question_type="choose", answer_set=("a", "b"), answers=("a",)) for one in answered.questions]
    assert auroc_results(replace(answered, questions=choose), SETTINGS) == []


def test_the_mean_of_aurocs_counts_each_alike():
    def area(value: float, rows: int, groups: int) -> ControlledResult:
        values = dict.fromkeys(CONDITIONS, Interval(value, 0.1, 0.9, 0.95, rows, groups))
        return ControlledResult("AUROC", "some", values, absent=RANKS_NOTHING)

    (mean,) = mean_auroc([area(0.5, 100, 40), area(0.8, 10, 50), area(0.8, 10, 10)], "them")
    assert mean.real.value == pytest.approx(0.7)
    assert (mean.real.rows, mean.real.groups) == (120, 50)
    assert np.isnan([mean.real.low, mean.real.high]).all()
    assert mean.group == "mean of the 3 AUROCs of them"
    assert mean_auroc([area(0.5, 100, 40)], "them") == []
    assert mean_auroc([area(0.5, 100, 40)] * 2, "them")[0].real.value == 0.5


def test_a_model_of_text_alone_stands_beside_the_answers_and_not_beside_subgroups():
    answered = answered_by(30)
    measured = measured_answers(answered, None, SETTINGS, text_alone=["no"] * len(answered.questions))
    row = next(row for row in answer_results(answered, measured) if row.name == "exact match, question type verify")
    assert row.values[TEXT_ONLY].value == pytest.approx(2 / 3)
    assert row.margins[TEXT_ONLY].value == pytest.approx(1 / 3)
    persons = people(Record(str(index), sex="female") for index in range(30))
    found = subgroup_results(answered, measured, persons)
    assert {one.group for one in found} == {"sex female", "age unknown", "device unknown"}
    assert all(TEXT_ONLY not in one.values and one.real.rows == 60 for one in found)
