from __future__ import annotations

import json
import math

import pytest
from sklearn.metrics import roc_auc_score

from hf_heartllm.cli import main
from hf_heartllm.evaluation.prediction_figures import MODEL, score_predictions
from hf_heartllm.evaluation.prediction_files import PredictionFileError, _name, _repeated, read_predictions
from hf_heartllm.evaluation.prediction_tables import scores_markdown

QUESTIONS = [
    {
        "answer": answer,
        "answers": ["yes", "no", "not sure"],
        "prediction": prediction,
        "patient_id": patient,
        "question_type": kind,
        "template_id": 1,
        "subgroups": {"sex": sex},
        "probabilities": {"yes": share, "no": 1 - share},
        "controls": {"no ECG": "no", "another patient's ECG": control},
    }
    for answer, prediction, patient, kind, sex, share, control in (
        ("yes", "Yes.", 1, "single-verify", "female", 0.9, "no"),
        (["no"], "no", 1.0, "single-verify", "female", 0.2, "no"),
        ("no", None, "2", "single-verify", "male", 0.6, "yes"),
        ("yes", ["perhaps"], 3, "single-choose", "male", 0.7, "yes"),
    )
]


def written(folder, rows, name="predictions.json", lines=False):
    path = folder / name
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    path.write_text(text, encoding="utf-8")
    return path


def values(scores):
    found = {(one.group, one.figure, column): value for one in scores.results for column, value in one.values.items()}
    for one in scores.results:
        found |= {(one.group, one.figure, f"{MODEL} − {name}"): margin for name, margin in one.margins.items()}
    return found


@pytest.mark.parametrize("lines", [True, False])
def test_questions_with_everything(tmp_path, lines):
    file = read_predictions(written(tmp_path, QUESTIONS, lines=lines))
    assert (file.kind, file.grouped_by, file.patients) == ("questions", "patient", ["1", "1", "2", "3"])
    scores = score_predictions(file, resamples=50)
    found = values(scores)
    assert found["all", "exact match", MODEL].value == 0.5
    assert found["all", "exact match", MODEL].groups == 3
    assert found["all", "exact match, public code", MODEL].value == 0.25
    assert found["all", "exact match", "no ECG"].value == 0.5
    assert found["all", "exact match", "another patient's ECG"].value == 0.5
    assert found["all", "exact match", f"{MODEL} − no ECG"].value == 0
    assert found["sex female", "exact match", MODEL].value == 1
    assert found["question type single-choose", "exact match", MODEL].value == 0
    assert found["template 1", "exact match", MODEL].rows == 4
    # By probability: yes, no, yes (wrong), yes.
    assert found["all", "exact match of the likeliest answer", MODEL].value == 0.75
    assert found["all", "AUROC of p(yes)", MODEL].value == roc_auc_score([1, 0, 0, 1], [0.9, 0.2, 0.6, 0.7])
    expected = (0.1 + 0.2 + 0.6 + 0.3) / 4  # each answer in a bin of its own
    assert found["all", "expected calibration error, 15 bins", MODEL].value == pytest.approx(expected)
    everything = next(count for count in scores.counts if (count["group"], count["condition"]) == ("all", MODEL))
    assert (everything["abstained"], everything["outside"]) == (1, 1)
    assert scores.notes == []
    table = scores_markdown(file, scores)
    assert "| figure | group | n (patients) | model | no ECG | another patient's ECG | model − no ECG |" in table


def test_the_public_codes_files(tmp_path):
    background = "Patient Information: - Patient ID: {}; - Age: 64; Recording Details: - Device ID: TEST."
    rows = [
        {"answer": ["a", "b"], "prediction": ["b", "a"], "ecg_id": [7], "background": background.format(1)},
        {"answer": ["a"], "prediction": ["a", ""], "ecg_id": [8], "background": background.format(1)},
    ]
    file = read_predictions(written(tmp_path, rows))
    assert file.patients == ["1", "1"]
    found = values(score_predictions(file, resamples=10))
    assert found["all", "exact match, public code", MODEL].value == 0.5
    assert found["all", "exact match", MODEL].value == 1
    reports = [{"prediction": "sinus rhythm", "gt": "Sinus rhythm"}, {"prediction": "", "gt": "atrial flutter"}]
    file = read_predictions(written(tmp_path, reports, "predictions_report_x.json", lines=True))
    assert (file.kind, file.grouped_by) == ("reports", "row")
    scores = score_predictions(file, resamples=10)
    found = values(scores)
    assert found["all", "BLEU-1 (authors)", MODEL].value == 0.25
    assert found["all", "findings, recall (SCP statements)", MODEL].value == 0.5
    assert len(scores.notes) == 4  # no controls, no patients, no WordNet, no labels


