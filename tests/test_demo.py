"""`make demo` and what `make demo-train` ends with, on a machine without data or network."""

from __future__ import annotations

import re

import pytest

import hf_heartllm as hl
from examples import demo
from hf_heartllm.scripts import demo_train


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No data folder, no network, an empty build folder."""
    monkeypatch.setattr(demo, "REPOSITORY", tmp_path / "clone")
    monkeypatch.setattr(demo, "BUILD", tmp_path / "clone" / "build")
    monkeypatch.delenv("HEARTLLM_DATA", raising=False)
    read = hl.read_ecg

    def no_network(source, **options):
        if str(source).startswith("physionet:"):
            assert options["timeout"] <= 5
            raise hl.ECGError("PhysioNet cannot be reached")
        return read(source, **options)

    monkeypatch.setattr(hl, "read_ecg", no_network)
    return tmp_path


def test_the_demo_shows_a_picture_then_answers_with_what_they_are_worth_then_the_report(alone, capsys, monkeypatch):
    assert demo.main() == 0
    told = capsys.readouterr()
    assert not [line for line in told.err.splitlines() if "Loading" not in line]
    titles = re.findall(r"^(\S.*)$", told.out, re.MULTILINE)
    assert titles[1] == "Recording: example:af, simulated"
    order = ["Picture", "Measured", *demo.QUESTIONS, "Report", "Findings, each asked by itself"]
    assert [title for title in titles if title in order] == order
    assert (alone / "clone" / "build" / "demo.png").stat().st_size > 10_000
    assert not (alone / "clone" / "build" / "ptb-xl").exists()  # training would take it for the whole set
    for words in ("rate 93 /min", "QRS", "p(yes) 0.99", "sensitivity 0.89, specificity 0.98 on fold 9"):
        assert words in told.out
    assert max(map(len, told.out.splitlines()[3:])) <= 100


def test_the_demo_takes_one_record_of_a_whole_set_and_unpacks_elsewhere(alone, monkeypatch, capsys):
    data = alone / "data"
    record = hl.read_ecg("example:lbbb")
    from hf_heartllm.ecg import write_ecg

    packed = """
import argparse, pathlib, shutil
parser = argparse.ArgumentParser()
for name in ("--output", "--rate", "--fold"):
    parser.add_argument(name)
target = pathlib.Path(parser.parse_args().output) / "records100/00000"
target.mkdir(parents=True)
for end in (".hea", ".dat"):
    shutil.copy(pathlib.Path(__file__).parent / ("00152_lr" + end), target)
"""
    (data / "ptb-xl.packed").mkdir(parents=True)
    (data / "unpack.py").write_text(packed)
    write_ecg(record, data / "00152_lr")
    monkeypatch.setenv("HEARTLLM_DATA", str(data))
    assert demo.find_record().source.endswith(f"{demo.RECORD} (simulated)")  # the copy here is
    assert [path.name for path in (alone / "clone" / "build").iterdir()] == ["ptb-xl-fold-9"]
    assert "unpacking" in capsys.readouterr().out
    assert demo.find_record() is not None
    assert "unpacking" not in capsys.readouterr().out


def test_the_end_of_demo_train_asks_about_both_rhythms_and_without_an_ecg():
    told = dict(demo_train.answers(hl.checkpoint()))
    assert told.pop(None)
    assert told == {name: rhythm for name, rhythm in demo_train.EXAMPLES.items() if name}


def test_demo_train_goes_on_with_the_base_that_is_there(tmp_path, monkeypatch, capsys):
    ran: list[str] = []
    monkeypatch.setattr(demo_train, "run", lambda *words: ran.append(words[1].rpartition(".")[2]))
    monkeypatch.setattr(demo_train, "answers", lambda _: list(demo_train.EXAMPLES.items()))
    monkeypatch.setattr("sys.argv", ["demo_train", "--output", str(tmp_path)])
    assert demo_train.main() == 0
    first = [*ran]
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").touch()
    ran.clear()
    assert demo_train.main() == 0
    assert "make_base" in first
    assert ran == [name for name in first if name != "make_base"]
