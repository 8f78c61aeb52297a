"""A data set of simulated ECGs in PTB-XL's layout: everything that works on PTB-XL can be tried without it.

    python -m dataset_builders.simulated --records 200 --output DIR

The statements follow from how a record was simulated. Nothing measured on it says anything about patients.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from pathlib import Path
from typing import Any

from hf_heartllm.ecg import simulate_ecg, write_ecg

# Name → (arguments of simulate_ecg, SCP codes). Rates of sinus rhythm are drawn within the normal range.
CONDITIONS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "normal": ({}, ("NORM", "SR")),
    "atrial fibrillation": ({"rhythm": "atrial fibrillation"}, ("AFIB",)),
    "tachycardia": ({"heart_rate": 120.0}, ("NORM", "STACH")),
    "bradycardia": ({"heart_rate": 45.0}, ("NORM", "SBRAD")),
    "premature beats": ({"premature": "ventricular"}, ("SR", "PVC")),
    "first-degree block": ({"pr": 260.0}, ("SR", "1AVB")),
    "left bundle branch block": ({"conduction": "left bundle branch block"}, ("SR", "CLBBB")),
    "right bundle branch block": ({"conduction": "right bundle branch block"}, ("SR", "CRBBB")),
    "low voltage": ({"voltage": 0.35}, ("SR", "LVOLT")),
}
COLUMNS = ("ecg_id", "patient_id", "age", "sex", "report", "scp_codes", "strat_fold", "filename_lr", "filename_hr")


def build(records: int, output: Path, seed: int, sampling_rate: int = 100) -> None:
    """Write the records and the table. Conditions and folds (1 to 10) take turns; each record has its own patient."""
    from tqdm import tqdm

    rng = random.Random(seed)
    rows = []
    names = list(CONDITIONS)
    for index in tqdm(range(records), unit="record", desc="simulating"):
        arguments, codes = CONDITIONS[names[index % len(names)]]
        settings = {"heart_rate": rng.uniform(62, 96)} | arguments
        ecg_id = index + 1
        record, _ = simulate_ecg(**settings, noise=0.02, seed=rng.randrange(2**31), sampling_rate=sampling_rate)
        name = f"records{sampling_rate}/00000/{ecg_id:05d}_lr"
        write_ecg(record, output / name)
        row = dict.fromkeys(COLUMNS, "") | {
            "ecg_id": ecg_id,
            "patient_id": ecg_id,
            "scp_codes": str(dict.fromkeys(codes, 100.0)),
            "strat_fold": index // len(names) % 10 + 1,
            "filename_lr": name,
        }
        rows.append(row)
    temporary = output / ".ptbxl_database.csv.part"
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(output / "ptbxl_database.csv")


def main(argv: list[str] | None = None) -> int:
    """Write the data set. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dataset_builders.simulated", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--records", type=int, default=200, help="default: 200")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    build(args.records, args.output, args.seed)
    print(f"{args.output}: {args.records} simulated records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
