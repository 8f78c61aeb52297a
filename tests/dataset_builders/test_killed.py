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
    """A folder with a table of 1,200 invented records, all in fold 9, without recordings."""
    folder = tmp_path_factory.mktemp("ptb-xl")
    lines = ["ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr"]
    codes = ("{'SR': 0.0, 'NORM': 100.0}", "{'AFIB': 0.0, 'LVH': 15.0}", "{'SR': 0.0, 'IMI': 0.0}", "{'LVH': 50.0}")
    lines += [f'{i},{i},60,{i % 2},"{codes[i % 4]}",9,lr/{i}_lr,hr/{i}_hr' for i in range(1, 1201)]
    (folder / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulated.build(24, folder, seed=1)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    """What is not hidden; a recording that was being written when its process was killed lies in a hidden folder."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    shown = {name: path for name, path in files.items() if not any(part.startswith(".") for part in name.parts)}
    return {str(name): path.read_bytes() for name, path in shown.items()}


def whole_shards(folder: Path) -> list[Path]:
    try:
        return list(folder.rglob("*-of-*.parquet"))
    except FileNotFoundError:  # a folder that was being written took its name while this one looked
        return []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "shard", "options", "source", "name"),
    [
        ("training_rows", ("RECORDS_PER_SHARD", 200), ("--folds", "9"), "table", "rows.parquet"),
        ("evaluation_questions", ("KEYS_PER_SHARD", 400), (), "table", "questions.parquet"),
        ("measurements", ("RECORDS_PER_SHARD", 4), ("--sampling-rate", "100"), "recordings", "measurements.csv"),
        ("simulated", ("RECORDS_PER_SHARD", 8), ("--records", "48"), None, ""),
    ],
)
def test_killed_and_run_again_it_ends_in_the_same_file(
    module: str,
    shard: tuple[str, int],
    options: tuple[str, ...],
    source: str | None,
    name: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    words = [*options, *(("--ptbxl", str(request.getfixturevalue(source))) if source else ())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    program = f"""
from dataset_builders import {module}
if __name__ == "__main__":
    {module}.{shard[0]} = {shard[1]}
    raise SystemExit({module}.main())
"""
    (tmp_path / "program.py").write_text(program)

    def command(folder: str) -> list[str]:
        output = str(tmp_path / folder / name) if name else str(tmp_path / folder)
        return [sys.executable, str(tmp_path / "program.py"), *words, "--output", output, "--quiet"]

    process = subprocess.Popen([*command("killed"), "--num-proc", "2"], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not (shards := whole_shards(tmp_path / "killed")):
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
