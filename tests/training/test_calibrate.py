"""A collection without folds is calibrated as PTB-XL is, and what its labels leave open is neither yes nor no."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_heartllm import cli
from hf_heartllm.data import open_records
from hf_heartllm.data.label_names import statement_labels
from hf_heartllm.data.question import Question
from hf_heartllm.data.record import Record
from hf_heartllm.ecg import simulate_ecg, write_ecg
from hf_heartllm.evaluation.checkpoint.calibration_file import asked_statements
from hf_heartllm.models.answer_calibration import AskedStatement, read_calibration
from hf_heartllm.scripts.calibrate import main
from hf_heartllm.training.operating_points import StatementMargins, fit_points, measured
from hf_heartllm.training.statement_margins import asked_of_every_record
from tests.tiny import tiny_checkpoint

AFIB = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory) -> Path:
    """Nine recordings of nine patients, three a split; of one of each split nothing is said of the rhythm."""
    folder = tmp_path_factory.mktemp("hospital")
    lines, rows = ["path,patient,split,labels"], []
    for number, split in enumerate(("train", "validation", "test")):
        for place, label in enumerate(("AFIB", "SR", "LVH")):
            name = f"of {split}/ecg-{place}"
            (folder / name).parent.mkdir(exist_ok=True)
            write_ecg(simulate_ecg(sampling_rate=100, seed=3 * number + place)[0], folder / name)
            lines.append(f"{name},P {number}{place},{split},{label}")
            if label != "LVH":
                answers = ("yes" if label == "AFIB" else "no",)
                rows.append(Question(AFIB, answers, ("no", "yes"), "verify", "rhythm", "AFIB", (name,)).row())
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    pq.write_table(pa.Table.from_pylist(rows[2:4]), folder / "validation.parquet")
    pq.write_table(pa.Table.from_pylist(rows[:2]), folder / "train.parquet")
    possible = [{**row, "answer_set": ["no", "not sure", "yes"]} for row in rows[2:4]]
    pq.write_table(pa.Table.from_pylist(possible), folder / "possible.parquet")
    return folder


def test_a_hospitals_checkpoint_says_where_its_answers_were_measured(capsys, hospital, tmp_path):
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint")
    arguments = ["--records", str(hospital / "labels.csv"), "--model", str(checkpoint), "--checkpoint", str(checkpoint)]
    arguments += ["--output", str(tmp_path / "parts"), "--questions"]
    refused = (
        (("train.parquet",), "2 patients of the questions are in what was trained on too"),
        (("validation.parquet", "--measure-split", "val"), "give a split that nothing was fitted on; there are test"),
        (("validation.parquet", "--measure-split", "elsewhere"), "--measure-split elsewhere"),
        (("validation.parquet", "--max-records", "0"), "--max-records 0: give 1 or more"),
        (("validation.parquet", "--measure-fold", "9"), "has splits, no folds: give --measure-split"),
    )
    capsys.readouterr()
    for (questions, *more), said in refused:
        assert main([*arguments, str(hospital / questions), *more]) == 2
        line = capsys.readouterr().err
        assert said in line
        assert line.startswith("error: ")
        assert line.count("\n") == 1
    assert main([*arguments, str(hospital / "possible.parquet")]) == 0  # "not sure" may be an answer
    assert main([*arguments, str(hospital / "validation.parquet"), "--output", str(tmp_path / "again")]) == 0
    found = read_calibration(checkpoint)
    assert found is not None
    facts = found.fitted_on
    assert (facts["folds"], facts["measured_folds"], facts["prevalence_folds"]) == (["validation"], ["test"], ["train"])
    afib = found.statement("rhythm", "AFIB")
    assert afib is not None
    assert afib.prevalence == 0.5  # of the two recordings whose rhythm was looked at
    assert afib.point is not None
    assert (afib.point.positives, afib.point.negatives) == (1, 1)
    capsys.readouterr()
    assert cli.main(["ask", "example:af", AFIB, "--model", str(checkpoint)]) == 0
    said = capsys.readouterr().out
    assert "on split test (1 with the finding)" in said
    assert "for the prevalence of AFIB (rhythm) in labels.csv, 0.5" in said


def test_what_labels_leave_open_is_neither_stated_nor_denied(hospital):
    records = [record for record in open_records(hospital / "labels.csv") if record.split == "train"]
    statements = [AskedStatement("rhythm", "AFIB", ("atrial fibrillation",), 0.5)]
    _, stated, denied = asked_of_every_record(records, statements)
    assert (stated[:, 0].tolist(), denied[:, 0].tolist()) == ([True, False, False], [False, True, False])
    complete = [replace(record, complete=True) for record in records]  # as in PTB-XL
    _, stated, denied = asked_of_every_record(complete, statements)
    assert (denied == ~stated).all()


def test_open_labels_change_no_point():
    rng = np.random.default_rng(0)
    shares = {"SR": 0.7, "AFIB": 0.3}
    statements = [AskedStatement("rhythm", name, (name.lower(),), share) for name, share in shares.items()]
    statements.append(AskedStatement("diagnosis", "LVH", ("lvh",), 0.2))
    stated = np.zeros((400, 3), dtype=bool)
    stated[np.arange(400), rng.choice(2, size=400, p=list(shares.values()))] = True
    stated[:, 2] = rng.random(400) < 0.2
    margins = rng.normal(size=stated.shape) - 3 + 3 * stated
    patients = np.arange(400).astype(str)
    known = fit_points(StatementMargins(tuple(statements), margins, stated, patients), 1.0, 0.5)
    more = np.concatenate([margins, margins[:100] + 50])  # recordings of which nothing is known, whatever is answered
    nothing = np.zeros((100, 3), dtype=bool)
    denied = np.concatenate([~stated, nothing])
    asked = StatementMargins(
        tuple(statements), more, np.concatenate([stated, nothing]), np.concatenate([patients, patients[:100]]), denied
    )
    assert fit_points(asked, 1.0, 0.5) == known
    assert measured(known, asked).statements[2].point.negatives == int((~stated[:, 2]).sum())


def test_statements_and_superclasses_are_asked_for_once_with_their_share():
    stated = [{"SR", "NORM"}, {"SR", "NORM"}, {"SR", "IMI", "NDT"}, {"SR", "AMI"}, {"SR", "LVH", "PVC"}, {"SR", "PVC"}]
    records = [
        Record(str(number), labels=statement_labels(codes), complete=True) for number, codes in enumerate(stated)
    ]
    found = {(one.attribute_type, one.attribute): one for one in asked_statements(records)}
    shares = {key: one.prevalence for key, one in found.items()}
    assert shares == {
        ("diagnosis", "NORM"): 0.333333,  # the superclass of the same name is asked for by the same words
        ("superclass", "MI"): 0.333333,
        ("superclass", "STTC"): 0.166667,
        ("superclass", "HYP"): 0.166667,
        ("diagnosis", "IMI"): 0.166667,
        ("diagnosis", "AMI"): 0.166667,
        ("diagnosis", "NDT"): 0.166667,  # a finding of form too
        ("diagnosis", "LVH"): 0.166667,
        ("form", "PVC"): 0.333333,
    }  # and no SR, which all of them state
    phrases = [phrase for one in found.values() for phrase in one.phrases]
    assert len(set(phrases)) == len(phrases)
    assert found["diagnosis", "NORM"].phrases == ("normal ecg", "normal")
    assert found["superclass", "MI"].phrases == ("myocardial infarction",)
    assert list(found) == sorted(found)
    assert asked_statements([]) == ()
