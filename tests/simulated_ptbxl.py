"""A data set in PTB-XL's layout made of simulated recordings, for tests of what reads such a folder."""

from __future__ import annotations

import csv
from pathlib import Path

from hf_heartllm.ecg import simulate_ecg, write_ecg

STATEMENTS = ("SR", "AFIB", "NORM", "IMI", "PVC", "CRBBB")


def ptbxl_of_simulated(folder: Path, records: int) -> Path:
    """A folder in PTB-XL's layout: half of the records in fold 1, half in fold 9, two recordings a patient."""
    rows = []
    for index in range(records):
        ecg_id = index + 1
        name = f"records100/00000/{ecg_id:05d}_lr"
        (folder / "records100/00000").mkdir(parents=True, exist_ok=True)
        record = simulate_ecg(sampling_rate=100, seed=index, rhythm=("sinus", "atrial fibrillation")[index % 2])[0]
        write_ecg(record, folder / name)
        rows.append(
            {
                "ecg_id": ecg_id,
                "patient_id": 100 + index // 2,
                "age": 60,
                "sex": "" if index == 7 else index % 2,
                "scp_codes": str({STATEMENTS[index % 2]: 0.0, STATEMENTS[2 + index % 4]: 100.0}),
                "strat_fold": 9 if index % 2 == (index // 2) % 2 else 1,
                "filename_lr": name,
                "filename_hr": "",
                "static_noise": "" if index % 3 else "all",
            }
        )
    with open(folder / "ptbxl_database.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], "device", "baseline_drift", "burst_noise"])
        writer.writeheader()
        writer.writerows(rows)
    return folder
