from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hf_heartllm.evaluation import results
from hf_heartllm.evaluation.results import ResultRow, machine_words, meets_bar, read_result_rows, write_result_rows

ROW = ResultRow(
    name="auroc",
    value=0.97,
    interval=(0.95, 0.98),
    bar=">= 0.95",
    unit="fraction",
    data="fold 9",
    command="python measure.py",
    commit="abc",
    machine="2 CPU cores",
)


def test_rows_are_merged_by_name_in_their_order(tmp_path):
    path = tmp_path / "results" / "path.json"
    write_result_rows(path, [ROW, replace(ROW, name="accuracy", interval=None)])
    write_result_rows(path, [replace(ROW, value=0.99), replace(ROW, name="new")])
    rows = read_result_rows(path)
    assert [(row.name, row.value) for row in rows] == [("auroc", 0.99), ("accuracy", 0.97), ("new", 0.97)]
    assert rows[0].interval == (0.95, 0.98)
    assert rows[1].interval is None
    assert list(json.loads(path.read_text())[0]) == [
        "name", "value", "interval", "bar", "unit", "data", "command", "commit", "machine",
    ]  # fmt: skip


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "path.json"
    write_result_rows(path, [ROW])

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(results.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_result_rows(path, [replace(ROW, value=0.1)])
    assert read_result_rows(path) == [ROW]
    assert [entry.name for entry in tmp_path.iterdir()] == ["path.json"]


def test_a_name_stands_for_one_figure(tmp_path):
    with pytest.raises(ValueError, match="same name"):
        write_result_rows(tmp_path / "path.json", [ROW, ROW])


def test_the_machine_is_told_in_general_words():
    assert machine_words().split(",")[0].endswith("CPU cores")


def test_a_bar_is_judged_by_the_unrounded_value_or_by_the_whole_interval():
    assert meets_bar(replace(ROW, value=0.9496)) is False
    assert meets_bar(replace(ROW, value=0.95)) is True
    margin = replace(ROW, value=0.1, interval=(-0.001, 0.2), bar="interval > 0")
    assert meets_bar(margin) is False
    assert meets_bar(replace(margin, interval=(0.001, 0.2))) is True
    assert meets_bar(replace(margin, interval=None)) is None
    assert meets_bar(replace(ROW, bar=None)) is None
    assert meets_bar(replace(ROW, bar="as the paper")) is None
