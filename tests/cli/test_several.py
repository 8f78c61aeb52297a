"""Several recordings and several questions in one call: folders, files of questions, JSON Lines, one bad among them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.cli.common import UsageError
from hf_heartllm.cli.recordings import find_recordings
from hf_heartllm.ecg import write_ecg
from hf_heartllm.ecg.measurements import COLUMNS
from hf_heartllm.models import pipeline_ecg
from hf_heartllm.models.notice import NOTICE
from tests.tiny import tiny_checkpoint

AF = "Does this ECG show atrial fibrillation?"
RHYTHM = "What rhythm does this ECG show?"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture(autouse=True)
def short_texts(monkeypatch):
    monkeypatch.setattr(pipeline_ecg, "MAX_ANSWER_TOKENS", 4)
    monkeypatch.setattr(pipeline_ecg, "MAX_REPORT_TOKENS", 4)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Two WFDB records, a table that states all, one that states nothing; and files that are no recordings."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "ward 7"
    for name in ("normal", "af"):
        write_ecg(hl.read_ecg(f"example:{name}"), place / "sub" / name)
    write_ecg(hl.read_ecg("example:lbbb"), place / "lbbb.csv")
    (place / "bad.csv").write_text("I,II\n1,2\n3,4\n")
    (place / "README.txt").write_text("not a recording")
    (place / "orphan.dat").write_bytes(b"\0" * 100)
    (place / ".hidden.csv").write_text("1,2")
    (place / ".git").mkdir()
    (place / ".git" / "x.hea").touch()
    return place


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_folder_stands_for_its_recordings_each_once_and_sorted(folder):
    found = find_recordings([str(folder)])
    names = ["bad.csv", "lbbb.csv", "sub/af", "sub/normal"]
    assert found.names == tuple(str(folder / name) for name in names)
    assert (found.several, found.others) == (True, 2)
    twice = find_recordings([str(folder / "sub"), *(str(folder / "sub" / f"af{end}") for end in ("", ".hea", ".dat"))])
    assert [Path(name).name for name in twice.names] == ["af", "normal"]
    alone = find_recordings([str(folder / "sub" / "af.dat")])
    assert alone == find_recordings([str(folder / "sub" / "af.dat")])
    assert not alone.several
    assert find_recordings([str(folder)], but=str(folder / "lbbb.csv")).names[1].endswith("af")


def test_a_link_that_leads_back_ends(folder):
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "other").symlink_to(folder / "sub")
    assert len(find_recordings([str(folder)]).names) == 4


def test_a_folder_without_recordings_or_with_a_records_name_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no recording"):
        find_recordings([str(tmp_path)])
    write_ecg(hl.read_ecg("example:normal"), tmp_path / "a")
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match=r"a folder and a WFDB record"):
        find_recordings([str(tmp_path / "a")])
    assert not find_recordings([str(tmp_path / "a.hea")]).several


def test_every_recording_and_question_is_one_line_and_a_bad_one_among_them_too(capsys, folder, model):
    Path("asked.txt").write_bytes(f"\ufeff# two\r\n\r\n{AF}\r\n  {RHYTHM}\r\n".encode())
    code = cli.main(["ask", str(folder), "--questions", "asked.txt", "--json", "--model", model, "--answers", "a,b"])
    out, err = capsys.readouterr()
    rows = lines_of(out)
    assert code == 2
    assert err.splitlines()[-1] == "heartllm: 1 of 4 recordings could not be read"
    assert "4 recordings (2 other files passed over), 2 questions" in err.splitlines()[0]
    assert [row["question"] for row in rows] == [AF, RHYTHM] * 4
    names = [Path(row["record"]["source"]).name for row in rows]
    assert names == ["bad.csv", "bad.csv", "lbbb.csv", "lbbb.csv", "af", "af", "normal", "normal"]
    assert all("--sampling-rate" in row["error"] for row in rows[:2])
    assert all(row["answer"] in ("a", "b") and row["notice"] == NOTICE for row in rows[2:])


def test_answers_of_one_call_are_those_of_single_calls(capsys, folder, model):
    names = [str(folder / "sub" / name) for name in ("af", "normal")]
    asked = [AF, "Does this ECG show sinus rhythm?"]
    options = ["--model", model, "--json"]
    assert cli.main(["ask", names[0], "-q", asked[0], names[1], "-q", asked[1], *options]) == 0
    together = lines_of(capsys.readouterr().out)
    alone = []
    for name in names:
        for question in asked:
            assert cli.main(["ask", name, *options, question]) == 0
            alone.append(json.loads(capsys.readouterr().out))
    for one, other in zip(together, alone, strict=True):  # scored together, so equal up to rounding
        for key in ("probability", "confidence"):
            assert one.pop(key) == pytest.approx(other.pop(key), abs=1e-5)
        for key in ("alternatives", "uncalibrated"):
            for a, b in zip(one.pop(key), other.pop(key), strict=True):
                assert a["answer"] == b["answer"]
                assert a["probability"] == pytest.approx(b["probability"], abs=1e-5)
        assert one == other


def test_one_question_about_one_recording_is_one_object_however_it_is_asked(capsys, folder, model):
    record = str(folder / "sub" / "af")
    answers = []
    for words in ([record, AF], [record, "-q", AF]):
        assert cli.main(["ask", *words, "--json", "--model", model]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]
    assert cli.main(["ask", str(folder / "sub"), AF, "--json", "--model", model]) == 0
    assert len(lines_of(capsys.readouterr().out)) == 2


def test_text_is_grouped_by_recording_and_progress_is_on_stderr_alone(capsys, folder, model):
    names = [str(folder / "sub" / name) for name in ("af", "normal")]
    assert cli.main(["ask", *names, "-q", AF, "-q", RHYTHM, "--model", model]) == 0
    out, err = capsys.readouterr()
    heads = [line for line in out.splitlines() if line.endswith("12 leads, 10 s at 500 Hz")]
    assert [head.split(":")[0] for head in heads] == names
    assert out.count(AF) == out.count(f"{RHYTHM}\n") == 2
    assert out.count(NOTICE) == 1
    assert err == "heartllm: 2 recordings, 2 questions; loading the model …\n"
    assert cli.main(["ask", *names, "-q", AF, "--model", model, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["example:af", "example:normal"], "-q QUESTION"),
        (["lbbb.csv", "sub/af"], "-q QUESTION"),
        (["lbbb.csv", "other.csv"], "no such recording, and no question"),
        (["example:af", "Is", "this", "AF?"], "quotes"),
        (["example:af", "-q", " "], "question is empty"),
        (["example:af", "--questions", "nowhere.txt"], "nowhere.txt: No such file"),
        (["example:af", "--questions", "README.txt", "--answers", "a"], "no question in it"),
        (["example:af", "--questions", "sub"], "sub: Is a directory"),
        (["example:af", "--questions", "orphan.dat"], "not a text file"),
        (["nowhere", "lbbb.csv", "-q", "Q?", "--colour"], "--colour"),
    ],
)
def test_what_is_no_question_and_no_recording_is_said_in_one_line(capsys, folder, monkeypatch, words, said):
    monkeypatch.chdir(folder)
    Path("README.txt").write_text("# nothing but a comment\n\n")
    Path("orphan.dat").write_bytes(b"\xff\xfe\0")
    assert cli.main(["ask", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_what_is_stated_of_tables_is_not_about_the_records_beside_them(capsys, folder, model):
    np.save(folder / "x.npy", hl.read_ecg("example:af").signal[:2])
    (folder / "bad.csv").unlink()
    stated = ["--sampling-rate", "500", "--units", "mV"]
    names = [str(folder / "lbbb.csv"), str(folder / "sub")]
    assert cli.main(["report", *names, *stated, "--json", "--model", model]) == 0
    assert [len(row["record"]["leads"]) for row in lines_of(capsys.readouterr().out)] == [12, 12, 12]
    assert cli.main(["info", str(folder), *stated, "--leads", "I,II", "--json"]) == 0
    assert [len(row["record"]["leads"]) for row in lines_of(capsys.readouterr().out)] == [2, 12, 12, 2]
    assert cli.main(["report", *names[1:], "example:af", *stated, "--model", model]) == 2
    assert "3 of 3 recordings could not be read" in capsys.readouterr().err


def test_reports_and_facts_come_one_a_line(capsys, folder, model):
    assert cli.main(["report", str(folder), "--json", "--model", model]) == 2
    rows = lines_of(capsys.readouterr().out)
    assert [("report" in row, "error" in row) for row in rows] == [(False, True), *[(True, False)] * 3]
    assert cli.main(["info", str(folder / "sub"), "example:noisy", "--json"]) == 0
    rows = lines_of(capsys.readouterr().out)
    assert [row["format"].split(",")[0] for row in rows] == ["WFDB", "WFDB", "simulated"]


def test_measurements_of_a_folder_are_a_table_of_fixed_columns(capsys, folder):
    assert cli.main(["measure", str(folder), "--csv"]) == 2
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [Path(row["record"]).name for row in rows] == ["bad.csv", "lbbb.csv", "af", "normal"]
    assert set(COLUMNS) < set(rows[0])
    assert rows[0]["error"]
    assert rows[0]["heart_rate"] == ""
    assert float(rows[3]["qrs_ms"]) == hl.measure(hl.read_ecg(str(folder / "sub" / "normal"))).overall.qrs_ms
    assert "P, PR: no P wave" in rows[2]["doubtful"]
    assert "bad.csv" in err
    target = folder / "sub" / "measured.csv"  # within the folder: not a recording the second time
    for _ in range(2):
        assert cli.main(["measure", str(folder / "sub"), "--output", str(target)]) == 0
        assert len(list(csv.DictReader(target.open()))) == 2
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "af.dat",
        "af.hea",
        "measured.csv",
        "normal.dat",
        "normal.hea",
    ]
    assert cli.main(["measure", str(folder), "--output", str(folder / "x.xlsx")]) == 2
    assert cli.main(["measure", str(folder), "--output", str(folder / "nowhere" / "x.csv")]) == 2
    assert cli.main(["measure", str(folder), "--csv", "--json"]) == 2
