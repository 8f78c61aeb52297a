"""`heartllm evaluate qa|report|robustness` on a tiny checkpoint and simulated recordings."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_heartllm import cli
from hf_heartllm.data.question import Question
from hf_heartllm.data.record import Record
from hf_heartllm.ecg import simulate_ecg, write_ecg
from hf_heartllm.evaluation.checkpoint import generated, paired, reports, robustness
from hf_heartllm.evaluation.checkpoint.figures import measured_answers
from hf_heartllm.evaluation.conditions import CONDITIONS, NO_ECG, REAL
from hf_heartllm.evaluation.controlled import MAJORITY, MAJORITY_AGE_SEX
from hf_heartllm.evaluation.people import people
from hf_heartllm.evaluation.question_file import AskedRecord
from hf_heartllm.evaluation.results import read_results
from hf_heartllm.labels.ptbxl import read_ptbxl_table
from hf_heartllm.models.answer_calibration import read_calibration
from hf_heartllm.models.ecg_record import ECGError
from tests.evaluation.test_qa_figures import answered_by
from tests.simulated_ptbxl import ptbxl_of_simulated
from tests.tiny import tiny_checkpoint

RHYTHMS = ["sinus rhythm", "atrial fibrillation"]


@pytest.fixture(autouse=True)
def short_texts(monkeypatch):
    """A model with random weights would write on to the longest text that is allowed."""
    monkeypatch.setattr(reports, "MAX_REPORT_TOKENS", 8)
    monkeypatch.setattr(generated, "MAX_ANSWER_TOKENS", 8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory):
    """16 records: in each patient's pair one is of fold 1 and one of fold 9; the patients are parted here."""
    folder = ptbxl_of_simulated(tmp_path_factory.mktemp("ptbxl"), 16)
    path = folder / "ptbxl_database.csv"
    table = path.read_text().splitlines()
    head = table[0].split(",")
    patient = head.index("patient_id")
    lines = [table[0]]
    for line in table[1:]:
        cells = line.split(",")
        ecg_id = int(cells[head.index("ecg_id")])
        assert cells[patient] == str(100 + (ecg_id - 1) // 2)
        cells[patient] = str(100 + ecg_id)  # every record its own patient
        cells[-3] = "CS-12" if ecg_id <= 8 else "AT-6"
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return folder


def questions_of(ptbxl, fold: int) -> list[dict]:
    table = read_ptbxl_table(ptbxl)
    rows = []
    for record in table[table["strat_fold"] == fold].to_dict("records"):
        head = {name: record[name] for name in ("ecg_id", "patient_id", "filename_lr", "filename_hr")}
        af = "AFIB" in record["scp_codes"]
        verify = {"question": "Does this ECG show atrial fibrillation?", "answer": "yes" if af else "no"}
        verify |= {"answers": ["no", "yes"], "question_type": "verify", "attribute_type": "rhythm", "attribute": "AFIB"}
        query = {"question": "What rhythm does this ECG show?", "answer": RHYTHMS[af], "answers": RHYTHMS}
        query |= {"question_type": "query", "attribute_type": "rhythm", "attribute": "rhythm"}
        rows += [{**head, "set": "every-record", **verify}, {**head, "set": "sampled", **verify}]
        rows.append({**head, "set": "sampled", **query})
    return rows


@pytest.fixture(scope="module")
def questions(ptbxl, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("questions") / "fold9.parquet"
    pq.write_table(pa.Table.from_pylist(questions_of(ptbxl, 9)), path)
    return str(path)


@pytest.fixture(scope="module")
def train_rows(ptbxl, tmp_path_factory) -> str:
    rows: dict[int, dict] = {}
    for row in questions_of(ptbxl, 1):
        one = rows.setdefault(
            row["ecg_id"],
            {
                "ecg_id": row["ecg_id"],
                "patient_id": row["patient_id"],
                "strat_fold": 1,
                "questions": [],
                "report": "a.",
            },
        )
        one["questions"].append(
            {name: row[name] for name in ("question", "answer", "question_type", "attribute_type", "attribute")}
        )
    path = tmp_path_factory.mktemp("train") / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows.values())), path)
    return str(path)


