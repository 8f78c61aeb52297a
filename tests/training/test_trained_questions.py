"""`questions.json` from training rows: templates and terms, no text that only one record has."""

from __future__ import annotations

import json

import pytest

from dataset_builders.question_generator import wording
from dataset_builders.question_generator.single import verify_question
from hf_heartllm.data.question import Question
from hf_heartllm.labels.scp import DIAGNOSES, RHYTHMS
from hf_heartllm.models.question_understanding import NotUnderstood, read_trained_questions
from hf_heartllm.training.trained_questions import trained_questions, write_trained_questions

SECRET = "Does Mr Example of room 7 have a normal ECG?"


def row(questions, report=None):
    return {"questions": questions, "report": report}


def asked(text, kind, attribute_type, attribute, answers):
    return Question(text, (), tuple(answers), kind, attribute_type, attribute)


def verify(kind, attribute, number):
    one = verify_question(kind, attribute, True, number)
    return asked(one.text, "verify", kind, attribute, one.answer_set)


@pytest.fixture(scope="module")
def rows():
    every = [verify("rhythm", code, n) for code in RHYTHMS[:4] for n in range(5)]
    every += [verify("diagnosis", code, n) for code in (*DIAGNOSES[:6], "NORM") for n in range(5)]
    text = "Which rhythm does this ECG show, sinus rhythm or atrial fibrillation?"
    answers = ("sinus rhythm", "atrial fibrillation", "both", "none")
    every.append(asked(text, "choose", "rhythm", "SR|AFIB", answers))
    every.append(asked("What rhythm does this ECG show?", "query", "rhythm", "rhythm", ["sinus rhythm"]))
    every.append(asked("Can burst noise be found in lead V2?", "verify", "noise", "burst noise", ["no", "yes"]))
    every.append(asked("Which diagnoses does this ECG suggest?", "query", "diagnosis", "diagnosis", []))
    secret = asked(SECRET, "verify", "diagnosis", "NORM", ["no", "yes"])
    return [row(every, "sinus rhythm"), row(every), row(every), row([secret])]


def test_every_question_of_the_rows_is_itself(rows):
    questions = trained_questions(rows)
    for one in rows[0]["questions"]:
        found = questions.understand(one.text)
        assert (found.text, found.exact) == (one.text, True)
        assert found.attribute_type == one.attribute_type
        assert found.answers == (one.answer_set or None)
    assert questions.understand("Can burst noise be found in lead V2?").attribute == "burst noise in lead V2"
    assert questions.understand("Write the report.").attribute == "report"


def test_a_template_stands_once_and_takes_the_other_term(rows):
    questions = trained_questions(rows)
    turned = "Which rhythm does this ECG show, atrial fibrillation or sinus rhythm?"
    assert questions.understand(turned).answers == ("atrial fibrillation", "sinus rhythm", "both", "none")
    wordings = [text for group in questions.groups for text in group.wordings if "{term}" in text]
    assert wordings.count(wording.VERIFY[1].replace("{phrase}", "{term}")) == 2  # of rhythms and of diagnoses
    assert isinstance(questions.understand("Is there evidence of bigeminy in this ECG?"), NotUnderstood)


def test_what_was_asked_of_one_record_is_not_in_the_file(rows, tmp_path):
    path = write_trained_questions(tmp_path, [*rows, rows[-1], rows[-1]])  # as rows of rare statements are repeated
    text = path.read_text(encoding="utf-8")
    assert "room 7" not in text
    assert json.loads(text) == trained_questions(rows).document()
    assert read_trained_questions(tmp_path) == trained_questions(rows)


def test_rows_without_questions_are_an_error():
    with pytest.raises(ValueError, match="no question"):
        trained_questions([row([])])


def test_reports_alone_are_a_file_and_nothing_asked_is_none(tmp_path, capsys):
    assert write_trained_questions(tmp_path, [row([], "sinus rhythm")]) == tmp_path / "questions.json"
    assert [one.question_type for one in read_trained_questions(tmp_path).groups] == ["report"]
    assert (
        write_trained_questions(tmp_path / "none", [row([asked(SECRET, "verify", "rhythm", "SR", ["yes", "no"])])])
        is None
    )
    assert "so every question reaches the model as it is asked" in capsys.readouterr().out
