"""PTB-XL's notes become attributes: leads, stages, extra beats; what a note leaves open is not asked for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from dataset_builders.question_generator.attributes import EASY, HARD, STATED, stratum
from dataset_builders.question_generator.balance import count_prevalence
from dataset_builders.question_generator.single import questions_for
from hf_heartllm.data.label_names import ATTRIBUTE_TYPES, AXES, PTBXL_VOCABULARY, STAGES, in_lead
from hf_heartllm.data.ptbxl_records import noted_leads, record_of
from hf_heartllm.labels.ptbxl import read_ptbxl_table
from hf_heartllm.models.ecg_leads import STANDARD_LEADS


@pytest.mark.parametrize(
    ("note", "leads"),
    [
        (" , I-AVR,  ", "I II III aVR"),
        (" , I - V1, noisy recording,", "I II III aVR aVL aVF V1"),
        ("v4,5,6", "V4 V5 V6"),
        (" , v1-6", "V1 V2 V3 V4 V5 V6"),
        ("I,III,AVL,AVF;V6", "I III aVL aVF V6"),
        (" , I-AVR,V5,V6,  ", "I II III aVR V5 V6"),
        ("V1???", "V1"),
        (" , avl-iii, Stark,  ", "III aVR aVL"),
    ],
)
def test_leads_of_a_note(note: str, leads: str) -> None:
    assert noted_leads(note) == (frozenset(leads.split()), True)


def test_a_note_that_names_no_or_not_only_leads_leaves_them_open() -> None:
    assert noted_leads(" , alles,  ") == (frozenset(STANDARD_LEADS), True)
    assert noted_leads(" , stark,  ") == (frozenset(), False)
    assert noted_leads(" , I-V!,V5,V6,  ") == (frozenset({"I", "V5", "V6"}), False)


def _row(**changes: Any) -> dict[str, Any]:
    row = {"ecg_id": 1, "patient_id": 2, "strat_fold": 9, "sex": 1, "scp_codes": {"SR": 0.0, "NORM": 100.0}}
    return {**row, "filename_lr": "a_lr", "filename_hr": "a_hr", "row": "official", **changes}


def test_columns_become_attributes() -> None:
    record = record_of(
        _row(
            scp_codes={"SR": 0.0, "IMI": 35.0, "LVH": 100.0},
            heart_axis="ALAD",
            static_noise=" , I,II,  ",
            burst_noise="stark",
            extra_beats="VES1,alles",
            infarction_stadium1="Stadium II-III",
        ),
        "validation",
    )
    assert record.labels["heart_axis"] == {AXES[1]}
    assert record.labels["noise"] == {"static noise", "burst noise"}
    assert stratum(record, "noise_in_lead", in_lead("static noise", "II")) == STATED
    assert stratum(record, "noise_in_lead", in_lead("static noise", "V1")) == HARD
    assert stratum(record, "noise_in_lead", in_lead("burst noise", "V1")) is None  # in which leads, is not said
    assert stratum(record, "noise_in_lead", in_lead("any noise", "I")) == STATED
    assert stratum(record, "noise_in_lead", in_lead("any noise", "V1")) is None
    assert stratum(record, "extra_systole", "ventricular extrasystoles") == STATED
    assert stratum(record, "extra_systole", "extrasystoles") == STATED
    assert record.labels["stage_of_infarction"] == {STAGES[1], STAGES[2]}
    assert stratum(record, "stage_of_infarction", STAGES[1]) is None  # one of two
    assert stratum(record, "stage_of_infarction", STAGES[0]) == HARD
    assert record.possible["diagnosis"] == {"IMI"}
    assert record.possible["superclass"] == {"MI"}


def test_absent_notes_mean_no_and_absent_columns_nothing() -> None:
    noted, not_noted = record_of(_row(), "train"), record_of(_row(row="reconstructed"), "train")
    assert stratum(noted, "noise", "burst noise") == EASY
    assert stratum(noted, "heart_axis", AXES[1]) is None
    assert noted.labels["stage_of_infarction"] == frozenset()
    assert record_of(_row(scp_codes={"AMI": 0.0}), "train").labels["stage_of_infarction"] is None
    assert all(stratum(not_noted, kind, PTBXL_VOCABULARY.attributes[kind][0]) is None for kind in ATTRIBUTE_TYPES[4:])
    # A premature complex is stated, but no extra beat noted: the one speaks against the other.
    assert stratum(record_of(_row(scp_codes={"PVC": 0.0}), "train"), "extra_systole", "extrasystoles") is None


def test_questions_from_notes_of_the_real_table_are_balanced(ptbxl_dir: Any) -> None:
    table = read_ptbxl_table(ptbxl_dir)
    records = [record_of(row, "validation") for row in table[table["strat_fold"] == 9].head(700).to_dict("records")]
    types = ("heart_axis", "noise", "extra_systole", "stage_of_infarction")
    prevalence = count_prevalence(records, PTBXL_VOCABULARY, types, not_sure=True)
    answers: Counter[tuple[str, str]] = Counter()
    listed: dict[str, Counter[str]] = {kind: Counter() for kind in types}
    for record in records:
        for q in questions_for(record, seed=record.record_id, prevalence=prevalence):
            assert q.answer in q.answer_set
            if q.question_type == "verify":
                answers[q.attribute_type, q.answer] += 1
            elif q.question_type == "query":
                listed[q.attribute_type][q.answer] += 1
    for kind in types:
        yes, no = answers[kind, "yes"], answers[kind, "no"]
        assert yes + no > 20
        assert abs(yes - no) < 4 * (yes + no) ** 0.5, kind
        assert max(listed[kind].values()) <= 0.62 * listed[kind].total(), kind
