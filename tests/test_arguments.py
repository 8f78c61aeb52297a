"""Options made of a dataclass's fields, and options under the names that they had before."""

from __future__ import annotations

import argparse
import ast
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from hf_heartllm.arguments import add_old_name, add_options, attribute_docs, given_options, settings_of


@dataclass(frozen=True)
class Base:
    """What is common.

    Attributes:
        output: file to write.
        sampling_rate: Hz of the records.
    """

    output: Path
    sampling_rate: Literal[100, 500] = 100


@dataclass(frozen=True)
class Chosen(Base):
    """What is chosen. Further attributes are those of `Base`.

    Attributes:
        max_records: the first so many; all when None, 100 %
            of them.
        seed: of the draw.
        folds: of the records.
        signals: names.
        quiet: no bars.
        checks: what is checked.

    Raises:
        ValueError: never.
    """

    max_records: int | None = None
    seed: int = 0
    folds: tuple[int, ...] = (1, 2, 3)
    signals: list[str] = field(default_factory=lambda: ["I"])
    quiet: bool = False
    checks: bool = True


def parser_of_chosen() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="try")
    add_options(parser, Chosen, output={"metavar": "FILE"})
    return parser


def test_fields_become_options_and_options_settings() -> None:
    parser = parser_of_chosen()
    assert settings_of(Chosen, parser.parse_args(["--output", "x y"])) == Chosen(Path("x y"))
    words = [
        "--output",
        "x",
        "--sampling-rate",
        "500",
        "--max-records",
        "3",
        "--folds",
        "1,9",
        "--signals",
        "II",
        "V 1",
    ]
    found = settings_of(Chosen, parser.parse_args([*words, "--quiet", "--no-checks"]))
    assert found == Chosen(Path("x"), 500, 3, 0, (1, 9), ["II", "V 1"], True, False)
    command = given_options(found)
    assert command == (
        "--output PATH --sampling-rate 500 --max-records 3 --folds 1,9 --signals II 'V 1' --quiet --no-checks"
    )
    again = settings_of(Chosen, parser.parse_args(shlex.split(command)), output=found.output)
    assert again == found
    assert given_options(Chosen(Path("x")), ["max_records", "folds"]) == ""


def test_help_is_the_docstrings() -> None:
    page = " ".join(parser_of_chosen().format_help().split())
    for words in (
        "--output FILE file to write",
        "Hz of the records; default: 100",
        "of the draw; default: 0",
        "all unless given, 100 % of them",
        "default: 1-3",
    ):
        assert words in page
    assert attribute_docs(Chosen)["output"] == "file to write"
    assert "Raises" not in page


@pytest.mark.parametrize("words", [[], ["--output", "x", "--sampling-rate", "250"], ["--output", "x", "--folds"]])
def test_what_is_missing_or_wrong_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser_of_chosen().parse_args(words)
    assert "error: " in capsys.readouterr().err


def test_an_old_name_does_the_same_and_says_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_old_name(parser, "--workers", parser.add_argument("--num-proc", type=int, required=True, help="processes"))
    add_old_name(parser, "--silent", parser.add_argument("--quiet", action="store_true"))
    add_old_name(parser, "--config", parser.add_argument("--recipe", nargs="+", default=["usual"]))
    assert vars(parser.parse_args(["--num-proc", "2"])) == {"num_proc": 2, "quiet": False, "recipe": ["usual"]}
    assert capsys.readouterr().err == ""
    found = parser.parse_args(["--workers=3", "--silent", "--config", "a", "b"])
    assert vars(found) == {"num_proc": 3, "quiet": True, "recipe": ["a", "b"]}
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "warning: --workers is called --num-proc now; the old name goes with the next version"
    assert "--workers" not in parser.format_help()


ROOT = Path(__file__).resolve().parents[1]
GONE = {
    "--ptb-xl": "--ptbxl",
    "--ptb-xl-plus": "--ptbxl-plus",
    "--source": "--ptbxl, --ecg-qa, …: what lies in the folder",
    "--rate": "--sampling-rate",
    "--workers": "--num-proc",
    "--processes": "--num-proc",
    "--out": "--output",
    "--limit": "--max-records",
    "--no-write": "--no-results",
    "--repeats": "--repetitions",
    "--rounds": "--repetitions",
}
PROGRAMS = ("hf_heartllm", "dataset_builders", "training", "benchmarks", "examples")


def test_one_thing_has_one_name_over_all_commands() -> None:
    files = [file for folder in PROGRAMS for file in sorted((ROOT / folder).rglob("*.py"))]
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                named = [one.value for one in node.args if isinstance(one, ast.Constant)]
                found += [f"{file.relative_to(ROOT)}: {name} is {GONE[name]}" for name in named if name in GONE]
    assert not found, "\n".join(found)
