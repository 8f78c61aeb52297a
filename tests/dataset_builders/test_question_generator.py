from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.question_generator import wording
from dataset_builders.question_generator.balance import count_prevalence
from dataset_builders.question_generator.single import questions_for, verify_question
from hf_heartllm.data.label_names import (
    PTBXL_VOCABULARY,
    phrase_of,
    statement_labels,
)
from hf_heartllm.data.question import Question
from hf_heartllm.data.record import Record
from hf_heartllm.labels.scp import DIAGNOSES, FORMS, RHYTHMS, STATEMENTS, phrase


def _records(count: int) -> list[tuple[str, ...]]:
    """Invented records: a rhythm each, and diagnoses and forms of very different frequency."""
    rng = random.Random(5)
    records = []
    for _ in range(count):
        codes = rng.choices(("SR", "AFIB", "STACH"), (80, 12, 8))
        normal = rng.random() < 0.4
        codes += ["NORM"] if normal else [code for code in ("IMI", "LVH", "CLBBB") if rng.random() < 0.3]
        codes += [code for code in ("PVC", "INVT") if rng.random() < 0.1]
        records.append(tuple(codes))
    return records


def _record(codes: tuple[str, ...], uncertain: frozenset[str] = frozenset()) -> Record:
    return Record("1", None, "train", statement_labels(codes), {"diagnosis": uncertain})


RECORDS = _records(3000)
PREVALENCE = count_prevalence(map(_record, RECORDS), PTBXL_VOCABULARY)


def _ask(codes: tuple[str, ...], seed: int = 0, count: float = 1000) -> list[Question]:
    return questions_for(_record(codes), seed=seed, count=count, prevalence=PREVALENCE)


ALL = [(codes, _ask(codes, seed)) for seed, codes in enumerate(RECORDS)]


def test_yes_and_no_come_equally_often_for_every_attribute() -> None:
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for _, asked in ALL:
        for question in asked:
            if question.question_type == "verify":
                answers[question.attribute][question.answer] += 1
    assert {"AFIB", "SR", "NORM", "IMI", "MI", "PVC"} <= set(answers)
    for attribute, counts in answers.items():
        total = counts["yes"] + counts["no"]
        assert abs(counts["yes"] - counts["no"]) < 4 * total**0.5 + 1, attribute


def test_every_rare_statement_is_asked_for() -> None:
    for codes, asked in ALL:
        if "AFIB" in codes:
            assert any(q.attribute == "AFIB" and q.question_type == "verify" and q.answer == "yes" for q in asked)


def test_half_of_the_no_are_hard_where_there_are_enough() -> None:
    hard = [
        "STACH" in codes
        for codes, asked in ALL
        for q in asked
        if (q.question_type, q.attribute, q.answer) == ("verify", "AFIB", "no")
    ]
    assert 0.4 < sum(hard) / len(hard) < 0.6


def test_neither_of_two_alternatives_is_the_better_guess() -> None:
    answers = Counter(
        q.answer
        for _, asked in ALL
        for q in asked
        if q.question_type == "choose" and set(q.attribute.split("|")) == {"SR", "AFIB"}
    )
    one, other = answers["sinus rhythm"], answers["atrial fibrillation"]
    assert one + other > 100
    assert abs(one - other) < 4 * (one + other) ** 0.5


def test_answers_agree_with_the_statements() -> None:
    for codes, asked in ALL:
        for q in asked:
            assert q.answer in q.answer_set or (q.question_type == "query" and q.attribute in ("form", "diagnosis"))
            if q.question_type == "verify" and q.attribute in STATEMENTS:
                assert q.answer == ("yes" if q.attribute in codes else "no")
            if q.question_type == "choose" and q.attribute_type != "superclass":
                stated = [phrase(code) for code in q.attribute.split("|") if code in codes]
                assert q.answer == (stated[0] if len(stated) == 1 else "both" if stated else "none")
            if q.question_type == "query" and q.attribute == "rhythm":
                assert q.answer == phrase(codes[0])


@given(st.sets(st.sampled_from(list(STATEMENTS)), max_size=8), st.integers(0, 10**6))
def test_any_combination_of_statements_gives_consistent_questions(codes: set[str], seed: int) -> None:
    first = _ask(tuple(sorted(codes)), seed)
    assert first == _ask(tuple(sorted(codes, reverse=True)), seed)
    for q in first:
        assert not q.answer_set or q.answer_set.count(q.answer) == 1
        assert q.answer


def test_a_doubtful_no_is_not_asked() -> None:
    for seed in range(300):
        attributes = {q.attribute for q in _ask(("STACH", "LVH"), seed) if q.question_type == "verify"}
        assert "SR" not in attributes
        # No rhythm is stated: that is no statement that there is none.
        assert not any(q.attribute_type == "rhythm" for q in _ask(("LVH",), seed))


def test_fewer_questions_keep_their_mean_number_and_balance() -> None:
    few = [_ask(codes, seed, count=4) for seed, codes in enumerate(RECORDS)]
    assert sum(map(len, few)) / len(few) == pytest.approx(4, rel=0.05)
    answers = Counter(q.answer for asked in few for q in asked if q.question_type == "verify")
    assert answers["yes"] / answers["no"] == pytest.approx(1, abs=0.1)


def test_the_evaluated_wording_is_one_of_the_paraphrases_of_every_attribute() -> None:
    kinds = {"rhythm": RHYTHMS, "diagnosis": DIAGNOSES, "form": FORMS, "superclass": ("MI", "STTC", "CD", "HYP")}
    for kind, codes in kinds.items():
        for code in codes:
            question = verify_question(kind, code, present=True)
            assert question.text == f"Does this ECG show {phrase_of(kind, code)}?"
            assert question.answer == "yes"
    assert all(3 <= len(forms) <= 5 for forms in (wording.VERIFY, *wording.CHOOSE.values(), *wording.QUERY.values()))


def test_no_records_and_unknown_codes_are_errors() -> None:
    with pytest.raises(ValueError, match="no records"):
        count_prevalence([], PTBXL_VOCABULARY)
    with pytest.raises(KeyError, match="XYZ"):
        _ask(("XYZ",))


def test_a_possible_diagnosis_is_not_sure_and_no_part_of_a_choice() -> None:
    # Every third LVH is possible only.
    records = [_record(c, frozenset({"LVH"} if i % 3 == 0 and "LVH" in c else ())) for i, c in enumerate(RECORDS)]
    prevalence = count_prevalence(records, PTBXL_VOCABULARY, not_sure=True)
    answers: Counter[str] = Counter()
    for seed, record in enumerate(records):
        possible = bool(record.possible["diagnosis"])
        for q in questions_for(record, seed=seed, prevalence=prevalence):
            if (q.question_type, q.attribute) == ("verify", "LVH"):
                answers[q.answer] += 1
                assert (q.answer == "not sure") == possible
                assert q.answer_set == ("no", "not sure", "yes")  # whatever the answer is
            if q.question_type == "choose" and q.attribute_type == "diagnosis":
                assert not (possible and "LVH" in q.attribute.split("|"))
    assert answers["not sure"] > 100
    assert abs(answers["yes"] - answers["no"]) < 4 * answers.total() ** 0.5