@pytest.fixture
def common(checkpoint, ptbxl, questions, tmp_path) -> list[str]:
    return [
        *("--model", checkpoint, "--ptbxl", str(ptbxl), "--questions", questions),
        *("--output", str(tmp_path / "out.json"), "--resamples", "20", "--quiet"),
    ]


def test_qa_writes_everything_and_goes_on_where_it_stopped(capsys, common, train_rows, tmp_path, ptbxl):
    calibration = tmp_path / "fold8.parquet"
    pq.write_table(pa.Table.from_pylist(questions_of(ptbxl, 1)), calibration)
    arguments = ["evaluate", "qa", *common, "--train-rows", train_rows, "--generate", "4"]
    arguments += ["--calibration-questions", str(calibration), "--results", str(tmp_path / "rows.json")]
    assert cli.main(arguments) == 0
    page = capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["questions"]["asked"] == 24
    assert document["questions"]["hash"] in page
    assert document["model"]["weights"] in page
    assert document["leakage"]["training_waveforms"] == 8
    assert document["leakage"]["copies"] == []
    assert document["calibration"]["folds_in_training"] == [1]
    row = document["tables"]["Answers from the closed set"][0]
    assert row["rows"] == 16
    assert all(value is not None for value in row["values"].values())
    assert {one["figure"] for one in document["tables"]["Free text beside the closed set"]} >= {
        "exact match, written answer",
        "exact match, closed set",
        "written answers outside the closed set",
    }
    assert (tmp_path / "out.json.parts/pictures/reliability-natural.png").is_file()
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()
    results = {one.name: one for one in read_results(tmp_path / "rows.json")}
    assert any("exact match, all balanced questions, real ECG" in name for name in results)
    (curves,) = json.loads((tmp_path / "curves.json").read_text()).values()
    assert curves["reliability"] == document["curves"]["reliability"]
    assert curves["command"] == document["command"]
    first = (tmp_path / "out.json.parts/outcomes.jsonl").read_text()
    assert cli.main(arguments) == 0
    assert (tmp_path / "out.json.parts/outcomes.jsonl").read_text() == first
    assert json.loads((tmp_path / "out.json").read_text()) == document


def test_a_calibration_is_written_beside_the_checkpoint_and_used(capsys, common, tmp_path, ptbxl, checkpoint):
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, folder)
    calibration = tmp_path / "fold8.parquet"
    pq.write_table(pa.Table.from_pylist(questions_of(ptbxl, 1)), calibration)
    wanted = ["--write-calibration", str(folder)]
    assert cli.main(["evaluate", "qa", *common, *wanted]) == 2
    assert "needs --calibration-questions" in capsys.readouterr().err
    wanted += ["--calibration-questions", str(calibration)]
    assert cli.main(["evaluate", "qa", *common, *wanted[2:], "--write-calibration", str(tmp_path)]) == 2
    assert "holds no config.json" in capsys.readouterr().err
    assert cli.main(["evaluate", "qa", *common, *wanted]) == 0
    found = read_calibration(folder)
    document = json.loads((tmp_path / "out.json").read_text())
    assert found.balanced_temperature == document["calibration"]["balanced_temperature"]
    assert found.yes_share == 0.5
    assert (found.fitted_on["folds"], found.fitted_on["folds_in_training"]) == ([1], [1])
    assert found.fitted_on["model"]["weights"] == document["model"]["weights"]
    table = read_ptbxl_table(ptbxl)
    training = table[table["strat_fold"] == 1]
    shares = {one.attribute: one.prevalence for one in found.statements}
    assert shares["AFIB"] == sum("AFIB" in codes for codes in training["scp_codes"]) / len(training)
    assert str(tmp_path) not in (folder / "calibration.json").read_text()
    capsys.readouterr()
    assert cli.main(["ask", "example:af", "Does this ECG show atrial fibrillation?", "--model", str(folder)]) == 0
    assert "for the prevalence of AFIB (rhythm) in PTB-XL" in capsys.readouterr().out


