"""Programs of ours in processes of their own, whose libraries are imported already.

Importing torch, transformers and trl takes longer than a training of a few steps, and some tests start a dozen. So a
server imports them once, and each program is a fork of it: a process like any other, with its own memory and files,
that can be killed. What all forks share is the seed of Python's hashes; a test that compares two runs starts one of
them afresh.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [f"hf_heartllm.scripts.{name}" for name in ("finetune", "ground", "make_base", "pretrain", "train_codec")]
)


class Forked:
    """A program on its way, with what tests use of `subprocess.Popen`.

    Args:
        words: what would stand behind `python`: a script of this repository or `-m` and a module, and its arguments.
        environment: beside this process's and `ENVIRONMENT`.

    Attributes:
        stdout: what it prints.
        returncode: None until it has ended and was waited for.
    """

    stdout: IO[str]

    def __init__(self, words: Sequence[object], environment: Mapping[str, str] | None = None) -> None:
        reader, writer = _SERVER.Pipe(duplex=False)
        self._errors = tempfile.NamedTemporaryFile("r")  # noqa: SIM115 (closed when this has ended)
        of_process = {**os.environ, **ENVIRONMENT, **(environment or {})}  # the server's is that of its own start
        told = ([str(word) for word in words], of_process, writer, self._errors.name)
        self._process = _SERVER.Process(target=_run, args=told)
        with mock.patch.dict(os.environ, ENVIRONMENT):  # the first start makes the server
            self._process.start()
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()), "r", encoding="utf-8", errors="replace")
        reader.close()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, a signal's number negative; None while it runs."""
        self.returncode = self._process.exitcode
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            if self._process.pid is not None:
                os.kill(self._process.pid, number)

    def wait(self) -> int | None:
        """Wait for its end; gives the exit code."""
        self._process.join()
        return self.poll()

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; gives what it said on stdout since the last line that was read, and on stderr."""
        with self.stdout:
            said = self.stdout.read()
        self.wait()
        with self._errors:
            return said, self._errors.read()


def _run(words: list[str], environment: dict[str, str], writer: object, errors: str) -> None:
    """In the fork: become the program."""
    os.dup2(writer.fileno(), 1)  # type: ignore[attr-defined]
    os.dup2(os.open(errors, os.O_WRONLY | os.O_APPEND), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        script = str(ROOT / words[0])  # its own processes begin in other folders
        sys.argv = [script, *words[1:]]
        runpy.run_path(script, run_name="__main__")


def run_forked(*words: object, expected: int = 0, errors: bool = False) -> str:
    """Run a program to its end.

    Args:
        words: as of `Forked`.
        expected: its exit code.
        errors: give what it said on stderr, too.

    Returns:
        What it said on stdout.

    Raises:
        AssertionError: if it ends otherwise, with the end of what it said.
    """
    process = Forked(words)
    said, complaint = process.communicate()
    assert process.returncode == expected, f"exit code {process.returncode}: {said[-1500:]}{complaint[-3000:]}"
    return said + complaint if errors else said
