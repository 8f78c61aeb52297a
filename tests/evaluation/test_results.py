from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hf_heartllm.evaluation import results
from hf_heartllm.evaluation.results import Result, machine_words, meets_target, read_results, write_results

ROW = Result(
    name="auroc",
    value=0.97,
    interval=(0.95, 0.98),
    target=">= 0.95",
    unit="fraction",
    data="fold 9",
    command="python measure.py",
    commit="abc",
    machine="2 CPU cores",
)


def test_rows_are_merged_by_name_in_their_order(tmp_path):
    path = tmp_path / "results" / "path.json"
    write_results(path, [ROW, replace(ROW, name="accuracy", interval=None)])
    write_results(path, [replace(ROW, value=0.99), replace(ROW, name="new")])
    rows = read_results(path)
    assert [(row.name, row.value) for row in rows] == [("auroc", 0.99), ("accuracy", 0.97), ("new", 0.97)]
    assert rows[0].interval == (0.95, 0.98)
    assert rows[1].interval is None
    assert list(json.loads(path.read_text())[0]) == [
        "name", "value", "interval", "target", "unit", "data", "command", "commit", "machine",
    ]  # fmt: skip


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "path.json"
    write_results(path, [ROW])

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(results.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_results(path, [replace(ROW, value=0.1)])
    assert read_results(path) == [ROW]
    assert [entry.name for entry in tmp_path.iterdir()] == ["path.json"]


def test_a_name_stands_for_one_figure(tmp_path):
    with pytest.raises(ValueError, match="same name"):
        write_results(tmp_path / "path.json", [ROW, ROW])


def test_the_machine_is_told_in_general_words(monkeypatch):
    assert machine_words().split(",")[0].endswith("CPU cores")
    cores = {0: {1, 2, 3}}  # of this process, and of no other
    monkeypatch.setattr("os.sched_getaffinity", cores.__getitem__, raising=False)
    assert machine_words().split(",")[0] == "3 CPU cores"


def test_a_bar_is_judged_by_the_unrounded_value_or_by_the_whole_interval():
    assert meets_target(replace(ROW, value=0.9496)) is False
    assert meets_target(replace(ROW, value=0.95)) is True
    margin = replace(ROW, value=0.1, interval=(-0.001, 0.2), target="interval > 0")
    assert meets_target(margin) is False
    assert meets_target(replace(margin, interval=(0.001, 0.2))) is True
    assert meets_target(replace(margin, interval=None)) is None
    assert meets_target(replace(ROW, target=None)) is None
    assert meets_target(replace(ROW, target="as the paper")) is None
