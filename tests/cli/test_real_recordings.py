"""The embedded checkpoint on real recordings of fold 9, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hf_heartllm import cli
from hf_heartllm.labels.ptbxl import read_ptbxl_table

QUESTION = "Does this ECG show atrial fibrillation?"

pytestmark = pytest.mark.slow


def probability_of_fibrillation(capsys, record: Path) -> float:
    assert cli.main(["ask", str(record), QUESTION, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    return next(row["probability"] for row in result["alternatives"] if row["answer"] == "yes")


def first_records(folder: Path, code: str, column: str, count: int) -> list[Path]:
    table = read_ptbxl_table(folder)
    rows = table[(table["strat_fold"] == 9) & table["scp_codes"].map(lambda codes: code in codes)]
    paths = [folder / name for name in rows[column] if (folder / f"{name}.hea").is_file()]
    return paths[:count]


def test_fibrillation_is_found_likelier_than_in_sinus_rhythm(capsys, ptbxl_dir):
    shares = {
        code: [probability_of_fibrillation(capsys, path) for path in first_records(ptbxl_dir, code, "filename_lr", 8)]
        for code in ("AFIB", "SR")
    }
    assert len(shares["AFIB"]) == len(shares["SR"]) == 8
    wins = sum(af > sinus for af in shares["AFIB"] for sinus in shares["SR"])
    assert wins / 64 >= 0.8


def test_a_record_at_500_hz_is_answered_as_at_100_hz(capsys, ptbxl_dir):
    pairs = zip(*(first_records(ptbxl_dir, "SR", name, 5) for name in ("filename_lr", "filename_hr")), strict=True)
    same = 0
    for slow, fast in pairs:
        assert slow.name[:5] == fast.name[:5]
        low, high = probability_of_fibrillation(capsys, slow), probability_of_fibrillation(capsys, fast)
        same += (low > 0.5) == (high > 0.5)
    assert same >= 4
