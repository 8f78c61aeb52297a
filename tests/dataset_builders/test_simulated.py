from __future__ import annotations

import pytest

from dataset_builders import simulated
from dataset_builders.simulated import CONDITIONS, build, main
from hf_heartllm.ecg import write_ecg
from hf_heartllm.ecg.readers import read_ecg
from hf_heartllm.labels.ptbxl import read_ptbxl_table


def test_every_condition_stands_with_its_statements_and_patients_of_its_own(tmp_path):
    build(len(CONDITIONS) + 1, tmp_path, seed=0, first_id=1_000_001)
    table = read_ptbxl_table(tmp_path)
    assert table["ecg_id"].tolist() == list(range(1_000_001, 1_000_002 + len(CONDITIONS)))
    assert table["patient_id"].is_unique
    assert [tuple(codes) for codes in table["scp_codes"]][:-1] == [codes for _, codes in CONDITIONS.values()]
    assert table["strat_fold"].tolist() == [1] * len(CONDITIONS) + [2]


@pytest.mark.parametrize("rate", [100, 500])
def test_the_table_names_files_of_the_rate_asked_for(tmp_path, rate):
    assert main(["--records", "2", "--output", str(tmp_path), "--sampling-rate", str(rate)]) == 0
    record = read_ecg(tmp_path / read_ptbxl_table(tmp_path)["filename_lr"][1])
    assert (record.sampling_rate, record.signal.shape) == (rate, (12, 10 * rate))


def test_an_interrupted_run_goes_on_and_makes_what_is_gone_again(tmp_path, monkeypatch):
    build(4, tmp_path / "whole", seed=5)
    written = []

    def stopped_at_the_third(record, path):
        written.append(path.name)
        if len(written) == 3:
            raise KeyboardInterrupt
        return write_ecg(record, path)

    monkeypatch.setattr(simulated, "write_ecg", stopped_at_the_third)
    monkeypatch.setattr(simulated, "RECORDS_PER_SHARD", 1)
    command = ["--records", "4", "--seed", "5", "--output", str(tmp_path / "set"), "--quiet"]
    assert main(command) == 130
    assert not (tmp_path / "set" / "ptbxl_database.csv").exists()
    (tmp_path / "set" / "records100/00000/00001_lr.dat").unlink()
    assert main(command) == 0
    assert written == [f"0000{i}_lr" for i in (1, 2, 3, 1, 3, 4)]
    files = {name: [p for p in (tmp_path / name).rglob("*") if p.is_file()] for name in ("whole", "set")}
    assert [p.read_bytes() for p in sorted(files["set"])] == [p.read_bytes() for p in sorted(files["whole"])]


def test_what_cannot_be_simulated_is_one_line(tmp_path, capsys):
    assert main(["--records", "0", "--output", str(tmp_path / "set")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    (tmp_path / "file").write_text("")
    assert main(["--records", "1", "--output", str(tmp_path / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
