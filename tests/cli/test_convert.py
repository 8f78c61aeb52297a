"""Recordings rewritten in another format read back as they were, and nothing is lost by it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.ecg import write_ecg
from hf_heartllm.models.ecg_record import ECGError, ECGWarning


def convert(*words: str) -> int:
    return cli.main(["convert", *words, "--quiet"])


@pytest.mark.parametrize("rate", [100, 128, 250, 257, 333.25, 360, 500, 512, 1000])
@pytest.mark.parametrize("name", ["x.csv", "X.CSV", "x", "x.hea"])
def test_rate_units_and_leads_are_stated_by_the_file(tmp_path, rate, name):
    record, _ = hl.simulate_ecg(sampling_rate=rate, duration=3, seed=1)
    write_ecg(record, tmp_path / name)
    again = hl.read_ecg(tmp_path / name)
    assert (again.sampling_rate, again.leads, again.units) == (rate, record.leads, "mV")
    assert again.signal.shape == record.signal.shape
    assert np.abs(again.signal - record.signal).max() <= (6e-7 if "." in name and name != "x.hea" else 5.1e-4)


def test_no_command_overwrites_a_recording_by_the_way(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_ecg(hl.read_ecg("example:normal"), "own")
    write_ecg(hl.read_ecg("example:normal"), "own.csv")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    for words in (["simulate", "af", "own"], ["simulate", "af", "own.csv"]):
        assert cli.main(words) == 2
        assert "add --force" in capsys.readouterr().err
    assert cli.main(["measure", "own.csv", "--output", "own.csv"]) == 2
    assert "the recording itself, which is not overwritten" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
    assert cli.main(["simulate", "af", "own.csv", "--force"]) == 0


def test_what_simulate_and_convert_write_reads_back_without_flags(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["simulate", "lbbb", "lbbb.csv", "--sampling-rate", "250"]) == 0
    assert cli.main(["info", "lbbb.csv", "--strict"]) == 0
    assert convert("lbbb.csv", "again.hea", "--strict") == 0
    assert convert("again", "third.npy", "--json") == 0
    out = capsys.readouterr().out
    flags = json.loads(out[out.rindex("\n{\n") :])["read_with"]
    assert cli.main(["info", "third.npy", *flags]) == 0
    for options in ({}, {"sampling_rate": 250, "units": "mV"}):  # flags that agree say nothing new
        first = hl.read_ecg("lbbb.csv", **options)
    third = hl.read_ecg("third.npy", sampling_rate=250, units="mV", leads=first.leads)
    assert np.abs(third.signal - first.signal).max() <= 5.1e-4


def test_missing_samples_odd_names_and_the_patient_are_kept(tmp_path):
    record = hl.read_ecg("example:normal").select(["I", "II", "V1"])
    signal = record.signal.copy()
    signal[1, 10:60] = np.nan
    odd = replace(
        record, signal=signal, leads=("I", "II", "ECG, left"), age=70, sex="female", height=170, source="one\ntwo"
    )
    for name in ("odd.csv", "odd"):
        write_ecg(odd, tmp_path / name)
        again = hl.read_ecg(tmp_path / name)
        assert again.leads == odd.leads
        assert (np.isnan(again.signal) == np.isnan(odd.signal)).all()
        assert np.nanmax(np.abs(again.signal - odd.signal)) <= 5.1e-4
    assert (again.age, again.sex, again.height) == (70, "female", 170)


def test_what_16_bits_do_not_hold_is_said(tmp_path):
    record = hl.read_ecg("example:normal")
    with pytest.warns(ECGWarning, match=r"ranges to 10\d mV, so it is written in steps of 3"):
        write_ecg(replace(record, signal=record.signal + 99), tmp_path / "high")
    assert np.abs(hl.read_ecg(tmp_path / "high").signal - record.signal - 99).max() < 0.002
    with pytest.raises(ECGError, match="16 bits"):
        write_ecg(replace(record, signal=record.signal + 1e5), tmp_path / "higher")
    with pytest.raises(ECGError, match="z-score"):
        write_ecg(replace(record, units="z-score"), tmp_path / "z.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["high.dat", "high.hea"]


def test_the_recording_itself_is_never_overwritten_and_others_when_told(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_ecg(hl.read_ecg("example:normal"), "a")
    write_ecg(hl.read_ecg("example:af"), "b.csv")
    Path("link.csv").symlink_to("b.csv")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    for words in (["a", "a.hea"], ["a.dat", "a"], ["a.hea", "./a"], ["b.csv", "b.csv"], ["b.csv", "link.csv"]):
        assert convert(*words) == 2
        assert "add --force" in capsys.readouterr().err
        assert convert(*words, "--force") == 2
        assert "the recording itself" in capsys.readouterr().err
    assert convert("a", "b.csv") == 2
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
    assert convert("a", "b.csv", "--force") == 0
    assert hl.read_ecg("b.csv").leads == hl.read_ecg("a").leads
    capsys.readouterr()
    for name in ("x.edf", "x.mat", "a b", "", "."):
        assert convert("a", name) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1), shlex.join(["convert", "a", name])


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("time,I (mV),II (mV)", "{t}", "sampling rate"),  # in which unit of time?
        ("time (s),I,II", "{t}", "units"),
        ("time (s),time (ms),I (mV)", "{t}", "sampling rate"),
        ("time (s),I (mV),II (mV)", "0", "sampling rate"),
        ("time (s),I (mV),II (mV)", "{t}{t}", "does not rise evenly"),
    ],
)
def test_what_a_table_does_not_state_is_not_guessed(tmp_path, header, rows, said):
    times = {"{t}": np.arange(300) / 100, "0": np.zeros(300), "{t}{t}": np.cumsum(np.tile([0.01, 0.02], 150))}[rows]
    table = np.column_stack([times, np.sin(times), np.cos(times)])
    np.savetxt(tmp_path / "x.csv", table, delimiter=",", header=header, comments="", fmt="%.6f")
    with pytest.raises(ECGError, match=said):
        hl.read_ecg(tmp_path / "x.csv")
