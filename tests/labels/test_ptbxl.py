from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hf_heartllm.labels import ptbxl

HEADER = "ecg_id,patient_id,age,sex,height,weight,report,scp_codes,strat_fold,filename_lr,filename_hr\n"
# Invented rows in PTB-XL's form.
ROWS = (
    "8,20.0,300.0,1,,,,\"{'AFIB': 0.0, 'LVH': 35.0}\",9,records100/00000/00008_lr,records500/00000/00008_hr\n"
    "3,10.0,56.0,0,170.0,,text,\"{'NORM': 80.0, 'SR': 0.0}\",1,records100/00000/00003_lr,records500/00000/00003_hr\n"
)


def _folder(tmp_path: Path, text: str, source: str | None = None) -> Path:
    (tmp_path / "ptbxl_database.csv").write_text(text)
    if source is not None:
        (tmp_path / "ptbxl_row_source.csv").write_text(source)
    return tmp_path


def test_absent_values_stay_null_and_codes_become_dictionaries(tmp_path: Path) -> None:
    table = ptbxl.read_ptbxl_table(_folder(tmp_path, HEADER + ROWS))
    assert list(table["ecg_id"]) == [3, 8]
    assert table.loc[8, "scp_codes"] == {"AFIB": 0.0, "LVH": 35.0}
    assert table.loc[8, "age"] == ptbxl.AGE_OVER_89
    assert ptbxl.SEX[table.loc[8, "sex"]] == "female"
    assert table.loc[8, ["height", "weight", "report"]].isna().all()
    assert "row" not in table


def test_a_likelihood_of_zero_is_a_statement_all_the_same(tmp_path: Path) -> None:
    table = ptbxl.read_ptbxl_table(_folder(tmp_path, HEADER + ROWS))
    assert ptbxl.known_likelihoods(table.loc[8]) == {"AFIB": 0.0, "LVH": 35.0}
    assert ptbxl.statement_classes(table.loc[8, "scp_codes"])["rhythm"] == ["AFIB"]


def test_the_source_of_the_rows_is_joined_by_id_and_absent_where_it_is_not_given(tmp_path: Path) -> None:
    source = "ecg_id,row,hz100,hz500,likelihoods\n8,reconstructed,1,0,all-but-NORM\n"
    table = ptbxl.read_ptbxl_table(_folder(tmp_path, HEADER + ROWS, source))
    assert table.loc[8, "row"] == "reconstructed"
    assert table.loc[8, "likelihoods"] == "all-but-NORM"
    assert table.loc[[3], "row"].isna().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEADER.replace(",strat_fold", "") + ROWS.replace(",9,", ",").replace(",1,rec", ",rec"),
            "no column strat_fold",
        ),
        (HEADER + ROWS + ROWS, "ecg_id 8 occurs more than once"),
        (HEADER + ROWS.replace("AFIB", "AFB"), "ecg_id 8 names the unknown statement 'AFB'"),
        (HEADER + ROWS.replace("{'AFIB': 0.0, 'LVH': 35.0}", "AFIB"), "scp_codes of ecg_id 8"),
    ],
)
def test_a_damaged_table_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ptbxl.read_ptbxl_table(_folder(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_table_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give the folder of PTB-XL"):
        ptbxl.read_ptbxl_table(tmp_path)


def test_paths_at_both_rates_and_no_other(tmp_path: Path) -> None:
    row = ptbxl.read_ptbxl_table(_folder(tmp_path, HEADER + ROWS)).loc[3]
    assert ptbxl.record_path(row, 100) == "records100/00000/00003_lr"
    assert ptbxl.record_path(row, 500) == "records500/00000/00003_hr"
    with pytest.raises(ValueError, match="not at 250 Hz"):
        ptbxl.record_path(row, 250)


def test_folds() -> None:
    assert ptbxl.folds("1-3,9") == (1, 2, 3, 9)
    for wrong in ("", "0-3", "11", "3-1", "a"):
        with pytest.raises(ValueError, match="no list of folds"):
            ptbxl.folds(wrong)


def test_labels_import_neither_torch_nor_pandas() -> None:
    code = "import sys, hf_heartllm.labels.ptbxl; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
