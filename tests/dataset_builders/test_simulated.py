from __future__ import annotations

import pytest

from dataset_builders.simulated import CONDITIONS, build, main
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