def test_a_model_trained_on_text_alone_stands_in_the_headline_table(capsys, common, tmp_path, tmp_path_factory):
    control = str(tiny_checkpoint(tmp_path_factory.mktemp("shuffled_ecg"), seed=1))
    arguments = ["evaluate", "qa", *common, "--results", str(tmp_path / "rows.json"), "--text-only-baseline"]
    assert cli.main([*arguments, control]) == 0
    page = capsys.readouterr().out
    assert "| real − trained on text alone |" in page
    document = json.loads((tmp_path / "out.json").read_text())
    row = document["tables"]["Answers from the closed set"][0]
    text, margin = row["values"]["trained on text alone"], row["real_minus"]["trained on text alone"]
    assert margin["value"] == pytest.approx(row["values"]["real"]["value"] - text["value"])
    assert document["text_only_baseline"]["weights"] in page
    assert document["text_only_baseline"]["weights"] != document["model"]["weights"]
    assert "trained on text alone" not in document["tables"]["Subgroups"][0]["values"]
    names = [one.name for one in read_results(tmp_path / "rows.json")]
    whole = [name for name in names if "exact match, all balanced questions" in name]
    assert any(name.endswith("real ECG − a model trained on text alone, shown the real ECG") for name in whole)
    assert cli.main([*arguments, common[1], "--parts", str(tmp_path / "same")]) == 2
    assert "it has the weights of the evaluated model" in capsys.readouterr().err
    assert cli.main([*arguments, str(tmp_path)]) == 2
    assert f"--text-only-baseline {tmp_path}: the folder holds no config.json" in capsys.readouterr().err


def test_half_precision_is_named_in_what_is_written(common, tmp_path):
    assert cli.main(["evaluate", "qa", *common, "--dtype", "bfloat16", "--max-records", "3"]) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["model"]["dtype"] == "bfloat16"
    assert document["command"].endswith("--dtype bfloat16 --output FILE")


def test_only_the_records_of_some_devices(capsys, common, tmp_path, ptbxl):
    arguments = ["evaluate", "qa", *common, "--results", str(tmp_path / "rows.json")]
    assert cli.main([*arguments, "--devices", "CS"]) == 0
    assert "Only records of devices CS." in capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    table = read_ptbxl_table(ptbxl)
    here = table[(table["strat_fold"] == 9) & (table["device"] == "CS-12")]
    assert 0 < document["questions"]["records"] == len(here) < 8
    assert document["command"].endswith("--devices CS --model FOLDER --output FILE")
    assert all(", devices CS: " in one.name for one in read_results(tmp_path / "rows.json"))
    assert cli.main([*arguments, "--devices", "XY"]) == 2
    assert "no record of a device whose name begins so" in capsys.readouterr().err


def test_questions_as_others_wrote_them_are_not_called_balanced(common, questions, tmp_path):
    rows = [{**row, "set": "ecg-qa"} for row in pq.read_table(questions).to_pylist() if row["set"] != "every-record"]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "theirs.parquet")
    arguments = [*common, "--questions", str(tmp_path / "theirs.parquet"), "--questions-name", "theirs"]
    assert cli.main(["evaluate", "qa", *arguments, "--results", str(tmp_path / "rows.json")]) == 0
    names = [one.name for one in read_results(tmp_path / "rows.json")]
    assert all(", theirs: " in name for name in names)
    assert any("exact match, all questions, real ECG" in name for name in names)
    assert not any("balanced" in name for name in names)


@pytest.fixture
def hospital(tmp_path):
    """Six recordings of three patients named in words, labelled in a file; two are of the training split."""
    lines, rows = ["path,patient,split,labels,age,sex"], []
    for number in range(6):
        name, af = f"ward {number // 2}/ecg-{number}", number % 2 == 0
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_ecg(simulate_ecg(sampling_rate=100, seed=number)[0], tmp_path / name)
        told = ",67,male" if number < 4 else ",,"
        split, label = "train" if number < 2 else "test", "AFIB" if af else "SR"
        lines.append(f"{name},Patient {number // 2},{split},{label}{told}")
        about = ("no", "yes"), "verify", "rhythm", "AFIB", (name,)
        rows.append(Question("Does this ECG show atrial fibrillation?", ("yes" if af else "no",), *about).row())
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    pq.write_table(pa.Table.from_pylist(rows[2:]), tmp_path / "own.parquet")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "all.parquet")
    return tmp_path


