from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from dataset_builders import simulated
from dataset_builders.engine import build
from dataset_builders.ptb_xl import CARD, PTBXL, main
from hf_heartllm.ecg import read_ecg
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGError

SALT = "sixteen characters"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated records of folds 1-4 in PTB-XL's layout, of which record 3 is a reconstructed row."""
    folder = tmp_path_factory.mktemp("ptb-xl")
    records = 3 * len(simulated.CONDITIONS) + 2
    simulated.build(records, folder, seed=1)
    path = folder / "ptbxl_database.csv"
    with path.open(newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for row in rows:
        row |= {"age": 300 if row["ecg_id"] == "1" else 60, "sex": int(row["ecg_id"]) % 2, "report": ""}
        row |= {"heart_axis": "", "extra_beats": "", "weight": ""}
    rows[0] |= {"report": "sinusrhythmus normales ekg", "heart_axis": "LAD", "extra_beats": "1ES", "weight": 70}
    rows[2] |= {"scp_codes": "{'NORM': 0.0, 'STACH': 0.0, 'NDT': 100.0}", "sex": "", "age": ""}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    lines = [f"{n},{'reconstructed,1,0,all-but-NORM' if n == 3 else 'official,1,0,all'}" for n in range(1, records + 1)]
    (folder / "ptbxl_row_source.csv").write_text("ecg_id,row,hz100,hz500,likelihoods\n" + "\n".join(lines) + "\n")
    return folder


def builder(source: Path, **settings: Any) -> PTBXL:
    folds = {"train": "1-2", "validation": "3", "test": "4"}
    return PTBXL(source=source, cache_dir=str(source.parent / "cache"), **{**folds, **settings})


@pytest.fixture(scope="module")
def rows(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    output = tmp_path_factory.mktemp("built")
    build(builder(source), output, card=CARD, progress=False)
    return datasets.load_dataset(str(output), cache_dir=str(output / "cache")).with_format("numpy")


def test_splits_are_folds_and_signals_are_those_of_the_files(rows: Any, source: Path) -> None:
    assert {split: sorted(set(part["strat_fold"])) for split, part in rows.items()} == {
        "train": [1, 2],
        "validation": [3],
        "test": [4],
    }
    row = rows["train"][4]
    record = read_ecg(source / "records100/00000/00005_lr").select(STANDARD_LEADS)
    assert (row["ecg_id"], row["sampling_rate"], row["signal"].shape) == (5, 100, (1000, 12))
    assert np.array_equal(row["signal"], record.signal.T)


def test_what_the_table_does_not_have_is_null(rows: Any) -> None:
    first, third = (rows["train"].with_format(None)[index] for index in (0, 2))
    assert (first["age"], first["sex"], first["weight"], first["heart_axis"]) == (300.0, 1, 70.0, "LAD")
    assert (first["report"], first["extra_beats"]) == ("sinusrhythmus normales ekg", "1ES")
    assert (first["report_english_source"], first["report_uncovered_words"]) == ("translated", [])
    assert first["height"] is None
    assert [third[name] for name in ("age", "sex", "weight", "report", "heart_axis")] == [None] * 5
    assert third["report_uncovered_words"] is None
    assert third["report_english_source"] == "statements"
    codes = {one["code"]: one["likelihood"] for one in third["scp_codes"]}
    assert codes == {"NORM": None, "STACH": 0.0, "NDT": 100.0}
    assert (third["superclass"], third["subclass"]) == (["NORM", "STTC"], ["NORM", "STTC"])
    assert (third["rhythm"], third["form"], third["row_source"]) == (["STACH"], ["NDT"], "reconstructed")


def test_salted_ids_tell_neither_by_value_nor_by_order(source: Path) -> None:
    plain = [row["ecg_id"] for row in _rows(builder(source, signal="path"))]
    hidden = list(_rows(builder(source, ids="salted", salt=SALT)))
    other = list(_rows(builder(source, ids="salted", salt=SALT[::-1])))
    assert len({row["ecg_id"] for row in hidden}) == len(plain)
    assert not {row["ecg_id"] for row in hidden} & {row["ecg_id"] for row in other}
    assert [row["age"] for row in hidden] != [row["age"] for row in other]
    assert all(len(row["patient_id"]) == 16 for row in hidden)
    without = next(iter(_rows(builder(source, ids="none"))))
    assert "ecg_id" not in without
    assert "patient_id" not in without
    assert SALT not in builder(source, ids="salted", salt=SALT).cache_dir
    for settings in ({"ids": "salted"}, {"ids": "salted", "salt": "short"}, {"ids": "none", "signal": "path"}):
        with pytest.raises(ValueError, match=r"salt|hidden ids"):
            builder(source, **settings)


def _rows(one: PTBXL) -> Any:
    return (row for shard in one.plan() for row in one.rows(shard))


def test_a_damaged_record_is_named_with_its_path(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "ptb-xl"
    copy.mkdir()
    for path in source.iterdir():
        (copy / path.name).symlink_to(path)
    (copy / "records100").unlink()
    (copy / "records100/00000").mkdir(parents=True)
    for path in (source / "records100/00000").iterdir():
        (copy / "records100/00000" / path.name).write_bytes(path.read_bytes())
    samples = copy / "records100/00000/00002_lr.dat"
    samples.write_bytes(samples.read_bytes()[:-100])
    with pytest.raises(ECGError, match=r"00002_lr: .*truncated.*--on-error skip"):
        build(builder(copy), tmp_path / "out", progress=False)
    report = build(builder(copy), tmp_path / "out", progress=False, on_error="skip")
    assert report.num_rows == 3 * len(simulated.CONDITIONS) + 1
    assert [name for name, _ in report.skipped] == ["records100/00000/00002_lr"]


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture) -> None:
    output = ["--output", str(tmp_path / "out"), "--quiet"]
    for arguments in (
        ["--ptbxl", str(tmp_path)],
        ["--ptbxl", str(source), "--sampling-rate", "500"],
        ["--ptbxl", str(source), "--train", "1-9"],
        ["--ptbxl", str(source), "--shard", "2/2"],
    ):
        assert main([*arguments, *output]) == 2
        assert capsys.readouterr().err.count("\n") == 1, arguments
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.slow
def test_real_rows_of_fold_9(ptbxl_dir: Path, tmp_path: Path) -> None:
    assert main(["--ptbxl", str(ptbxl_dir), "--train", "", "--test", "", "--output", str(tmp_path), "--quiet"]) == 0
    rows = datasets.load_dataset(str(tmp_path), split="validation", cache_dir=str(tmp_path / "cache"))
    assert set(rows["strat_fold"]) == {9}
    assert not set(rows["report_english_source"]) - {"translated", "statements"}
    rebuilt = rows.filter(lambda row: row["row_source"] == "reconstructed")
    assert set(rebuilt["report"]) == {None}
