"""`heartllm plot`: its options, its examples as they stand in the help, and what it refuses."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from hf_heartllm import cli
from hf_heartllm.cli import plot
from hf_heartllm.ecg.plot.layouts import LAYOUTS


def test_the_help_names_every_layout(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plot", "--help"])
    shown = capsys.readouterr().out
    for layout in LAYOUTS:
        assert f"\n  {layout} " in shown


def test_the_examples_of_the_help_run_in_an_empty_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in plot.EXAMPLES:
        words = shlex.split(line)[1:]
        assert cli.main([*words, *(["--no-measurements"] if words[0] == "plot" else [])]) == 0
        assert capsys.readouterr().err == ""
    assert {"ecg.png", "af.pdf", "strips.svg"} <= {file.name for file in tmp_path.iterdir()}
    strips = (tmp_path / "strips.svg").read_text()
    assert ">0:30</text>" in strips
    assert ">long (simulated)</text>" in strips


def test_title_layout_and_start_reach_the_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a name with blanks.svg"
    options = ["--layout", "12X1", "--start", "2.5", "--title", "Before", "--no-measurements"]
    assert cli.main(["plot", "example:af", str(path), *options]) == 0
    drawn = path.read_text()
    for text in (">Before (simulated)<", ">aVF<", "2.5–10 s<", "from 2.5 s: 7.5 s of 10 s<"):
        assert text in drawn
    assert "HR " not in drawn


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--layout", "4x3"], "no layout '4x3'; there are auto, 3x4+1"),
        (["--start", "10"], "cannot start at 10 s: the recording lasts 10 s"),
        (["--start", "-1"], "start must be"),
        (["--start", "nan"], "start must be"),
        (["--start", "soon"], "--start"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str], words: str
) -> None:
    assert cli.main(["plot", "example:af", str(tmp_path / "x.png"), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
