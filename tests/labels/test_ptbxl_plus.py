"""12SL's table comes in the columns of `measure`."""

from __future__ import annotations

import numpy as np
import pytest

from hf_heartllm.ecg.measurements import COLUMNS
from hf_heartllm.labels.ptbxl_plus import GLOBAL_COLUMNS, LEAD_COLUMNS, read_12sl_features

HEADER = "ecg_id,HR__Global,PR_Int_Global,QRS_Dur_Global,R_AxisFrontal_Global,S_Amp_V1,Rp_Amp_V1\n"


def test_the_same_columns_with_what_is_absent_missing(tmp_path):
    (tmp_path / "features").mkdir()
    text = HEADER + "2,70,160,90,-20,0.8,0\n1,110,0,140,-3276,-1.2,0.3\n"
    (tmp_path / "features" / "12sl_features.csv").write_text(text)
    table = read_12sl_features(tmp_path, COLUMNS)
    assert tuple(table.columns) == COLUMNS
    assert list(table.index) == [2, 1]
    assert table.loc[2, ["heart_rate", "pr_ms", "qrs_ms", "axis_deg"]].tolist() == [70, 160, 90, -20]
    assert np.isnan(table.loc[1, "axis_deg"])  # -3276: 12SL could not tell
    assert np.isnan(table.loc[1, "pr_ms"])  # 0: no P wave
    assert table["V1_s_mv"].tolist() == [-0.8, -1.2]  # with its sign, whatever the table's
    assert table["V1_r_prime_mv"].tolist() == [0, 0.3]
    assert table["V1_st_j_mv"].isna().all()
    assert table["qt_ms"].isna().all()


def test_every_counterpart_is_a_column_of_measure():
    assert set(GLOBAL_COLUMNS) <= set(COLUMNS)
    assert {f"V1_{name}" for name in LEAD_COLUMNS} <= set(COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no column ecg_id"),
        (HEADER + "1,,,,,,\n1,,,,,,\n", "more than once"),
        ("ecg_id,x\n1,2\n", "none of"),
    ],
)
def test_another_table_is_refused(tmp_path, text, message):
    path = tmp_path / "12sl_features.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_12sl_features(path, COLUMNS)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"12sl_features\.csv"):
        read_12sl_features(tmp_path, COLUMNS)
