"""A fixed set of questions for evaluation: the same of every record about one statement, and sampled ones.

    python -m dataset_builders.evaluation_questions --ptbxl DIR --folds 9 --output fold9.parquet

Each record is asked "Does this ECG show atrial fibrillation?" (set ``"every-record"``, for figures such as an AUROC
that need all records) and some questions of the question generator, balanced over these folds (set ``"sampled"``). With
``--ecg-qa DIR`` the questions are ECG-QA's own about one recording of these folds instead (set ``"ecg-qa"``). One row
a question.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import datasets

from hf_heartllm.data.question import AS_WRITTEN, EVERY_RECORD, SAMPLED, Question
from hf_heartllm.labels.scp import RHYTHMS, STATEMENTS

from .engine import Shard, add_build_arguments, build_parser, config_of, run_build, split_shards
from .ptbxl_questions import (
    RECORD_COLUMNS,
    PTBXLQuestions,
    PTBXLQuestionsConfig,
    add_question_arguments,
)
from .question_generator.single import verify_question
from .question_generator.table import TYPE_SETS, plain_row

KEYS_PER_SHARD = 5_000
_TEXTS = ("set", "question", "answer", "question_type", "attribute_type", "attribute")


@dataclass
class EvaluationQuestionsConfig(PTBXLQuestionsConfig):
    """What is asked. Further attributes are those of `PTBXLQuestionsConfig`; with `ecg_qa` only its questions are.

    Attributes:
        every_record: codes that every record is asked for. A record that does not state the code counts as "no", also
            where it states no rhythm at all.
    """

    folds: tuple[int, ...] = (9,)
    per_record: float = 5
    every_record: tuple[str, ...] = ("AFIB",)


class EvaluationQuestions(PTBXLQuestions):
    """Questions with a closed answer set: first those on every record, code by code, then by record.

    Sampled yes-or-no questions about a code that every record is asked for are left out.
    """

    BUILDER_CONFIG_CLASS = EvaluationQuestionsConfig
    COUNTED = ("set", "question_type")
    config: EvaluationQuestionsConfig

    def _info(self) -> datasets.DatasetInfo:
        text = datasets.Value("string")
        return datasets.DatasetInfo(
            description="Questions for evaluation on records of PTB-XL, with closed answer sets.",
            features=datasets.Features(
                {**RECORD_COLUMNS, **dict.fromkeys(_TEXTS, text), "answers": datasets.List(text)}
            ),
        )

    def plan(self) -> list[Shard]:
        """(code that every record is asked for, or the set, and record)."""
        ids = [int(ecg_id) for ecg_id in self.table.index]
        if self.config.ecg_qa is None:
            keys = [(what, ecg_id) for what in (*self.config.every_record, SAMPLED) for ecg_id in ids]
        else:
            keys = [(AS_WRITTEN, ecg_id) for ecg_id in ids if any(one.answer_set for one in self.from_ecg_qa[ecg_id])]
            if not keys:
                raise ValueError(
                    f"{self.config.ecg_qa}: no question with a closed answer set about one record of these folds"
                )
        return split_shards("test", keys, KEYS_PER_SHARD)

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard, one a question."""
        for what, ecg_id in shard.keys:
            question_set = what if what in (SAMPLED, AS_WRITTEN) else EVERY_RECORD
            for question in self._questions(what, ecg_id):
                yield {**self.record_columns(ecg_id), "set": question_set, **plain_row(question)}

    def _questions(self, what: str, ecg_id: int) -> list[Question]:
        if what == AS_WRITTEN:
            return [one for one in self.from_ecg_qa[ecg_id] if one.answer_set]
        if what != SAMPLED:
            return [verify_question(_kind(what), what, present=what in self.table.at[ecg_id, "scp_codes"])]
        # Two of about twelve questions of a record have no closed answer set.
        return [
            one
            for one in self.from_labels(ecg_id, self.config.per_record * 1.2)
            if one.answer_set and not (one.question_type == "verify" and one.attribute in self.config.every_record)
        ]


def _kind(code: str) -> str:
    if code in RHYTHMS:
        return "rhythm"
    return "diagnosis" if "diagnostic" in STATEMENTS[code].categories else "form"


def main(argv: list[str] | None = None) -> int:
    """Build from the command line. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = build_parser("evaluation_questions", __doc__)
    every = {"type": str, "nargs": "*", "choices": list(STATEMENTS), "metavar": "CODE", "default": ["AFIB"]}
    add_question_arguments(parser, EvaluationQuestionsConfig, every_record=every)
    add_build_arguments(parser)
    args = parser.parse_args(argv)
    chosen = {"types": TYPE_SETS[args.types], "every_record": tuple(args.every_record)}
    return run_build(lambda: EvaluationQuestions(**config_of(EvaluationQuestionsConfig, args, **chosen)), args)


if __name__ == "__main__":
    sys.exit(main())
