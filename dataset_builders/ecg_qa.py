"""ECG-QA (Oh et al., NeurIPS 2023) joined to the recordings that its questions are about.

    python -m dataset_builders.ecg_qa --ecg-qa ECG_QA --ptbxl PTB_XL --output DIR

One row a question; a comparison question has two recordings. Configurations are the version (`template`,
`paraphrased`), with `-official` for ECG-QA's own splits, which are by recording and cut across PTB-XL's folds.
"""

from __future__ import annotations

import csv
import functools
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from hf_heartllm.arguments import add_old_name
from hf_heartllm.data.ecg_qa_files import (
    ANSWER_SETS_NAME,
    QUESTION_TYPES,
    SPLITS,
    Completeness,
    ECGQARow,
    Records,
    Version,
    completeness,
    question_files,
    question_folder,
    read_answer_sets,
    read_question_file,
)
from hf_heartllm.labels.ptbxl import TABLE_NAME, read_ptbxl_table, record_path
from hf_heartllm.models.ecg_record import ECGError

from .engine import BuildReport, RowBuilder, Shard, add_build_arguments, build_parser, run_build, split_shards

RECORD_LIST_NAME = "record_list.csv"
ROWS_PER_SHARD = 10_000
_SPLIT_NAMES = dict(zip(SPLITS, ("train", "validation", "test"), strict=True))

_CITATION = """\
@inproceedings{oh2023ecgqa,
  title     = {{ECG-QA}: A Comprehensive Question Answering Dataset Combined With Electrocardiogram},
  author    = {Oh, Jungwoo and Lee, Gyubok and Bae, Seongsu and Kwon, Joon-myoung and Choi, Edward},
  booktitle = {Advances in Neural Information Processing Systems 36, Datasets and Benchmarks Track},
  year      = {2023}
}"""


@dataclass
class ECGQAConfig(datasets.BuilderConfig):
    """What is built from ECG-QA.

    Attributes:
        source: its folder of questions (`ecgqa`, `ecgqa/ptbxl`, …).
        record_folder: the folder of PTB-XL 1.0.x, or of MIMIC-IV-ECG with its `record_list.csv`.
        question_version: `"template"` or `"paraphrased"`.
        split_by: `"fold"`: 1–8 train, 9 validation, 10 test, a pair belonging to its higher fold and pairs that cross
            these parts left out; `"official"`: ECG-QA's own. MIMIC-IV-ECG has no folds.
        records: `"ptb-xl"` or `"mimic-iv-ecg"`.
        sampling_rate: 100 or 500 Hz, of PTB-XL's recordings.
        folds: the part of each fold, as (fold, split).
        need_files: whether a row is left out when the header of a recording is not on disk; without it the record only
            needs to be listed.
    """

    source: Path | None = None
    record_folder: Path | None = None
    question_version: Version = "template"
    split_by: str = "fold"
    records: Records = "ptb-xl"
    sampling_rate: int = 500
    folds: tuple[tuple[int, str], ...] = (*((fold, "train") for fold in range(1, 9)), (9, "validation"), (10, "test"))
    need_files: bool = True


@dataclass
class JoinCounts:
    """What became of ECG-QA's rows, each by (its own split, question type).

    Attributes:
        read: in the files.
        absent: with a recording that is not at hand.
        crossing: comparing recordings of two parts.
    """

    read: Counter[tuple[str, str]] = field(default_factory=Counter)
    absent: Counter[tuple[str, str]] = field(default_factory=Counter)
    crossing: Counter[tuple[str, str]] = field(default_factory=Counter)


