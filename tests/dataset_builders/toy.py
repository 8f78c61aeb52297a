"""A builder of invented rows, importable by spawned workers and runnable as a command."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from dataset_builders.engine import RowBuilder, Shard, add_build_arguments, run_build, split_shards


@dataclass
class ToyConfig(datasets.BuilderConfig):
    """One number a line in `source/index.csv`; a record's file may lie beside it."""

    source: Path = Path()
    scale: float = 1.0
    pause: float = 0.0


class Toy(RowBuilder):
    """Seven tenths of the numbers are "train"; a number is a record with one question of two kinds."""

    BUILDER_CONFIG_CLASS = ToyConfig
    COUNTED = ("kind", "questions.question_type")

    def _info(self) -> datasets.DatasetInfo:
        text = datasets.Value("string")
        return datasets.DatasetInfo(
            license="mit",
            features=datasets.Features(
                {
                    "id": datasets.Value("int64"),
                    "kind": datasets.ClassLabel(names=["even", "odd"]),
                    "signal": datasets.Array2D((None, 2), "float32"),
                    "questions": datasets.List({"question_type": text, "answers": datasets.List(text)}),
                    "absent": text,
                }
            ),
        )

    def plan(self) -> list[Shard]:
        keys = [int(line) for line in (self.config.source / "index.csv").read_text().split()]
        cut = len(keys) * 7 // 10
        return split_shards("train", keys[:cut], 10) + split_shards("test", keys[cut:], 10)

    def shard_files(self, shard: Shard) -> Iterator[Path]:
        paths = (self.config.source / f"{key}.dat" for key in shard.keys)
        return (path for path in paths if path.is_file())

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        for key in shard.keys:
            time.sleep(self.config.pause)
            with self.reading(f"record {key}"):
                path = self.config.source / f"{key}.dat"
                value = key * self.config.scale
                if path.is_file():
                    if not (text := path.read_text()):
                        raise OSError(f"{path}: the file is empty")
                    value = float(text)
                kind = ("verify", "choose")[key % 2]
                yield {
                    "id": key,
                    "kind": key % 2,
                    "signal": np.full((key % 3 + 1, 2), value, np.float32),
                    "questions": [{"question_type": kind, "answers": ["yes", "no"]}] * (key % 3),
                    "absent": None,
                }


class Nested(Toy):
    """One split."""

    def plan(self) -> list[Shard]:
        return split_shards("train", [key for shard in super().plan() for key in shard.keys], 10)


class Flat(Nested):
    """Rows that a CSV table holds; each number has a file that is written with its row."""

    COUNTED = ()

    def _info(self) -> datasets.DatasetInfo:
        kinds = {"id": "int64", "half": "float64", "even": "bool", "name": "string"}
        return datasets.DatasetInfo(features=datasets.Features({k: datasets.Value(v) for k, v in kinds.items()}))

    def written_files(self, shard: Shard) -> Iterator[Path]:
        return (self.config.source / f"wrote-{key}.txt" for key in shard.keys)

    def index_files(self) -> list[Path]:
        return [self.config.source / "index.csv"]

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        for key, path in zip(shard.keys, self.written_files(shard), strict=True):
            path.write_text("")
            yield {"id": key, "half": key / 2, "even": key % 2 == 0, "name": f"{key}," if key == 2 else None}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--cache", type=Path, required=True)
    add_build_arguments(parser)
    args = parser.parse_args()
    return run_build(lambda: Toy(source=args.source, pause=args.pause, cache_dir=str(args.cache)), args, "# Toy")


if __name__ == "__main__":
    sys.exit(main())
