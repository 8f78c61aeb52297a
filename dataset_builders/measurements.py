"""Measurements of many recordings, one row a recording.

    python -m dataset_builders.measurements --ptbxl DIR --output measurements.csv --num-proc 2
    python -m dataset_builders.measurements --labels labels.csv --output measurements.csv
    python -m dataset_builders.measurements --ptbxl DIR --ptbxl-plus DIR --output measurements.csv

Columns: `ecg_id` (with --labels `record_id`), `path`, all of `hf_heartllm.ecg.measurements.COLUMNS` (empty where
doubtful; yes and no as 1 and 0), and `not_measured`, the reasons. With --ptbxl-plus the same columns come from its
table of 12SL features. The question generator takes the CSV table as --measurements. Rows that
the table already has are kept.
"""

from __future__ import annotations

import csv
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hf_heartllm.data.record import Record, id_order
from hf_heartllm.data.sources import open_records
from hf_heartllm.ecg import ECGError, measure
from hf_heartllm.ecg.measurements import COLUMNS
from hf_heartllm.ecg.measurements.result import GLOBAL_NAMES
from hf_heartllm.labels.ptbxl import TABLE_NAME, folds
from hf_heartllm.labels.ptbxl_plus import TABLE_NAME as TABLE_12SL
from hf_heartllm.labels.ptbxl_plus import read_12sl_features

from .engine import (
    RowBuilder,
    Shard,
    add_build_arguments,
    add_config_options,
    build_parser,
    config_of,
    run_build,
    split_shards,
)

REASONS = "not_measured"
RECORDS_PER_SHARD = 64
_FAILED = "all: "  # how the reasons begin where nothing could be measured


@dataclass
class MeasurementsConfig(datasets.BuilderConfig):
    """What is measured: the records of PTB-XL's folder, or those of a file of labels.

    Attributes:
        source: folder of PTB-XL 1.0.x.
        labels: any collection that `hf_heartllm.data.open_records` reads, such as a CSV file of labels.
        ptb_xl_plus: PTB-XL+'s folder, whose 12SL features are taken instead of measuring.
        folds: of PTB-XL.
        ids: text file of the `ecg_id` to measure; all of the folds when None.
        sampling_rate: Hz, of PTB-XL's recordings.
        earlier: a CSV table of this builder; the rows that it has of the same recordings are kept.
    """

    source: Path | None = None
    labels: Path | None = None
    ptb_xl_plus: Path | None = None
    folds: str = "1-10"
    ids: Path | None = None
    sampling_rate: int = 500
    earlier: Path | None = None


