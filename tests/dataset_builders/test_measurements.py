"""The table of measurements: complete, resumable, honest about what could not be measured."""

from __future__ import annotations

import csv
from pathlib import Path

import datasets
import pytest

from dataset_builders import measurements, simulated
from dataset_builders.measurements import main
from hf_heartllm.data.measured import with_measurements
from hf_heartllm.data.record import Record
from hf_heartllm.ecg import measure, read_ecg
from hf_heartllm.ecg.measurements import COLUMNS
from hf_heartllm.models.ecg_record import ECGRecord


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ptb-xl")
    simulated.build(3, folder, seed=1)
    return folder


def arguments(ptbxl: Path, output: Path, *more: str) -> list[str]:
    return ["--ptbxl", str(ptbxl), "--sampling-rate", "100", "--output", str(output), "--quiet", *more]


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_the_table_holds_what_is_measured_and_the_sampler_reads_it(ptbxl: Path, tmp_path: Path) -> None:
    output = tmp_path / "measurements.csv"
    assert main(arguments(ptbxl, output, "--max-records", "2")) == 0
    table = rows(output)
    assert list(table[0]) == ["ecg_id", "path", *COLUMNS, "not_measured"]
    found = measure(read_ecg(ptbxl / "records100/00000/00001_lr"))
    for name, value in found.as_columns().items():
        assert table[0][name] == "" if value is None else float(table[0][name]) == value, name
    assert "pr_ms: " in table[1]["not_measured"]  # the second one fibrillates
    records = [Record(record_id="1", patient_id=None, split="train", labels={})]
    (record,) = with_measurements(records, output)
    assert record.measurements["qrs_ms"] == found.overall.qrs_ms
    assert sorted(path.name for path in tmp_path.iterdir()) == ["measurements.csv"]


def test_an_interrupted_run_goes_on_and_a_finished_one_measures_nothing(
    ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    whole_read = Record.read

    def read_or_stop(record: Record) -> ECGRecord:
        if record.record_id == "3" and not read[2:]:
            read.append("interrupted")
            raise KeyboardInterrupt
        read.append(record.record_id)
        return whole_read(record)

    monkeypatch.setattr(Record, "read", read_or_stop)
    monkeypatch.setattr(measurements, "RECORDS_PER_SHARD", 1)
    output = tmp_path / "measurements.csv"
    assert main(arguments(ptbxl, output)) == 130
    assert not output.exists()
    assert main(arguments(ptbxl, output)) == 0
    assert read == ["1", "2", "interrupted", "3"]
    whole = output.read_bytes()
    assert main(arguments(ptbxl, output)) == 0
    assert len(read) == 4
    assert output.read_bytes() == whole
    assert main(arguments(ptbxl, output, "--fresh", "--max-records", "1")) == 0
    assert len(read) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["measurements.csv"]


def test_a_damaged_recording_is_an_error_or_says_so_in_its_row(
    ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("record_id,path\na,missing\n", encoding="utf-8")
    output = tmp_path / "measurements.csv"
    command = ["--labels", str(labels), "--output", str(output), "--quiet"]
    assert main(command) == 2
    assert "missing" in capsys.readouterr().err
    assert not output.exists()
    assert main([*command, "--on-error", "skip"]) == 0
    (row,) = rows(output)
    assert row["record_id"] == "a"
    assert row["not_measured"].startswith("all: ")
    assert row["qrs_ms"] == ""
    assert main(command) == 2, "a row without values is no reason to leave a recording out"


def test_the_table_of_12sl_features_gives_the_same_columns(ptbxl: Path, tmp_path: Path) -> None:
    (tmp_path / "12sl_features.csv").write_text("ecg_id,PR_Int_Global,QRS_Dur_Global\n1,162,94\n")
    output = tmp_path / "measurements.csv"
    assert main(arguments(ptbxl, output, "--ptbxl-plus", str(tmp_path))) == 0
    table = rows(output)
    assert list(table[0]) == ["ecg_id", "path", *COLUMNS, "not_measured"]
    assert (table[0]["pr_ms"], table[0]["qrs_ms"], table[0]["qt_ms"]) == ("162", "94", "")
    assert table[1]["not_measured"] == "all: not in the table of 12SL features"


def test_a_folder_for_load_dataset_holds_the_same(ptbxl: Path, tmp_path: Path) -> None:
    (tmp_path / "12sl_features.csv").write_text("ecg_id,PR_Int_Global\n1,162\n")
    assert main(arguments(ptbxl, tmp_path / "folder", "--ptb-xl-plus", str(tmp_path))) == 0
    table = datasets.load_dataset(str(tmp_path / "folder"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [(row["ecg_id"], row["pr_ms"], row["qrs_ms"]) for row in table] == [
        (1, 162, None),
        *((i, None, None) for i in (2, 3)),
    ]


def test_a_rate_that_the_table_names_no_files_of_is_one_line(tmp_path, capsys):
    simulated.build(2, tmp_path / "set", seed=0)
    capsys.readouterr()
    assert main(["--ptbxl", str(tmp_path / "set"), "--output", str(tmp_path / "m.csv")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "2 of 2 records have no file at 500 Hz" in line
    assert "--sampling-rate 100" in line
