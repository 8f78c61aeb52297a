"""Shell lines of the documentation, run by bash, with our own programs answered by the test's process.

Starting Python and loading a model for each line would take minutes. So the folder of programs that bash looks into
first holds one small client: whatever it is called as, it asks the test, which runs the `main` that the program runs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
import tempfile
import tomllib
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from hf_heartllm import cli
from hf_heartllm.training.recipes import find_recipe, read_recipe
from hf_heartllm.training.settings import (
    AlignRecipe,
    BaseRecipe,
    CodecRecipe,
    EncoderRecipe,
    FinetuneRecipe,
    GroundRecipe,
    PretrainRecipe,
)

from .documents import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
SEPARATOR = "\x1e"
RECIPES = {
    "align": AlignRecipe,
    "base": BaseRecipe,
    "codec": CodecRecipe,
    "encoder": EncoderRecipe,
    "ground": GroundRecipe,
    "pretrain": PretrainRecipe,
    "finetune": FinetuneRecipe,
}
HARMLESS = ("cp", "mv", "rm", "mkdir", "ln")
"""Commands that do nothing where lines are only checked."""

_CLIENT = """#!{python} -SE
import json, os, socket, stat, sys
kind = os.fstat(0).st_mode
told = sys.stdin.read() if stat.S_ISFIFO(kind) or stat.S_ISREG(kind) else ""
asked = {{"argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]], "cwd": os.getcwd(), "stdin": told}}
with socket.socket(socket.AF_UNIX) as to:
    to.connect({address!r})
    to.sendall(json.dumps(asked).encode())
    to.shutdown(socket.SHUT_WR)
    answer = json.loads(b"".join(iter(lambda: to.recv(65536), b"")))
sys.stderr.write(answer["stderr"])
sys.stdout.write(answer["stdout"])
sys.stdout.flush()
sys.exit(answer["rc"])
"""


class _Parsed(BaseException):
    """The arguments are understood; no more was asked."""


def run_lines(lines: Sequence[str], folder: Path, *, only_checked: bool = False) -> list[str]:
    """Run shell lines one after the other in one shell.

    Args:
        lines: each may be several lines; variables and folders stay from one to the next.
        folder: where the shell begins.
        only_checked: have each program read its arguments and do nothing.

    Returns:
        What each printed on stdout.

    Raises:
        AssertionError: where one ends with an exit code other than 0; the message holds what it said.
    """
    script = ["set -eu -o pipefail", *(["cd() { :; }"] if only_checked else [])]
    for line in lines:
        script += [line, f"printf '{SEPARATOR}'"]
    with tempfile.TemporaryDirectory(prefix="sh") as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/socket")
        server.listen()
        server.settimeout(0.05)
        programs = {*COMMANDS, *(HARMLESS if only_checked else ())}
        _write_clients(Path(short) / "bin", f"{short}/socket", programs)
        with open(f"{short}/out", "w+") as out, open(f"{short}/err", "w+") as err:
            process = subprocess.Popen(
                ["bash", "-c", "\n".join(script)],
                cwd=folder,
                env={**os.environ, "PATH": f"{short}/bin{os.pathsep}{os.environ['PATH']}"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
            try:
                while process.poll() is None:
                    with contextlib.suppress(TimeoutError):
                        _answer(server.accept()[0], only_checked)
            finally:
                process.kill()
                process.wait()
            out.seek(0)
            err.seek(0)
            said, complaint = out.read(), err.read()
    assert process.returncode == 0, f"{lines}\n{said[-1500:]}\n{complaint[-3000:]}"
    return said.split(SEPARATOR)[: len(lines)]


def _write_clients(folder: Path, address: str, names: set[str]) -> None:
    folder.mkdir()
    client = folder / ".client"
    client.write_text(_CLIENT.format(python=sys.executable, address=address))
    client.chmod(0o755)
    for name in names:
        (folder / name).symlink_to(client)


def _answer(connection: socket.socket, only_checked: bool) -> None:
    with connection:
        asked = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
        out, err = io.StringIO(), io.StringIO()
        with _as_if_started(asked["cwd"], asked["stdin"]), redirect_stdout(out), redirect_stderr(err):
            try:
                code = (_check if only_checked else _run)(asked["argv"])
            except _Parsed:
                code = 0
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else int(error.code is not None)
                if isinstance(error.code, str):
                    print(error.code, file=sys.stderr)
            except Exception:
                code = 1
                traceback.print_exc()
        answer = {"stdout": out.getvalue(), "stderr": err.getvalue(), "rc": code}
        connection.sendall(json.dumps(answer).encode())


@contextlib.contextmanager
def _as_if_started(folder: str, told: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(told.encode()))):
            yield
    finally:
        os.chdir(before)


def _run(argv: list[str]) -> int:
    program, *arguments = argv
    if program == "heartllm":
        return cli.main(arguments)
    if program in ("make", "pip", "git"):
        return _check(argv)  # they change the machine, not the folder
    if program in ("python", "python3") and arguments[:1] == ["-m"] and not _is_script(arguments):
        return _module(arguments[1], arguments[2:])
    if program in ("python", "python3"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        return done.returncode
    raise AssertionError(f"{shlex.join(argv)}: nothing here runs {program}; say in the page what it needs")


def _is_script(arguments: list[str]) -> bool:
    return not arguments[1].startswith(("dataset_builders", "hf_heartllm"))


def _module(name: str, arguments: list[str]) -> int:
    with mock.patch.object(sys, "argv", [name, *arguments]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning)  # it was imported by another test
        runpy.run_module(name, run_name="__main__", alter_sys=True)  # classes find their module, as with `-m`
    return 0


def _check(argv: list[str]) -> int:
    program, *arguments = argv
    if program == "torchrun" or arguments[:2] == ["-m", "torch.distributed.run"]:
        while arguments and not arguments[0].endswith(".py"):
            del arguments[0]
        program = "python"
    if program == "heartllm":
        return _parse(lambda: cli.main(arguments), arguments)
    if program in ("python", "python3") and arguments[:1] == ["-m"] and not _is_script(arguments):
        return _parse(lambda: _module(arguments[1], arguments[2:]), arguments)
    if program in ("python", "python3") and arguments and arguments[0].endswith(".py"):
        script = ROOT / arguments[0]
        if script.is_file():  # else one that the text has the reader write
            return _parse(lambda: _script(script, arguments[1:]), arguments)
    if program == "make":
        command = ["make", "-n", "-C", str(ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MAKEFLAGS": ""})
        sys.stderr.write(done.stderr)
        return done.returncode
    if program == "pip":
        _check_extras(arguments)
    return 0


def _script(path: Path, arguments: list[str]) -> int:
    beside = [str(path.parent), *sys.path]
    with mock.patch.object(sys, "argv", [str(path), *arguments]), mock.patch.object(sys, "path", beside):
        runpy.run_path(str(path), run_name="__main__")
    return 0


def _parse(start: object, arguments: list[str]) -> int:
    """Have a program read its arguments; recipes and what `--set` changes in them are read too."""
    if "--recipe" in arguments or "--config" in arguments:
        option = "--recipe" if "--recipe" in arguments else "--config"
        changes = _settings(arguments)
        path = find_recipe(arguments[arguments.index(option) + 1])
        read_recipe(path, RECIPES[path.stem.partition("_")[0]], changes)
    parse_args = argparse.ArgumentParser.parse_args

    def parsed(*args: object, **settings: object) -> None:
        parse_args(*args, **settings)  # type: ignore[arg-type]
        raise _Parsed

    with mock.patch.object(argparse.ArgumentParser, "parse_args", parsed):
        code = start()  # type: ignore[operator]
    assert code, "the program did not read its arguments with argparse"
    return code


def _settings(arguments: list[str]) -> list[str]:
    """All that stands behind any `--set`, which takes one word or more."""
    found: list[str] = []
    option = None
    for word in arguments:
        if word.startswith("--"):
            option = word
        elif option == "--set":
            found.append(word)
    return found


def _check_extras(arguments: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in arguments:
        assert not word.startswith(project["name"]), f"{word}: the package is in no index; install from a clone"
        for names in re.findall(r"^\.\[(.*)\]$", word):
            unknown = {name.strip() for name in names.split(",")} - set(project["optional-dependencies"])
            assert not unknown, f"{word}: no extra {unknown}"
