"""Questions of the question generator as a data set: one row a question, about one recording or comparing two."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets

from hf_heartllm.data.label_names import ATTRIBUTE_TYPES, Vocabulary
from hf_heartllm.data.measured import with_measurements
from hf_heartllm.data.question import Question, question_features
from hf_heartllm.data.record import Record
from hf_heartllm.data.sources import FOLD_SPLITS, PTB_XL, WFDB_HEADERS, RecordSource, open_records

from ..engine import RowBuilder, Shard, split_shards
from .balance import count_prevalence
from .numeric import RangePrevalence, count_ranges, questions_on_ranges
from .pairs import questions_on_pairs
from .prevalence import Prevalence
from .single import questions_for

RECORDS_PER_SHARD = 2_000
PAIRS_PER_SHARD = 20_000
_PAIR, _SINGLE = "pair", "single"


@dataclass
class QuestionGeneratorConfig(datasets.BuilderConfig):
    """What is asked of which records.

    Attributes:
        source: of `hf_heartllm.data.open_records`: the folder of PTB-XL, a CSV file of labels, a labelled WFDB folder.
        measurements: a CSV table of durations in ms: `record_id` or `ecg_id`, and some of the columns of
            `hf_heartllm.ecg.measurements` that `numeric.FEATURES` names; added to the records.
        types: attribute types to ask for.
        per_record: mean number of questions from labels on one recording; all of them when None.
        not_sure: whether what the labels call possible is answered "not sure"; it counts as stated otherwise.
        pairs: at most so many comparison questions with yes, and as many with no, for each attribute and change, over
            pairs of two patients and over pairs of one; 0 for none.
        seed: of all choices.
        folds: of PTB-XL, the part of each fold, as (fold, split).
        sampling_rate: Hz, of the paths of PTB-XL's recordings.
        split: the part whose questions are wanted, such as test; all when None. Each part is balanced by itself, so
            its questions are the same either way.
    """

    source: Path | None = None
    measurements: Path | None = None
    types: tuple[str, ...] = ATTRIBUTE_TYPES
    per_record: float | None = None
    not_sure: bool = True
    pairs: int = 50
    seed: int = 0
    folds: tuple[tuple[int, str], ...] = tuple(FOLD_SPLITS.items())
    sampling_rate: int = 500
    split: str | None = None


class SampledQuestions(RowBuilder):
    """The question generator's questions; rows as `_info` types them. Each part of a set is balanced by itself."""

    BUILDER_CONFIG_CLASS = QuestionGeneratorConfig
    COUNTED = ("question_type", "attribute_type", "source")
    config: QuestionGeneratorConfig

    def _info(self) -> datasets.DatasetInfo:
        texts = datasets.List(datasets.Value("string"))
        return datasets.DatasetInfo(
            description="Questions about one ECG, or comparing two, made from the labels of their recordings.",
            features=datasets.Features({**question_features(), "record_paths": texts, "fold": datasets.Value("int32")}),
        )

    def prepare(self) -> None:
        """See that there is something to ask."""
        if not any(self._vocabulary.types):
            raise ValueError(f"{self.config.source}: no recording has a label that is understood: nothing to ask")

    def index_files(self) -> Iterator[Path]:
        """The tables of labels, and the table of measurements where one is given."""
        yield from self._source.files
        if self._source.layout == WFDB_HEADERS:
            yield from (self._file(record, ".hea") for record in self._source)
        if self.config.measurements is not None and self.config.measurements.is_file():
            yield self.config.measurements

    @staticmethod
    def _file(record: Record, suffix: str) -> Path:
        return Path(record.root or "") / f"{record.path}{suffix}"

    def notes(self) -> list[str]:
        """What was decided about the records or left out."""
        return list(self._source.notes)

    @functools.cached_property
    def _source(self) -> RecordSource:
        config = self.config
        if config.source is None:
            raise ValueError("give the folder of PTB-XL, a CSV file of labels or a labelled WFDB folder as `source`")
        found = open_records(config.source, sampling_rate=config.sampling_rate, splits=dict(config.folds))
        if config.measurements is None:
            return found
        return replace(found, records=tuple(with_measurements(found.records, config.measurements)))

    @property
    def is_ptb_xl(self) -> bool:
        """Whether the records are PTB-XL's."""
        return self._source.layout == PTB_XL

    @functools.cached_property
    def _records(self) -> dict[str, list[Record]]:
        return self._source.splits()

    @functools.cached_property
    def _vocabulary(self) -> Vocabulary:
        return self._source.vocabulary

    @functools.cached_property
    def _some_possible(self) -> bool:
        """Whether any label is possible only; else "not sure" is no answer of the collection."""
        return any(names for record in self._source for names in record.possible.values())

    @functools.lru_cache(maxsize=2)  # noqa: B019 - the shards of a part follow each other
    def _balance(self, split: str) -> tuple[Prevalence, RangePrevalence]:
        records, config = self._records[split], self.config
        return (
            count_prevalence(records, self._vocabulary, config.types, config.not_sure and self._some_possible),
            count_ranges(records),
        )

    @functools.lru_cache(maxsize=1)  # noqa: B019
    def _pairs(self, split: str) -> list[Question]:
        config = self.config
        if not config.pairs:
            return []
        return questions_on_pairs(self._records[split], self._vocabulary, seed=config.seed, limit=config.pairs)

    def plan(self) -> list[Shard]:
        """Of each part first the questions on one recording, by record, then the comparisons."""
        plan: list[Shard] = []
        if self.config.split is not None and self.config.split not in self._records:
            known = ", ".join(f"{len(records)} {name}" for name, records in self._records.items())
            raise ValueError(f"{self.config.source}: no record of split {self.config.split!r} (there are {known})")
        for split, records in self._records.items():
            if self.config.split not in (None, split):
                continue
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
                question = self._pairs(shard.split)[number]
                yield _row([by_id[one] for one in question.record_ids], question)
            else:
                record = records[number]
                for question in self._of_record(record):
                    kind = f"single-{question.question_type}"
                    yield _row([record], replace(question, record_ids=(record.record_id,), question_type=kind))

    def _of_record(self, record: Record) -> list[Question]:
        config = self.config
        prevalence, ranges = self._balance(record.split)
        seed = f"{config.seed}:{record.record_id}"
        made = questions_for(record, seed=seed, count=config.per_record, prevalence=prevalence)
        return made + questions_on_ranges(record, ranges, seed)


def _row(records: list[Record], question: Question) -> dict[str, Any]:
    folds = [record.fold for record in records if record.fold is not None]
    return question.row() | {
        "record_paths": [record.path for record in records],
        "fold": max(folds) if folds else None,
    }
