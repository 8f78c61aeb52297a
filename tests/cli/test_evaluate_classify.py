"""`heartllm evaluate classify` on a tiny checkpoint and simulated recordings."""

from __future__ import annotations

import json
import shutil

import pytest

from hf_heartllm import cli
from hf_heartllm.ecg import simulate_ecg, write_ecg
from hf_heartllm.evaluation.results import read_results
from tests.simulated_ptbxl import ptbxl_of_simulated
from tests.tiny import tiny_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory):
    """8 records, each of its own patient: 4 in fold 1, 4 in fold 9."""
    folder = ptbxl_of_simulated(tmp_path_factory.mktemp("ptbxl"), 8)
    path = folder / "ptbxl_database.csv"
    head, *lines = path.read_text().splitlines()
    assert head.startswith("ecg_id,patient_id,")
    cells = [line.split(",", 2) for line in lines]
    path.write_text("\n".join([head, *(f"{i},{i},{rest}" for i, _, rest in cells)]) + "\n")
    return folder


@pytest.fixture
def common(checkpoint, tmp_path) -> list[str]:
    output = ["--output", str(tmp_path / "out.json"), "--results", str(tmp_path / "rows.json")]
    return ["evaluate", "classify", "--model", checkpoint, *output, "--resamples", "20", "--quiet"]


def labelled(folder, name: str, comments: str, seed: int, duration: float = 10) -> None:
    write_ecg(simulate_ecg(sampling_rate=100, seed=seed, duration=duration)[0], folder / name)
    with open(folder / f"{name}.hea", "a", encoding="utf-8") as header:
        header.write(comments)


def test_ptbxl_in_both_formats_with_every_control(capsys, common, ptbxl, tmp_path):
    arguments = [*common, "--ptbxl", str(ptbxl), "--seen", "report text,yes/no"]
    assert cli.main(arguments) == 0
    page = capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    rows = {(row["figure"], row["group"]): row for row in document["tables"]["Rhythm"]}
    group = next(group for figure, group in rows if figure == "accuracy" and "letter choice" in group)
    assert group == (
        "rhythm, letter choice, records with one class (2 of 5 classes occur); "
        "zero-shot: labels not seen, report text seen, prompt format not seen"
    )
    accuracy = rows["accuracy", group]
    assert accuracy["rows"] == 4
    assert all(value is not None for value in accuracy["values"].values())
    assert set(accuracy["real_minus"]) == set(accuracy["values"]) - {"real"}
    assert {figure for figure, _ in rows} >= {"macro precision", "macro recall", "macro-F1", "macro-AUROC"}
    assert not any("zero-shot" in group for _, group in rows if "yes/no" in group)
    assert document["zero_shot"] == {"letter choice": True, "yes/no": False}
    assert document["leakage"]["training_waveforms"] == 4
    assert "rhythm, every record: n/a for STACH, SBRAD, SARRH, which no record has" in page
    assert "Form" not in document["tables"] or all("form, letter" not in r["group"] for r in document["tables"]["Form"])
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()
    assert any("macro-AUROC, rhythm" in row.name for row in read_results(tmp_path / "rows.json"))
    assert cli.main(arguments) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == document


