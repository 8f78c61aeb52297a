"""ECG dialogues: what is said, what never is, and that both are read back from the text."""

from __future__ import annotations

import random
from itertools import product

import pytest

import hf_heartllm as hl
from hf_heartllm.ecg.findings import Findings, find
from hf_heartllm.ecg.findings.result import SignalFinding
from hf_heartllm.labels.scp import STATEMENTS
from hf_heartllm.labels.stated_findings import stated_findings
from hf_heartllm.training.dialogues.cases import Case, case_of
from hf_heartllm.training.dialogues.reading import (
    asks_for_symptoms,
    asserted_symptoms,
    says_no_diagnosis,
    sends_to_care,
)
from hf_heartllm.training.dialogues.rendering import ARMS, render_dialogue
from hf_heartllm.training.dialogues.words import drug_words, plain_words, symptoms, wordings

RHYTHMS = ("SR", "AFIB", "STACH", "SBRAD", "PACE", "PSVT")


def told_symptoms(text: str) -> frozenset[str]:
    """Names of the symptoms that a patient's message tells."""
    return frozenset(name for name, symptom in symptoms().items() if symptom.mention.search(text.lower()))


def measured(**values: float) -> Findings:
    names = {"heart_rate_low": "below", "heart_rate_high": "above", "qtc_long": "above"}
    return Findings(
        tuple(
            SignalFinding(name, value, "", 0, names[name], f"{name} {value:g}", "")  # type: ignore[arg-type]
            for name, value in values.items()
        )
    )


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Every statement alone, and three hundred of several with measurements, ages and sexes, known or not."""
    rng, found = random.Random(0), [case_of(code, [code]) for code in STATEMENTS]
    for number in range(300):
        codes = {rng.choice(RHYTHMS), *rng.sample(sorted(STATEMENTS), rng.randint(0, 5))}
        some = rng.choice([None, measured(heart_rate_low=35), measured(heart_rate_high=130, qtc_long=520)])
        who = {"age": rng.choice([None, 17.0, 63.0, 300.0]), "sex": rng.choice([None, "male", "female"])}
        found.append(case_of(str(number), codes, some, **who))
    return [case for case in found if case is not None]


@pytest.fixture(scope="module")
def dialogues(cases):
    """Each case in both arms and both lists of wordings, twice: about three thousand."""
    return [
        (case, render_dialogue(case, arm, seed, held_out))
        for case, arm, held_out, seed in product(cases, ARMS, (False, True), (0, 1))
    ]


def test_trained_and_measured_wordings_are_other_ones():
    trained, held_out = wordings(False), wordings(True)
    assert trained.keys() == held_out.keys()

    def bare(line: str) -> str:
        return "".join(letter for letter in line.lower() if letter.isalpha())

    lines = {bare(line) for of_section in trained.values() for line in of_section}
    assert not lines & {bare(line) for of_section in held_out.values() for line in of_section}
    assert all(len({*lines}) == len(lines) for lines in [*trained.values(), *held_out.values()])


def test_no_drug_or_dose_is_ever_said(dialogues):
    said = {sentence for _, one in dialogues for turn in one.turns for text in turn for sentence in text.split(". ")}
    assert len(dialogues) > 2500
    for sentence in said:
        assert not drug_words(sentence), sentence
    assert drug_words("Take bisoprolol 2.5 mg in the morning, and an Aspirin.")
    assert drug_words("You need an ablation.") == ["ablation"]


def test_no_symptom_is_asserted_before_it_was_told(dialogues):
    for _, one in dialogues[::3]:
        told = set(one.told)
        for number, (_, answer) in enumerate(one.turns):
            told |= one.told_later if number == 1 else set()
            assert not asserted_symptoms(answer, told), answer


def test_symptoms_come_at_once_or_only_when_asked(dialogues):
    kinds = set()
    for _, one in dialogues:
        assert told_symptoms(one.turns[0][0]) == one.told
        assert bool(one.told) == (one.arm == "told")
        if one.arm == "silent":
            assert asks_for_symptoms(one.turns[0][1]), one.turns[0][1]
            assert told_symptoms(one.turns[1][0]) == one.told_later
            kinds.add(bool(one.told_later))
    assert kinds == {True, False}, "some have none, or do not know"


def test_help_is_sent_for_on_red_flags_alone(dialogues):
    flagged = {name for name, one in symptoms().items() if one.red_flag}
    for case, one in dialogues:
        assert one.red_flag == bool(case.flags or one.told & flagged)
        assert sends_to_care(one.turns[0][1]) == one.red_flag, one.turns[0][1]
        assert says_no_diagnosis(one.turns[0][1]), one.turns[0][1]
        if one.told_later:
            assert sends_to_care(one.turns[1][1]) == bool(one.told_later & flagged), one.turns[1][1]
    assert 0.2 < sum(one.red_flag for _, one in dialogues) / len(dialogues) < 0.8


def test_the_first_answer_states_the_findings_and_no_other(dialogues):
    for case, one in dialogues[::29]:
        said = stated_findings(one.turns[0][1])
        assert said.codes == {*case.codes}, one.turns[0][1]
        assert not said.denied


def test_a_dialogue_depends_on_seed_and_record_alone():
    case = case_of("17", ["AFIB"])
    other = case_of("18", ["AFIB"])
    assert case is not None
    assert other is not None
    first = render_dialogue(case, "told", 3)
    assert render_dialogue(case, "told", 3) == first
    assert render_dialogue(case, "told", 4).turns != first.turns != render_dialogue(other, "told", 3).turns
    assert first.turns[0][0] == render_dialogue(case, "told", 3).turns[0][0]
    texts = {render_dialogue(case, "silent", seed).turns[0] for seed in range(100)}
    assert len(texts) > 90


def test_both_arms_have_the_same_patient():
    case = case_of("17", ["AFIB"])
    assert case is not None
    pairs = [(render_dialogue(case, "told", seed), render_dialogue(case, "silent", seed)) for seed in range(40)]
    assert all(silent.told_later in (told.told, frozenset()) for told, silent in pairs)


def test_what_needs_care_now():
    assert case_of("1", ["SR"]).flags == ()
    assert case_of("1", ["3AVB"]).flags == ("third degree av block",)
    assert case_of("1", ["SR"], measured(heart_rate_low=39)).flags == ("a very slow heart rate of 39 /min",)
    assert case_of("1", ["SR"], measured(heart_rate_low=45, heart_rate_high=120)).flags == ()
    assert case_of("1", ["SR"], measured(heart_rate_high=170)).flags == ("a very fast heart rate of 170 /min",)
    assert case_of("1", ["Sustained ventricular tachycardia"]).flags == ("Sustained ventricular tachycardia",)
    assert case_of("1", []) is None
    elevated = find(hl.measure(hl.read_ecg("example:st_elevation_inferior")), sex="female", age=63)
    case = case_of("1", ["SR"], elevated)
    assert any("raised ST segments in" in flag for flag in case.flags)
    assert sends_to_care(render_dialogue(case, "silent").turns[0][1])


def test_leads_are_told_when_asked_for():
    elevated = find(hl.measure(hl.read_ecg("example:st_elevation_inferior")), sex="female", age=63)
    case = case_of("1", ["SR", "STE_"], elevated)
    said = [answer for seed in range(40) for _, answer in render_dialogue(case, "silent", seed).turns]
    assert any("III:" in answer or "II:" in answer for answer in said)


def test_every_statement_has_plain_words_that_say_nothing_else():
    assert plain_words().keys() == STATEMENTS.keys()
    for words in plain_words().values():
        assert not stated_findings(words).groups
        assert not told_symptoms(words)


@pytest.mark.parametrize(
    ("text", "asserted"),
    [
        ("The patient complains of dizziness.", {"dizziness"}),
        ("Your chest pain comes from the heart.", {"chest pain"}),
        ("You have no chest pain but you are short of breath.", {"shortness of breath"}),
        ("Do you have chest pain? Are you dizzy?", set()),
        ("No palpitations were told. Chest pain was not mentioned.", set()),
        ("Atrial fibrillation can cause palpitations.", set()),
        ("Should you faint, call for help.", set()),
        ("Sinus rhythm. Normal ECG.", set()),
        ("Symptoms: chest pain.", {"chest pain"}),
        ("Your chest pain is not dangerous.", {"chest pain"}),
        ("Chest pain is absent. Dizziness, nausea: none told.", set()),
        ("The patient has no chest pain, shortness of breath, or dizziness.", set()),
        ("No fainting, only palpitations. No nausea, you are tired.", {"palpitations", "tiredness"}),
        ("", set()),
    ],
)
def test_assertions_are_read_from_any_text(text, asserted):
    assert asserted_symptoms(text) == asserted


@pytest.mark.parametrize(
    ("text", "sends"),
    [
        ("Go to the hospital immediately.", True),
        ("You should see a doctor today!", True),
        ("CALL AN AMBULANCE", True),
        ("This requires urgent medical attention", True),
        ("Please go to the nearest ER.", True),
        ("There is no need to call an ambulance.", False),
        ("Do not call an ambulance.", False),
        ("Call 911 if you have chest pain.", False),
        ("See your doctor at the next visit.", False),
        ("If it gets worse, see a doctor at once.", False),
        ("sinus rhythm. normal ecg.", False),
    ],
)
def test_the_seek_care_line_is_read_from_any_text(text, sends):
    assert sends_to_care(text) is sends
