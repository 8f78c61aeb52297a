"""What can be asked and what is known of a recording, a checkpoint and the codec: `questions`, `info`, `--version`."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.ecg import write_ecg
from hf_heartllm.models.answer_calibration import read_calibration
from hf_heartllm.models.question_understanding import read_trained_questions


def run(capsys, *words: str) -> str:
    assert cli.main(list(words)) == 0
    return capsys.readouterr().out


def asked(capsys, *words: str) -> list[dict]:
    return json.loads(run(capsys, "questions", *words, "--json"))["questions"]


def test_every_statement_is_listed_with_its_figures(capsys):
    rows = asked(capsys)
    calibration = read_calibration(hl.checkpoint())
    for statement in calibration.statements:
        (row,) = [
            row
            for row in rows
            if (row["attribute_type"], row["attribute"]) == (statement.attribute_type, statement.attribute)
        ]
        assert (row["sensitivity"], row["specificity"]) == (statement.point.sensitivity, statement.point.specificity)
        assert row["prevalence"] == statement.prevalence
    assert {"verify", "choose", "query", "report"} == {row["kind"] for row in rows}


def test_whatever_is_called_understood_is_understood_as_that(capsys):
    questions = read_trained_questions(hl.checkpoint())
    count = 0
    for row in asked(capsys):
        if row["kind"] == "choose":
            continue
        for words in (row["question"], *row["wordings"], *row["also_understood"]):
            found = questions.understand(words)
            assert (found.attribute_type, found.attribute, found.negated) == (
                row["attribute_type"],
                row["attribute"] or row["term"],
                False,
            ), words
            count += 1
    assert count > 500


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (["AF"], ["AFIB"]),
        (["fibrillation"], ["AFIB"]),
        (["LBBB"], ["CLBBB"]),
        (["bundle", "BRANCH"], ["CLBBB", "CRBBB", "ILBBB", "IRBBB"]),
        (["heart attack"], ["MI"]),
    ],
)
def test_a_filter_finds_words_and_what_they_are_understood_as(capsys, words, codes):
    assert sorted(row["attribute"] for row in asked(capsys, *words)) == codes


def test_the_page_says_the_figures_and_what_was_not_trained_is_an_error(capsys, tmp_path):
    point = next(one for one in read_calibration(hl.checkpoint()).statements if one.attribute == "AFIB").point
    page = run(capsys, "questions", "atrial fibrillation")
    assert f"{point.sensitivity:.2f}  {point.specificity:.2f}" in page
    assert "fold 9" in page
    assert cli.main(["questions", "STEMI"]) == 2
    assert "STEMI" in capsys.readouterr().err
    assert cli.main(["questions", "fibrilation"]) == 2
    assert "is it 'fibrillation'?" in capsys.readouterr().err
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").touch()
    assert cli.main(["questions", "--model", str(tmp_path)]) == 2
    assert "questions.json" in capsys.readouterr().err


def test_a_recording_is_described_with_what_is_doubtful(capsys, tmp_path):
    record = hl.read_ecg("example:normal")
    signal = record.signal.copy()
    signal[7] = 0.5
    signal[8, 100:200] = np.nan
    path = str(tmp_path / "one recording.csv")
    write_ecg(replace(record, signal=signal, age=71, sex="female"), path)
    facts = json.loads(run(capsys, "info", path, "--json"))
    assert facts["format"] == "CSV"
    assert (facts["units"], facts["samples"]) == ("mV", 5000)
    assert facts["record"]["sampling_rate"] == 500
    assert facts["quality"]["V2"]["problems"] == ["flat"]
    assert facts["quality"]["V3"]["problems"] == ["missing samples"]
    assert {finding["check"] for finding in facts["findings"]} >= {"flat_lead"}
    page = run(capsys, "info", path)
    assert "flat: V2" in page
    assert "lead V2" in page
    write_ecg(replace(record, age=71, sex="female"), tmp_path / "wfdb")
    page = run(capsys, "info", str(tmp_path / "wfdb.dat"))
    assert "samples in format 16 in mV" in page
    assert "71 years, female" in page
    assert cli.main(["info", path, "--model", "x"]) == 2
    assert cli.main(["info", "--units", "mV"]) == 2


def test_the_codecs_numbers_are_named(capsys):
    from hf_heartllm.hub.cards import checkpoint_facts

    codec = json.loads(run(capsys, "info", "--json"))["codec"]
    assert codec["parameters"] < codec["numbers_in_its_file"]
    assert codec["parameters_of_its_encoder"] < codec["parameters"]
    facts = json.dumps(checkpoint_facts(hl.checkpoint()), default=str).replace(",", "")
    assert str(codec["numbers_in_its_file"]) in facts or str(codec["parameters"]) in facts


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"heartllm {hl.__version__}\n"