def test_questions_of_a_hospital_are_evaluated_with_controls_and_subgroups(capsys, checkpoint, hospital, tmp_path):
    arguments = ["evaluate", "qa", "--model", checkpoint, "--records", str(hospital / "labels.csv"), "--quiet"]
    arguments += ["--output", str(tmp_path / "out.json"), "--resamples", "20", "--questions"]
    assert cli.main([*arguments, str(hospital / "own.parquet"), "--results", str(tmp_path / "rows.json")]) == 0
    page = capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    row = document["tables"]["Answers from the closed set"][0]
    assert (row["group"], row["rows"], row["patients"]) == ("all balanced questions", 4, 2)
    assert all(
        row["values"][column] is not None for column in ("real", "shuffled_ecg", "no_ecg", "no_question", "background")
    )
    groups = {one["group"]: one["rows"] for one in document["tables"]["Subgroups"]}
    assert (groups["sex male"], groups["sex unknown"], groups["age 65–79"], groups["age unknown"]) == (2, 2, 2, 2)
    assert "No patient of split train (1 patients) is in the test set" in page
    assert document["data"] == "label file labels.csv"
    assert read_results(tmp_path / "rows.json")[0].data.startswith("label file labels.csv, questions ")
    first = (tmp_path / "out.json.parts/outcomes.jsonl").read_text()
    assert '"record_id": "ward 1/ecg-2"' in first
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()
    assert cli.main([*arguments, str(hospital / "all.parquet"), "--parts", str(tmp_path / "all")]) == 2
    assert "1 patients of the test set are in the training records too" in capsys.readouterr().err
    none = ["--parts", str(tmp_path / "none"), "--training-folds", "none"]  # a checkpoint from elsewhere
    assert cli.main([*arguments, str(hospital / "all.parquet"), *none]) == 0
    assert "the checkpoint is said to have been trained on nothing of this collection" in capsys.readouterr().out
    assert cli.main([*arguments, str(hospital / "labels.csv"), "--parts", str(tmp_path / "all")]) == 2
    assert "labels.csv: no Parquet file of questions" in capsys.readouterr().err


def test_two_checkpoints_are_compared_question_by_question(capsys, common, tmp_path, tmp_path_factory):
    assert cli.main(["evaluate", "qa", *common]) == 0
    other = str(tiny_checkpoint(tmp_path_factory.mktemp("other"), seed=1))
    again = [*common[2:], "--model", other, "--parts", str(tmp_path / "other")]
    assert cli.main(["evaluate", "qa", *again, "--against", str(tmp_path / "out.json.parts")]) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    difference = document["against"]["exact_match_ours_minus_theirs"]["all balanced questions"]
    assert (difference["rows"], difference["groups"]) == (16, 8)
    assert document["against"]["model"]["weights"] != document["model"]["weights"]
    assert "paired by question" in capsys.readouterr().out
    assert cli.main(["evaluate", "qa", *again, "--against", str(tmp_path)]) == 2
    assert "no finished run" in capsys.readouterr().err


def test_a_patient_of_the_training_folds_is_refused(capsys, common, train_rows):
    assert cli.main(["evaluate", "qa", *common, "--training-folds", "1-9"]) == 2
    assert "8 patients of the test set are in the training records too" in capsys.readouterr().err


def test_a_copied_waveform_is_left_out(capsys, common, ptbxl, tmp_path):
    table = read_ptbxl_table(ptbxl)
    theirs, ours = (table[table["strat_fold"] == fold].iloc[0] for fold in (1, 9))
    path = ptbxl / f"{ours['filename_lr']}.dat"
    kept = path.read_bytes()
    try:
        path.write_bytes((ptbxl / f"{theirs['filename_lr']}.dat").read_bytes())
        assert cli.main(["evaluate", "qa", *common]) == 0
    finally:
        path.write_bytes(kept)
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["leakage"]["copies"] == [[str(ours["ecg_id"]), str(theirs["ecg_id"])]]
    assert document["questions"]["asked"] == 21
    assert "no training rows were given" in capsys.readouterr().out