class ECGQA(RowBuilder):
    """ECG-QA's questions with the paths of their recordings; rows as `_info` types them."""

    BUILDER_CONFIG_CLASS = ECGQAConfig
    COUNTED = ("question_type", "attribute_type", "official_split")
    config: ECGQAConfig

    @classmethod
    def of(cls, version: Version = "template", split_by: str = "fold", **settings: Any) -> ECGQA:
        """The builder of one configuration, named after its version and splits.

        Args:
            version: `"template"` or `"paraphrased"`.
            split_by: `"fold"` or `"official"`.
            **settings: further fields of `ECGQAConfig`, and `cache_dir`.
        """
        name = version if split_by == "fold" else f"{version}-official"
        if settings.get("records", "ptb-xl") != "ptb-xl":
            name = f"{settings['records']}-{version}"
        return cls(config_name=name, question_version=version, split_by=split_by, **settings)

    def _info(self) -> datasets.DatasetInfo:
        text, texts = datasets.Value("string"), datasets.List(datasets.Value("string"))
        return datasets.DatasetInfo(
            description="Questions and answers about one ECG, or comparing two, joined to their recordings.",
            citation=_CITATION,
            homepage="https://github.com/Jwoo5/ecg-qa",
            license="cc-by-4.0",
            features=datasets.Features(
                {
                    "template_id": datasets.Value("int32"),
                    "question_id": datasets.Value("int32"),
                    "sample_id": datasets.Value("int64"),
                    "question_type": text,
                    "attribute_type": text,
                    "question": text,
                    "answer": texts,
                    "answer_set": texts,
                    "attribute": texts,
                    "ecg_id": datasets.List(datasets.Value("int64")),
                    "ecg_path": texts,
                    "strat_fold": datasets.Value("int32"),
                    "official_split": text,
                }
            ),
        )

    def index_files(self) -> Iterator[Path]:
        """The question files of the version, the answer sets, and the table or list of the recordings."""
        yield from (path for _, path in self._files)
        yield question_folder(self.config.source or "", self.config.records) / ANSWER_SETS_NAME
        name = TABLE_NAME if self.config.records == "ptb-xl" else RECORD_LIST_NAME
        if self.config.record_folder is not None and (self.config.record_folder / name).is_file():
            yield self.config.record_folder / name

    @functools.cached_property
    def _files(self) -> list[tuple[str, Path]]:
        source = self.config.source
        if source is None:
            raise ValueError("give the folder of ECG-QA as `source`")
        return question_files(source, self.config.question_version, self.config.records)

    @functools.cached_property
    def _answer_sets(self) -> dict[int, tuple[str, ...]]:
        return read_answer_sets(self.config.source or "", self.config.records)

    @functools.cached_property
    def _records(self) -> dict[int, tuple[str, int | None]]:
        """Path and fold of each recording that is at hand."""
        folder = self.config.record_folder
        if folder is None:
            raise ValueError("give the folder of the recordings as `record_folder`")
        if self.config.records == "ptb-xl":
            rate = self.config.sampling_rate
            listed: dict[int, tuple[str, int | None]] = {
                int(row["ecg_id"]): (record_path(row, rate), int(row["strat_fold"]))
                for _, row in read_ptbxl_table(folder).iterrows()
            }
        else:
            if self.config.split_by != "official":
                raise ValueError("MIMIC-IV-ECG has no folds; ask for the official splits")
            listed = _read_record_list(folder)
        if not self.config.need_files:
            return dict(listed)
        return {ecg_id: found for ecg_id, found in listed.items() if (folder / f"{found[0]}.hea").is_file()}

    @functools.lru_cache(maxsize=2)  # noqa: B019 - a shard's rows stand together in one or two files
    def _rows_of(self, number: int) -> list[ECGQARow]:
        split, path = self._files[number]
        return read_question_file(path, split)

    def _part(self, row: ECGQARow) -> str | None:
        """The split of a row whose recordings are all at hand; None where they are of two parts."""
        if self.config.split_by == "official":
            return _SPLIT_NAMES[row.split]
        parts = dict(self.config.folds)
        found = {parts.get(self._records[ecg_id][1] or 0) for ecg_id in row.ecg_id}
        return found.pop() if len(found) == 1 else None

    @functools.cached_property
    def _joined(self) -> tuple[dict[str, list[tuple[int, int]]], JoinCounts]:
        """Keys (file, row) of each split, and what became of the others."""
        counts = JoinCounts()
        keys: dict[str, list[tuple[int, int]]] = {name: [] for name in _SPLIT_NAMES.values()}
        for number, (_, path) in enumerate(self._files):
            for index, row in enumerate(self._rows_of(number)):
                what = (row.split, row.question_type)
                if row.question_type not in QUESTION_TYPES:
                    raise ECGError(f"{path}: row {index} has the unknown question type {row.question_type!r}")
                counts.read[what] += 1
                if any(ecg_id not in self._records for ecg_id in row.ecg_id):
                    counts.absent[what] += 1
                elif (part := self._part(row)) is None:
                    counts.crossing[what] += 1
                else:
                    keys[part].append((number, index))
        return keys, counts

    @property
    def join_counts(self) -> JoinCounts:
        """What became of the rows of the copy."""
        return self._joined[1]

    @property
    def completeness(self) -> Completeness | None:
        """How the copy compares with the paper; None for MIMIC-IV-ECG, which it does not count."""
        return completeness(self.join_counts.read) if self.config.records == "ptb-xl" else None

    def plan(self) -> list[Shard]:
        """Shards of rows whose recordings are at hand, in the order of the files."""
        keys = self._joined[0]
        return [shard for name, found in keys.items() for shard in split_shards(name, found, ROWS_PER_SHARD)]

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard; one whose answer is not in its template's set is a damaged record."""
        for number, index in shard.keys:
            row = self._rows_of(number)[index]
            name = f"{self.config.question_version}/{row.split}, sample {row.sample_id}"
            with self.reading(name):
                yield self._row(row, name)

    def _row(self, row: ECGQARow, name: str) -> dict[str, Any]:
        allowed = self._answer_sets.get(row.template_id, ())
        foreign = [answer for answer in row.answer if answer not in allowed]
        if foreign or not row.answer:
            what = f"answer {foreign[0]!r}" if foreign else "empty answer"
            raise ECGError(f"{name}: its {what} is not in the closed set of template {row.template_id}")
        found = [self._records[ecg_id] for ecg_id in row.ecg_id]
        folds = [fold for _, fold in found if fold is not None]
        return {
            "template_id": row.template_id,
            "question_id": row.question_id,
            "sample_id": row.sample_id,
            "question_type": row.question_type,
            "attribute_type": row.attribute_type,
            "question": row.question,
            "answer": list(row.answer),
            "answer_set": list(allowed),
            "attribute": None if row.attribute is None else list(row.attribute),
            "ecg_id": list(row.ecg_id),
            "ecg_path": [path for path, _ in found],
            "strat_fold": max(folds) if folds else None,
            "official_split": row.split,
        }


