"""ECG-LM's template and the dropping of leads, as the paper describes them."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.training.ecg_lm_template import (
    FEWEST_DROPPED,
    MOST_DROPPED,
    Described,
    aligned_text,
    body_words,
    dropped_leads,
    person_sentence,
)

SUBSETS = st.lists(st.sampled_from(STANDARD_LEADS), unique=True)


def test_the_template_is_the_papers():
    described = Described(
        63, "male", 178, 80, "sinus rhythm. normal ecg.", "QRS axis left of the usual range", {"V2": "deep S"}
    )
    text = "".join(piece.text for piece in aligned_text(described))
    assert text.startswith(
        "This person is a 63-year-old male with a height of 178 cm and a weight of 80 kg. The ECG signal is <ecg>. "
        "The ECG report indicates sinus rhythm. normal ecg. The anomalies in general: QRS axis left of the usual "
        "range, lead I: none, lead II: none,"
    )
    assert text.endswith("lead V6: none.")
    assert ", lead V2: deep S, " in text
    silent = "".join(piece.text for piece in aligned_text(described) if not piece.learned)
    assert "63-year-old" in silent
    assert "<ecg>" in silent
    assert "deep S" not in silent
    assert "sinus rhythm" not in silent


def test_height_and_weight_none_one_or_both():
    assert body_words(None, None) == ""
    assert body_words(float("nan"), 80) == "with a weight of 80 kg"
    assert body_words(178, 80) == "with a height of 178 cm and a weight of 80 kg"
    assert person_sentence(Described(40, "female")) == "This person is a 40-year-old female."
    assert person_sentence(Described()) == "This person is a person."
    assert person_sentence(Described(age=300)) == "This person is a 90-year-old person.", "PTB-XL's over 89"


@given(described=SUBSETS, leads=SUBSETS.filter(bool), seed=st.integers(0, 10_000))
def test_leads_are_dropped_as_the_paper_says(described, leads, seed):
    gone = dropped_leads(described, leads, random.Random(seed))
    there = set(leads) & set(described)
    left = set(leads) - set(gone)
    assert left, "a lead is left"
    assert len(gone) <= MOST_DROPPED
    assert set(gone) <= set(leads)
    if there:
        assert there & left, "a description is left"
    if len(leads) == 12:
        undescribed = 12 - len(there)
        assert len(gone) >= min(FEWEST_DROPPED, undescribed + max(0, len(there) - 1))
    if set(gone) - there:
        assert len(there & left) <= 1, "leads with a description go first"


@given(seed=st.integers(0, 500))
def test_a_dropped_lead_is_in_neither_text_nor_shown(seed):
    rng = random.Random(seed)
    described = Described(50, "male", leads={"I": "low", "V3": "high", "V4": "high"})
    gone = dropped_leads(described.described_leads(), STANDARD_LEADS, rng)
    kept = [lead for lead in STANDARD_LEADS if lead not in gone]
    text = "".join(piece.text for piece in aligned_text(described, kept))
    assert all(f"lead {lead}:" not in text for lead in gone)
    assert all(f"lead {lead}:" in text for lead in kept)
