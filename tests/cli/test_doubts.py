"""What is doubtful about a recording is said by every command that reads one, and is an error with --strict."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.ecg import write_ecg

AF = "Does this ECG show atrial fibrillation?"


def said(err: str) -> list[str]:
    """The lines on stderr that are no progress."""
    return [line for line in err.splitlines() if not line.endswith(" …")]


def written(folder, signal, name: str = "doubtful") -> str:
    write_ecg(replace(hl.read_ecg("example:normal"), signal=signal), str(folder / name))
    return str(folder / name)


@pytest.fixture
def dead_lead(tmp_path) -> str:
    record = hl.read_ecg("example:normal")
    signal = record.signal.copy()
    signal[record.leads.index("V5")] = -0.123
    return written(tmp_path, signal)


@pytest.mark.parametrize(
    "command",
    [
        ("ask", "RECORD", AF),
        ("report", "RECORD"),
        ("measure", "RECORD"),
        ("plot", "RECORD", "ecg.svg"),
        ("tokenize", "RECORD"),
    ],
    ids=lambda command: command[0],
)
def test_a_dead_lead_is_said_once_stands_in_json_and_is_an_error_when_strict(capsys, tmp_path, dead_lead, command):
    arguments = [dead_lead if one == "RECORD" else one for one in command]
    if command[0] == "plot":
        arguments[2] = str(tmp_path / "ecg.svg")
    assert cli.main([*arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    (line,) = json.loads(out)["warnings"]
    assert "lead V5 is constant" in line
    assert said(err) == [f"heartllm: warning: {line}"]
    assert cli.main([*arguments, "--strict"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said(err) == [f"heartllm: {line}"]


@pytest.mark.parametrize("command", ["ask", "report"])
def test_noise_has_no_answer_and_one_line(capsys, tmp_path, command):
    noise = written(tmp_path, np.random.default_rng(0).normal(0, 0.1, (12, 5000)))
    assert cli.main([command, noise, *([AF] if command == "ask" else []), "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = said(err)
    assert "no QRS complexes were found" in line


def test_a_question_that_was_not_trained_has_no_answer_and_the_nearest(capsys):
    assert cli.main(["ask", "example:af", "What is the capital of France?", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["answered"], found["answer"], found["asked"]) == (False, None, None)
    assert found["reason"]
    assert found["nearest"]
    assert cli.main(["ask", "example:af", "Is the heart rate high?"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("no answer: ")
    assert "  trained: " in out


def test_windows_of_a_long_recording_stand_in_json(capsys, tmp_path):
    normal, af = hl.read_ecg("example:normal"), hl.read_ecg("example:af")
    path = written(tmp_path, np.concatenate([normal.signal, af.signal, normal.signal], axis=1))
    assert cli.main(["ask", path, "AF?", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answer"] == "yes"
    assert found["asked"] == AF
    assert [(one["start"], one["stop"], one["text"]) for one in found["windows"]] == [
        (0, 10, "no"),
        (10, 20, "yes"),
        (20, 30, "no"),
    ]
    assert "any window" in found["windows_rule"]
    assert cli.main(["report", path, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["windows"]) == 3


def test_measurements_are_printed_and_what_is_doubtful_has_its_reason(capsys):
    assert cli.main(["measure", "example:lbbb", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measured"]["heart_rate"] == hl.measure(hl.read_ecg("example:lbbb")).overall.heart_rate
    assert found["warnings"] == []
    assert all(found["measured"][name] is None for name in found["reasons"])
    assert cli.main(["measure", "example:af"]) == 0
    page = capsys.readouterr().out
    rate = f"{hl.measure(hl.read_ecg('example:af')).overall.heart_rate} /min (irregular"
    assert rate in page
    assert "no P wave before at least half of the beats" in page


def test_missing_leads_are_said_before_torch_is_loaded(tmp_path):
    record = hl.read_ecg("example:normal")
    path = tmp_path / "chest.npy"
    np.save(path, record.signal[6:])
    code = (
        "import sys; from hf_heartllm.cli import main; code = main(sys.argv[1:]); print('torch' in sys.modules, code)"
    )
    arguments = ["ask", str(path), AF, "--sampling-rate", "500", "--units", "mV", "--leads", "V1,V2,V3,V4,V5,V6"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.stdout.strip() == "False 2"
    assert "missing leads I, II" in done.stderr
    assert "--model ecg-lm-tiny reads any of the twelve" in done.stderr