def test_reports_are_scored_by_words_and_findings_and_resumed(capsys, common, train_rows, tmp_path):
    arguments = ["evaluate", "report", *common, "--train-rows", train_rows, "--max-records", "4"]
    assert cli.main(arguments) == 0
    page = capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    findings = {(row["figure"], row["group"]): row for row in document["tables"]["Findings"]}
    recall = findings["recall of the label's findings", "SCP statements"]["values"]
    assert recall["majority"] is not None
    words = {row["figure"]: row["values"] for row in document["tables"]["Words"]}
    assert {"BLEU-4 (authors)", "BLEU-4 (sacrebleu)", "ROUGE-L F (authors)", "ROUGE-L F (rouge-score)"} <= set(words)
    assert all(values["majority"] is not None and values["no_question"] is not None for values in words.values())
    assert "The true report is the one made of the record's SCP statements." in page
    bleu = next(row for row in document["tables"]["Words"] if row["figure"] == "BLEU-4 (sacrebleu)")
    assert set(bleu["real_minus"]) == set(bleu["values"]) - {"real"}
    for column, margin in bleu["real_minus"].items():
        assert margin["value"] == pytest.approx(bleu["values"]["real"]["value"] - bleu["values"][column]["value"])
        assert margin["low"] <= margin["high"]
    assert "| real − no ECG |" in page
    kept = (tmp_path / "out.json.parts/reports.jsonl").read_text()
    assert cli.main(arguments) == 0
    assert (tmp_path / "out.json.parts/reports.jsonl").read_text() == kept


def test_reports_of_two_checkpoints_are_compared_record_by_record(capsys, common, tmp_path, tmp_path_factory):
    few = ["--max-records", "4"]
    assert cli.main(["evaluate", "report", *common, *few]) == 0
    ours = json.loads((tmp_path / "out.json").read_text())
    other = str(tiny_checkpoint(tmp_path_factory.mktemp("other"), seed=1))
    again = ["evaluate", "report", *common[2:], *few, "--model", other, "--parts", str(tmp_path / "other")]
    assert cli.main([*again, "--against", str(tmp_path / "out.json.parts")]) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["against"]["model"]["weights"] == ours["model"]["weights"]

    def figure(of: dict) -> float:
        rows = {row["figure"]: row["values"]["real"]["value"] for row in of["tables"]["Words"]}
        return rows["ROUGE-1 F (rouge-score)"]

    difference = document["against"]["ours_minus_theirs"]["ROUGE-1 F (rouge-score), 4 reports"]
    assert difference["value"] == pytest.approx(figure(document) - figure(ours))
    assert "paired by record" in capsys.readouterr().out
    assert cli.main([*again, "--against", str(tmp_path / "nowhere")]) == 2
    assert "no finished run of `heartllm evaluate report`" in capsys.readouterr().err


def test_disturbed_recordings_stand_beside_undisturbed_ones(capsys, common, tmp_path):
    kinds = ["--kinds", "gain,missing leads", "--max-records", "3"]
    assert cli.main(["evaluate", "robustness", *common, *kinds]) == 0
    page = capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    groups = [row["group"] for row in document["tables"]["Exact match"]]
    assert groups[:2] == ["undisturbed", "missing leads, aVR"]
    assert "gain, 2" in groups
    assert set(document["changes"]) == set(groups[1:])
    # this codec asks for all chest leads
    assert "missing leads, V1 to V6: the codec does not take such recordings" in page
    assert "missing leads, V1 to V6" not in groups
    assert " --records SOURCE --questions fold9.parquet " in document["command"]
    assert "'gain,missing leads'" in document["command"]
    assert cli.main(["evaluate", "robustness", *common, "--kinds", "hiss"]) == 2
    assert "--kinds: no corruption 'hiss'" in capsys.readouterr().err


