"""The simulated recordings that the package ships are read by the checkpoint that it ships."""

from __future__ import annotations

import pytest

import hf_heartllm as hl

STATED = {
    "af": "atrial fibrillation",
    "tachycardia": "sinus tachycardia",
    "bradycardia": "sinus bradycardia",
    "premature_ventricular": "ventricular premature complexes",
}


@pytest.fixture(scope="module")
def asked():
    pipeline = hl.pipeline("ecg-question-answering")
    return lambda name, statement: pipeline(hl.read_ecg(f"example:{name}"), f"Does this ECG show {statement}?")


@pytest.mark.parametrize("name", STATED)
def test_the_statement_that_an_example_is_named_after_is_likelier_on_it_than_on_a_normal_ecg(asked, name):
    shown, normal = (
        {"yes": one.probability, "no": 1 - one.probability}[one.text]
        for one in (asked(name, STATED[name]), asked("normal", STATED[name]))
    )
    assert shown > normal


@pytest.mark.parametrize("name", ["af", "tachycardia", "bradycardia"])
def test_rhythms_are_named(asked, name):
    assert asked(name, STATED[name]).text == "yes"
    assert asked("normal", STATED[name]).text == "no"
