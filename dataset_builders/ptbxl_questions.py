"""What the sets of questions over PTB-XL share: its table, the balance of its labels, and ECG-QA's own questions."""

from __future__ import annotations

import argparse
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import datasets

from hf_heartllm.data.ecg_qa_files import (
    ANSWER_SETS_NAME,
    question_files,
    question_folder,
    read_answer_sets,
    read_ecg_qa,
)
from hf_heartllm.data.ecg_qa_files import single_ecg_questions as on_single_ecgs
from hf_heartllm.data.label_names import PTBXL_VOCABULARY
from hf_heartllm.data.ptbxl_records import records_of
from hf_heartllm.data.question import Question
from hf_heartllm.data.record import Record
from hf_heartllm.labels.ptbxl import ROW_SOURCE_NAME, TABLE_NAME, folds, read_ptbxl_table
from hf_heartllm.labels.record_ids import whole_number

from .engine import RowBuilder, add_config_options
from .question_generator.balance import count_prevalence
from .question_generator.prevalence import Prevalence
from .question_generator.single import questions_for
from .question_generator.table import TYPE_SETS

RECORD_COLUMNS = {
    **dict.fromkeys(("ecg_id", "patient_id", "strat_fold"), datasets.Value("int64")),
    **dict.fromkeys(("filename_lr", "filename_hr"), datasets.Value("string")),
}
"""What names a record in a row: PTB-XL's own columns."""


@dataclass
class PTBXLQuestionsConfig(datasets.BuilderConfig):
    """Which records are asked, and what.

    Attributes:
        source: folder of PTB-XL 1.0.x.
        folds: of the records; the questions from labels are balanced over them.
        per_record: mean number of questions from labels for a record.
        types: attribute types of these (`hf_heartllm.data.label_names`).
        not_sure: answer questions on statements with a likelihood above 0 and below 100 "not sure"; they count as
            stated otherwise.
        seed: of these; a record's depend on its id, not on the other rows.
        ecg_qa: folder of ECG-QA, whose questions about one recording are taken; without it none.
        ecg_qa_version: of ECG-QA's questions.
    """

    source: Path = Path()
    folds: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    per_record: float = 14
    types: tuple[str, ...] = TYPE_SETS["statements"]
    not_sure: bool = False
    seed: int = 0
    ecg_qa: Path | None = None
    ecg_qa_version: Literal["template", "paraphrased"] = "paraphrased"


class PTBXLQuestions(RowBuilder):
    """A builder of questions over PTB-XL's folder."""

    BUILDER_CONFIG_CLASS = PTBXLQuestionsConfig
    ROWS_PER_GROUP = 1_000
    config: PTBXLQuestionsConfig

    def index_files(self) -> Iterator[Path]:
        """PTB-XL's tables, and ECG-QA's files of questions and answers."""
        tables = (self.config.source / name for name in (TABLE_NAME, ROW_SOURCE_NAME))
        yield from (path for path in tables if path.is_file())
        if self.config.ecg_qa is not None:
            yield from (path for _, path in question_files(self.config.ecg_qa, self.config.ecg_qa_version))
            yield question_folder(self.config.ecg_qa) / ANSWER_SETS_NAME

    @functools.cached_property
    def whole_table(self) -> Any:
        """PTB-XL's table, a `pandas.DataFrame`."""
        return read_ptbxl_table(self.config.source)

    @functools.cached_property
    def table(self) -> Any:
        """Its rows of the wanted folds."""
        table = self.whole_table[self.whole_table["strat_fold"].isin(self.config.folds)]
        if table.empty:
            wanted = ", ".join(map(str, self.config.folds))
            raise ValueError(f"{self.config.source}: no record of folds {wanted}")
        return table

    @functools.cached_property
    def labelled(self) -> dict[int, Record]:
        """The records with their labels, by `ecg_id`."""
        records = records_of(self.table, dict.fromkeys(self.config.folds, "all"))
        return {int(record.record_id): record for record in records}

    @functools.cached_property
    def _balance(self) -> Prevalence:
        return count_prevalence(list(self.labelled.values()), PTBXL_VOCABULARY, self.config.types, self.config.not_sure)

    def from_labels(self, ecg_id: int, per_record: float) -> list[Question]:
        """Questions from the labels of one record, so many in the mean."""
        seed = f"{self.config.seed}:{ecg_id}"
        return questions_for(self.labelled[ecg_id], seed=seed, count=per_record, prevalence=self._balance)

    @functools.cached_property
    def from_ecg_qa(self) -> dict[int, list[Question]]:
        """ECG-QA's questions about one recording, by `ecg_id`; also of records that are not in `table`."""
        found: dict[int, list[Question]] = defaultdict(list)
        if self.config.ecg_qa is not None:
            rows = read_ecg_qa(self.config.ecg_qa, self.config.ecg_qa_version)
            for ecg_id, question in on_single_ecgs(rows, read_answer_sets(self.config.ecg_qa)):
                found[ecg_id].append(question)
        return found

    def record_columns(self, ecg_id: int) -> dict[str, Any]:
        """The values of `RECORD_COLUMNS`; what the table does not have is None."""
        row = self.table.loc[ecg_id]
        numbers = {name: whole_number(row[name]) for name in ("ecg_id", "patient_id", "strat_fold")}
        return numbers | {name: text_or_none(row[name]) for name in ("filename_lr", "filename_hr")}

    def notes(self) -> list[str]:
        """How many records cannot be used or kept apart, and how many of ECG-QA's questions are not used."""
        lines = []
        if unknown := int(self.whole_table["strat_fold"].isna().sum()):
            lines.append(f"{unknown:,} records of the table have no strat_fold and are left out.")
        if unknown := int(self.table["patient_id"].isna().sum()):
            lines.append(f"{unknown:,} records have no patient_id and cannot be kept apart from a test's patients.")
        if self.config.ecg_qa is not None:
            at_hand = sum(len(found) for ecg_id, found in self.from_ecg_qa.items() if ecg_id in self.labelled)
            absent = sum(map(len, self.from_ecg_qa.values())) - at_hand
            lines.append(
                f"{at_hand:,} questions of ECG-QA are about one of these records; {absent:,} more are of records that "
                "are absent or in other folds."
            )
        return lines


def text_or_none(value: Any) -> str | None:
    """A cell of the table that holds text; absent ones are not-a-number in pandas."""
    return value if isinstance(value, str) and value else None


def add_question_arguments(
    parser: argparse.ArgumentParser, kind: type[PTBXLQuestionsConfig], **of_fields: dict[str, Any]
) -> None:
    """What these builders take from the command line: the fields of their configuration."""
    add_config_options(
        parser,
        kind,
        source={"option": "--ptbxl", "required": True},
        folds={"type": folds, "metavar": "FOLDS"},
        types={"type": str, "choices": list(TYPE_SETS), "default": "statements"},
        ecg_qa={"metavar": "DIR"},
        ecg_qa_version={"option": "--version"},
        **of_fields,
    )
