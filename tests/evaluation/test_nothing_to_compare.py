"""A control, an interval or a check that rests on nothing says so; it is no number."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_heartllm.data.ecg_qa_files import ECGQARow
from hf_heartllm.data.label_names import statement_labels
from hf_heartllm.data.record import Record
from hf_heartllm.ecg import simulate_ecg, write_ecg
from hf_heartllm.evaluation.checkpoint.calibration import prevalences
from hf_heartllm.evaluation.checkpoint.figures import NOTHING_LIKE_IT
from hf_heartllm.evaluation.classification.figures import EVERY, ONE_CLASS, Classified
from hf_heartllm.evaluation.classification.majority import majority_choices, training_majority
from hf_heartllm.evaluation.classification.records import folder_set, ptbxl_set
from hf_heartllm.evaluation.classification.tasks import LETTERS, TASKS
from hf_heartllm.evaluation.codec.evaluate import evaluate_codecs
from hf_heartllm.evaluation.codec.settings import Settings
from hf_heartllm.evaluation.controlled import (
    MAJORITY,
    MAJORITY_AGE_SEX,
    cell,
    controlled_table,
    interval_document,
)
from hf_heartllm.evaluation.held_out import CheckpointSettings, read_held_out
from hf_heartllm.evaluation.intervals import Bootstrap
from hf_heartllm.evaluation.leakage import Leakage, compare_waveforms, copies_within, training_leakage, unnamed_notes
from hf_heartllm.evaluation.people import Person
from hf_heartllm.evaluation.prediction_figures import MODEL, score_predictions
from hf_heartllm.evaluation.prediction_files import read_predictions
from hf_heartllm.evaluation.priors import score_priors, shared_patients
from hf_heartllm.evaluation.question_file import AskedRecord, read_questions
from hf_heartllm.labels.record_ids import whole_number
from hf_heartllm.models.ecg_record import ECGError
from tests.evaluation.test_predictions import written
from tests.evaluation.test_qa_figures import answered_by, results_of
from tests.simulated_ptbxl import ptbxl_of_simulated

FEW = {"resamples": 20}


def test_one_patient_has_a_figure_but_no_interval():
    values, patients = [0.0, 1.0, 1.0], [7, 7, 7]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bootstrap = Bootstrap(patients, **FEW)
        found = [
            bootstrap.mean(values).interval(),
            bootstrap.mean(values).minus(bootstrap.mean([0, 0, 0])),
            bootstrap.auroc([0, 1, 1], values).interval(),
            bootstrap.auroc([[0], [1], [1]], [[one] for one in values]).interval(),
            bootstrap.rows(values, np.mean).interval(centred=True),
            bootstrap.sums([[one] for one in values], lambda sums: sums / 3)[0].interval(),
        ]
    for one in found:
        assert not math.isnan(one.value)
        assert math.isnan(one.low)
        assert math.isnan(one.high)
        assert one.groups == 1
        assert cell(one) == cell(interval_document(one)) == f"{one.value:.3f}"
    two = Bootstrap([7, 7, 8], **FEW).mean(values).interval()
    assert two.low < two.high


def test_a_majority_that_no_training_question_gives_is_absent():
    answered = answered_by()
    guessed = [question.answer if question.is_yes_no else None for question in answered.questions]
    rows = {row.name: row for row in results_of(answered, {MAJORITY: guessed, MAJORITY_AGE_SEX: guessed})}
    assert rows["exact match, question type verify"].values[MAJORITY].value == 1
    for group in ("all balanced questions", "question type query"):
        row = rows[f"exact match, {group}"]
        assert row.values.get(MAJORITY) is None
        assert row.absent[MAJORITY] == NOTHING_LIKE_IT
        assert MAJORITY not in row.margins
    assert f"* majority: {NOTHING_LIKE_IT}." in controlled_table(rows.values())


def classified_rhythms(records: str) -> Classified:
    truth = np.eye(5)[:2]
    return Classified(TASKS["rhythm"], LETTERS, records, ["1", "2"], np.array([1, 2]), truth, {}, {})


@pytest.mark.parametrize("records", [ONE_CLASS, EVERY])
def test_the_majority_of_no_training_record_is_none(records):
    persons = {number: Person("male", "< 50", "CS", "") for number in ("1", "2")}
    assert majority_choices(training_majority([], TASKS.values()), classified_rhythms(records), persons) is None
    training = [Record("9", age=60.0, sex="female", labels=statement_labels({"IMI"}), complete=True)]
    counted = training_majority(training, TASKS.values())
    found = majority_choices(counted, classified_rhythms(records), persons)
    assert (found is None) == (records == ONE_CLASS)  # it has no rhythm, so no commonest one
    assert found is None or not found[MAJORITY].any()


def test_what_was_not_compared_is_not_counted_as_compared():
    nothing = Leakage(0, 5, 0, 5, ())
    assert nothing.document()["training_patients"] is None
    assert nothing.document()["test_waveforms"] is None
    assert nothing.patient_words("folds 1, 2").startswith("Not checked: whether patients are the training's")
    assert nothing.waveform_words().startswith("no waveform was compared")
    whole = Leakage(40, 5, 60, 6, (("1", "2"),))
    assert whole.document()["training_patients"] == 40
    assert whole.patient_words("folds 1, 2") == "No patient of folds 1, 2 (40 patients) is in the test set"
    assert whole.waveform_words() == "6 test and 60 training waveforms were compared"


def test_a_record_of_training_is_refused_though_its_patient_is_not_known():
    asked = [AskedRecord(Record("3", "30"), ())]
    with pytest.raises(ValueError, match=r"1 records of the test set are in the training records too \(such as 3\)"):
        training_leakage(asked, [Record("3")])
    with pytest.raises(ValueError, match="1 patients of the test set are in the training records too"):
        training_leakage(asked, [], [{"record_id": "5", "patient_id": 30}])
    assert not training_leakage(asked, [Record("4")]).by_patient


def question_rows(**changes) -> list[dict]:
    row = {"ecg_id": 2, "patient_id": 20, "filename_lr": "2_lr", "filename_hr": "2_hr", "set": "sampled"}
    row |= {"question": "Is it fast?", "answer": "no", "answers": ["no", "yes"], "attribute": "STACH"}
    row |= {"question_type": "verify", "attribute_type": "rhythm"}
    return [row, {**row, "ecg_id": 3, "patient_id": 30, **changes}]


def test_questions_of_nobody_are_left_out_and_counted(tmp_path):
    path, records = tmp_path / "questions.parquet", [Record("2"), Record("3")]
    pq.write_table(pa.Table.from_pylist(question_rows(ecg_id=None, patient_id=None)), path)
    found = read_questions(path, records)
    assert [one.record_id for one in found.asked] == ["2"]
    assert found.notes == ("1 of 2 questions of questions.parquet name no record: left out.",)
    pq.write_table(pa.Table.from_pylist(question_rows(answers=["yes"])), path)
    with pytest.raises(ValueError, match="record 3: 'no' is not in the closed answer set"):
        read_questions(path, records)


@pytest.mark.parametrize(
    ("column", "message"), [("answers", "no column answers; give"), ("ecg_id", "no column record_ids")]
)
def test_questions_without_a_column_are_refused(tmp_path, column, message):
    path = tmp_path / "questions.parquet"
    rows = [{name: value for name, value in row.items() if name != column} for row in question_rows()]
    pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(ValueError, match=message):
        read_questions(path, [Record("2")])
    path.write_text("no table")
    with pytest.raises(ValueError, match="no Parquet file of questions"):
        read_questions(path, [Record("2")])


def test_an_id_is_a_whole_number_however_it_is_written():
    assert [whole_number(one) for one in (7, 7.0, "7", " 7.0 ", np.int64(7))] == [7] * 5
    assert [whole_number(one) for one in (None, float("nan"), "", "A0007", 7.5, True, float("inf"), [7])] == [None] * 8


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory):
    return ptbxl_of_simulated(tmp_path_factory.mktemp("ptbxl"), 8)


def test_patients_of_other_numbers_than_the_tables_are_refused(ptbxl, tmp_path):
    path = tmp_path / "questions.parquet"
    pq.write_table(pa.Table.from_pylist(question_rows()), path)
    with pytest.raises(ValueError, match="record 2 is of patient 20, among the records of 100"):
        read_held_out(CheckpointSettings(records=ptbxl, questions=path))
    rows = [{**row, "patient_id": 100 + (row["ecg_id"] - 1) // 2} for row in question_rows()]
    pq.write_table(pa.Table.from_pylist([*rows, rows[0]]), path)
    held_out = read_held_out(CheckpointSettings(records=ptbxl, questions=path, training_folds=(5,)))
    assert held_out.notes()[1:] == ["1 questions are asked twice of the same record, and count twice."]
    assert {one.patient_id for one in held_out.training if one.patient_id} == set()


def test_records_whose_patient_is_not_known_are_left_out_and_counted():
    known = {"fold": 9, "labels": statement_labels({"SR"})}
    records = [Record("1", **known), Record("2", "7", **known)]
    found = ptbxl_set(records, (9,), [TASKS["rhythm"]])
    assert [one.record_id for one in found.asked] == ["2"]
    assert found.facts["records_without_patient"] == 1
    with pytest.raises(ValueError, match="names no patient of its 1 records of fold 9"):
        ptbxl_set(records[:1], (9,), [TASKS["rhythm"]])
    with pytest.raises(ValueError, match="no record of fold 10"):
        ptbxl_set(records, (10,), [TASKS["rhythm"]])


def test_a_folder_whose_labels_are_in_no_table_is_refused_by_their_names(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.hea").write_text(f"{name} 12 100 1000\n#Dx: Foo,Bar\n")
    with pytest.raises(ECGError, match=r"none of its 2 labelled records has a known class .*in no table: Foo, Bar"):
        folder_set(tmp_path, [TASKS["rhythm"]])


def test_the_same_recording_under_two_names_counts_once(tmp_path):
    record = simulate_ecg(sampling_rate=100, seed=1)[0]
    write_ecg(record, tmp_path / "a")
    write_ecg(record, tmp_path / "b")
    write_ecg(simulate_ecg(sampling_rate=100, seed=2)[0], tmp_path / "c")
    assert copies_within([Record(name, path=name, root=tmp_path) for name in ("a", "b", "c", "absent")], False) == {
        "b": "a"
    }


def test_no_records_have_no_prevalence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prevalences([], {("rhythm", "AFIB")}) == {}


@pytest.fixture
def recordings(tmp_path):
    """Six records of three patients; the last has the samples of the first."""
    for number in range(6):
        write_ecg(simulate_ecg(sampling_rate=100, seed=number % 5)[0], tmp_path / str(number))
    return [Record(str(number), f"P {number // 2}", path=str(number), root=tmp_path) for number in range(6)]


def test_waveforms_are_compared_where_both_are_at_100_hz(recordings, tmp_path):
    training, asked = recordings[:2], [AskedRecord(one, ()) for one in recordings[2:]]
    of_patients = Leakage(1, 2, 0, 0, ())
    assert training_leakage(asked, training, progress=False) == of_patients
    parts = tmp_path / "parts"
    assert training_leakage(asked, training, parts=parts, rate=500, progress=False) == of_patients
    assert training_leakage(asked, [], parts=parts, progress=False) == Leakage(0, 2, 0, 0, ())
    assert not parts.exists()
    for options in ({}, {"rate": 100}):  # the second time from the file that was kept
        found = training_leakage(asked, training, parts=parts, progress=False, **options)
        assert found == Leakage(1, 2, 2, 4, (("5", "0"),))
    with pytest.raises(ValueError, match=r"leakage\.jsonl: partial results of another"):
        training_leakage(asked[1:], training, parts=parts, progress=False)


@pytest.mark.parametrize(("options", "shown"), [({}, True), ({"progress": True}, True), ({"progress": False}, False)])
def test_a_comparison_shows_how_far_it_is_unless_it_is_asked_not_to(capsys, recordings, tmp_path, options, shown):
    test, training = recordings[2:], recordings[:2]
    asked = [AskedRecord(one, ()) for one in test]
    for look in (
        lambda: copies_within(test, **options),
        lambda: compare_waveforms(test, training, tmp_path / "a", **options),
        lambda: training_leakage(asked, training, parts=tmp_path / "b", **options),
    ):
        look()
        assert ("4/4" in capsys.readouterr().err) == shown


def test_patients_of_rows_count_beside_those_of_records():
    asked = [AskedRecord(Record("1", "10"), ()), AskedRecord(Record("2", "10"), ()), AskedRecord(Record("3"), ())]
    rows = [{"record_id": "7", "patient_id": 70}, {"record_id": "8", "patient_id": None}]
    assert training_leakage(asked, [Record("6", "60"), Record("7", "70")], rows) == Leakage(2, 1, 0, 0, ())


def test_what_was_compared_is_told_in_a_sentence(recordings, tmp_path):
    found = compare_waveforms(recordings[2:], recordings[:2], tmp_path / "parts", 100, progress=False)
    assert (found.by_patient, found.by_waveform) == (False, True)
    whole = Leakage(1, 2, 2, 4, found.copies)
    assert whole.note("fold 1") == (
        "No patient of fold 1 (1 patients) is in the test set; 4 test and 2 training waveforms were compared by their "
        "samples as stored; 1 copies were left out: 5."
    )
    assert Leakage(1, 2, 2, 4, ()).note("fold 1", "All are new").startswith("All are new; 4 test")
    assert Leakage(1, 2, 2, 4, ()).note("fold 1").endswith("0 copies were left out.")
    assert "trained on nothing of this collection" in whole.patient_words("")
    for training, test, which in ((0, 5, "training"), (5, 0, "test"), (0, 0, "training and test")):
        assert (
            Leakage(1, 1, training, test, ()).waveform_words().endswith(f"no samples of {which} records were looked up")
        )
    assert unnamed_notes([Record("1", "a")], [Record("2", "b")]) == []
    of_test, of_training = [Record("1", "a"), Record("3")], [Record("2", "b"), Record("4"), Record("5")]
    training_note, test_note = unnamed_notes(of_test, of_training)
    assert training_note.startswith("2 training records name no patient")
    assert test_note.startswith("1 test records name no patient")


def prior_row(kind: str, ecg_id: int) -> ECGQARow:
    return ECGQARow(1, 1, 1, kind, "scp_code", "afib?", ("no",), (ecg_id,), None, "train")


def test_a_prior_of_no_training_rows_has_no_figure():
    test = [prior_row("single-verify", 5), prior_row("single-query", 6)]
    scores = {(one.prior, one.question_type): one for one in score_priors([prior_row("single-query", 1)], test, **FEW)}
    assert scores["template", "single-verify"].figures is None
    assert scores["template", "single-verify"].test_rows == 1
    assert scores["template", "single-query"].figures["exact match"].value == 1
    records = {"1": Record("1", "p"), "5": Record("5", "p")}
    assert shared_patients([prior_row("single-query", 1)], test, records) == (1, 1)


def predictions(tmp_path, **changes) -> list[dict]:
    rows = [
        {
            "answer": one,
            "prediction": one,
            "patient_id": number,
            "ecg_id": number,
            "question": "q",
            "controls": {"c": "no"},
        }
        for number, one in enumerate(("yes", "no", "yes"))
    ]
    return [{**row, **changes} for row in rows]


def test_a_control_without_predictions_has_no_figure(tmp_path):
    rows = predictions(tmp_path, controls={"none": None, "empty": ""})
    file = read_predictions(written(tmp_path, rows))
    scores = score_predictions(file, resamples=20)
    assert {column for one in scores.results for column in one.values} == {MODEL}
    assert "The control 'none' holds no prediction in any row: n/a." in scores.notes
    assert "The control 'empty' holds no prediction in any row: n/a." in scores.notes


def test_a_control_that_is_the_model_one_patient_and_rows_twice_are_told(tmp_path):
    rows = [{**row, "controls": {"same": row["prediction"]}, "patient_id": 1} for row in predictions(tmp_path)]
    scores = score_predictions(read_predictions(written(tmp_path, [*rows, rows[0]])), resamples=20)
    assert any("'same' is the model's own predictions in every row" in note for note in scores.notes)
    assert any("All rows are of one patient" in note for note in scores.notes)
    assert any(note.startswith("1 rows are there before") for note in scores.notes)
    assert all(math.isnan(one.real.low) for one in scores.results)


def test_a_codec_is_not_judged_by_probes_that_saw_the_records(tmp_path):
    with pytest.raises(ECGError, match="fold 9 is evaluated and trained on"):
        evaluate_codecs(None, None, Settings(tmp_path, folds=(9,), training_folds=(8, 9)), tmp_path)
