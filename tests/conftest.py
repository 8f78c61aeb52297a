"""Fixtures that several rooms share: where the real recordings are, if anywhere."""

from __future__ import annotations

import os

# Before any import of a Hugging Face library: it reads this once. A test never asks the network.
os.environ["HF_HUB_OFFLINE"] = "1"
# Before torch is imported. Its threads wait for each other by spinning, which on a machine that is busy otherwise takes
# several times as long as the work; after this many turns (some microseconds) they sleep instead.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


# Marks of transformers' own common tests (tests/models/test_common.py), which `--strict-markers` would refuse.
# fmt: off
_MARKS_OF_TRANSFORMERS = (
    "accelerate_tests", "flash_attn_3_test", "flash_attn_4_test", "flash_attn_test", "generate", "is_agent_test",
    "is_expert_parallel_test", "is_fsdp_test", "is_pipeline_test", "is_staging_test", "is_tensor_parallel_test",
    "is_training_test", "order", "torch_compile_test", "torch_export_test",
)
# fmt: on


def pytest_configure(config: pytest.Config) -> None:
    for mark in _MARKS_OF_TRANSFORMERS:
        config.addinivalue_line("markers", f"{mark}: of transformers' common tests")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings: HEARTLLM_DATA, else `../shared/data` beside the checkout; skips without one."""
    stated = os.environ.get("HEARTLLM_DATA")
    folder = Path(stated) if stated else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real recordings: {folder} is not there (set HEARTLLM_DATA)")
    return folder


@pytest.fixture(scope="session")
def ptbxl_dir(data_dir: Path) -> Path:
    """A folder in PTB-XL's official layout with at least fold 9; unpacked once into `build/ptb-xl-fold-9` if packed."""
    if (data_dir / "ptbxl_database.csv").is_file():
        return data_dir
    script = data_dir / "unpack.py"
    if not script.is_file():
        pytest.skip(f"{data_dir} holds neither ptbxl_database.csv nor unpack.py")
    # not build/ptb-xl: training takes that folder for the whole set
    folder = REPOSITORY / "build" / "ptb-xl-fold-9"
    complete = folder / ".fold-9-is-complete"
    if not complete.is_file():
        command = [sys.executable, str(script), "--output", str(folder), "--fold", "9"]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, f"unpacking PTB-XL failed: {result.stdout[-500:]} {result.stderr[-500:]}"
        complete.touch()
    return folder
