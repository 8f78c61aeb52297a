"""Every kind of bad input: one clear line on stderr, nothing on stdout, exit code 2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.cli import info
from hf_heartllm.ecg import write_ecg
from tests.tiny import tiny_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


def complaint(capsys, *arguments: str) -> str:
    assert cli.main(list(arguments)) == 2
    out, err = capsys.readouterr()
    err = "".join(line for line in err.splitlines(keepends=True) if not line.endswith(" …\n"))  # progress
    assert out == ""
    assert err.startswith("heartllm: "), err
    assert err.count("\n") == 1, err
    return err


def missing(folder: Path) -> str:
    return str(folder / "missing.hea")


def empty_file(folder: Path) -> str:
    (folder / "empty.hea").touch()
    return str(folder / "empty.hea")


def text_called_header(folder: Path) -> str:
    (folder / "x.hea").write_text("Dear colleague,\nthank you for the recording.\n")
    return str(folder / "x.hea")


def nan_lead(folder: Path) -> str:
    record = hl.read_ecg("example:normal")
    signal = record.signal.copy()
    signal[7] = np.nan
    write_ecg(replace(record, signal=signal), folder / "nan")
    return str(folder / "nan")


def one_lead(folder: Path) -> str:
    write_ecg(hl.read_ecg("example:normal").select(["II"]), folder / "single")
    return str(folder / "single")


def array_without_rate(folder: Path) -> str:
    write_ecg(hl.read_ecg("example:normal"), folder / "ecg.npy")
    return str(folder / "ecg.npy")


def truncated_signal(folder: Path) -> str:
    write_ecg(hl.read_ecg("example:normal"), folder / "short")
    signal = folder / "short.dat"
    signal.write_bytes(signal.read_bytes()[:50_001])
    return str(folder / "short")


def wrong_checksum(folder: Path) -> str:
    write_ecg(hl.read_ecg("example:normal"), folder / "flipped")
    signal = folder / "flipped.dat"
    content = bytearray(signal.read_bytes())
    content[1000] ^= 1
    signal.write_bytes(bytes(content))
    return str(folder / "flipped")


def folder_itself(folder: Path) -> str:
    return str(folder)


def no_such_example(folder: Path) -> str:
    return "example:heart"


CASES = {
    missing: ("missing.hea",),
    empty_file: ("empty.hea", "empty"),
    text_called_header: ("x.hea",),
    nan_lead: ("nan", "V2"),
    one_lead: ("single", "lead"),
    array_without_rate: ("ecg.npy", "--sampling-rate"),
    truncated_signal: ("short",),
    wrong_checksum: ("flipped", "checksum"),
    folder_itself: (),
    no_such_example: ("example:heart", "normal"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_recording_that_cannot_be_used(capsys, tmp_path, model, case):
    line = complaint(capsys, "ask", case(tmp_path), "Is it normal?", "--model", model)
    for word in CASES[case]:
        assert word in line, line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["dance"], "dance"),
        (["ask", "example:af"], "QUESTION"),
        (["ask", "example:af", " "], "question is empty"),
        (["ask", "example:af", "Which?", "--answers", "a,,b"], "--answers"),
        (["ask", "example:af", "Which?", "--answers", "a,a"], "--answers"),
        (["ask", "example:af", "Is it?", "--model", "./nowhere"], "./nowhere"),
        (["ask", "example:af", "Is it?", "--sampling-rate", "fast"], "--sampling-rate"),
        (["ask", "example:af", "Is it?", "--sampling-rate", "500"], "--sampling-rate"),
        (["plot", "example:af", "ecg.gif"], ".png"),
        (["plot", "example:af", "/nowhere/ecg.png"], "/nowhere"),
        (["simulate", "heart", "out"], "lbbb"),
        (["simulate", "af", "a b"], "letters"),
        (["simulate", "af", "out", "--duration", "0"], "duration"),
        (["simulate", "af", "out", "--seed", "-1"], "--seed"),
        (["export", "llama"], "llama"),
        (["tokenize", "example:af", "--json", "--output", "ids.txt"], "--output"),
        (["tokenize", "example:af", "--bare"], "--bare belongs to --text"),
    ],
    ids=" ".join,
)
def test_arguments_that_make_no_sense(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in complaint(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_our_own_is_not_hidden(monkeypatch):
    def broken(_):
        raise KeyError("a bug")

    monkeypatch.setattr(info, "run", broken)
    with pytest.raises(KeyError):
        cli.main(["info"])


def test_nothing_in_a_recording_speaks_to_the_terminal(tmp_path, capsys):
    folder = tmp_path / "\x1b[2Jhere"
    folder.mkdir()
    write_ecg(hl.read_ecg("example:normal").select(["I", "II"]), folder / "r")
    header = folder / "r.hea"
    header.write_text(header.read_text().replace(" 0 II\n", " 0 \x1b]0;owned\x07II\n").replace("#", "#\x1b[31m"))
    assert cli.main(["info", str(folder / "r")]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert r"\x1b]0;owned\x07II" in out
    header.write_text(header.read_text().replace("1000", "\x1b[31m"))
    assert cli.main(["info", str(folder), "--json"]) == 2
    assert "\x1b" not in "".join(capsys.readouterr())
    assert cli.main(["info", str(folder)]) == 2
    assert "\x1b" not in "".join(capsys.readouterr())
