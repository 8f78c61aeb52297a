"""PTB-XL (Wagner et al., Scientific Data 7, 154, 2020): one row per record, from a folder of version 1.0.x.

    python -m dataset_builders.ptb_xl --ptbxl DIR --output DIR
    python -m dataset_builders.ptb_xl --ptbxl DIR --download --sampling-rate 500 --output DIR

The splits are PTB-XL's folds, which are by patient: 1–8, 9 and 10. Signals are in mV, or the row names the record.
"""

from __future__ import annotations

import argparse
import functools
import hmac
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import datasets
import numpy as np

from hf_heartllm.ecg import read_ecg
from hf_heartllm.hashes import sha256_of
from hf_heartllm.labels.english_reports import GLOSSARY_PATH, report_from_statements, translate_report
from hf_heartllm.labels.ptbxl import (
    ROW_SOURCE_NAME,
    SEX,
    TABLE_NAME,
    folds,
    known_likelihoods,
    notes_on_rows,
    read_ptbxl_table,
    record_path,
    row_source,
    statement_classes,
)
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.report_text import clean_report_text

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

SPLITS = ("train", "validation", "test")
LEAST_SALT = 16
_RECORDS_PER_SHARD = {100: 512, 500: 128}  # about 25 and 31 MB of float32
_RECORDS_PER_SHARD_OF_PATHS = 4096
_TEXTS = (
    "heart_axis",
    "infarction_stadium1",
    "infarction_stadium2",
    "baseline_drift",
    "static_noise",
    "burst_noise",
    "electrodes_problems",
    "extra_beats",
    "pacemaker",
)

CITATION = """
@article{wagner2020ptbxl,
  title = {{PTB-XL}, a large publicly available electrocardiography dataset},
  author = {Wagner, Patrick and Strodthoff, Nils and Bousseljot, Ralf-Dieter and Kreiseler, Dieter and
            Lunze, Fatima I. and Samek, Wojciech and Schaeffter, Tobias},
  journal = {Scientific Data}, volume = {7}, number = {154}, year = {2020}, doi = {10.1038/s41597-020-0495-6}
}
"""


@dataclass
class PTBXLConfig(datasets.BuilderConfig):
    """What of PTB-XL becomes rows, and how.

    Attributes:
        name: of the configuration; made from rate and signal when it is "default".
        source: folder of PTB-XL 1.0.x, with `ptbxl_database.csv`.
        rate: of its recordings, in Hz.
        train: folds of this split, '' for none.
        validation: folds of this split, '' for none.
        test: folds of this split, '' for none.
        signal: array, samples in the row; path, the record's name below the folder.
        ids: plain; salted, `ecg_id` and `patient_id` as keyed hashes, and rows in their order; none.
        salt: key of the hashes, at least 16 characters; whoever has it can tell the ids.
        download: fetch what is absent of PTB-XL 1.0.3 into the folder first (1.7 GB, PhysioNet).
    """

    name: str = "default"
    source: Path = Path()
    rate: int = 100
    train: str = "1-8"
    validation: str = "9"
    test: str = "10"
    signal: Literal["array", "path"] = "array"
    ids: Literal["plain", "salted", "none"] = "plain"
    salt: str = ""
    download: bool = False

    def __post_init__(self) -> None:
        self.source = Path(self.source)
        if self.rate not in _RECORDS_PER_SHARD:
            raise ValueError(f"PTB-XL has its records at 100 and 500 Hz, not at {self.rate} Hz")
        if self.signal not in ("array", "path") or self.ids not in ("plain", "salted", "none"):
            raise ValueError("signal is 'array' or 'path'; ids are 'plain', 'salted' or 'none'")
        if self.signal == "path" and self.ids != "plain":
            raise ValueError(
                "the path of a record names its id: hidden ids need the signal in the row (signal='array')"
            )
        if (self.ids == "salted") != bool(self.salt) or 0 < len(self.salt) < LEAST_SALT:
            raise ValueError(f"salted ids need a salt of at least {LEAST_SALT} characters, other ids none")
        seen: set[int] = set()
        for chosen in self.folds().values():
            if seen & set(chosen):
                raise ValueError(f"fold {min(seen & set(chosen))} is in two splits")
            seen |= set(chosen)
        if self.name == "default":
            self.name = f"{self.rate}hz" + ("-paths" if self.signal == "path" else "")
        super().__post_init__()

    def folds(self) -> dict[str, tuple[int, ...]]:
        """Folds by split, in the order of the splits."""
        return {split: folds(text) for split in SPLITS if (text := getattr(self, split))}

    def create_config_id(self, config_kwargs: dict[str, Any], *args: Any, **kwargs: Any) -> str:
        """The name of the cache folder, which must not show the salt."""
        if self.salt:
            config_kwargs = {**config_kwargs, "salt": sha256_of(self.salt)}
        name: str = super().create_config_id(config_kwargs, *args, **kwargs)
        return name


