"""What README, docs, the card and every program's help show runs as it stands; `documents` says by which rules."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import hf_heartllm as hl
from dataset_builders.simulated import build
from hf_heartllm import cli
from hf_heartllm.checkpoints import available
from hf_heartllm.cli import evaluate

from .documents import (
    NOT_AT_HAND,
    Block,
    agrees,
    blocks_of,
    check_data,
    check_output,
    check_python,
    commands_of,
    run_python,
    sessions,
)
from .shell import run_lines

ROOT = Path(__file__).resolve().parents[1]
CARDS = [Path(hl.checkpoint(name)) / "README.md" for name in available()]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *CARDS]
RECORD = "records100/00000/00152_lr"
QUICK = ("README.md", "docs/questions.md", "docs/checks.md", "docs/answers.md")
"""Pages that take a few seconds; the others are run with the slow tests, and checked with the fast ones."""


Place = Callable[[Path, Callable[[], Path]], None]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Callable[[], Path]:
    """A data set in PTB-XL's layout, made when it is first asked for; patients do not cross its folds."""

    @cache
    def make() -> Path:
        folder = tmp_path_factory.mktemp("simulated")
        build(99, folder, seed=0)
        return folder

    return make


def _ptbxl(name: str) -> Place:
    def place(folder: Path, simulated: Callable[[], Path]) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(simulated())

    return place


def _recording(name: str) -> Place:
    def place(folder: Path, simulated: Callable[[], Path]) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cli.main(["simulate", "lbbb", str(folder / name.removesuffix(".hea"))]) == 0

    return place


def _array(folder: Path, simulated: Callable[[], Path]) -> None:
    record = hl.read_ecg("example:lbbb").select(["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"])
    np.save(folder / "ecg.npy", 1000 * record.signal.T)  # microvolts, 500 Hz


def _folder(folder: Path, simulated: Callable[[], Path]) -> None:
    for name in ("a", "b"):
        _recording(f"folder/{name}.hea")(folder, simulated)


def _questions(folder: Path, simulated: Callable[[], Path]) -> None:
    (folder / "questions.txt").write_text("Is this ECG normal?\nAny sign of LBBB?\n")


def _export(folder: Path, simulated: Callable[[], Path]) -> None:
    assert cli.main(["export", "heartllm", str(folder / "heartllm")]) == 0


OF_HELP = {"folder/": _folder, "questions.txt": _questions, "./heartllm": _export}


def _clone(folder: Path, simulated: Callable[[], Path]) -> None:
    for name in ("training", "benchmarks", "dataset_builders", "hf_heartllm", "examples", "Makefile"):
        (folder / name).symlink_to(ROOT / name)


STAND_INS: dict[str, Place] = {
    "a clone": _clone,
    "PTB_XL": _ptbxl("PTB_XL"),
    "build/ptb-xl": _ptbxl("build/ptb-xl"),
    RECORD: _recording(RECORD),
    "ecg.hea": _recording("ecg.hea"),
    "ecg.csv": _recording("ecg.csv"),
    "ecg.npy": _array,
}
"""What a page may ask of its reader, and what a test has instead: simulated recordings."""


def runs(block: Block) -> bool:
    """Whether all that a block needs is there."""
    unknown = set(block.needs) - set(STAND_INS) - NOT_AT_HAND
    assert not unknown, f"{block.place}: no test knows what {', '.join(unknown)} is"
    return not set(block.needs) & NOT_AT_HAND


def check(block: Block, folder: Path) -> None:
    """As far as it goes without running it."""
    if block.kind == "python":
        check_python(block)
    elif block.kind == "shell":
        run_lines([command for command, _ in sessions(block.text)], folder, only_checked=True)
    elif block.kind == "data":
        check_data(block)


def run(block: Block, folder: Path, space: dict) -> str:
    """Returns what it printed."""
    if block.kind == "python":
        return run_python(block, space)
    if block.kind == "shell":
        commands = list(sessions(block.text))
        said = run_lines([command for command, _ in commands], folder)
        for (command, shown), text in zip(commands, said, strict=True):
            if shown is not None:
                check_output(f"{block.place}: {command}", shown, text)
        return "".join(said)
    check(block, folder)
    return ""


def of_pages(quick: bool) -> list[Path]:
    return [page for page in PAGES if (named(page) in QUICK) == quick]


def named(page: Path) -> str:
    """A page's path within the project."""
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def page_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def run_page(page: Path, folder: Path, simulated: Callable[[], Path]) -> None:
    space: dict = {"__name__": "__main__"}
    placed: set[str] = set()
    said = None
    for block in blocks_of(named(page), page.read_text(encoding="utf-8")):
        if not runs(block):
            check(block, folder)
            said = None
            continue
        for name in dict.fromkeys(block.needs):
            if name not in placed:
                STAND_INS[name](folder, simulated)
                placed.add(name)
        if block.file:
            (folder / block.file).write_text(block.text + "\n", encoding="utf-8")
        if block.kind == "text":
            if block.adjacent and said is not None:
                check_output(block.place, block.text, said)
            continue
        said = run(block, folder, space)


@pytest.mark.parametrize("page", of_pages(quick=True), ids=named)
def test_a_page_runs_as_it_stands(page, page_folder, simulated):
    run_page(page, page_folder, simulated)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", of_pages(quick=False), ids=named)
def test_a_longer_page_runs_as_it_stands(page, page_folder, simulated):
    run_page(page, page_folder, simulated)


