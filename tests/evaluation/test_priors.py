from __future__ import annotations

import gzip
import json

import pytest

from hf_heartllm.cli import main
from hf_heartllm.data.ecg_qa_files import QUESTION_TYPES, ECGQARow
from hf_heartllm.data.record import Record
from hf_heartllm.evaluation.answers import EXACT
from hf_heartllm.evaluation.priors import majority_answers, prior_predictions, read_copy, score_priors, split_by_fold


def row(question, answer, template=1, split="train", ecg_ids=(1,), kind="single-verify"):
    return ECGQARow(template, 1, 1, kind, "scp_code", question, tuple(answer), tuple(ecg_ids), None, split)


def records(*found):
    return {name: Record(name, patient, fold=fold) for name, patient, fold in found}


TRAIN = [
    row("afib?", ["no"]),
    row("afib?", ["no"]),
    row("afib?", ["yes"]),
    row("sinus rhythm?", ["yes"]),
    row("sinus rhythm?", ["yes"]),
    row("sinus rhythm?", ["yes"]),
    row("what?", ["b", "a"], 2, kind="single-query"),
    row("what?", ["a", "b"], 2, kind="single-query"),
    row("what?", ["c"], 2, kind="single-query"),
]


def test_majorities_by_hand():
    assert majority_answers(TRAIN, lambda one: one.question) == {
        "afib?": ("no",),
        "sinus rhythm?": ("yes",),
        "what?": ("a", "b"),
    }
    assert majority_answers(TRAIN, lambda one: one.template_id)[1] == ("yes",)
    assert majority_answers([row("q", ["b"]), row("q", ["a"])], lambda one: one.question) == {"q": ("a",)}


def test_unseen_questions_fall_back_to_their_template():
    test = [row("afib?", ["no"]), row("flutter?", ["no"]), row("other?", ["no"], 9)]
    assert prior_predictions(TRAIN, test, "question text") == [("no",), ("yes",), None]
    assert prior_predictions(TRAIN, test, "template") == [("yes",), ("yes",), None]


def test_every_question_type_is_listed():
    test = [row("afib?", ["no"], ecg_ids=(5,)), row("afib?", ["yes"], ecg_ids=(6,)), row("new?", ["no"])]
    scores = {(one.prior, one.question_type): one for one in score_priors(TRAIN, test, resamples=20)}
    assert len(scores) == 2 * len(QUESTION_TYPES)
    verify = scores["question text", "single-verify"]
    assert (verify.train_rows, verify.test_rows, verify.unseen) == (6, 3, 1)
    assert verify.figures[EXACT.name].value == pytest.approx(1 / 3)
    assert verify.figures[EXACT.name].groups == 3
    assert scores["template", "single-query"].figures is None
    same = score_priors(TRAIN, test, records=records(("5", "p", 9), ("6", "p", 9), ("1", "q", 9)), resamples=20)[0]
    assert same.figures[EXACT.name].groups == 2


def test_folds_part_patients():
    known = records(("1", "a", 1), ("2", "b", 9), ("3", "c", 10))
    rows = [row("1", "a"), row("2", "a", ecg_ids=(2,)), row("1+2", "a", ecg_ids=(1, 2)), row("3", "a", ecg_ids=(3,))]
    rows.append(row("absent", "a", ecg_ids=(4,)))
    train, test = split_by_fold(rows, known, range(1, 9), (9,))
    assert ([one.question for one in train], [one.question for one in test]) == (["1"], ["2"])


@pytest.fixture
def ecg_qa(tmp_path):
    rows = {"train": [("afib?", "no")] * 3 + [("afib?", "yes")], "test": [("afib?", "no"), ("afib?", "yes")]}
    for split, found in rows.items():
        folder = tmp_path / "ptbxl" / "template" / split
        folder.mkdir(parents=True)
        content = [
            {
                "question": question,
                "answer": [answer],
                "question_type": "single-verify",
                "attribute_type": "scp_code",
                "template_id": 1,
                "question_id": 1,
                "sample_id": number,
                "ecg_id": [number],
                "attribute": ["afib"],
            }
            for number, (question, answer) in enumerate(found)
        ]
        (folder / "0.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    return tmp_path


def test_the_command(ecg_qa, capsys):
    output = ecg_qa / "priors.json"
    assert main(["evaluate", "priors", str(ecg_qa), "--output", str(output), "--resamples", "20"]) == 0
    text = capsys.readouterr().out
    assert "ECG-QA: incomplete copy (all: 6 of 414,348;" in text
    assert "| single-verify | question text | 4 | 2 | 0 | 2 | 0.500" in text
    assert "| single-query | any | 0 | 0 | 0 | — | no test rows in this copy | — |" in text
    figures = json.loads(output.read_text(encoding="utf-8"))["figures"]
    assert figures[0]["exact_match"]["value"] == 0.5
    assert main(["evaluate", "priors", str(ecg_qa), "--split", "folds"]) == 2
    assert "--ptbxl" in capsys.readouterr().err
    (ecg_qa / "ptbxl" / "template" / "test" / "0.json.gz").write_bytes(b"damaged")
    assert main(["evaluate", "priors", str(ecg_qa)]) == 2
    assert "not a question file of ECG-QA" in capsys.readouterr().err


def test_the_real_rows(data_dir):
    folder = data_dir / "ecg-qa"
    if not folder.is_dir():
        pytest.skip("no ECG-QA rows")
    rows = read_copy(folder).rows
    train, test = ([one for one in rows if one.split == split] for split in ("train", "test"))
    assert test
    scores = score_priors(train, test, resamples=20)
    known = [one for one in scores if one.figures is not None]
    assert known
    assert all(one.test_rows > 0 and 0 <= one.figures[EXACT.name].value <= 1 for one in known)
