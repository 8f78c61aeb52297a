"""The table of measurements: complete, resumable, honest about what could not be measured."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dataset_builders import measurements, simulated
from dataset_builders.measurements import main
from dataset_builders.sampler.label_file import with_measurements
from dataset_builders.sampler.records import LabelledRecord
from hf_heartllm.ecg import measure, read_ecg
from hf_heartllm.ecg.measurements import COLUMNS


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
    records = [LabelledRecord(record_id="1", patient_id=None, split="train", attributes={})]
    (record,) = with_measurements(records, output)
    assert record.measurements["qrs_ms"] == found.overall.qrs_ms
    assert sorted(path.name for path in tmp_path.iterdir()) == ["measurements.csv"]


def test_an_interrupted_run_goes_on_and_a_finished_one_measures_nothing(
    ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def row(recording: measurements.Recording, on_error: str = "raise") -> dict[str, str]:
        if recording.record_id == "3" and not measured[2:]:
            measured.append("interrupted")
            raise KeyboardInterrupt
        measured.append(recording.record_id)
        return {"path": recording.path, "qrs_ms": recording.record_id * 2}

    monkeypatch.setattr(measurements, "measured_row", row)
    output = tmp_path / "measurements.csv"
    with pytest.raises(KeyboardInterrupt):
        main(arguments(ptbxl, output))
    assert not output.exists()
    part = tmp_path / ".measurements.csv.part"
    part.write_text(part.read_text()[:-5])  # killed while it wrote its second row
    assert main(arguments(ptbxl, output)) == 0
    assert measured == ["1", "2", "interrupted", "2", "3"]
    assert [line["qrs_ms"] for line in rows(output)] == ["11", "22", "33"]
    assert main(arguments(ptbxl, output)) == 0
    assert len(measured) == 5
    assert main(arguments(ptbxl, output, "--fresh", "--max-records", "1")) == 0
    assert len(measured) == 6


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


def test_the_table_of_12sl_features_gives_the_same_columns(ptbxl: Path, tmp_path: Path) -> None:
    (tmp_path / "12sl_features.csv").write_text("ecg_id,PR_Int_Global,QRS_Dur_Global\n1,162,94\n")
    output = tmp_path / "measurements.csv"
    assert main(arguments(ptbxl, output, "--ptbxl-plus", str(tmp_path))) == 0
    table = rows(output)
    assert list(table[0]) == ["ecg_id", "path", *COLUMNS, "not_measured"]
    assert (table[0]["pr_ms"], table[0]["qrs_ms"], table[0]["qt_ms"]) == ("162", "94", "")
    assert table[1]["not_measured"] == "all: not in the table of 12SL features"


def test_a_rate_that_the_table_names_no_files_of_is_one_line(tmp_path, capsys):
    simulated.build(2, tmp_path / "set", seed=0)
    capsys.readouterr()
    assert main(["--ptbxl", str(tmp_path / "set"), "--output", str(tmp_path / "m.csv")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "2 of 2 records have no file at 500 Hz" in line
    assert "--sampling-rate 100" in line
