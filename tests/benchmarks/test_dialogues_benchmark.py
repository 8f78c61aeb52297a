"""The measure of conversations: any checkpoint through it, and figures that tell good answers from bad ones."""

from __future__ import annotations

import math

import pytest

from benchmarks.dialogues import Settings, figures, held_dialogues, main
from hf_heartllm.evaluation.conditions import REAL, SHUFFLED_ECG
from hf_heartllm.evaluation.results import read_results
from tests.simulated_ptbxl import ptbxl_of_simulated
from tests.tiny import tiny_checkpoint, tiny_ecg_lm


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory):
    return ptbxl_of_simulated(tmp_path_factory.mktemp("ptbxl"), 12)


@pytest.mark.parametrize("system", ["heartllm", "ecg_lm"])
def test_any_checkpoint_from_end_to_end(system, ptbxl, tmp_path, capsys):
    if system == "heartllm":
        tiny_checkpoint(tmp_path / "model")
    else:
        model, processor = tiny_ecg_lm()
        model.save_pretrained(tmp_path / "model")
        processor.save_pretrained(tmp_path / "model")
    command = ["--model", tmp_path / "model", "--records", ptbxl, "--output", tmp_path / "answers", "--count", 2]
    command += ["--max-new-tokens", 4, "--resamples", 20, "--no-measured", "--results", tmp_path / "dialogues.json"]
    assert main([str(word) for word in command]) == 0
    printed = capsys.readouterr().out
    kept = (tmp_path / "answers" / "answers.jsonl").read_text()
    assert len(kept.splitlines()) == 1 + 2 * 2 * 2
    rows = read_results(tmp_path / "dialogues.json")
    assert {"another patient's ECG" in row.name for row in rows} == {True, False}
    assert all(row.name.startswith("model, dialogues: ") and row.command and row.data for row in rows)
    assert main([str(word) for word in command]) == 0
    assert capsys.readouterr().out == printed
    assert (tmp_path / "answers" / "answers.jsonl").read_text() == kept, "nothing is asked twice"


def test_good_answers_have_good_figures(ptbxl, tmp_path):
    settings = Settings(model="", records=ptbxl, output=tmp_path, resamples=20, measured=False)
    held = held_dialogues(settings)
    assert len(held) == 12
    good = [one.dialogue.turns[0][1] for one in held]
    bad = ["You have chest pain and are dizzy. Take 5 mg of bisoprolol."] * len(held)
    found = {row.name: row for row in figures(held, {REAL: good, SHUFFLED_ECG: bad}, settings)}

    def value(figure: str, arm: str, condition: str = "real ECG") -> float:
        return found[f"dialogues: {arm}, {figure}, {condition}"].value

    for arm in ("symptoms told", "nothing told"):
        assert value("F1 of findings (SCP statements)", arm) == 1
        assert value("F1 of findings (SCP statements)", arm, "another patient's ECG") == 0
        assert value("F1 of findings (SCP statements)", arm, "real ECG − another patient's ECG") == 1
        assert value("asserts a symptom that was not told", arm) == 0
        assert value("asserts a symptom that was not told", arm, "another patient's ECG") > 0.9
        assert value("seek-care line without red flags", arm) == 0
        assert value("says that it is no diagnosis", arm) == 1
        assert value("names drugs, doses or procedures", arm) == 0
        assert value("names drugs, doses or procedures", arm, "another patient's ECG") == 1
    assert value("asks for symptoms", "nothing told") == 1
    assert "dialogues: symptoms told, asks for symptoms, real ECG" not in found
    assert value("seek-care line on red flags", "symptoms told") == 1
    assert not any(math.isnan(row.value) for row in found.values())


def test_what_cannot_be_measured_is_one_line(ptbxl, tmp_path, capsys):
    command = ["--model", "x", "--records", str(ptbxl), "--output", str(tmp_path)]
    assert main([*command, "--split", "nowhere"]) == 2
    assert main([*command[:3], str(tmp_path / "none"), *command[4:]]) == 2
    assert main([*command, "--no-measured", "--count", "2", "--model", str(tmp_path)]) == 2
    assert main([*command, "--count", "0"]) == 2
    assert main([*command, "--count", "-3"]) == 2
    assert main([*command, "--no-measured", "--count", "1", "--model", "heartllm-tiny"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 6