@pytest.mark.parametrize("page", of_pages(quick=False), ids=named)
def test_the_commands_of_a_longer_page_are_understood(page, page_folder):
    for block in blocks_of(named(page), page.read_text(encoding="utf-8")):
        runs(block)
        check(block, page_folder)


def test_a_page_with_something_that_no_test_can_run_has_something_beside_it_that_one_can():
    for page in PAGES:
        blocks = blocks_of(named(page), page.read_text(encoding="utf-8"))
        if any(not runs(block) for block in blocks if block.kind in ("python", "shell")):
            assert any(runs(block) for block in blocks if block.kind in ("python", "shell")), named(page)


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_no_link_is_broken():
    for page in PAGES:
        for words, target, anchor in re.findall(r"\[([^\]]+)\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", _prose(page)):
            place = page.parent / target if target else page
            assert place.exists(), f"{page.name}: {words}: {target}"
            assert not anchor or anchor in _anchors(place), f"{page.name}: {words}: {target}#{anchor}"


def test_commands_within_sentences_and_tables_are_understood(page_folder):
    lines = {}
    for page in PAGES:
        for code in re.findall(r"`([^`\n]+)`", _prose(page)):
            if re.match(r"python -m dataset_builders\S* --|make [a-z]", code) and "…" not in code:
                lines[code] = page.name
    assert len(lines) > 10
    run_lines(list(lines), page_folder, only_checked=True)


# Help ----------------------------------------------------------------------------------------------------------------

EXAMPLES = {
    f"{package.__name__}.{found.name}".removeprefix("hf_heartllm.cli."): tuple(getattr(module, "EXAMPLES", ()))
    for package in (cli, evaluate)
    for found in pkgutil.iter_modules(package.__path__)
    if found.name != "__main__"
    and hasattr(module := importlib.import_module(f"{package.__name__}.{found.name}"), "EXAMPLES")
}
"""Command → the lines in its help."""

FOLDERS = ("dataset_builders", "training", "benchmarks", "examples", "hf_heartllm/convert", "hf_heartllm/scripts")
PROGRAMS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def test_every_example_of_the_command_line_is_understood(page_folder):
    assert len(EXAMPLES) > 10
    run_lines([line for lines in EXAMPLES.values() for line in lines], page_folder, only_checked=True)


OF_THE_HUB = {"push", "pull"}
"""Commands that ask the Hub; `tests/hub` runs them with one on loopback."""


@pytest.mark.parametrize(
    "name", sorted(name for name in EXAMPLES if not name.startswith("evaluate") and name not in OF_THE_HUB)
)
def test_an_example_in_a_commands_help_runs_in_a_folder_with_the_files_that_it_names(name, page_folder, simulated):
    for file in (*STAND_INS, "folder/", "questions.txt", "./heartllm"):
        if any(file in line for line in EXAMPLES[name]):
            {**STAND_INS, **OF_HELP}[file](page_folder, simulated)
    run_lines(EXAMPLES[name], page_folder)


def test_every_example_in_a_programs_help_is_understood(page_folder):
    lines = {}
    for path in PROGRAMS:
        for line in commands_of(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))):
            lines[re.sub(r"  +\S.*| … .*|\[|\]", "", line).strip()] = path
    assert len(lines) > 20
    run_lines(list(lines), page_folder, only_checked=True)


# The rules themselves ------------------------------------------------------------------------------------------------


def test_a_page_that_shows_what_does_not_come_out_is_found(page_folder):
    for text in ("print(1 + 1)  # 3", "1 + 1  # 3", "[1, 2]\n# [1, 3]"):
        with pytest.raises(AssertionError, match="gives"):
            run_python(Block("page", 1, "python", text), {})
    run_python(Block("page", 1, "python", "print(0.12345)  # 0.1234\n(1, 'a', 3)\n# (1, …)\n3  # of them"), {})
    assert run(Block("page", 1, "", "$ echo a b\na b\n$ echo c | cat"), page_folder, {}) == "a b\nc\n"
    for text in ("$ echo a\nb", "heartllm ask example:af", "heartllm plot x.hea y.png", "python -m dataset_builders.x"):
        with pytest.raises(AssertionError):
            run(Block("page", 1, "", text), page_folder, {})
    with pytest.raises(AssertionError, match="no extra"):
        run(Block("page", 1, "", 'pip install -e ".[formats]"'), page_folder, {})
    with pytest.raises(AssertionError, match="in no index"):
        run(Block("page", 1, "", 'pip install "hf_heartllm[eval]"'), page_folder, {})


def test_a_block_is_run_or_marked():
    text = "<!-- needs: GPU -->\n\n```python\nx\n```\n<!-- file: a.json -->\n```json\n{}\n```\n```text\nb\n```\n"
    first, second, third = blocks_of("page", text)
    assert (first.needs, runs(first), second.file, third.adjacent) == (("GPU",), False, "a.json", True)
    with pytest.raises(AssertionError, match="no test knows"):
        runs(Block("page", 1, "python", "", ("luck",)))
    with pytest.raises(AssertionError, match="Nothing runs"):
        _ = Block("page", 1, "perl", "").kind
    assert agrees("p 0.98, …", "p 0.97, many")
    assert agrees("p 0.98 of 3", "p 0.97 of 3")
    assert not agrees("p 0.98 of 3", "p 0.98 of 4")