class PTBXL(RowBuilder):
    """Rows of PTB-XL. See `PTBXLConfig` for the choices, and `_info` for the columns."""

    BUILDER_CONFIG_CLASS = PTBXLConfig
    COUNTED: tuple[str, ...] = ("sex", "row_source", "superclass", "rhythm", "report_english_source", "unread_leads")
    config: PTBXLConfig

    def _info(self) -> datasets.DatasetInfo:
        text, texts, number = (
            datasets.Value("string"),
            datasets.List(datasets.Value("string")),
            datasets.Value("float32"),
        )
        id_type = {"plain": datasets.Value("int64"), "salted": text}.get(self.config.ids)
        columns: dict[str, Any] = {} if id_type is None else {"ecg_id": id_type, "patient_id": id_type}
        if self.config.signal == "array":
            columns["signal"] = datasets.Array2D(shape=(None, len(STANDARD_LEADS)), dtype="float32")
            columns["unread_leads"] = texts
        else:
            columns["path"] = text
        columns |= {
            "sampling_rate": datasets.Value("int32"),
            "strat_fold": datasets.Value("int8"),
            "age": number,
            "sex": datasets.ClassLabel(names=[SEX[code] for code in sorted(SEX)]),
            "height": number,
            "weight": number,
            "report": text,
            "report_english": text,
            "report_english_source": text,
            "report_uncovered_words": texts,
            "report_from_statements": text,
            "scp_codes": datasets.List({"code": text, "likelihood": number}),
            **dict.fromkeys(("superclass", "subclass", "rhythm", "form"), texts),
            **dict.fromkeys(_TEXTS, text),
            "row_source": text,
        }
        return datasets.DatasetInfo(
            description="12-lead ECGs of 10 s with SCP-ECG statements and reports: PTB-XL 1.0.x.",
            features=datasets.Features(columns),
            homepage="https://physionet.org/content/ptb-xl/1.0.3/",
            license="cc-by-4.0",
            citation=CITATION,
        )

    @functools.cached_property
    def table(self) -> Any:
        """PTB-XL's table, a `pandas.DataFrame`."""
        return read_ptbxl_table(self.config.source)

    def prepare(self) -> None:
        """Download PTB-XL where that is asked for."""
        if self.config.download:
            from .download import download_ptb_xl

            download_ptb_xl(self.config.source, rates=(self.config.rate,))

    def index_files(self) -> list[Path]:
        """The tables and the glossary of the reports; the signals belong to the shards."""
        paths = [*(self.config.source / name for name in (TABLE_NAME, ROW_SOURCE_NAME)), GLOSSARY_PATH]
        return [path for path in paths if path.is_file()]

    def shard_files(self, shard: Shard) -> Iterator[Path]:
        """Header and samples of the records, where the rows hold them."""
        if self.config.signal == "array":
            for ecg_id in shard.keys:
                stem = self.config.source / record_path(self.table.loc[ecg_id], self.config.rate)
                yield from (stem.with_name(stem.name + suffix) for suffix in (".hea", ".dat"))

    @functools.cached_property
    def present(self) -> dict[str, list[int]]:
        """The `ecg_id` of the records that are in the folder at the rate, by split."""
        found: dict[str, list[int]] = {}
        for split, chosen in self.config.folds().items():
            rows = self.table[self.table["strat_fold"].isin(chosen)]
            column = rows["filename_lr" if self.config.rate == 100 else "filename_hr"]
            found[split] = [
                int(ecg_id)
                for ecg_id, name in zip(rows.index, column, strict=True)
                if isinstance(name, str) and self._is_there(name)
            ]
        return found

    def _is_there(self, name: str) -> bool:
        # One of the two files is enough: a record that lost the other is damaged, not absent.
        stem = os.path.join(self.config.source, name)
        return os.path.exists(f"{stem}.hea") or os.path.exists(f"{stem}.dat")

    def plan(self) -> list[Shard]:
        """Records in the order of their (hashed) ids, split by split."""
        size = _RECORDS_PER_SHARD[self.config.rate]
        if self.config.signal == "path":
            size = _RECORDS_PER_SHARD_OF_PATHS
        shards = []
        for split, ids in self.present.items():
            if self.config.ids != "plain":  # the order would tell the ids
                ids = sorted(ids, key=lambda ecg_id: self._hashed("order", ecg_id))
            shards += split_shards(split, ids, size)
        if not shards:
            wanted = ", ".join(f"{split} {getattr(self.config, split)}" for split in self.config.folds())
            raise FileNotFoundError(f"{self.config.source}: no record at {self.config.rate} Hz of the folds {wanted}")
        return shards

    def notes(self) -> list[str]:
        """How many records of the table are absent, and of whom the rows with a report are."""
        chosen = {fold for split in self.config.folds().values() for fold in split}
        rows = self.table[self.table["strat_fold"].isin(chosen)]
        absent = len(rows) - sum(map(len, self.present.values()))
        lines = []
        if absent:
            lines.append(f"{absent:,} records of the table are not in the folder at {self.config.rate} Hz: left out.")
        return lines + notes_on_rows(rows)

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard, one a record."""
        for ecg_id in shard.keys:
            row = self.table.loc[ecg_id]
            name = record_path(row, self.config.rate)
            with self.reading(name):
                yield self._ids(row) | self._signal(name) | self._labels(ecg_id, row)

    def _labels(self, ecg_id: int, row: Any) -> dict[str, Any]:
        return _labels(row)

    def _signal(self, name: str) -> dict[str, Any]:
        if self.config.signal == "path":
            return {"path": name, "sampling_rate": self.config.rate}
        whole = read_ecg(self.config.source / name)
        record = whole.select(STANDARD_LEADS)
        return {
            "signal": np.ascontiguousarray(record.signal.T),
            "unread_leads": [lead for lead in whole.leads if lead not in STANDARD_LEADS],
            "sampling_rate": round(record.sampling_rate),
        }

    def _ids(self, row: Any) -> dict[str, Any]:
        ids = {name: None if _absent(row[name]) else int(row[name]) for name in ("ecg_id", "patient_id")}
        if self.config.ids == "none":
            return {}
        if self.config.ids == "salted":
            return {name: None if value is None else self._hashed(name, value) for name, value in ids.items()}
        return ids

    def _hashed(self, kind: str, value: int) -> str:
        return hmac.new(self.config.salt.encode(), f"{kind} {value}".encode(), "sha256").hexdigest()[:16]


def _labels(row: Any) -> dict[str, Any]:
    """The columns that come from the table; what it does not have is None."""
    codes = known_likelihoods(row)
    report, from_statements = _text(row.get("report")), report_from_statements(row["scp_codes"]) or None
    english, source, uncovered = from_statements, "statements" if from_statements else None, None
    if report is not None:
        translation = translate_report(report)
        uncovered = list(translation.uncovered)
        if not uncovered and (findings := clean_report_text(translation.text)):
            english, source = findings, "translated"
    return {
        "strat_fold": int(row["strat_fold"]),
        "age": _number(row.get("age")),
        "sex": None if _absent(row.get("sex")) else int(row["sex"]),
        "height": _number(row.get("height")),
        "weight": _number(row.get("weight")),
        "report": report,
        "report_english": english,
        "report_english_source": source,
        "report_uncovered_words": uncovered,
        "report_from_statements": from_statements,
        "scp_codes": [{"code": code, "likelihood": likelihood} for code, likelihood in codes.items()],
        **statement_classes(codes),
        **{name: _text(row.get(name)) for name in _TEXTS},
        "row_source": row_source(row),
    }


def _absent(value: Any) -> bool:
    import pandas as pd

    return value is None or bool(pd.isna(value))


def _number(value: Any) -> float | None:
    return None if _absent(value) else float(value)


def _text(value: Any) -> str | None:
    """Text of the table without white space around it; None for an absent or blank cell."""
    return (str(value).strip() or None) if not _absent(value) else None


CARD = f"""# PTB-XL

