"""Blocks of a Markdown page, and running them as a reader would: one page, one empty folder, one after the other.

What stands in the page decides what happens, and nothing is passed over:

* a block of `python` is run; a comment behind a `print`, and one below a bare expression, is what it gives;
* a block of shell lines (no language, `console`, `sh`, `bash`) is run by bash; below a line that begins with `$ `
  stands what it prints;
* `json` and `yaml` are read; `text` right behind a block that was run is what that printed;
* `<!-- needs: PTB_XL -->` before a block: the reader must have this. Where `STAND_INS` (`test_docs`) has something for
  it, that is put into the folder and the block is run; a block that needs what is `NOT_AT_HAND` is not run, and its
  commands and imports are checked;
* `<!-- file: NAME -->` before a block: the block is that file.

In an expected output `…` stands for anything, on a line of its own for any lines; numbers may differ in the last digit.
"""

from __future__ import annotations

import ast
import importlib
import io
import json
import re
import tokenize
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_heartllm.models.notice import NOTICE

SHELLS = frozenset({"", "console", "sh", "bash", "shell"})
COMMANDS = ("heartllm", "python", "python3", "torchrun", "make", "pip", "git", "transformers", "vllm", "curl")
NOT_AT_HAND = frozenset(
    {"ECG_QA", "SAMPLES", "a labelled folder", "GPU", "network", "a server", "SmolLM2", "minutes", "hours"}
)
"""What a test has not, beside data sets: such a block is checked as far as it goes without."""

