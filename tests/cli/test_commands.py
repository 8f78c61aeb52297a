from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.cli.answers import answer_in_words
from hf_heartllm.models import pipeline_ecg
from hf_heartllm.models.answer_calibration import AnswerCalibration, AskedStatement
from hf_heartllm.models.ecg_answers import ECGAnswer
from hf_heartllm.models.notice import NOTICE
from tests.tiny import tiny_checkpoint

QUESTION = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture(autouse=True)
def short_texts(monkeypatch):
    """Random weights never end a text by themselves."""
    monkeypatch.setattr(pipeline_ecg, "MAX_ANSWER_TOKENS", 8)
    monkeypatch.setattr(pipeline_ecg, "MAX_REPORT_TOKENS", 12)


def run(capsys, *arguments: str) -> str:
    assert cli.main(list(arguments)) == 0
    return capsys.readouterr().out


def test_a_yes_no_question_is_answered_from_yes_and_no(capsys, model):
    result = json.loads(run(capsys, "ask", "example:af", QUESTION, "--model", model, "--json"))
    assert result["answer"] in ("yes", "no")
    assert result["closed_answer_set"]
    assert sum(row["probability"] for row in result["alternatives"]) == pytest.approx(1)
    assert result["probability"] == max(row["probability"] for row in result["alternatives"])
    assert result["notice"] == NOTICE
    assert result["record"]["sampling_rate"] == 500
    text = run(capsys, "ask", "example:af", QUESTION, "--model", model)
    assert text.splitlines()[0] == result["answer"]
    assert NOTICE in text


def test_no_answer_is_printed_as_certain():
    answer = ECGAnswer(text="yes", probability=0.99997, closed=True, alternatives=(("yes", 0.99997), ("no", 0.00003)))
    words = answer_in_words(QUESTION, answer)
    assert words.splitlines()[1:3] == ["  >99.99%  yes", "   <0.01%  no"]


def test_a_closed_answer_set_is_kept_to(capsys, model):
    arguments = (
        "ask",
        "example:af",
        "Which rhythm?",
        "--answers",
        "sinus rhythm, pacemaker",
        "--model",
        model,
        "--json",
    )
    result = json.loads(run(capsys, *arguments))
    assert {row["answer"] for row in result["alternatives"]} == {"sinus rhythm", "pacemaker"}


def test_a_calibrated_checkpoint_says_what_it_assumes_and_abstains(capsys, model, tmp_path):
    calibration = AnswerCalibration(2.0, 1.5, 0.5, (AskedStatement("rhythm", "AFIB", ("atrial fibrillation",), 0.07),))
    folder = tmp_path / "calibrated"
    shutil.copytree(model, folder)
    (folder / "calibration.json").write_text(json.dumps(calibration.document()))
    asked = ("ask", "example:af", QUESTION, "--model", str(folder), "--json")

    def of_yes(result: dict, rows: str) -> float:
        return next(row["probability"] for row in result[rows] if row["answer"] == "yes")

    result = json.loads(run(capsys, *asked))
    assert (result["calibrated"], result["prevalence"], result["abstained"]) == (True, 0.07, False)
    before = of_yes(result, "uncalibrated")
    odds = (before / (1 - before)) ** (1 / 1.5) * 0.07 / 0.93
    assert of_yes(result, "alternatives") == pytest.approx(odds / (1 + odds), rel=1e-4)
    given = json.loads(run(capsys, *asked, "--prevalence", "0.9", "--abstain-below", "0.99999"))
    assert given["prevalence"] == 0.9
    assert of_yes(given, "alternatives") > of_yes(result, "alternatives")
    assert (given["answer"], given["abstained"]) == (None, True)
    assert "below 0.99999" in given["reason"]
    text = run(capsys, *asked[:-1], "--abstain-below", "0.99999")
    assert text.startswith("no answer: its confidence would be")
    assert "for the prevalence of AFIB (rhythm) in PTB-XL, 0.07" in text
    free = json.loads(run(capsys, "ask", "example:af", "What rhythm is this?", "--model", str(folder), "--json"))
    assert not free["calibrated"]
    assert "free text" in free["basis"]
    (folder / "calibration.json").write_text("{")
    assert cli.main(list(asked)) == 2
    assert "calibration.json" in capsys.readouterr().err


def test_without_a_calibration_the_figures_say_so(capsys, model):
    assert "not calibrated: the model comes without calibration.json" in run(
        capsys, "ask", "example:af", QUESTION, "--model", model
    )
    for question in (QUESTION, "What rhythm is this?"):
        assert cli.main(["ask", "example:af", question, "--model", model, "--prevalence", "0.1"]) == 2
        assert "prevalence" in capsys.readouterr().err
    assert cli.main(["ask", "example:af", QUESTION, "--model", model, "--abstain-below", "80"]) == 2
    assert "80 is not between 0 and 1" in capsys.readouterr().err


def test_free_text_comes_with_its_probability_and_alternatives(capsys, model):
    result = json.loads(run(capsys, "ask", "example:af", "What rhythm is this?", "--model", model, "--json"))
    shares = [row["probability"] for row in result["alternatives"]]
    assert not result["closed_answer_set"]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1
    assert result["answer"] == result["alternatives"][0]["answer"]
    assert "<ecg_" not in result["answer"]