def test_reports_with_labels_and_controls(tmp_path):
    rows = [
        {"prediction": "sinus rhythm.", "reference": "sinus rhythm.", "labels": ["SR", "LVH"], "ecg_id": 1},
        {"prediction": "atrial flutter.", "reference": "atrial fibrillation.", "labels": ["AFIB"], "ecg_id": 2},
    ]
    for row in rows:
        row["controls"] = {"no ECG": "sinus rhythm."}
    file = read_predictions(written(tmp_path, rows))
    found = values(score_predictions(file, resamples=10))
    assert file.grouped_by == "recording"
    assert found["all", "findings, hallucinated (SCP statements)", MODEL].value == 0.5
    assert found["all", "findings, hallucinated (groups of statements)", MODEL].value == 0
    assert found["all", "findings, recall (SCP statements)", MODEL].value == pytest.approx(1 / 3)
    assert found["all", "BLEU-1 (authors)", f"{MODEL} − no ECG"].value == pytest.approx(0.25)


def test_all_abstained_is_defined(tmp_path):
    rows = [{"answer": "yes", "prediction": None}, {"answer": "no", "prediction": None}]
    file = read_predictions(written(tmp_path, rows))
    scores = score_predictions(file, resamples=10)
    found = values(scores)
    assert found["all", "exact match", MODEL].value == 0
    assert math.isnan(found["all", "exact match of answered", MODEL].value)
    assert "| exact match of answered | all | 2 (2) | — |" in scores_markdown(file, scores)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no predictions"),
        ([{"answer": "yes"}], "row 1 is no object with a `prediction`"),
        ([{"prediction": "yes"}], "row 1: every row needs an `answer`"),
        ([{"answer": "a", "prediction": "a"}, {"gt": "a", "prediction": "a"}], "row 2: every row needs"),
        ([{"answer": [], "prediction": "a"}], "row 1: a question has no true answer"),
        ([{"answer": 1, "prediction": "a"}], "row 1: `answer` is text or a list of texts, not 1"),
        ([{"answer": "a", "prediction": {"a": 1}}], "a prediction is text, a list of texts or null"),
        ([{"gt": " ", "prediction": "a"}], "row 1: its reference is no text, or empty"),
        ([{"gt": "a", "prediction": "a", "labels": []}, {"gt": "a", "prediction": "a"}], "some rows have `labels`"),
        ([{"gt": "a", "prediction": "a", "labels": ["XYZ"]}], "row 1: 'XYZ' in `labels` is no SCP statement"),
        ([{"answer": "a", "prediction": "a", "probabilities": {"a": 0.4}}], "sum to 1"),
        (
            [{"answer": "a", "prediction": "a", "controls": {"no_ecg": "a"}}, {"answer": "a", "prediction": "a"}],
            "row 2 has no prediction of the control 'no_ecg'",
        ),
    ],
)
def test_bad_files_are_one_line(tmp_path, rows, message):
    path = written(tmp_path, rows)
    with pytest.raises(PredictionFileError) as raised:
        read_predictions(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)


def test_the_command_prints_and_writes_everything(tmp_path, capsys):
    path, output = written(tmp_path, QUESTIONS), tmp_path / "scores.json"
    assert main(["evaluate", "predictions", str(path), "--output", str(output), "--resamples", "20"]) == 0
    assert "| exact match | all | 4 (3) | 0.500" in capsys.readouterr().out
    result = json.loads(output.read_text(encoding="utf-8"))
    assert (result["kind"], result["rows"], result["intervals"]["grouped_by"]) == ("questions", 4, "patient")
    assert result["settings"] == {"resamples": 20, "seed": 0, "wordnet": None}
    assert len(result["sha256"]) == 64
    assert {"group", "metric", "condition", "value", "low", "high", "rows", "groups"} == set(result["figures"][0])
    path.write_text("not json", encoding="utf-8")
    assert main(["evaluate", "predictions", str(path)]) == 2
    assert "neither JSON nor JSON Lines" in capsys.readouterr().err
    assert main(["evaluate", "predictions", str(tmp_path / "absent.json")]) == 2


def test_ids_as_text_and_rows_that_say_of_which_recording_they_are():
    assert [_name(value) for value in (15709.0, "15709", ["1", 2.0], None)] == ["15709", "15709", "1+2", ""]
    row = {"question": "AF?", "answer": "yes"}
    assert _repeated([row, row]) == 0  # of no recording that is named
    assert _repeated([{**row, "ecg_id": 1}, {**row, "ecg_id": 1.0}, {**row, "ecg_id": 2}]) == 1
