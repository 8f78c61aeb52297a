"""One training row per PTB-XL record: its questions with answers, and its report.

    python -m dataset_builders.training_rows --ptbxl DIR --ecg-qa DIR --output rows.parquet

The row names the record's files; it holds no signal.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hf_heartllm.data.ecg_qa_files import ECG_QA
from hf_heartllm.data.measured import with_measurements
from hf_heartllm.data.question import MEASURED, Question
from hf_heartllm.data.record import Record
from hf_heartllm.ecg import read_ecg
from hf_heartllm.ecg.beats import beat_times
from hf_heartllm.models.report_text import clean_report_text

from .engine import Shard, add_build_arguments, build_parser, config_of, run_build, split_shards
from .ptbxl_questions import (
    RECORD_COLUMNS,
    PTBXLQuestions,
    PTBXLQuestionsConfig,
    add_question_arguments,
)
from .question_generator.beats import questions_on_beats
from .question_generator.numeric import RangePrevalence, count_ranges, questions_on_ranges
from .question_generator.table import TYPE_SETS, plain_row
from .reports import read_english_reports, report_from_codes

LABELS = "ptb-xl labels"
RECORDS_PER_SHARD = 1_000
_QUESTION_TEXTS = ("question_type", "attribute_type", "attribute", "source")


@dataclass
class TrainingRowsConfig(PTBXLQuestionsConfig):
    """What stands in a row. Further attributes are those of `PTBXLQuestionsConfig`.

    Attributes:
        measure_beats: ask for rate and regularity too, measured on the recordings at 100 Hz.
        measurements: CSV table of durations in ms by `ecg_id`, which are asked for too.
        english_reports: the `dataset` folder of the HeartLLM authors' samples, with original reports in English; what
            the device printed round the findings is taken out, and what was nothing else is None.
    """

    measure_beats: bool = False
    measurements: Path | None = None
    english_reports: Path | None = None


class TrainingRows(PTBXLQuestions):
    """One row a record, in the order of PTB-XL's table: questions from labels, ECG-QA's, measured ones; the report."""

    BUILDER_CONFIG_CLASS = TrainingRowsConfig
    COUNTED = ("questions.source", "questions.question_type")
    config: TrainingRowsConfig

    def _info(self) -> datasets.DatasetInfo:
        text, texts = datasets.Value("string"), datasets.List(datasets.Value("string"))
        question = {"question": text, "answer": text, "answers": texts, **dict.fromkeys(_QUESTION_TEXTS, text)}
        reports = dict.fromkeys(("report", "report_original_english"), text)
        return datasets.DatasetInfo(
            description="Questions and reports for training, one row a record of PTB-XL.",
            features=datasets.Features({**RECORD_COLUMNS, "questions": datasets.List(question), **reports}),
        )

    def index_files(self) -> Iterator[Path]:
        """The table of measurements and the reports, beside what the questions are made from."""
        yield from super().index_files()
        if self.config.measurements is not None and self.config.measurements.is_file():
            yield self.config.measurements
        if self.config.english_reports is not None:
            yield from sorted(self.config.english_reports.glob("report/ptbxl/*.json"))

    def shard_files(self, shard: Shard) -> Iterator[Path]:
        """The recordings, where beats are measured on them."""
        if self.config.measure_beats:
            stems = filter(None, map(self._recording, shard.keys))
            yield from (Path(f"{stem}{end}") for stem in stems for end in (".hea", ".dat"))

    def _recording(self, ecg_id: int) -> Path | None:
        """The recording at 100 Hz without suffix; None where it is not on disk."""
        name = self.record_columns(ecg_id)["filename_lr"]
        there = name is not None and (self.config.source / f"{name}.hea").is_file()
        return self.config.source / name if there else None

    @functools.cached_property
    def _english_reports(self) -> dict[int, str]:
        return read_english_reports(self.config.english_reports) if self.config.english_reports else {}

    @functools.cached_property
    def _durations(self) -> tuple[dict[int, Record], RangePrevalence]:
        """The records with their measurements, and what questions on these are balanced over."""
        assert self.config.measurements is not None
        records = list(with_measurements(list(self.labelled.values()), self.config.measurements))
        return {int(record.record_id): record for record in records}, count_ranges(records)

    def plan(self) -> list[Shard]:
        """The records in the order of the table; what the rows need beside it is read before any is made."""
        if self.config.measurements is not None:
            _ = self._durations
        _ = self._english_reports
        return split_shards("train", [int(ecg_id) for ecg_id in self.table.index], RECORDS_PER_SHARD)

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard, one a record."""
        for ecg_id in shard.keys:
            asked = [(LABELS, one) for one in self.from_labels(ecg_id, self.config.per_record)]
            asked += [(ECG_QA, one) for one in self.from_ecg_qa.get(ecg_id, ())]
            with self.reading(f"record {ecg_id}"):
                asked += [(MEASURED, one) for one in self._measured(ecg_id)]
                yield {
                    **self.record_columns(ecg_id),
                    "questions": [{**plain_row(one), "source": source} for source, one in asked],
                    "report": report_from_codes(self.table.at[ecg_id, "scp_codes"]),
                    "report_original_english": clean_report_text(self._english_reports.get(ecg_id) or "") or None,
                }

    def _measured(self, ecg_id: int) -> list[Question]:
        made: list[Question] = []
        if self.config.measure_beats and (file := self._recording(ecg_id)) is not None:
            made += questions_on_beats(beat_times(read_ecg(file)), f"{self.config.seed}-{ecg_id}")
        if self.config.measurements is not None:
            records, balance = self._durations
            made += questions_on_ranges(records[ecg_id], balance, f"{self.config.seed}:{ecg_id}")
        return made

    def notes(self) -> list[str]:
        """What of the records, of ECG-QA and of the original reports is not used."""
        lines = super().notes()
        if reports := self._english_reports:
            known = [text for ecg_id, text in reports.items() if ecg_id in self.labelled]
            kept = sum(bool(clean_report_text(text)) for text in known)
            lines.append(
                f"Original reports in English: {kept:,}; {len(known) - kept:,} more hold no finding, and "
                f"{len(reports) - len(known):,} are of records that are absent or in other folds."
            )
        return lines


def main(argv: list[str] | None = None) -> int:
    """Build from the command line. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = build_parser("training_rows", __doc__)
    add_question_arguments(parser, TrainingRowsConfig)
    add_build_arguments(parser)
    args = parser.parse_args(argv)
    types = TYPE_SETS[args.types]
    return run_build(lambda: TrainingRows(**config_of(TrainingRowsConfig, args, types=types)), args)


if __name__ == "__main__":
    sys.exit(main())
