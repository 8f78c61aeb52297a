"""The simulated recordings that the package ships are read by the checkpoint that it ships."""

from __future__ import annotations

import pytest

import hf_heartllm as hl
from hf_heartllm.evaluation.codec.coder import Coder

STATED = {
    "af": "atrial fibrillation",
    "tachycardia": "sinus tachycardia",
    "bradycardia": "sinus bradycardia",
    "premature_ventricular": "ventricular premature complexes",
    "lbbb": "complete left bundle branch block",
    "rbbb": "complete right bundle branch block",
    "high_voltage": "left ventricular hypertrophy",
    "first_degree_block": "first degree av block",
}


@pytest.fixture(scope="module")
def probability():
    pipeline = hl.pipeline("ecg-question-answering")

    def of(name: str, statement: str) -> float:
        question = f"Does this ECG show {statement}?"
        answer = pipeline(hl.read_ecg(f"example:{name}"), question, prevalence=0.5)  # as likely as not beforehand
        return answer.probability if answer.text == "yes" else 1 - answer.probability

    return of


@pytest.fixture(scope="module")
def coder():
    return Coder(hl.ECGTokenizer.from_pretrained().codec)


@pytest.mark.parametrize(("name", "statement"), STATED.items())
def test_an_example_shows_what_it_is_named_after_and_a_normal_ecg_does_less(probability, name, statement):
    assert probability(name, statement) > max(0.5, probability("normal", statement))


CHEST_LEADS = ("V1", "V2", "V3", "V4", "V5", "V6")
EXAMPLES = ("normal", "af", "lbbb", "rbbb", "premature_ventricular", "tachycardia")


@pytest.mark.parametrize("missing", CHEST_LEADS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_decoded_lacks_the_chest_lead_that_the_recording_lacked(coder, name, missing):
    record = hl.read_ecg(f"example:{name}")
    without = record.select([lead for lead in record.leads if lead != missing])

    complete, decoded = (coder.decode(coder.encode(one), one) for one in (record, without))

    assert set(complete.leads) == set(record.leads)
    assert set(decoded.leads) == set(without.leads)