def _read_record_list(folder: Path) -> dict[int, tuple[str, int | None]]:
    """Path of each study of MIMIC-IV-ECG, from its `record_list.csv`."""
    path = folder / RECORD_LIST_NAME
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give the folder of MIMIC-IV-ECG that holds it")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {int(row["study_id"]): (row["path"], None) for row in csv.DictReader(file)}
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"{path}: not MIMIC-IV-ECG's list of records (columns study_id, path)") from None


def counts_text(builder: ECGQA) -> str:
    """What became of the rows of a copy, and how it compares with the paper, as Markdown."""
    counts, config = builder.join_counts, builder.config
    lines = [
        "| question type | split of ECG-QA | rows of the copy | recording absent | crossing parts | kept |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for kind in QUESTION_TYPES:
        for split in SPLITS:
            key = (split, kind)
            kept = counts.read[key] - counts.absent[key] - counts.crossing[key]
            numbers = (counts.read[key], counts.absent[key], counts.crossing[key], kept)
            lines.append(f"| {kind} | {split} | " + " | ".join(f"{number:,}" for number in numbers) + " |")
    text = "\n".join(lines)
    found = builder.completeness
    if found is not None:
        paper = "; ".join(f"{name} {copy:,} of {paper:,}" for name, copy, paper in found.counts)
        word = "This is a complete copy" if found.complete else "**This is an incomplete copy**"
        text += f"\n\n{word} of ECG-QA: {paper} rows, as the paper counts them."
    if config.split_by == "fold":
        text += (
            "\n\nA pair belongs to the higher of its folds; pairs that cross train, validation and test are left out."
        )
    return text


def card_of(builder: ECGQA) -> str:
    """The text of the card."""
    config = builder.config
    where = "PTB-XL" if config.records == "ptb-xl" else "MIMIC-IV-ECG"
    return f"""# ECG-QA ({config.question_version}) over {where}

Questions and answers of ECG-QA (CC BY 4.0), unchanged, each with the paths of its recordings relative to the folder of
{where}, the closed answer set of its template (`answer_set`, from `answers_for_each_template.csv`; an answer can be
several of it), the fold of PTB-XL and the split that ECG-QA has it in (`official_split`). Questions that compare two
ECGs have two recordings: first, second. `attribute` is null for them, as in ECG-QA.

ECG-QA's own splits are by recording and cut across PTB-XL's folds; patients are in one fold only.

## Where the rows went

{counts_text(builder)}
"""


def main(argv: list[str] | None = None) -> int:
    """Build the folder and print the counts. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = build_parser("ecg_qa", __doc__)
    folder = parser.add_argument(
        "--ecg-qa", dest="source", required=True, type=Path, help="ECG-QA's folder (ecgqa, or ecgqa/ptbxl)"
    )
    add_old_name(parser, "--source", folder)
    group = parser.add_mutually_exclusive_group(required=True)
    ptbxl = group.add_argument("--ptbxl", dest="ptb_xl", type=Path, help="folder of PTB-XL 1.0.x")
    add_old_name(group, "--ptb-xl", ptbxl)
    group.add_argument("--mimic-iv-ecg", type=Path, help="folder of MIMIC-IV-ECG, with record_list.csv")
    parser.add_argument("--version", choices=("template", "paraphrased"), default="template", help="default: template")
    parser.add_argument("--split-by", choices=("fold", "official"), help="default: fold; official for MIMIC-IV-ECG")
    parser.add_argument("--sampling-rate", type=int, choices=(100, 500), default=500, help="of PTB-XL; default: 500")
    parser.add_argument("--listed-is-enough", action="store_true", help="keep rows whose recordings are not on disk")
    add_build_arguments(parser)
    args = parser.parse_args(argv)
    made: list[ECGQA] = []

    def make() -> ECGQA:
        builder = ECGQA.of(
            args.version,
            args.split_by or ("fold" if args.ptb_xl else "official"),
            source=args.source,
            record_folder=args.ptb_xl or args.mimic_iv_ecg,
            records="ptb-xl" if args.ptb_xl else "mimic-iv-ecg",
            sampling_rate=args.sampling_rate,
            need_files=not args.listed_is_enough,
        )
        made.append(builder)
        return builder

    def card(report: BuildReport) -> str:
        return card_of(made[0])

    code = run_build(make, args, card)
    if code == 0:
        counts = made[0].join_counts
        print(f"{sum(counts.absent.values())} rows left out: a recording is absent", end="; ")
        print(f"{sum(counts.crossing.values())} pairs left out: they cross train, validation and test")
        if made[0].completeness is not None:
            print(made[0].completeness)
    return code


if __name__ == "__main__":
    sys.exit(main())