def test_a_folder_of_two_layouts_with_what_cannot_be_read(capsys, common, ptbxl, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    labelled(data, "A1", "#Age: 74\n#Sex: Male\n#Dx: 164889003\n", seed=50)
    labelled(data, "A2", "#Dx: 426783006,123\n", seed=51)
    labelled(data, "L1", "#<age>: 51\n#<sex>: F\n#<diagnoses>:\n#Rhythm: Sinus rhythm.\n", seed=52)
    labelled(data, "short", "#Dx: 427084000\n", seed=53, duration=3)  # the codec wants 10 s
    labelled(data, "bare", "", seed=54)
    copied = next((ptbxl / "records100/00000").glob("00001_lr.dat"))
    shutil.copy(copied, data / "copy.dat")
    header = copied.with_suffix(".hea").read_text().replace("00001_lr", "copy")
    (data / "copy.hea").write_text(f"{header}\n#Dx: 426783006\n")
    assert cli.main([*common, "--data", str(data), "--ptbxl", str(ptbxl), "--training-folds", "1-9"]) == 0
    page = capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["labels"]["layouts"] == {"LUDB": 1, "PhysioNet/CinC Challenge": 4}
    assert document["labels"]["headers_without_labels"] == 1
    assert document["labels"]["unknown_labels"] == {"123": 1}
    assert list(document["refused"]) == ["short"]
    assert document["questions"]["records"] == 3
    assert [test for test, _ in document["leakage"]["copies"]] == ["copy"]
    assert "1 copies were left out: copy." in page
    assert "what was seen in training is unknown" in page
    assert "zero-shot" not in page
    every = next(r for r in document["tables"]["Rhythm"] if r["figure"] == "accuracy" and "every record" in r["group"])
    assert (every["rows"], every["patients"]) == (3, 3)
    # A2 has a label that is not known, so it is not sure to have one class only
    single = next(r for r in document["tables"]["Rhythm"] if "letter choice" in r["group"])
    assert single["rows"] == 2
    # nothing of the superclasses is stated in this folder
    assert "Superclass" not in document["tables"]
    assert "superclass, every record: n/a for NORM, MI, STTC, CD, HYP, which no record has" in page


def test_without_ptbxl_the_majority_is_absent_with_its_reason(capsys, common, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    labelled(data, "A1", "#Dx: 164889003\n", seed=50)
    labelled(data, "A2", "#Dx: 426783006\n", seed=51)
    assert cli.main([*common, "--data", str(data), "--tasks", "rhythm"]) == 0
    page = capsys.readouterr().out
    assert "majority: PTB-XL's folder was not given" in page
    assert "Not checked: whether a record is one of the training's" in page
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["tables"]["Rhythm"][0]["values"]["majority"] is None
    assert document["command"] == (
        "heartllm evaluate classify --resamples 20 --data FOLDER --tasks rhythm --model FOLDER --output FILE"
    )


def test_without_training_records_nothing_reads_as_compared_with_them(capsys, common, ptbxl, tmp_path):
    arguments = [*common, "--ptbxl", str(ptbxl), "--training-folds", "5", "--tasks", "rhythm"]
    assert cli.main(arguments) == 0
    page = capsys.readouterr().out
    assert "majority: PTB-XL's table has no record of folds 5." in page
    assert (
        "Not checked: whether a record is one of the training's, since PTB-XL's table has no record of folds 5." in page
    )
    assert "(0 patients)" not in page
    assert " 0 training" not in page
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["leakage"] is None
    assert all(row["values"]["majority"] is None for row in document["tables"]["Rhythm"])


def test_a_recording_that_is_in_the_folder_twice_is_named(capsys, common, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    labelled(data, "A1", "#Dx: AF\n", seed=50)
    labelled(data, "A2", "#Dx: Normal\n", seed=51)
    labelled(data, "A3", "#Dx: AF,Foo\n", seed=50)
    assert cli.main([*common, "--data", str(data), "--tasks", "rhythm"]) == 0
    page = capsys.readouterr().out
    assert "1 records have the samples of another of the folder and were left out: A3 (of A1)." in page
    assert "Labels in no table: Foo (1 records)." in page
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["copies_within"] == {"A3": "A1"}
    assert document["questions"]["records"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --records SOURCE (PTB-XL or labels.csv), or --data FOLDER"),
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--data", "nowhere", "--tasks", "mood"], "--tasks: no task 'mood'"),
        (["--data", "nowhere", "--seen", "all"], "--seen: 'all' is none of labels"),
        (["--data", "nowhere", "--folds", "11"], "--folds: '11' is no list of folds"),
        (["--data", "nowhere", "--tokens", "codes"], "--tokens: codes of PTB-XL's records"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, common, arguments, message):
    assert cli.main([*common, *arguments]) == 2
    complaint = capsys.readouterr().err.strip()
    assert message in complaint
    assert "\n" not in complaint


def test_a_label_file_is_classified_by_split_and_what_it_leaves_open_stays_open(capsys, common, tmp_path):
    lines = ["path,patient,split,labels"]
    for number, label in enumerate(("AFIB", "SR", "AFIB", "SR", "SR; odd words", "LVH", "")):
        name, split = f"ward/ecg-{number}", "train" if number < 2 else "test"
        (tmp_path / "ward").mkdir(exist_ok=True)
        write_ecg(simulate_ecg(sampling_rate=100, seed=60 + number)[0], tmp_path / name)
        lines.append(f"{name},{f'Patient {number}' if number < 6 else ''},{split},{label}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    arguments = [*common, "--records", str(tmp_path / "labels.csv"), "--tasks", "rhythm"]
    assert cli.main(arguments) == 0
    page = capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["data"] == "label file labels.csv, split test"
    assert document["settings"]["splits"] == ["test"]
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()
    rows = {(row["figure"], " ".join(row["group"].split()[:4])): row for row in document["tables"]["Rhythm"]}
    # of "odd words" only sinus rhythm is known, of LVH and of the empty cell no rhythm
    assert rows["accuracy", "rhythm, letter choice, records"]["rows"] == 2
    assert rows["accuracy", "rhythm, yes/no, every record"]["rows"] == 3
    assert rows["accuracy", "rhythm, yes/no, every record"]["values"]["majority"] is not None
    assert "2 records have no known class of any task." in page
    assert "No patient of the split train (2 patients) is in the test set" in page
    for more, said in (
        (["--splits", "elsewhere"], "no record of split elsewhere; there are train, test"),
        (["--splits", "a b"], "'a b' is no name of a split"),
        (["--splits", "train,test"], "patients of the test set are in the training records too"),
        (["--tasks", "form"], "has a known class of form"),
        (["--data", str(tmp_path / "ward")], "a label file without --data"),
    ):
        assert cli.main([*arguments, *more]) == 2
        line = capsys.readouterr().err
        assert said in line
        assert line.count("\n") == 1
    assert (
        cli.main([*arguments, "--splits", "train,test", "--training-folds", "none", "--parts", str(tmp_path / "p")])
        == 0
    )
