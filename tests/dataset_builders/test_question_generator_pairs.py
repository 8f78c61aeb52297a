"""Comparisons of two records: answers follow from both, parts are never mixed, durations are compared as in ECG-QA."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.question_generator.numeric import FEATURES, count_ranges, places, questions_on_ranges
from dataset_builders.question_generator.pairs import changed, consecutive, questions_on_pairs
from hf_heartllm.data.label_names import PTBXL_VOCABULARY, statement_labels
from hf_heartllm.data.question import Question
from hf_heartllm.data.record import Record

NORMAL = {
    "rr_ms": 800.0,
    "p_duration_ms": 100.0,
    "pr_ms": 160.0,
    "qrs_ms": 90.0,
    "qt_ms": 390.0,
    "qtc_fridericia_ms": 420.0,
}


def _record(number: int, codes: tuple[str, ...], patient: int | None = None, **measured: float | None) -> Record:
    return Record(
        record_id=str(number),
        patient_id=str(number if patient is None else patient),
        split="train",
        labels=statement_labels(codes),
        measurements={**NORMAL, **measured},
        sex="male",
        time=f"2000-01-{number % 28 + 1:02d}",
    )


CODES = (("SR", "NORM"), ("AFIB", "LVH"), ("SR", "LVH", "PVC"), ("AFIB", "IMI"))
RECORDS = [_record(i, CODES[i % 4], patient=i // 3, pr_ms=240.0 if i % 5 == 0 else 160.0) for i in range(120)]
MADE = questions_on_pairs(RECORDS, PTBXL_VOCABULARY, seed=1, limit=8)


def same_patient(question: Question) -> bool:
    return question.question_type.startswith("comparison_consecutive-")


BY_ID = {record.record_id: record for record in RECORDS}


def test_answers_follow_from_both_records() -> None:
    state = {"new": (False, True), "gone": (True, False), "same": (True, True)}
    seen = set()
    for pair in MADE:
        q, both = pair, tuple(BY_ID[one] for one in pair.record_ids)
        if q.question_type.endswith("-verify") and q.attribute_type == "rhythm":
            change, code = q.attribute.split()
            has = tuple(code in record.stated("rhythm") for record in both)
            assert q.answer == ("yes" if has == state[change] else "no")
            seen.add((change, same_patient(pair), q.answer))
    assert len(seen) == 12


def test_yes_and_no_come_equally_often_and_patients_are_as_said() -> None:
    answers: dict[tuple[str, str, bool], Counter[str]] = defaultdict(Counter)
    for pair in MADE:
        first, second = (BY_ID[one] for one in pair.record_ids)
        assert (first.patient_id == second.patient_id) == same_patient(pair)
        assert not same_patient(pair) or (first.time or "") < (second.time or "")
        if pair.question_type.endswith("-verify"):
            key = (pair.attribute_type, pair.attribute, same_patient(pair))
            answers[key][pair.answer] += 1
    assert all(found["yes"] == found["no"] for found in answers.values())
    assert questions_on_pairs(RECORDS, PTBXL_VOCABULARY, seed=1, limit=8) == MADE
    assert questions_on_pairs(RECORDS, PTBXL_VOCABULARY, seed=2, limit=8) != MADE


def test_none_is_a_quarter_of_the_open_answers_at_most() -> None:
    answers = Counter(pair.answer for pair in MADE if pair.question_type.endswith("-query"))
    assert 0 < answers["none"] <= 0.3 * answers.total()


def test_two_parts_are_not_paired_and_unknown_times_not_ordered() -> None:
    other = Record("x", "0", "test", {}, time="2001-01-01")
    with pytest.raises(ValueError, match="one part"):
        questions_on_pairs([*RECORDS, other], PTBXL_VOCABULARY, seed=0)
    assert consecutive([Record("a", "p", "train", {}), Record("b", "p", "train", {})]) == []


def test_durations_are_compared_as_ecg_qa_compares_them() -> None:
    first, second = _record(1, ("SR",), pr_ms=240, qrs_ms=130), _record(2, ("SR",), pr_ms=240, qtc_fridericia_ms=480)
    pair = first, second
    assert changed(pair, "numeric_feature", "new", PTBXL_VOCABULARY) == ("qt corrected",)
    assert changed(pair, "numeric_feature", "gone", PTBXL_VOCABULARY) == ("qrs duration",)
    assert changed(pair, "numeric_feature", "same", PTBXL_VOCABULARY) == ("pr interval",)
    assert changed((first, _record(2, ("SR",), pr_ms=None)), "numeric_feature", "new", PTBXL_VOCABULARY) is None


def test_a_vaguer_name_is_no_change() -> None:
    pair = _record(1, ("AMI",)), _record(2, ("ASMI",))
    assert changed(pair, "diagnosis", "new", PTBXL_VOCABULARY) is None
    assert changed((_record(1, ("AMI",)), _record(2, ("LVH",))), "diagnosis", "new", PTBXL_VOCABULARY) == (
        "left ventricular hypertrophy",
    )


@given(st.sampled_from(FEATURES), st.floats(0, 2000), st.sampled_from([None, "male", "female"]))
def test_a_sure_place_stays_when_the_value_moves_by_less_than_the_margin(feature, value, sex) -> None:
    place = feature.place(value, sex)
    if place is not None:
        for moved in (value - feature.margin, value + feature.margin):
            assert feature.place(moved, sex) in (None, place)
    if sex is None and place is not None:
        assert feature.place(value, "male") == feature.place(value, "female") == place


def test_limits_and_absent_values() -> None:
    pr, qtc = FEATURES[2], FEATURES[5]
    assert [pr.place(x) for x in (None, float("nan"), 110, 119, 160, 199, 210)] == [
        None, None, "below", None, "within", None, "above"
    ]  # fmt: skip
    assert [qtc.place(455, sex) for sex in ("male", "female", None)] == ["above", "within", None]


def test_questions_on_durations_are_balanced_and_doubtful_values_not_asked() -> None:
    records = [_record(i, ("SR",), pr_ms=(240.0, 160.0, 160.0, 100.0, None)[i % 5]) for i in range(500)]
    balance, answers = count_ranges(records), Counter()
    for record in records:
        for q in questions_on_ranges(record, balance, record.record_id):
            assert not q.answer_set or q.answer in q.answer_set
            if q.attribute.startswith("pr interval"):
                assert "pr interval" in places(record)
                if q.question_type == "verify":
                    answers[q.attribute, q.answer] += 1
    for place in ("above", "within", "below"):
        yes, no = (answers[f"pr interval {place} the normal range", word] for word in ("yes", "no"))
        assert yes > 50
        assert abs(yes - no) < 4 * (yes + no) ** 0.5