def test_a_report_is_written(capsys, model):
    result = json.loads(run(capsys, "report", "example:normal", "--model", model, "--json"))
    assert result["notice"] == NOTICE
    assert 0 < result["token_probability"] <= 1
    assert NOTICE in run(capsys, "report", "example:normal", "--model", model)


def test_tokens_as_ids_and_as_text_are_the_same(capsys, model, tmp_path):
    tokenizer = hl.ECGTokenizer.from_pretrained(model)
    ids = tokenizer.encode_ecg(hl.read_ecg("example:normal"))
    assert run(capsys, "tokenize", "example:normal", "--model", model).split() == [str(token) for token in ids]
    text = run(capsys, "tokenize", "example:normal", "--model", model, "--text")
    whole = [tokenizer.ecg_start_token_id, *ids, tokenizer.ecg_end_token_id]
    assert tokenizer.ecg_text_to_ids(text) == whole, "a server needs start and end token"
    bare = run(capsys, "tokenize", "example:normal", "--model", model, "--text", "--bare")
    assert tokenizer.ecg_text_to_ids(bare) == ids
    result = json.loads(run(capsys, "tokenize", "example:normal", "--model", model, "--json"))
    assert result["ids"] == ids
    assert result["notice"] == NOTICE
    run(capsys, "tokenize", "example:normal", "--model", model, "--output", str(tmp_path / "ids.txt"))
    assert (tmp_path / "ids.txt").read_text().split() == [str(token) for token in ids]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_is_drawn(capsys, tmp_path, suffix):
    path = tmp_path / f"ecg.{suffix}"
    result = json.loads(run(capsys, "plot", "example:af", str(path), "--json"))
    assert path.stat().st_size > 1000
    assert result["picture"] == str(path)
    assert result["notice"] == NOTICE


@pytest.mark.parametrize("name", ["af", "af.csv", "af.npy"])
def test_a_simulated_recording_reads_back(capsys, tmp_path, name):
    path = str(tmp_path / name)
    result = json.loads(run(capsys, "simulate", "af", path, "--sampling-rate", "250", "--seed", "5", "--json"))
    assert result["truth"]["rhythm"] == "atrial fibrillation"
    assert result["simulated"]
    assert result["notice"] == NOTICE
    stated = {} if name == "af" else {"sampling_rate": 250, "units": "mV", "leads": result["record"]["leads"]}
    record = hl.read_ecg(path, **stated)
    original, _ = hl.simulate_ecg(rhythm="atrial fibrillation", seed=5, sampling_rate=250)
    assert record.sampling_rate == 250
    assert record.leads == original.leads
    assert abs(record.signal - original.signal).max() <= 0.00051  # half a step of 1 µV, or six decimals
    assert sorted(os.listdir(tmp_path)) == (["af.dat", "af.hea"] if name == "af" else [name])


def test_info_tells_what_a_bug_report_needs(capsys, model):
    result = json.loads(run(capsys, "info", "--model", model, "--json"))
    assert {"python", "torch", "transformers"} <= set(result["versions"])
    assert result["notice"] == NOTICE
    assert result["codec"]["tokens_per_second"] == 3.125
    assert result["codec"]["codebook_size"] == 64
    assert result["codec"]["bits_per_second"] == pytest.approx(19.2)
    assert "codebook_size" in run(capsys, "info", "--model", model)


def test_an_export_is_whole_and_overwrites_only_when_told(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(capsys, "export", "heartllm")
    assert {"config.json", "tokenizer.json", "modeling_heartllm.py", "tokenization_heartllm.py"} <= set(
        os.listdir("heartllm")
    )
    assert os.path.isfile("heartllm/codec/model.safetensors")
    assert not {"__init__.py", "modeling_ecg_lm.py"} & set(os.listdir("heartllm"))  # nothing in its settings names it
    assert cli.main(["export", "heartllm"]) == 2
    assert "not empty" in capsys.readouterr().err
    (tmp_path / "heartllm" / "mine.txt").write_text("keep?")
    run(capsys, "export", "heartllm", "--force", "--json")
    assert "mine.txt" not in os.listdir("heartllm")
    os.mkdir("empty")
    run(capsys, "export", "heartllm", "empty")
    assert sorted(os.listdir(tmp_path)) == ["empty", "heartllm"]


def test_help_shows_an_example_of_every_command_and_imports_nothing_heavy():
    code = """
import contextlib, io, json, sys
from hf_heartllm.cli import main
said = {}
for command in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            code = main([command, "--help"])
        except SystemExit as end:
            code = end.code
    assert not code, command
    said[command] = out.getvalue()
print(json.dumps([said, sorted({"torch", "transformers", "wfdb"} & set(sys.modules))]))
"""
    done = subprocess.run([sys.executable, "-c", code, *cli.COMMANDS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, heavy = json.loads(done.stdout)
    assert not heavy
    for command in cli.COMMANDS:
        assert f"  heartllm {command} " in said[command] or f"  heartllm {command}\n" in said[command]
        assert "--json" in said[command] or command == "evaluate"  # its subjects write JSON files: --output
        assert NOTICE in said[command]
