"""Rows of folds and devices, and draws of equal size from them."""

from __future__ import annotations

import pandas as pd
import pytest

from hf_heartllm.labels.ptbxl import of_devices
from hf_heartllm.training.row_choice import choose_rows

ROWS = [{"record_id": str(index), "strat_fold": 1 + index % 3} for index in range(60)]


def test_a_draw_is_of_the_wanted_folds_and_devices_and_spread_over_them():
    wanted = {str(i) for i in range(0, 60, 2)}
    rows = choose_rows(ROWS, {1, 2}, of_devices=wanted)
    assert [row["record_id"] for row in rows] == [str(i) for i in range(60) if i % 2 == 0 and i % 3 < 2]
    drawn = [row["record_id"] for row in choose_rows(ROWS, {1, 2}, of_devices=wanted, max_records=8, seed=3)]
    assert drawn == sorted(drawn, key=int)
    assert set(drawn) < {row["record_id"] for row in rows}
    assert drawn != [row["record_id"] for row in rows[:8]]
    assert drawn == [row["record_id"] for row in choose_rows(ROWS, {1, 2}, of_devices=wanted, max_records=8, seed=3)]
    assert drawn != [row["record_id"] for row in choose_rows(ROWS, {1, 2}, of_devices=wanted, max_records=8, seed=4)]


def test_a_draw_is_of_records_with_codes_or_refused():
    codes = {str(i) for i in range(30)}
    assert {row["record_id"] for row in choose_rows(ROWS, {1, 2, 3}, max_records=30, with_codes=codes)} == codes
    with pytest.raises(ValueError, match="max_records 31: there are 30 records"):
        choose_rows(ROWS, {1, 2, 3}, max_records=31, with_codes=codes)
    with pytest.raises(ValueError, match="no rows of folds"):
        choose_rows(ROWS, {4})


def test_devices_are_named_by_how_they_begin_and_unknown_ones_belong_to_none():
    table = pd.DataFrame(
        {"ecg_id": [1, 2, 3, 4, 5], "device": ["CS-12   E", " cs100", "AT-6 C 5.5", None, float("nan")]}
    )
    assert of_devices(table, "CS")["ecg_id"].tolist() == [1, 2]
    assert of_devices(table, "at")["ecg_id"].tolist() == [3]
    for prefix in ("XY", " "):
        with pytest.raises(ValueError, match="no record of a device"):
            of_devices(table, prefix)
    with pytest.raises(ValueError, match="no record of a device"):
        of_devices(table.drop(columns="device"), "CS")