def test_a_recording_that_is_refused_when_disturbed_is_left_out_and_counted(capsys, common, tmp_path, monkeypatch):
    seen = []

    def apply(self, record, seed):
        seen.append(seed)
        if self.name == "gain, 2" and seed == min(seen):
            raise ECGError("x: nothing stands out of the signal")
        return record

    monkeypatch.setattr(robustness.Corruption, "apply", apply)
    assert cli.main(["evaluate", "robustness", *common, "--kinds", "gain", "--max-records", "3"]) == 0
    page = capsys.readouterr().out
    assert "gain, 2: 1 of 3 recordings are refused then and left out (nothing stands out of the signal)." in page
    document = json.loads((tmp_path / "out.json").read_text())
    rows = {row["group"]: row for row in document["tables"]["Exact match"]}
    asked = {name: row["values"]["real"]["rows"] for name, row in rows.items()}
    assert 0 < asked["gain, 2"] < asked["undisturbed"] == asked["gain, 0.5"]
    assert document["changes"]["gain, 2"]["value"] == pytest.approx(0)  # it was left as it is, and paired


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--training-folds", "0"], "'0' is no list of folds"),
        (["--max-records", "0"], "not at least 1"),
        (["--questions", "nowhere.parquet"], "nowhere.parquet"),
        (["--tokens", "nowhere"], "nowhere"),
        (["--max-records", "1"], "at least two patients"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, common, change, message):
    assert cli.main(["evaluate", "qa", *common, *change]) == 2
    complaint = capsys.readouterr().err.strip()
    assert message in complaint
    assert "\n" not in complaint


def test_without_training_records_or_rows_there_is_no_majority_and_no_check(capsys, common, train_rows, tmp_path):
    empty = tmp_path / "rows.parquet"
    pq.write_table(pq.read_table(train_rows).slice(0, 0), empty)
    arguments = ["evaluate", "qa", *common, "--training-folds", "5", "--train-rows", str(empty)]
    assert cli.main(arguments) == 0
    page = capsys.readouterr().out
    assert "majority: n/a where the training rows have no question of the same kind." in page
    assert "Not checked: whether patients are the training's, since none is named of folds 5" in page
    assert "(0 patients)" not in page
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["leakage"]["training_patients"] is None
    assert document["tables"]["Answers from the closed set"][0]["values"]["majority"] is None
    assert cli.main(["evaluate", "report", *common, "--train-rows", str(empty), "--parts", str(tmp_path / "r")]) == 2
    assert "the training rows hold no reports" in capsys.readouterr().err
    assert not (tmp_path / "r" / "reports.jsonl").exists()  # it is said before any is written
    seen = tmp_path / "seen.parquet"
    pq.write_table(pa.Table.from_pylist([{**row, "ecg_id": 1} for row in pq.read_table(train_rows).to_pylist()]), seen)
    for subject in ("qa", "report"):
        options = ["--train-rows", str(seen), "--parts", str(tmp_path / subject)]
        assert cli.main(["evaluate", subject, *common, *options]) == 2
        assert "1 records of the test set are in the training records too (such as 1)" in capsys.readouterr().err


@pytest.mark.parametrize("subject", ["qa", "robustness"])
def test_questions_that_nothing_is_scored_on_are_refused_before_the_run(capsys, common, ptbxl, tmp_path, subject):
    path = tmp_path / "every.parquet"
    rows = [row for row in questions_of(ptbxl, 9) if row["set"] == "every-record"]
    pq.write_table(pa.Table.from_pylist(rows), path)
    arguments = [str(path) if one.endswith("fold9.parquet") else one for one in common]
    assert cli.main(["evaluate", subject, *arguments]) == 2
    assert "every.parquet: no question but those asked of every record" in capsys.readouterr().err


FEW = {"resamples": 20}
WRITTEN = ("Yes.", "atrial fibrillation", "no", "sinus rhythm")  # to the balanced questions about two records


def test_written_answers_stand_beside_those_of_the_closed_set():
    answered = answered_by(30)
    measured = measured_answers(answered, None, FEW)
    texts = {condition: ["it may be", "no", "no", "sinus rhythm"] for condition in CONDITIONS} | {REAL: list(WRITTEN)}
    rows = {row.figure: row for row in generated.generated_results(answered, [1, 2, 4, 5], texts, measured)}
    shares = {
        "exact match, written answer": (1, 0.5),
        "exact match, closed set": (1, 0.5),
        "macro-F1 over answers, written answer": (1, 4 / 3 / 4),  # F1 2/3 of "no" and "sinus rhythm", else 0
        "macro-F1 over answers, closed set": (1, 4 / 3 / 4),
        "written answers outside the closed set": (0, 0.5),
    }
    assert list(rows) == [
        "exact match, written answer", "macro-F1 over answers, written answer", "exact match, closed set",
        "macro-F1 over answers, closed set", "written answers outside the closed set",
    ]  # fmt: skip
    for name, (real, blind) in shares.items():
        assert rows[name].real.value == real
        assert rows[name].group == "4 balanced questions"
        if not (name.startswith("macro") and "written" in name):
            assert rows[name].values[NO_ECG].value == pytest.approx(blind)
    assert rows["written answers outside the closed set"].absent[MAJORITY] == "it writes nothing"


