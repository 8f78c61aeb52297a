"""A data set of simulated ECGs in PTB-XL's layout: everything that works on PTB-XL can be tried without it.

    python -m dataset_builders.simulated --records 200 --output DIR

The statements follow from how a record was simulated. Nothing measured on it says anything about patients.
"""

from __future__ import annotations

import argparse
import functools
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hf_heartllm.ecg import simulate_ecg, write_ecg
from hf_heartllm.labels.ptbxl import TABLE_NAME

from . import engine
from .engine import (
    BuildReport,
    RowBuilder,
    Shard,
    add_build_arguments,
    add_config_options,
    build_parser,
    config_of,
    run_build,
    split_shards,
)

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

RECORDS_PER_SHARD = 64
_NUMBERS = ("ecg_id", "patient_id", "strat_fold")
COLUMNS = ("ecg_id", "patient_id", "age", "sex", "report", "scp_codes", "strat_fold", "filename_lr", "filename_hr")


@dataclass
class SimulatedConfig(datasets.BuilderConfig):
    """What is simulated. Conditions and folds (1 to 10) take turns; each record has its own patient.

    Attributes:
        folder: where the recordings are written.
        records: how many.
        seed: of everything random.
        sampling_rate: Hz of the files that the table names as `filename_lr`.
        first_id: `ecg_id` and `patient_id` of the first record; the others follow.
        conditions: names of `CONDITIONS`, in the order of their turns.
    """

    folder: Path = Path()
    records: int = 200
    seed: int = 0
    sampling_rate: int = 100
    first_id: int = 1
    conditions: tuple[str, ...] = tuple(CONDITIONS)


class Simulated(RowBuilder):
    """Rows of PTB-XL's table; the recordings that they name are written beside them."""

    BUILDER_CONFIG_CLASS = SimulatedConfig
    COUNTED = ("scp_codes",)
    LINE_END = "\r\n"
    config: SimulatedConfig

    def _info(self) -> datasets.DatasetInfo:
        kinds = {name: datasets.Value("int64" if name in _NUMBERS else "string") for name in COLUMNS}
        return datasets.DatasetInfo(description="Simulated ECGs in PTB-XL's layout.", features=datasets.Features(kinds))

    def index_files(self) -> list[Path]:
        """None: everything follows from the configuration."""
        return []

    @functools.cached_property
    def _drawn(self) -> list[tuple[dict[str, Any], tuple[str, ...]]]:
        """The arguments of `simulate_ecg` for each record, and its statements."""
        rng = random.Random(self.config.seed)
        drawn = []
        for index in range(self.config.records):
            arguments, codes = CONDITIONS[self.config.conditions[index % len(self.config.conditions)]]
            settings = {
                name: rng.uniform(*value) if isinstance(value, tuple) else value
                for name, value in (USUAL | arguments).items()
            }
            drawn.append(({**settings, "seed": rng.randrange(2**31)}, codes))
        return drawn

    def _name(self, index: int) -> str:
        ecg_id = self.config.first_id + index
        return f"records{self.config.sampling_rate}/{ecg_id // 1000 * 1000:05d}/{ecg_id:05d}_lr"

    def written_files(self, shard: Shard) -> Iterator[Path]:
        """Header and samples of the recordings."""
        return (self.config.folder / f"{self._name(key)}{end}" for key in shard.keys for end in (".hea", ".dat"))

    def plan(self) -> list[Shard]:
        """Record after record."""
        return split_shards("train", range(self.config.records), RECORDS_PER_SHARD)

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard; each is there when its recording is written."""
        for index in shard.keys:
            settings, codes = self._drawn[index]
            record, _ = simulate_ecg(**settings, sampling_rate=self.config.sampling_rate)
            write_ecg(record, self.config.folder / self._name(index))
            yield dict.fromkeys(COLUMNS) | {
                "ecg_id": self.config.first_id + index,
                "patient_id": self.config.first_id + index,
                "scp_codes": str(dict.fromkeys(codes, 100.0)),
                "strat_fold": index // len(self.config.conditions) % 10 + 1,
                "filename_lr": self._name(index),
            }


def build(records: int, output: Path, seed: int = 0, **settings: Any) -> BuildReport:
    """Write a folder of simulated records; further settings are those of `SimulatedConfig`."""
    builder = Simulated(folder=output, records=records, seed=seed, **settings)
    return engine.build(builder, output / TABLE_NAME, progress=False)


def condition_names(text: str) -> tuple[str, ...]:
    """Names of conditions from a command line, separated by commas."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in CONDITIONS:
            raise argparse.ArgumentTypeError(f"no condition {name!r}; there are {', '.join(CONDITIONS)}")
    return names


def main(argv: list[str] | None = None) -> int:
    """Write the data set. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = build_parser("simulated", __doc__)
    help_ = f"which take turns, by default all: {', '.join(CONDITIONS)}"
    add_config_options(parser, SimulatedConfig, "folder", conditions={"type": condition_names, "help": help_})
    add_build_arguments(parser, "folder to write")
    args = parser.parse_args(argv)
    settings = config_of(SimulatedConfig, args, folder=args.output)
    args.output = args.output / TABLE_NAME
    return run_build(lambda: Simulated(**settings), args)


if __name__ == "__main__":
    sys.exit(main())
