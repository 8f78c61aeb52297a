from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import datasets
import psutil
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.engine import build, first_records, split_shards
from hf_heartllm.models.ecg_record import ECGError
from tests.dataset_builders.toy import Flat, Nested, Toy

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "index.csv").write_text("\n".join(map(str, range(1, 101))))
    return folder


def toy(source: Path, **settings: float) -> Toy:
    return Toy(source=source, cache_dir=str(source.parent / "cache"), **settings)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def command(source: Path, output: Path, *arguments: str) -> list[str]:
    script = str(Path(__file__).parent / "toy.py")
    cache = str(source.parent / "cache")
    return [sys.executable, script, "--source", str(source), "--cache", cache, "--output", str(output), *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def ids(output: Path) -> list[int]:
    return [i for split in ("train", "test") for p in sorted(output.rglob(f"{split}-*.parquet")) for i in _ids(p)]


def _ids(path: Path) -> Iterator[int]:
    return iter(pq.read_table(path, columns=["id"])["id"].to_pylist())


def test_load_dataset_reads_the_folder_whole_and_streaming_and_again_after_a_rebuild(
    source: Path, tmp_path: Path
) -> None:
    output, cache = tmp_path / "out", str(tmp_path / "hub-cache")
    report = build(toy(source), output, card="# Toy", progress=False)
    assert (report.num_rows, report.missing, report.written) == (100, 0, 10)
    whole = datasets.load_dataset(str(output), cache_dir=cache)
    assert {split: rows.num_rows for split, rows in whole.items()} == {"train": 70, "test": 30}
    assert whole["train"].features == toy(source).info.features
    assert whole["train"][1]["signal"] == [[2.0, 2.0]] * 3
    streamed = datasets.load_dataset(str(output), streaming=True, split="test")
    assert [row["id"] for row in streamed] == list(range(71, 101))

    build(toy(source, scale=5.0), output, card="# Toy", progress=False)
    assert datasets.load_dataset(str(output), cache_dir=cache)["train"][1]["signal"] == [[10.0, 10.0]] * 3
    assert len(list(output.rglob("*.parquet"))) == 10, "the shards of the former build are gone"


@pytest.mark.slow
def test_killed_and_run_again_it_gives_the_same_bytes_and_keeps_whole_shards(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    process = subprocess.Popen(
        command(source, output, "--num-proc", "2", "--pause", "0.02"), env=environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list(output.rglob("*.parquet")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "workers outlive the build"
    kept = {path.name: path.stat().st_ino for path in output.rglob("*.parquet")}
    assert 0 < len(kept) < 10
    assert not (output / "README.md").exists()

    done = subprocess.run(command(source, output, "--pause", "0.02", "--quiet"), env=environment(), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert {path.name: path.stat().st_ino for path in output.rglob("*.parquet")}.items() >= kept.items()
    again = tmp_path / "again"
    done = subprocess.run(command(source, again, "--pause", "0.02", "--num-proc", "3"), env=environment())
    assert done.returncode == 0
    assert content(again) == content(output)
    assert ids(output) == list(range(1, 101))


def test_parts_built_apart_are_the_whole(source: Path, tmp_path: Path) -> None:
    build(toy(source), tmp_path / "whole", progress=False, card="# Toy")
    output = tmp_path / "parts"
    reports = [build(toy(source), output, shard=(part, 3), progress=False, card="# Toy") for part in (2, 0, 1)]
    assert [report.missing > 0 for report in reports] == [True, True, False]
    assert content(output) == content(tmp_path / "whole")
    with pytest.raises(ValueError, match="count from 0/3 to 2/3"):
        build(toy(source), output, shard=(3, 3), progress=False)


def test_a_damaged_record_is_named_and_fatal_or_left_out(source: Path, tmp_path: Path) -> None:
    (source / "13.dat").write_text("")
    with pytest.raises(ECGError, match=r"13\.dat: the file is empty; --on-error skip leaves it out"):
        build(toy(source), tmp_path / "out", progress=False)
    assert not (tmp_path / "out" / "README.md").exists()
    report = build(toy(source), tmp_path / "out", on_error="skip", progress=False)
    assert report.skipped == [("record 13", "13.dat: the file is empty")]
    assert "`record 13`: 13.dat: the file is empty" in (tmp_path / "out" / "README.md").read_text()
    again = build(toy(source), tmp_path / "out", on_error="skip", progress=False)
    assert (again.written, again.skipped) == (0, report.skipped), "a build that kept its shards knows what they lack"

    (source / "13.dat").write_text("7")  # mended: only its shard is made anew
    mended = build(toy(source), tmp_path / "out", on_error="skip", progress=False)
    assert (mended.written, mended.skipped, mended.num_rows) == (1, [], 100)


def test_a_changed_source_gives_new_rows_from_the_builder_too(source: Path) -> None:
    first = toy(source)
    first.download_and_prepare()
    assert first.as_dataset(split="train").num_rows == 70
    (source / "index.csv").write_text("5\n6\n7\n8\n9")
    second = toy(source)
    second.download_and_prepare()
    assert second.as_dataset(split="train")["id"][:] == [5, 6, 7]


def test_counts_per_split_are_printed_and_stand_in_the_card(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = subprocess.run(command(source, output, "--quiet"), env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| train |   70 |" in done.stdout
    asked = sum(key % 3 for key in range(1, 71) if key % 2 == 0)
    assert f"| verify                  |    {asked} |" in done.stdout
    assert f"| verify                  |    {asked} |" in (output / "README.md").read_text()
    bad = subprocess.run(command(source / "none", output, "--quiet"), env=environment(), capture_output=True, text=True)
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)


def test_two_configurations_share_a_folder(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    build(toy(source), output, progress=False)
    cache = str(tmp_path / "cache")
    build(Toy(config_name="scaled", source=source, scale=2.0, cache_dir=cache), output, progress=False)
    assert datasets.load_dataset(str(output), cache_dir=cache)["train"][0]["signal"][0] == [1.0, 1.0]
    assert datasets.load_dataset(str(output), "scaled", cache_dir=cache)["train"][0]["signal"][0] == [2.0, 2.0]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(1, 200))
def test_max_records_takes_the_first_of_each_split_and_no_more(sizes: list[int], wanted: int) -> None:
    plan = [one for n, size in enumerate(sizes) for one in split_shards(f"s{n}", list(range(size)), 7)]
    cut = first_records(plan, wanted)
    assert sum(len(one.keys) for one in cut) == min(wanted, sum(sizes))
    for n in range(len(sizes)):
        keys = [key for one in cut if one.split == f"s{n}" for key in one.keys]
        assert keys == list(range(len(keys)))


def test_the_footer_tells_what_a_shard_is_made_from(source: Path, tmp_path: Path) -> None:
    build(toy(source), tmp_path / "out", progress=False)
    path = sorted(tmp_path.rglob("train-*.parquet"))[0]
    footer = json.loads(pq.read_metadata(path).metadata[b"dataset_builders"])
    assert footer["counts"]["kind"] == {"0": 5, "1": 5}
    path.write_bytes(path.read_bytes()[:-50])  # broken off: no footer
    assert build(toy(source), tmp_path / "out", progress=False).written == 1


def flat(source: Path) -> Flat:
    return Flat(source=source, cache_dir=str(source.parent / "cache"))


def test_one_file_holds_the_rows_of_all_shards_and_nothing_is_left_beside_it(source: Path, tmp_path: Path) -> None:
    for name, table in (("rows.parquet", pq.read_table), ("rows.csv", pacsv.read_csv)):
        output = tmp_path / "out" / name
        for _ in range(2):  # and again over the first
            report = build(flat(source), output, progress=False)
        assert (report.output, report.num_rows, report.missing) == (output, 100, 0)
        assert table(output)["id"].to_pylist() == list(range(1, 101))
    assert output.read_text().splitlines()[:3] == ["id,half,even,name", "1,0.5,0,", '2,1,1,"2,"']
    assert sorted(path.name for path in output.parent.iterdir()) == ["rows.csv", "rows.parquet"]


def test_parts_of_one_file_are_joined_when_the_last_is_there(source: Path, tmp_path: Path) -> None:
    for part in (1, 0):
        assert not (tmp_path / "rows.csv").exists()
        build(flat(source), tmp_path / "rows.csv", shard=(part, 2), progress=False)
    build(flat(source), tmp_path / "whole.csv", progress=False)
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_one_file_cannot_hold_is_said_before_anything_is_made(source: Path, tmp_path: Path) -> None:
    (tmp_path / "there.csv").mkdir()
    (tmp_path / "plain").write_text("")
    for output, one, why in (
        ("rows.parquet", toy(source), "one file holds one split, these rows have train, test; name a folder"),
        ("there.csv", flat(source), "there.csv: a folder"),
        ("codes.npz", flat(source), "codes.npz: a file; name a folder"),
        ("plain", flat(source), "plain: a file; name a folder to write, or one file *.parquet or *.csv"),
    ):
        with pytest.raises(ValueError, match=re.escape(why)):
            build(one, tmp_path / output, progress=False)
    with pytest.raises(ValueError, match="a CSV table cannot hold the column kind"):
        build(Nested(source=source, cache_dir=str(tmp_path / "cache")), tmp_path / "rows.csv", progress=False)
    assert not list(tmp_path.glob(".*"))


def test_a_file_that_a_shard_wrote_and_that_is_gone_is_made_again(source: Path, tmp_path: Path) -> None:
    assert build(flat(source), tmp_path / "out", progress=False).written == 10
    assert build(flat(source), tmp_path / "out", progress=False).written == 0
    (source / "wrote-7.txt").unlink()
    assert build(flat(source), tmp_path / "out", progress=False).written == 1
    assert (source / "wrote-7.txt").is_file()


def test_without_the_library_it_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['datasets'] = None\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    for module, said in (("simulated", "datasets is not installed: pip install"), ("ptbxl_folder", "no such folder")):
        command = [sys.executable, "-m", f"dataset_builders.{module}", str(tmp_path / "none")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert said in line