class Measurements(RowBuilder):
    """Rows of measurements; see `_info` for the columns."""

    BUILDER_CONFIG_CLASS = MeasurementsConfig
    ROWS_PER_GROUP = RECORDS_PER_SHARD
    config: MeasurementsConfig

    @property
    def _key(self) -> str:
        return "record_id" if self.config.labels else "ecg_id"

    def _info(self) -> datasets.DatasetInfo:
        text, number = datasets.Value("string"), datasets.Value("float64")
        key = text if self.config.labels else datasets.Value("int64")
        columns = {self._key: key, "path": text, **dict.fromkeys(COLUMNS, number), REASONS: text}
        return datasets.DatasetInfo(
            description="Rate, intervals, axis and amplitudes of ECGs, measured by hf_heartllm or by 12SL.",
            features=datasets.Features(columns),
        )

    def index_files(self) -> list[Path]:
        """The tables that name the recordings, and that of 12SL features."""
        config = self.config
        paths = [config.ids, config.source and config.source / TABLE_NAME, config.ptb_xl_plus]
        paths += open_records(config.labels).files if config.labels is not None else ()
        if config.ptb_xl_plus is not None:
            paths += [config.ptb_xl_plus / folder / TABLE_12SL for folder in ("", "features")]
        return [path for path in paths if path is not None and path.is_file()]

    def shard_files(self, shard: Shard) -> Iterator[Path]:
        """The recordings, where they are measured."""
        if self.config.ptb_xl_plus is None:
            for record in (self._records[key] for key in shard.keys):
                file = str((record.root or Path()) / str(record.path))
                yield from (path for path in (Path(file), Path(f"{file}.hea"), Path(f"{file}.dat")) if path.is_file())

    @functools.cached_property
    def _records(self) -> dict[str, Record]:
        """The recordings, by id."""
        config = self.config
        if config.labels is not None:
            source = open_records(config.labels, sampling_rate=config.sampling_rate)
            found = {record.record_id: record for record in source if record.path is not None}
            if not found:
                raise ValueError(f"{config.labels}: no row has a path")
            return found
        if config.source is None:
            raise ValueError("give the folder of PTB-XL as `source`, or a collection as `labels`")
        if not (config.source / TABLE_NAME).is_file():
            raise FileNotFoundError(f"{config.source}: no {TABLE_NAME} in it; give PTB-XL's folder")
        splits = dict.fromkeys(folds(config.folds), "train")
        found = {
            one.record_id: one for one in open_records(config.source, sampling_rate=config.sampling_rate, splits=splits)
        }
        if config.ids is not None:
            wanted = config.ids.read_text(encoding="utf-8").split()
            if unknown := [one for one in wanted if one not in found]:
                raise ValueError(f"{config.ids}: ecg_id {unknown[0]} is not in folds {config.folds} of {config.source}")
            found = {one: found[one] for one in sorted(set(wanted), key=id_order)}
        if absent := [record for record in found.values() if record.path is None]:
            rate, other = config.sampling_rate, {100: 500, 500: 100}[config.sampling_rate]
            what = f"{len(absent)} of {len(found)} records have no file at {rate} Hz"
            raise ValueError(f"{config.source}: {what}; try --sampling-rate {other}")
        return found

    @functools.cached_property
    def _of_12sl(self) -> dict[int, list[float]]:
        """12SL's values by `ecg_id`, in the order of `COLUMNS`."""
        assert self.config.ptb_xl_plus is not None
        table = read_12sl_features(self.config.ptb_xl_plus, COLUMNS)
        return dict(zip(table.index.tolist(), table.to_numpy().tolist(), strict=True))

    @functools.cached_property
    def _earlier(self) -> dict[str, dict[str, Any]]:
        """The rows of the earlier table by id; none of a table with other columns."""
        if self.config.earlier is None or not self.config.earlier.is_file():
            return {}
        with self.config.earlier.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if list(reader.fieldnames or ()) != list(self.info.features):
                return {}
            return {row[self._key]: row for row in reader if not row[REASONS].startswith(_FAILED)}

    def plan(self) -> list[Shard]:
        """The recordings by `ecg_id`, or in the order of the collection."""
        return split_shards("train", list(self._records), RECORDS_PER_SHARD)

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard; where damaged records are skipped, the row of one says why it has no values."""
        for key in shard.keys:
            record, there = self._records[key], self._earlier.get(key)
            if self.config.ptb_xl_plus is not None:
                found = self._from_12sl(int(key))
            elif there is not None and there["path"] == record.path:
                found = {name: float(there[name]) if there[name] else None for name in COLUMNS}
                found[REASONS] = there[REASONS]
            else:
                found = self._measured(record)
            yield {self._key: key, "path": record.path, **dict.fromkeys((*COLUMNS, REASONS)), **found}

    def _from_12sl(self, ecg_id: int) -> dict[str, Any]:
        values = self._of_12sl.get(ecg_id)
        if values is None:
            return {REASONS: f"{_FAILED}not in the table of 12SL features"}
        return {name: None if value != value else value for name, value in zip(COLUMNS, values, strict=True)}

    def _measured(self, record: Record) -> dict[str, Any]:
        try:
            found = measure(record.read())
        except (ECGError, OSError) as error:
            if self.on_error == "raise":
                raise ECGError(f"{error}; --on-error skip writes a row that says so") from None
            return {REASONS: f"{_FAILED}{error}"}
        columns = found.as_columns()
        missing = [name for name in GLOBAL_NAMES if columns[name] is None]
        return {**columns, REASONS: "; ".join(f"{name}: {found.why(name)}" for name in missing)}


def main(argv: list[str] | None = None) -> int:
    """Write the table. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = build_parser("measurements", __doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    ptbxl = {"option": "--ptbxl", "old_names": ("--source", "--ptb-xl")}
    plus = {"option": "--ptbxl-plus", "old_names": ("--ptb-xl-plus",)}
    others = ("ptb_xl_plus", "folds", "ids", "sampling_rate", "earlier")
    add_config_options(group, MeasurementsConfig, *others, source=ptbxl)
    rate = {"choices": (100, 500)}
    add_config_options(parser, MeasurementsConfig, "source", "labels", "earlier", ptb_xl_plus=plus, sampling_rate=rate)
    add_build_arguments(parser, "*.csv, *.parquet or folder to write")
    args = parser.parse_args(argv)

    def make() -> Measurements:
        if args.ptb_xl_plus and not args.source:
            raise ValueError("--ptbxl-plus goes with --ptbxl")
        earlier = None if args.fresh else args.output
        return Measurements(**config_of(MeasurementsConfig, args, earlier=earlier))

    return run_build(make, args)


if __name__ == "__main__":
    sys.exit(main())
