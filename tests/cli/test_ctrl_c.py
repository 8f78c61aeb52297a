"""Ctrl-C is one line and exit code 130, at whatever moment it comes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hf_heartllm.interrupts import INTERRUPTED

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


def stopped_after(delay: float, *words: str) -> tuple[int, list[str]]:
    """Run Python with these arguments; interrupt it so long after its first sign of life. Exit code, other lines."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )
    first = process.stderr.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert "Traceback" not in first + rest, first + rest
    return process.wait(), [line for line in rest.splitlines() if line and not line.endswith("…")]


ASK = ("-m", "hf_heartllm.cli", "ask", "example:af", "example:normal", "-q", "AF?")


def test_while_modules_are_loaded():
    assert stopped_after(0.2, *ASK) == (INTERRUPTED, ["heartllm: stopped"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_at_any_moment(seed):
    code, lines = stopped_after(random.Random(seed).uniform(0, 8), *ASK)
    assert (code, lines) in ((INTERRUPTED, ["heartllm: stopped"]), (0, []))


SCRIPT = """
import sys, time
from hf_heartllm.interrupts import run_interruptible
def main():
    try:
        print("begun", file=sys.stderr, flush=True)
        time.sleep(60)
    finally:
        open(sys.argv[1], "w").write("put in order")
sys.exit(run_interruptible(main, "script"))
"""


def test_what_is_half_done_is_put_in_order(tmp_path):
    done = tmp_path / "done.txt"
    assert stopped_after(0, "-c", SCRIPT, str(done)) == (INTERRUPTED, ["script: stopped"])
    assert done.read_text() == "put in order"


def test_a_builder_says_one_line(tmp_path):
    code, lines = stopped_after(0.3, "-m", "dataset_builders.simulated", "--output", str(tmp_path / "built"))
    assert code in (INTERRUPTED, -signal.SIGINT)  # a shell calls both 130
    assert "stopped" in lines[-1]