_FENCE = re.compile(r"^( *)(`{3,})(\S*)[^\n]*\n(.*?)^\1\2 *$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- (needs|file): *(.+?) *-->\s*\Z")
_COMMAND_LINE = re.compile(rf"^(\$ |({'|'.join(COMMANDS)}) )", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    needs: tuple[str, ...] = ()
    file: str | None = None
    adjacent: bool = False  # nothing but blank lines stands between the block before and this one

    @property
    def place(self) -> str:
        return f"{self.page}, line {self.line}"

    @property
    def kind(self) -> str:
        """`python`, `shell`, `data` or `text`."""
        if self.language == "python":
            return "python"
        if self.language in ("json", "jsonl", "yaml"):
            return "data"
        if self.language in SHELLS and _COMMAND_LINE.search(self.text):
            return "shell"
        if self.language in ("", "text"):
            return "text"
        raise AssertionError(f"{self.place}: what is a block of {self.language!r}? Nothing runs or checks it")


def blocks_of(page: str, text: str) -> list[Block]:
    """The fenced blocks of a Markdown text, in its order."""
    found, end = [], 0
    for match in _FENCE.finditer(text):
        before = text[end : match.start()]
        needs: list[str] = []
        file = None
        rest = before
        while mark := _MARK.search(rest):
            if mark[1] == "file":
                file = mark[2]
            else:
                needs += [name.strip() for name in mark[2].split(",")]
            rest = rest[: mark.start()]
        line = text.count("\n", 0, match.start()) + 1
        body = "\n".join(row.removeprefix(match[1]) for row in match[4].splitlines())
        adjacent = bool(found) and not before.strip()
        found.append(Block(page, line, match[3].lower(), body, tuple(needs), file, adjacent))
        end = match.end()
    return found


def agrees(expected: str, said: str) -> bool:
    """Whether an output is the expected one: see the module's text."""
    pattern, numbers = "", []
    for part in re.split(rf"(…|{_NUMBER.pattern})", expected):
        if part == "…":
            pattern += ".*?"
        elif _NUMBER.fullmatch(part):
            pattern += f"({_NUMBER.pattern})"
            numbers.append(part)
        else:
            pattern += re.escape(part)
    match = re.fullmatch(pattern, said, re.DOTALL)
    return match is not None and all(_near(one, other) for one, other in zip(numbers, match.groups()))


def _near(expected: str, said: str) -> bool:
    decimals = len(expected.partition(".")[2])
    if decimals == 0:
        return expected == said
    return abs(float(expected) - float(said)) <= 1.01 * 10**-decimals


def check_output(place: str, expected: str, said: str) -> None:
    """Raise AssertionError where an output, line by line, is not what a page shows."""
    if NOTICE not in expected:
        said = said.replace(NOTICE, "")
    wanted = [row.rstrip() for row in expected.strip("\n").splitlines()]
    rows = [row.rstrip() for row in said.strip("\n").splitlines()]
    while rows and not rows[-1]:
        rows.pop()
    assert _lines_agree(wanted, rows), f"{place}: shows\n{expected}\nand gives\n{said}"


def _lines_agree(wanted: list[str], rows: list[str]) -> bool:
    if not wanted:
        return not rows
    if wanted[0].strip() == "…":
        return any(_lines_agree(wanted[1:], rows[start:]) for start in range(len(rows) + 1))
    return bool(rows) and agrees(wanted[0], rows[0]) and _lines_agree(wanted[1:], rows[1:])


def run_python(block: Block, space: dict[str, Any]) -> str:
    """Run a block in a page's names, statement by statement; returns what it printed.

    Raises:
        AssertionError: where something comes out as other than the comment beside it says.
    """
    comments = _comments(block.text)
    lines = block.text.splitlines()
    said = io.StringIO()
    for node in ast.parse(block.text).body:
        heard = io.StringIO()
        value = None
        place = f"{block.place} + {node.lineno}"
        with redirect_stdout(heard):
            if isinstance(node, ast.Expr):
                value = eval(compile(ast.Expression(node.value), place, "eval"), space)
            else:
                exec(compile(ast.Module([node], []), place, "exec"), space)
        said.write(heard.getvalue())
        last = node.end_lineno or node.lineno
        if not isinstance(node, ast.Expr):
            continue
        beside = comments.get(last)
        if ast.unparse(node).startswith("print("):
            if beside is not None:
                check_output(place, beside, heard.getvalue())
            continue
        if beside is not None and _is_literal(beside):
            assert agrees(beside, repr(value)), f"{place}: shows {beside} and gives {value!r}"
        below = []
        while last + 1 in comments and lines[last].lstrip().startswith("#"):
            last += 1
            below.append(comments[last])
        if below:
            shown = "".join(below)
            assert agrees(shown.strip(), repr(value)), f"{place}: shows {shown} and gives {value!r}"
    return said.getvalue()


def check_python(block: Block) -> None:
    """Of a block that is not run: that it is Python, and that what it imports is there."""
    for node in ast.walk(ast.parse(block.text, block.place)):
        if isinstance(node, ast.Import):
            for name in node.names:
                importlib.import_module(name.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for name in node.names:
                assert hasattr(module, name.name), f"{block.place}: {node.module} has no {name.name}"


def check_data(block: Block) -> None:
    """JSON whole or line by line, or YAML."""
    if block.language == "yaml":
        import yaml

        yaml.safe_load(block.text)
        return
    try:
        json.loads(block.text)
    except ValueError:
        for line in block.text.splitlines():
            json.loads(line)


def sessions(text: str) -> Iterator[tuple[str, str | None]]:
    """Commands of a shell block with what is shown below each, None where nothing is."""
    if not re.search(r"^\$ ", text, re.MULTILINE):
        yield text, None
        return
    command: list[str] = []
    shown: list[str] = []
    continued = False
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield "\n".join(command), "\n".join(shown).strip("\n") or None
            command, shown = [line[2:]], []
        elif continued:
            command.append(line.removeprefix("> "))
        else:
            shown.append(line)
        continued = (line.startswith("$ ") or continued) and line.rstrip().endswith("\\")
    yield "\n".join(command), "\n".join(shown).strip("\n") or None


def _comments(text: str) -> dict[int, str]:
    """Comments by line, without their mark."""
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string.lstrip("#").strip() for token in found if token.type == tokenize.COMMENT}


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def commands_of(docstring: str | None) -> list[str]:
    """The command lines that a program's help shows, continuation lines joined."""
    text = re.sub(r" *\\\n\s*", " ", docstring or "")
    rows = (line.strip() for line in text.splitlines())
    return [row for row in rows if re.match(r"(python (-m )?[\w./]+|heartllm|torchrun) ?.*", row) and " " in row]


def page_of(root: Path, path: Path) -> tuple[str, list[Block]]:
    """A page's name and its blocks."""
    name = path.relative_to(root).as_posix()
    return name, blocks_of(name, path.read_text(encoding="utf-8"))
