"""Questions of the sampler as a data set: one row a question, about one recording or comparing two."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets

from hf_heartllm.labels.ptbxl import ROW_SOURCE_NAME, TABLE_NAME, read_ptbxl_table

from ..engine import RowBuilder, Shard, split_shards
from .balance import count_prevalence
from .label_file import read_label_file, with_measurements
from .numeric import TYPE, RangePrevalence, count_ranges, questions_on_ranges
from .pairs import questions_on_pairs
from .prevalence import Prevalence
from .ptbxl import records_of
from .questions import FROM_LABELS, MEASURED, PairQuestion, Question
from .records import ATTRIBUTE_TYPES, PTBXL_VOCABULARY, LabelledRecord, Vocabulary, vocabulary_of
from .single import questions_for
from .table import by_split

RECORDS_PER_SHARD = 2_000
PAIRS_PER_SHARD = 20_000
_SPLITS = ("train", "validation", "test")
_PAIR, _SINGLE = "pair", "single"


@dataclass
class SamplerConfig(datasets.BuilderConfig):
    """What is asked of which records.

    Attributes:
        source: a CSV file of `label_file`, or the folder of PTB-XL.
        measurements: a CSV table of durations in ms: `record_id` or `ecg_id`, and some of the columns of
            `hf_heartllm.ecg.measurements` that `numeric.FEATURES` names; added to the records.
        types: attribute types to ask for.
        per_record: mean number of questions from labels on one recording; None keeps all that the labels give.
        not_sure: whether what the labels call possible is answered "not sure"; it counts as stated otherwise.
        pairs: at most so many comparison questions with yes, and as many with no, for each attribute and change, over
            pairs of two patients and over pairs of one; 0 for none.
        seed: of all choices.
        folds: of PTB-XL, the part of each fold, as (fold, split).
        sampling_rate: 100 or 500, of the paths of PTB-XL's recordings.
    """

    source: Path | None = None
    measurements: Path | None = None
    types: tuple[str, ...] = ATTRIBUTE_TYPES
    per_record: float | None = None
    not_sure: bool = True
    pairs: int = 50
    seed: int = 0
    folds: tuple[tuple[int, str], ...] = (*((fold, "train") for fold in range(1, 9)), (9, "validation"), (10, "test"))
    sampling_rate: int = 500


class SampledQuestions(RowBuilder):
    """The sampler's questions; rows as `_info` types them. Each part of a set is balanced by itself."""

    BUILDER_CONFIG_CLASS = SamplerConfig
    COUNTED = ("question_type", "attribute_type", "source")
    config: SamplerConfig

    def _info(self) -> datasets.DatasetInfo:
        text, texts = datasets.Value("string"), datasets.List(datasets.Value("string"))
        return datasets.DatasetInfo(
            description="Questions about one ECG, or comparing two, made from the labels of their recordings.",
            features=datasets.Features(
                {
                    "record_ids": texts,
                    "record_paths": texts,
                    "fold": datasets.Value("int32"),
                    "question": text,
                    "answer": text,
                    "answers": texts,
                    "question_type": text,
                    "attribute_type": text,
                    "attribute": text,
                    "source": text,
                }
            ),
        )

    def index_files(self) -> Iterator[Path]:
        """The table of labels, and the table of measurements where one is given."""
        source = self.config.source
        if source is not None and source.is_dir():
            yield from (source / name for name in (TABLE_NAME, ROW_SOURCE_NAME) if (source / name).is_file())
        elif source is not None and source.is_file():
            yield source
        if self.config.measurements is not None and self.config.measurements.is_file():
            yield self.config.measurements

    @functools.cached_property
    def _records(self) -> dict[str, list[LabelledRecord]]:
        config = self.config
        if config.source is None:
            raise ValueError("give a CSV file of labels or the folder of PTB-XL as `source`")
        if config.source.is_dir():
            records = list(records_of(read_ptbxl_table(config.source), dict(config.folds), config.sampling_rate))
        else:
            records = read_label_file(config.source)
        if config.measurements is not None:
            records = list(with_measurements(records, config.measurements))
        parts = by_split(records)
        return {name: parts[name] for name in (*_SPLITS, *sorted(set(parts).difference(_SPLITS))) if name in parts}

    @functools.cached_property
    def _vocabulary(self) -> Vocabulary:
        if self.config.source is not None and self.config.source.is_dir():
            return PTBXL_VOCABULARY
        return vocabulary_of(record for records in self._records.values() for record in records)

    @functools.lru_cache(maxsize=2)  # noqa: B019 - the shards of a part follow each other
    def _balance(self, split: str) -> tuple[Prevalence, RangePrevalence]:
        records, config = self._records[split], self.config
        return (
            count_prevalence(records, self._vocabulary, config.types, config.not_sure),
            count_ranges(records),
        )

    @functools.lru_cache(maxsize=1)  # noqa: B019
    def _pairs(self, split: str) -> list[PairQuestion]:
        config = self.config
        if not config.pairs:
            return []
        return questions_on_pairs(self._records[split], self._vocabulary, seed=config.seed, limit=config.pairs)

    def plan(self) -> list[Shard]:
        """Of each part first the questions on one recording, by record, then the comparisons."""
        plan: list[Shard] = []
        for split, records in self._records.items():
            single = split_shards(split, [(_SINGLE, number) for number in range(len(records))], RECORDS_PER_SHARD)
            pairs = [(_PAIR, number) for number in range(len(self._pairs(split)))]
            plan += single
            for shard in split_shards(split, pairs, PAIRS_PER_SHARD):
                plan.append(replace(shard, index=shard.index + len(single)))
        return plan

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard."""
        records = self._records[shard.split]
        by_id = {record.record_id: record for record in records}
        for what, number in shard.keys:
            if what == _PAIR:
                pair = self._pairs(shard.split)[number]
                kind = "consecutive" if pair.same_patient else "irrelevant"
                yield _row([by_id[pair.first], by_id[pair.second]], pair.question, f"comparison_{kind}")
            else:
                for question in self._of_record(records[number]):
                    yield _row([records[number]], question, "single")

    def _of_record(self, record: LabelledRecord) -> list[Question]:
        config = self.config
        prevalence, ranges = self._balance(record.split)
        seed = f"{config.seed}:{record.record_id}"
        made = questions_for(record, seed=seed, count=config.per_record, prevalence=prevalence)
        return made + questions_on_ranges(record, ranges, seed)


def _row(records: list[LabelledRecord], question: Question, prefix: str) -> dict[str, Any]:
    folds = [record.fold for record in records if record.fold is not None]
    return {
        "record_ids": [record.record_id for record in records],
        "record_paths": [record.path for record in records],
        "fold": max(folds) if folds else None,
        "question": question.question,
        "answer": question.answer,
        "answers": list(question.answers),
        "question_type": f"{prefix}-{question.question_type}",
        "attribute_type": question.attribute_type,
        "attribute": question.attribute,
        "source": MEASURED if question.attribute_type == TYPE else FROM_LABELS,
    }
