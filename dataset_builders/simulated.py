"""A data set of simulated ECGs in PTB-XL's layout: everything that works on PTB-XL can be tried without it.

    python -m dataset_builders.simulated --records 200 --output DIR

The statements follow from how a record was simulated. Nothing measured on it says anything about patients.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_heartllm.ecg import simulate_ecg, write_ecg

# Name → (arguments of simulate_ecg, SCP codes); a pair of numbers is a range that the argument is drawn from.
CONDITIONS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "normal": ({}, ("NORM", "SR")),
    "atrial fibrillation": ({"rhythm": "atrial fibrillation", "heart_rate": (60.0, 140.0)}, ("AFIB",)),
    "tachycardia": ({"heart_rate": (108.0, 150.0)}, ("NORM", "STACH")),
    "bradycardia": ({"heart_rate": (38.0, 55.0)}, ("NORM", "SBRAD")),
    "ventricular premature beats": ({"premature": "ventricular"}, ("SR", "PVC")),
    "supraventricular premature beats": ({"premature": "supraventricular"}, ("SR", "PAC")),
    "first-degree block": ({"pr": (220.0, 320.0)}, ("SR", "1AVB")),
    "left bundle branch block": ({"conduction": "left bundle branch block"}, ("SR", "CLBBB")),
    "right bundle branch block": ({"conduction": "right bundle branch block"}, ("SR", "CRBBB")),
    "low voltage": ({"voltage": (0.25, 0.4)}, ("SR", "LVOLT")),
    "high voltage": ({"voltage": (1.9, 2.6)}, ("SR", "VCLVH")),
}
USUAL = {
    "heart_rate": (62.0, 96.0),
    "qtc": (385.0, 440.0),
    "noise": (0.005, 0.03),
    "wander": (0.0, 0.15),
    "mains": (0.0, 0.02),
}
"""What every record's arguments are drawn from, where its condition does not say otherwise."""

COLUMNS = ("ecg_id", "patient_id", "age", "sex", "report", "scp_codes", "strat_fold", "filename_lr", "filename_hr")


def build(
    records: int,
    output: Path,
    seed: int,
    sampling_rate: int = 100,
    first_id: int = 1,
    conditions: Sequence[str] = tuple(CONDITIONS),
) -> None:
    """Write the records and the table. Conditions and folds (1 to 10) take turns; each record has its own patient.

    Args:
        records: how many.
        output: folder to write.
        seed: of everything random.
        sampling_rate: Hz of the files that the table names as `filename_lr`.
        first_id: `ecg_id` and `patient_id` of the first record; the others follow.
        conditions: names of `CONDITIONS`, in the order of their turns.
    """
    from tqdm import tqdm

    rng = random.Random(seed)
    rows = []
    names = list(conditions)
    for index in tqdm(range(records), unit="record", desc="simulating"):
        arguments, codes = CONDITIONS[names[index % len(names)]]
        settings = {
            name: rng.uniform(*value) if isinstance(value, tuple) else value
            for name, value in (USUAL | arguments).items()
        }
        ecg_id = first_id + index
        record, _ = simulate_ecg(**settings, seed=rng.randrange(2**31), sampling_rate=sampling_rate)
        name = f"records{sampling_rate}/{ecg_id // 1000 * 1000:05d}/{ecg_id:05d}_lr"
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


def condition_names(text: str) -> list[str]:
    """Names of conditions from a command line, separated by commas."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in CONDITIONS:
            raise argparse.ArgumentTypeError(f"no condition {name!r}; there are {', '.join(CONDITIONS)}")
    return names


def main(argv: list[str] | None = None) -> int:
    """Write the data set. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dataset_builders.simulated", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--records", type=int, default=200, help="default: 200")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sampling-rate", type=int, default=100, metavar="HZ", help="default: 100")
    parser.add_argument("--first-id", type=int, default=1, metavar="N", help="ecg_id of the first record; default: 1")
    parser.add_argument(
        "--conditions",
        type=condition_names,
        default=list(CONDITIONS),
        metavar="A,B",
        help=f"which take turns, by default all: {', '.join(CONDITIONS)}",
    )
    args = parser.parse_args(argv)
    build(args.records, args.output, args.seed, args.sampling_rate, args.first_id, args.conditions)
    print(f"{args.output}: {args.records} simulated records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