12-lead ECGs of 10 s, one row a record, from PTB-XL 1.0.x (Wagner et al., Scientific Data 7, 154, 2020, CC BY 4.0;
<https://doi.org/10.13026/kfzx-aw45>), written by `python -m dataset_builders.ptb_xl`. Not for use in care.

* Splits are PTB-XL's folds, which are by patient: 1–8, 9 and 10 unless chosen otherwise.
* `signal`: float32 (samples, 12), mV, leads {", ".join(STANDARD_LEADS)}; or `path`, the record below PTB-XL's folder.
  `unread_leads`: those of the record that are no part of it, such as V7 or vx.
* `age`: years; 300 means over 89. `sex`: 0 male, 1 female. `height`: cm. `weight`: kg.
* `scp_codes`: statements with their likelihood in per cent. 0.0 is PTB-XL's value for "unknown"; null is a likelihood
  that this copy of the table did not have. `superclass`, `subclass`, `rhythm`, `form` hold all that is stated.
* `report`: the original, German, Swedish or English. `report_english` with `report_english_source`: `translated` word
  by word with a glossary when it covers every word, without what the device prints round the findings ("4.46
  unconfirmed report"), else made from the SCP `statements`; `report_uncovered_words` lists what the glossary lacks.
  `report_from_statements` is the second kind for every record.
* `row_source`: in `reconstructed` rows, null says nothing; in the others a null note on noise, electrodes, extra beats
  or pacemaker says that none was made.
"""


def add_ptbxl_arguments(parser: argparse.ArgumentParser, kind: type[PTBXLConfig], *without: str) -> None:
    """What a builder from PTB-XL's folder takes: the fields of its configuration, with the salt in a file."""
    source = {"option": "--ptbxl", "old_names": ("--source",), "required": True}
    rate = {"option": "--sampling-rate", "old_names": ("--rate",), "choices": sorted(_RECORDS_PER_SHARD)}
    add_config_options(parser, kind, "salt", *without, source=source, rate=rate)
    parser.add_argument("--salt-file", type=Path, metavar="PATH", help="file with the salt for --ids salted")


def ptbxl_config(kind: type[PTBXLConfig], args: argparse.Namespace) -> dict[str, Any]:
    """The fields that `add_ptbxl_arguments` asked for."""
    salt = args.salt_file.read_text(encoding="utf-8").strip() if args.salt_file else ""
    return config_of(kind, args, salt=salt)


def main(argv: list[str] | None = None) -> int:
    """Build from the command line. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = build_parser("ptb_xl", __doc__)
    add_ptbxl_arguments(parser, PTBXLConfig)
    add_build_arguments(parser)
    args = parser.parse_args(argv)
    return run_build(lambda: PTBXL(**ptbxl_config(PTBXLConfig, args)), args, CARD)


if __name__ == "__main__":
    sys.exit(main())