@pytest.mark.parametrize("written", [WRITTEN[:3], (*WRITTEN, "no")])
def test_texts_that_are_not_one_a_question_are_refused(written):
    answered = answered_by(30)
    texts = dict.fromkeys(CONDITIONS, written)
    with pytest.raises(ValueError, match="argument 2 is"):
        generated.generated_results(answered, [1, 2, 4, 5], texts, measured_answers(answered, None, FEW))


@pytest.fixture
def other_run(tmp_path):
    """What another checkpoint answered by the real ECGs: "no" about record 1, "yes" about record 2."""
    (tmp_path / "evaluated.json").write_text('{"model": {"name": "theirs"}, "questions": {"hash": "abc"}}')
    lines = [{"run": "x"}] + [
        {"record_id": name, "condition": "real", "log_likelihoods": [scores]}
        for name, scores in (("1", [0.0, -1.0]), ("2", [-1.0, 0.0]))
    ]
    (tmp_path / "outcomes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def asked_of(*names: str) -> list[AskedRecord]:
    question = Question("Is it fast?", ("no",), ("no", "yes"), "verify", "rhythm", "STACH")
    return [AskedRecord(Record(name, name), (question,)) for name in names]


def test_the_answers_of_another_run_are_found_by_record(other_run):
    model, theirs = paired.other_answers(other_run, {"hash": "abc"}, asked_of("2", "1"))
    assert model == {"name": "theirs"}
    assert theirs.chosen[REAL] == ["yes", "no"]
    assert theirs.right[REAL].tolist() == [False, True]
    with pytest.raises(ValueError, match=r"no answers about record 3 \(2 are missing\)"):
        paired.other_answers(other_run, {"hash": "abc"}, asked_of("1", "3", "4"))
    with pytest.raises(ValueError, match="answers to questions abc, not def"):
        paired.other_answers(other_run, {"hash": "def"}, asked_of("1"))
    (other_run / "outcomes.jsonl").unlink()
    with pytest.raises(ValueError, match="no finished run of `heartllm evaluate qa` there"):
        paired.other_answers(other_run, {"hash": "abc"}, asked_of("1"))


def test_a_difference_is_ours_less_theirs():
    ours = answered_by(30)
    theirs = replace(ours, right={REAL: ours.right[NO_ECG]})
    for first, second, sign in ((ours, theirs, 1), (theirs, ours, -1)):
        found = paired.answer_differences(first, second, FEW)
        assert found["all balanced questions"].value == pytest.approx(sign / 3)
        assert found["question type query"].rows == 30
    assert {(one.low, one.value, one.high) for one in paired.answer_differences(ours, ours, FEW).values()} == {
        (0, 0, 0)
    }


def test_the_usual_report_is_that_of_age_and_sex_where_there_are_enough():
    def record(name: str, age: float | None, sex: str | None) -> Record:
        return Record(name, name, age=age, sex=sex)

    rows, records = [], []
    for report, count, age, sex in (
        ("young.", 8, 30, "male"), ("old.", 5, 85, "female"), ("middle.", 4, 60, "male"), ("", 20, 70, "female"),
    ):  # fmt: skip
        names = [f"{report}{number}" for number in range(count)]
        rows += [{"record_id": name, "report": report} for name in names]
        records += [record(name, age, sex) for name in names]
    rows += [{"record_id": f"of nobody known {number}", "report": "old."} for number in range(2)]  # seven in all
    wanted = [record("a", 88, "female"), record("b", 20, "male"), record("c", 55, "male"), record("d", None, None),
              record("e", 70, "female"), record("f", 88, "male")]  # fmt: skip
    found = reports._majority_reports(rows, people(records), people(wanted))
    assert found == {
        MAJORITY: ["young."] * 6,
        MAJORITY_AGE_SEX: ["old.", "young.", "young.", "young.", "young.", "young."],
    }
