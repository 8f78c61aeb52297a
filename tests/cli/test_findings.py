"""`heartllm measure --findings`: sentences in the page, in JSON and in the table."""

from __future__ import annotations

import csv
import io
import json

import pytest

from hf_heartllm import cli
from hf_heartllm.cli.measure import CONDUCTIONS, RHYTHMS, SEXES
from hf_heartllm.ecg import Measurements, simulate_ecg, write_ecg
from hf_heartllm.ecg.findings import find


def test_the_page_the_document_and_the_table_say_the_same(capsys):
    words = ["measure", "example:tachycardia", "--findings", "--sex", "female", "--age", "63", "--quiet"]
    assert cli.main(words) == 0
    page = capsys.readouterr().out
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert cli.main([*words, "--csv"]) == 0
    row = next(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert "heart rate 125 /min, above the usual range (60 to 100 /min)" in found["general"]
    assert row["findings"] == found["general"]
    assert row["findings_of_leads"] == "; ".join(f"{lead}: {text}" for lead, text in found["by_lead"].items())
    for one in found["findings"]:
        assert one["sentence"] in page


def test_sex_and_age_come_from_the_file_and_options_go_first(tmp_path, capsys):
    record, _ = simulate_ecg(seed=3, heart_rate=125.0, duration=4.0)
    write_ecg(type(record)(record.signal, record.sampling_rate, record.leads, age=9, sex="male"), tmp_path / "child")
    assert cli.main(["measure", str(tmp_path / "child"), "--findings", "--json", "--quiet"]) == 0
    assert "adults, from 16 years" in json.loads(capsys.readouterr().out)["findings"]["general"]
    words = ["--findings", "--age", "40", "--rhythm", "paced", "--json", "--quiet"]
    assert cli.main(["measure", str(tmp_path / "child"), *words]) == 0
    general = json.loads(capsys.readouterr().out)["findings"]["general"]
    assert "heart rate 125 /min" in general
    assert "Q, ST and T not judged: paced rhythm" in general


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sex", "male"], "--sex is for --findings"),
        (["--age", "40"], "--age is for --findings"),
        (["--findings", "--age", "nan"], "--age nan: years from 0"),
        (["--findings", "--age=-3"], "--age -3: years from 0"),
        (["--findings", "--age", "old"], "invalid float value"),
        (["--findings", "--sex", "m"], "invalid choice"),
        (["--findings", "--rhythm", "jazz"], "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_one_line(capsys, words, message):
    assert cli.main(["measure", "example:af", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_every_choice_is_understood():
    nothing = Measurements.from_columns({"beats": 3})
    for rhythm in RHYTHMS:
        for conduction in CONDUCTIONS:
            for sex in SEXES:
                find(nothing, rhythm=rhythm, conduction=conduction, sex=sex)


@pytest.mark.parametrize("lead", ["I", "aVR", "V4"])
def test_one_lead_is_measured_and_what_it_cannot_show_is_said(capsys, lead):
    assert cli.main(["measure", "example:normal", "--leads", lead, "--findings", "--quiet"]) == 0
    page = capsys.readouterr().out
    assert "R wave    –" in page
    assert f"Q and ST in {lead}: no contiguous lead was measured" in page
