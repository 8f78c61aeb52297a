"""Which trained question a question is: wordings as trained, the same in other words, its opposite, and none."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_heartllm as hl
from hf_heartllm.models.question_text import one_slip
from hf_heartllm.models.question_understanding import (
    QUESTIONS_FILE,
    NotUnderstood,
    QuestionsError,
    TrainedQuestions,
    UnderstoodQuestion,
    read_trained_questions,
)
from hf_heartllm.models.question_words import FILLERS
from hf_heartllm.models.trained_wordings import TrainedGroup

QUESTIONS = read_trained_questions(hl.checkpoint())
assert QUESTIONS is not None
ALL = [one for one in QUESTIONS.all_questions() if "|" not in (one.attribute or "")]
CHOICES = [one for one in QUESTIONS.all_questions() if "|" in (one.attribute or "")]
WRITTEN = Path(__file__).parents[2] / "benchmarks" / "questions"


def asked(question: str) -> UnderstoodQuestion:
    found = QUESTIONS.understand(question)
    assert isinstance(found, UnderstoodQuestion), f"{question!r}: {found}"
    return found


def written(name: str) -> list[dict[str, str]]:
    with open(WRITTEN / name, encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["part"] == "development"]


def test_every_trained_wording_is_itself_to_the_letter():
    assert len(ALL) > 700
    for trained in ALL:
        found = asked(trained.text)
        assert (found.text, found.exact, found.negated) == (trained.text, True, False)
        assert found.answers == trained.answers


@settings(deadline=None)
@given(trained=st.sampled_from(CHOICES))
def test_every_trained_choice_is_itself_to_the_letter(trained):
    found = asked(trained.text)
    assert found.exact
    assert (found.text, found.answers, found.negated) == (trained.text, trained.answers, False)


@settings(deadline=None)
@given(
    trained=st.sampled_from(ALL + CHOICES[:: len(CHOICES) // 300]),
    case=st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    blanks=st.sampled_from([" ", "  ", "\t", "\n", " "]),
    end=st.sampled_from(["", "?", " ?", "???", ".", "!", " …"]),
)
def test_case_blanks_and_punctuation_change_nothing(trained, case, blanks, end):
    text = case(trained.text.rstrip("?.")).replace(" ", blanks) + end
    found = asked(text)
    assert (found.attribute, found.negated) == (trained.attribute, False)
    assert found.text in (trained.text, asked(trained.text).text)


@settings(deadline=None)
@given(trained=st.sampled_from(ALL))
def test_what_was_understood_is_understood_as_itself(trained):
    once = asked(trained.text.upper())
    assert asked(once.text).text == once.text


DENIED = (
    ("Is {} absent?", "Is {} present?"),
    ("Is there no {}?", "Is there any {}?"),
    ("Is there no sign of {}?", "Is there a sign of {}?"),
    ("Can {} be ruled out?", "Can {} be seen?"),
    ("Is this ECG free of {}?", "Is this an ECG with {}?"),
    ("Does the patient lack {}?", "Does the patient have {}?"),
    ("{} not present?", "{} present?"),
    ("Rule out {}", "Please check for {}"),
    ("Is the tracing negative for {}?", "Is the tracing positive for {}?"),
)
FINDINGS = (
    "AF",
    "atrial flutter",
    "LBBB",
    "MI",
    "LVH",
    "sinus rhythm",
    "PVCs",
    "st depression",
    "WPW",
    "first-degree AV block",
)


@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize(("denied", "plain"), DENIED)
def test_a_denial_turns_the_answer_round(finding, denied, plain):
    no, yes = asked(denied.format(finding)), asked(plain.format(finding))
    assert (no.text, no.negated, yes.negated) == (yes.text, True, False)
    assert no.answers == ("no", "yes")


def test_the_opposite_of_normal():
    for text in ("Is the ECG abnormal?", "abnormal ecg", "Is anything wrong with this tracing?", "Any abnormality?"):
        assert (asked(text).attribute, asked(text).negated) == ("NORM", True)
    for text in ("Is this a healthy ECG?", "No abnormalities?", "Is the ECG within normal limits?", "nothing wrong?"):
        assert (asked(text).attribute, asked(text).negated) == ("NORM", False)


def test_a_leading_question_is_plain_and_an_ambiguous_one_is_declined():
    assert not asked("Isn't this atrial fibrillation?").negated
    assert not asked("Doesn't the ECG show AF?").negated
    for text in ("Is this not AF?", "Is it not AF?", "AF, no?", "Does this not show AF?"):
        assert isinstance(QUESTIONS.understand(text), NotUnderstood)


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("afib?", "AFIB"),
        ("A-FIB ON THIS STRIP", "AFIB"),
        ("Would you say there's atrial fibrilation here?", "AFIB"),
        ("CLBBB", "CLBBB"),
        ("left bundle branch block", "CLBBB"),
        ("incomplete RBBB", "IRBBB"),
        ("heart attack?", "MI"),
        ("infarction of the inferior wall", "IMI"),
        ("ischaemia", "ISC_"),
        ("1st-degree heart block", "1AVB"),
        ("AV block II°", "2AVB"),
        ("third degree AVB", "3AVB"),
        ("Is the left atrium enlarged?", "LAO/LAE"),
        ("ventricular extrasystoles", "PVC"),
        ("premature atrial beats", "PAC"),
        ("T waves inverted?", "INVT"),
        ("unspecific st changes", "NST_"),
        ("Is the QTc prolonged?", "LNGQT"),
        ("paced?", "PACE"),
        ("Which rhythm?", "rhythm"),
        ("How fast is the heart beating", "heart rate"),
        ("Is the rhythm irregular?", "regularity"),
        ("AF or flutter?", "AFIB|AFLT"),
        ("Interpret this ECG", "report"),
    ],
)
def test_other_words_for_what_was_trained(text, attribute):
    found = asked(text)
    assert (found.attribute, found.negated, found.exact) == (attribute, False, False)
    assert asked(found.text).exact


def test_dots_of_an_abbreviation_are_no_ends_of_sentences():
    assert asked("Does this E.C.G. show A.F.?").attribute == asked("Does this ECG show AF?").attribute
    assert asked("Any L.B.B.B. here?").attribute == asked("Any LBBB here?").attribute


def test_a_question_may_follow_another():
    for question in ("is this ECG normal?", "the rhythm?", "AF?"):
        assert asked(f"And {question}").attribute == asked(question).attribute


@pytest.mark.parametrize("word", sorted(word for word in FILLERS if len(word) > 5))
def test_a_slip_in_a_word_that_says_nothing_is_no_name(word):
    QUESTIONS.understand(f"Does this ECG {word[:3]}{word[4:]} show AF?")  # understood or not, and no error


def test_a_slip_of_one_letter_is_mended_but_for_the_first():
    assert asked("Is this ECG nurmal?").attribute == asked("Is this ECG normal?").attribute
    assert not isinstance(QUESTIONS.understand("Is this ECG mormal?"), UnderstoodQuestion)


def test_questions_in_a_strangers_words():
    right = wrong = 0
    for row in written("paraphrases.tsv"):
        found = QUESTIONS.understand(row["question"])
        if isinstance(found, UnderstoodQuestion):
            same = {*found.attribute.split("|")} == {*row["attribute"].split("|")}
            same = same and found.attribute_type == row["attribute_type"] and found.negated == (row["negated"] == "1")
            right, wrong = right + same, wrong + (not same)
    assert wrong == 0
    assert right >= 0.92 * len(written("paraphrases.tsv"))


@pytest.mark.parametrize("row", written("others.tsv"), ids=lambda row: row["question"][:30])
def test_other_questions_are_declined(row):
    found = QUESTIONS.understand(row["question"])
    assert isinstance(found, NotUnderstood), found
    assert len(str(found)) <= 300
    assert "\n" not in str(found)
    assert all(asked(text).exact for text in found.nearest)
    assert len(found.nearest) == 3


QUALIFIERS = """
new old acute recent chronic intermittent paroxysmal severe mild moderate persistent recurrent frequent isolated
suspectedly transient borderline significant slight multifocal developing resolved treated previous prior history
risk treatment why since before after than more less 120 V3 III medication caused because will untrue nor never
"""
FRAME = "is there any sign of atrial fibrillation in this ecg"


@settings(deadline=None)
@given(word=st.sampled_from(QUALIFIERS.split()), place=st.integers(0, 10))
def test_no_qualifier_is_dropped(word, place):
    words = FRAME.split()
    text = " ".join([*words[:place], word, *words[place:]])
    assert isinstance(QUESTIONS.understand(text), NotUnderstood), text


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=80))
def test_any_text_is_either_understood_or_declined(text):
    found = QUESTIONS.understand(text)
    assert isinstance(found, NotUnderstood) or asked(found.text).text == found.text


OTHER_MEANINGS = (
    ("anterior", "inferior"),
    ("left", "right"),
    ("complete", "incomplete"),
    ("first", "third"),
    ("elevation", "depression"),
    ("tachycardia", "bradycardia"),
    ("prolonged", "short"),
    ("hypertrophy", "hypotrophy"),
    ("regular", "irregular"),
    ("normal", "abnormal"),
)


@pytest.mark.parametrize("pair", OTHER_MEANINGS)
def test_a_slip_of_the_pen_never_leads_to_another_meaning(pair):
    assert not one_slip(*pair)


@pytest.mark.parametrize(
    "text",
    [
        "interior infarction",
        "wandering pacemaker",
        "prevent atrial fibrillation",
        "left ventricular hypotrophy",
        "Is the iregular rhythm sinus tachicardia?",
        "rihgt bundle branch block",
    ],
)
def test_a_word_that_may_be_two_is_none(text):
    assert isinstance(QUESTIONS.understand(text), NotUnderstood)


def test_what_is_near_is_named():
    assert QUESTIONS.understand("Is the heart rate high?").nearest[0] == "What is the heart rate?"
    assert QUESTIONS.understand("Is there an acute MI?").nearest[0] == "Does this ECG show myocardial infarction?"
    assert "first degree av block" in " ".join(QUESTIONS.understand("Is there AV block?").nearest)


@pytest.mark.parametrize(
    "text",
    [
        "Does this ECG show " + "x" * 20_000,
        "AF " * 7_000,
        "What does this recording show: " + " or " * 5_000 + "?",
        "atrial fibrilation " * 1_000,
        "?" * 20_000,
    ],
)
def test_a_long_question_is_declined_at_once(text):
    started = time.perf_counter()
    assert isinstance(QUESTIONS.understand(text), NotUnderstood)
    assert time.perf_counter() - started < 0.5  # 10 ms where nothing else runs


def test_the_file_gives_what_was_written(tmp_path):
    document = json.loads(json.dumps(QUESTIONS.document()))
    assert TrainedQuestions.from_document(document) == QUESTIONS
    (tmp_path / QUESTIONS_FILE).write_text(json.dumps(document))
    assert read_trained_questions(tmp_path) == QUESTIONS


def test_a_checkpoint_without_the_file_has_none(tmp_path):
    assert read_trained_questions(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "heartllm trained questions", "format_version": 2}',
        '{"format": "heartllm trained questions", "format_version": 1, "groups": [{}]}',
        '{"format": "heartllm trained questions", "format_version": 1, "groups": [{"question_type": "verify", '
        '"attribute_type": "a", "answers": null, "wordings": [], "terms": {"x": "y"}}]}',
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text):
    (tmp_path / QUESTIONS_FILE).write_text(text)
    with pytest.raises(QuestionsError, match=QUESTIONS_FILE) as raised:
        read_trained_questions(tmp_path)
    assert len(str(raised.value).replace(str(tmp_path), "")) < 300


def test_a_finding_of_ones_own_is_understood_by_its_name_and_a_known_code_of_another_meaning_by_that_alone():
    own = TrainedGroup(
        "verify", "finding", ("no", "yes"), ("Is {term} there?",), {"X1": "osborn waves", "LVH": "low QT"}
    )
    questions = TrainedQuestions((own,))
    assert questions.understand("Does the patient have osborn waves?").attribute == "X1"
    assert questions.understand("any low qt?").text == "Is low QT there?"
    assert isinstance(questions.understand("LVH?"), NotUnderstood)
    assert isinstance(questions.understand("Is there atrial fibrillation?"), NotUnderstood)


SHOWN = (
    "README.md",
    "docs/answers.md",
    "docs/evaluation.md",
    "examples/demo.py",
    "hf_heartllm/cli/ask.py",
    "model_cards/heartllm-tiny.md",
)


@pytest.mark.parametrize("name", SHOWN)
def test_no_question_that_is_shown_to_users_is_declined(name):
    text = (Path(__file__).parents[2] / name).read_text(encoding="utf-8")
    shown = re.findall(r'"((?:<ecg> )?(?:Does|Is|Are|What|Which|How|Can|Any)\b[^"\n{]*\?)"', text)
    assert shown
    for question in shown:
        asked(question.removeprefix("<ecg> "))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Is there any blorb?", '"blorb" is no part of a trained question'),
        ("Is there any " + "b" * 60 + "?", '"' + "b" * 40 + '" is no part of a trained question'),
        ("Is there a problem in lead I?", "it names a lead"),
        ("Is there AF and LBBB?", "it asks for more than one thing"),
        ("Can AF be seen on an ECG?", "it asks about ECGs in general, not about this one"),
        ("Is it not AF or flutter?", '"not" leaves open what a yes would mean'),
        ("Is there no AF or flutter?", "it denies a choice"),
        ("AF or LBBB or flutter?", "it is no choice between two trained findings"),
        ("AF or AF?", "that choice was not trained"),
        ("No rhythm?", "it denies what is not answered by yes or no"),
        ("Is there any?", "it names nothing that was trained"),
        ("Is there an ECG?", "it names nothing that was trained"),
        ("Is there AV block?", "no trained finding or quantity is called that"),
        ("Is the patient normal?", "it asks about the patient, not about the ECG"),
        ("Is the ECG not free of AF?", '"not" leaves open what a yes would mean'),
        ("Is there no absent AF?", "it denies twice"),
        ("AF, no?", '"no" at the end leaves open what a yes would mean'),
        ("There's AF, isn't there?", '"isn\'t there" at the end leaves open what a yes would mean'),
        ("Is the ECG normal, isn't it?", '"isn\'t it" at the end leaves open what a yes would mean'),
        ("There is no AF, is there?", '"is there" at the end leaves open what a yes would mean'),
        ("No AF, is there?", '"is there" at the end leaves open what a yes would mean'),
        ("Don't write the report", "it orders that something is not done"),
        ("Was AF ruled out by the doctor?", "it asks what someone else has found"),
        ("Is pathology absent?", "it denies what is itself the opposite of a trained finding"),
        ("Is there AF > 3?", "the sign '>' stands in no trained question"),
        ("x" * 601, "it is longer than 600 characters"),
    ],
)
def test_why_a_question_is_declined(text, reason):
    found = QUESTIONS.understand(text)
    assert isinstance(found, NotUnderstood)
    assert found.reason == reason
    assert str(found).startswith(f"not a question that this checkpoint was trained on: {reason}")


def test_a_question_of_600_characters_is_read():
    assert asked("Is there AF" + " " * 588 + "?").attribute == "AFIB"
    assert "longer" not in str(QUESTIONS.understand("x" * 600))


@pytest.mark.parametrize(("length", "fits"), [(0, True), (1, False)])
def test_a_refusal_has_at_most_300_characters_and_names_what_fits(length, fits):
    start = "not a question that this checkpoint was trained on: "
    room = 300 - len(start) - len("; nearest: ") - len("What rhythm?")
    said = str(NotUnderstood("x" * (room + length), ("What rhythm?",)))
    assert said == start + "x" * (room + length) + "; nearest: What rhythm?" * fits
    assert len(said) <= 300
    # a shorter one behind it may still fit
    both = str(NotUnderstood("x" * (room - 4), ("What is the rhythm?", "Is it AF?")))
    assert both.endswith("xx; Is it AF?")


@pytest.mark.parametrize(
    ("text", "ambiguous"),
    [
        ("Is this not AF?", True),
        ("AF, isn't there?", True),
        ("PVCs, aren't there?", True),
        ("The ECG shows no AF, does it?", True),
        ("He has no AF, has he?", True),
        ("There is no abnormality, is there?", True),
        ("There's no AF, right?", True),
        ("Is there no new AF?", True),
        ("Is AF absent in lead II?", True),
        ("Did the doctor rule out AF?", True),
        ("The doctor says AF is absent?", True),
        ("Was AF ruled out by him?", True),
        ("Don't rule out AF", True),
        ("Please don't write the report", True),
        ("Why is this not sinus rhythm?", False),
        ("What isn't normal?", False),
        ("Is there any blorb?", False),
        ("Nice weather, isn't it?", False),
    ],
)
def test_what_leaves_open_what_a_yes_would_mean_is_told_from_what_is_unknown(text, ambiguous):
    found = QUESTIONS.understand(text)
    assert isinstance(found, NotUnderstood)
    assert found.ambiguous is ambiguous


@pytest.mark.parametrize(
    "text",
    [
        "There is AF, right?",
        "AF, correct?",
        "Would AF be seen by a doctor here?",
        "Can AF be seen by a cardiologist in this ECG?",
        "Don't you see AF?",
        "Is it AF, is it?",
        "Have you found AF?",
    ],
)
def test_a_question_that_only_looks_like_those_is_understood(text):
    found = QUESTIONS.understand(text)
    assert (found.text, found.negated) == ("Does this ECG show atrial fibrillation?", False)


@pytest.mark.parametrize(
    "text",
    [
        "Is there AF without symptoms?",
        "Patient with no symptoms: does this ECG show AF?",
        "Is AF present in the absence of symptoms?",
        "Is the AF free of symptoms?",
        "No. Is there AF?",
        "No, thanks. Is this ECG normal?",
        "Can you clear him of AF?",
    ],
)
def test_what_may_deny_something_else_is_declined(text):
    found = QUESTIONS.understand(text)
    assert isinstance(found, NotUnderstood)
    assert found.ambiguous


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("Is this ECG clear of AF?", True),
        ("Is there a clear sign of AF?", False),
        ("Are there clear signs of AF?", False),
        ("No AF?", True),
        ("Is there no evidence of AF?", True),
    ],
)
def test_clear_of_denies_and_clear_signs_do_not(text, negated):
    assert (asked(text).attribute, asked(text).negated) == ("AFIB", negated)


@pytest.mark.parametrize(
    "text",
    [
        "Is there an AV block? I want to know",
        "Is there any heart block, I wonder",
        "Is there an indication for a pacemaker?",
        "Does the patient want a pacemaker?",
        "Would you like a pacemaker for this patient?",
        "Has the T wave changed?",
        "Did digitalis change the ECG?",
        "Is the patient having a heart attack right now?",
        "Might this patient suffer a heart attack?",
        "Anything wrong with the patient?",
        "Is everything okay with me?",
        "Are the waves flatter?",
    ],
)
def test_what_an_ecg_does_not_say_is_declined(text):
    assert isinstance(QUESTIONS.understand(text), NotUnderstood)


def test_degrees_and_pacemakers_are_still_found():
    assert asked("Is there AV block I?").attribute == "1AVB"
    assert asked("Is AV block II present?").attribute == "2AVB"
    assert asked("I would like to know if there is a pacemaker").attribute == "PACE"
    for text in ("Is there an indication of a pacemaker?", "Does this look like a paced ECG to you?"):
        assert asked(text).attribute == "PACE"


def test_normal_is_asked_in_its_own_words_throughout():
    for text in ("Normal?", "Is the ECG abnormal?", "Is everything fine on this ECG?"):
        assert asked(text).text == "Is this ECG normal?"
