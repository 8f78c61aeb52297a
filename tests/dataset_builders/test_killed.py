"""Builds of single files that are killed without warning: whole shards are kept, and the file is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dataset_builders import simulated

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of 6,000 invented records, all in fold 9, without recordings."""
    folder = tmp_path_factory.mktemp("ptb-xl")
    lines = ["ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr"]
    codes = ("{'SR': 0.0, 'NORM': 100.0}", "{'AFIB': 0.0, 'LVH': 15.0}", "{'SR': 0.0, 'IMI': 0.0}", "{'LVH': 50.0}")
    lines += [f'{i},{i},60,{i % 2},"{codes[i % 4]}",9,lr/{i}_lr,hr/{i}_hr' for i in range(1, 6001)]
    (folder / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulated.build(140, folder, seed=1)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "source", "name"),
    [
        ("training_rows", "table", "rows.parquet"),
        ("evaluation_questions", "table", "questions.parquet"),
        ("measurements", "recordings", "measurements.csv"),
        ("simulated", None, ""),
    ],
)
def test_killed_and_run_again_it_ends_in_the_same_file(
    module: str, source: str | None, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    options = {
        "training_rows": ["--folds", "9"],
        "measurements": ["--sampling-rate", "100"],
        "simulated": ["--records", "140"],
    }.get(module, [])
    if source:
        options += ["--source", str(request.getfixturevalue(source))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def command(folder: str) -> list[str]:
        output = str(tmp_path / folder / name) if name else str(tmp_path / folder)
        return [sys.executable, "-m", f"dataset_builders.{module}", *options, "--output", output, "--quiet"]

    process = subprocess.Popen([*command("killed"), "--num-proc", "2"], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not (shards := list((tmp_path / "killed").rglob("*-of-*.parquet"))):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "workers outlive the build"
    assert not (tmp_path / "killed" / (name or "ptbxl_database.csv")).exists()

    done = subprocess.run(command("killed"), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written, (first, *_) = done.stdout.split(" shards written")[0].rpartition(" ")[2], shards
    count = int(first.name.split("-of-")[1][:5])
    assert int(written) < count, "a whole shard is made only once"
    done = subprocess.run([*command("whole"), "--num-proc", "2"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert _files(tmp_path / "killed") == _files(tmp_path / "whole")
