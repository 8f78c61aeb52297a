"""A fixed set of questions for evaluation: the same of every record about one statement, and sampled ones.

    python -m dataset_builders.evaluation_questions --ptbxl DIR --folds 9 --output fold9.parquet

Each record is asked "Does this ECG show atrial fibrillation?" (set ``"every-record"``, for figures such as an AUROC
that need all records) and some questions of the sampler, balanced over these folds (set ``"sampled"``). With
``--ecg-qa DIR`` the questions are ECG-QA's own about one recording of these folds instead (set ``"ecg-qa"``). One row
a question.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_heartllm.data.label_names import PTBXL_VOCABULARY
from hf_heartllm.data.ptbxl_records import records_of
from hf_heartllm.data.question import Question
from hf_heartllm.evaluation.question_file import AS_WRITTEN, EVERY_RECORD
from hf_heartllm.labels.ptbxl import folds, read_ptbxl_table
from hf_heartllm.labels.scp import RHYTHMS, STATEMENTS

from .ecg_qa_files import read_answer_sets, read_ecg_qa, single_ecg_questions
from .parquet import write_parquet
from .sampler.single import verify_question
from .sampler.table import TYPE_SETS, Asking, plain_row, question_rows

if TYPE_CHECKING:
    import pandas as pd

SAMPLED = "sampled"


def schema() -> Any:
    """The Arrow schema of the rows."""
    import pyarrow as pa

    text = ("filename_lr", "filename_hr", "set", "question", "answer", "question_type", "attribute_type", "attribute")
    return pa.schema(
        [(name, pa.int64()) for name in ("ecg_id", "patient_id", "strat_fold")]
        + [(name, pa.string()) for name in text]
        + [("answers", pa.list_(pa.string()))]
    )


def evaluation_questions(
    table: pd.DataFrame,
    *,
    seed: int,
    per_record: float,
    every_record: Sequence[str] = ("AFIB",),
    types: Sequence[str] = TYPE_SETS["statements"],
    not_sure: bool = False,
) -> list[dict[str, Any]]:
    """Build the question set of a table.

    Args:
        table: From ``read_ptbxl_table``, restricted to the wanted folds.
        seed: Of the sampled questions.
        per_record: Mean number of sampled questions with a closed answer set for a record, about.
        every_record: Codes that every record is asked for. A record that does not state the code counts as "no", also
            where it states no rhythm at all.
        types: Attribute types of the sampled questions (``data.label_names.ATTRIBUTE_TYPES``).
        not_sure: Whether statements with a likelihood above 0 and below 100 are answered "not sure"; they count as
            stated otherwise.

    Returns:
        One dictionary per question, with the fields of ``schema()``: first the questions on every record, code by code,
        then the sampled ones, record by record. Sampled questions without a closed answer set are left out, so are
        yes-or-no questions about a code that every record is asked for.
    """
    records = {int(record["ecg_id"]): record for record in table[[*_IDENTITY, "scp_codes"]].to_dict("records")}
    rows = []
    for code in every_record:
        kind = _kind(code)
        for record in records.values():
            question = verify_question(kind, code, present=code in record["scp_codes"])
            rows.append({**_identity(record), "set": EVERY_RECORD, **plain_row(question)})
    # Two of about twelve questions of a record have no closed answer set.
    asking = Asking(tuple(types), per_record * 1.2, not_sure, seed)
    labelled = list(records_of(table, dict.fromkeys(range(1, 11), "all")))
    for of_record, question in question_rows(labelled, PTBXL_VOCABULARY, asking):
        asked_before = question.question_type == "verify" and question.attribute in every_record
        if question.answer_set and not asked_before:
            record = records[int(of_record.record_id)]
            rows.append({**_identity(record), "set": SAMPLED, **plain_row(question)})
    return rows


def ecg_qa_questions(table: pd.DataFrame, asked: Iterable[tuple[int, Question]]) -> list[dict[str, Any]]:
    """Build the question set of a table from questions that others wrote.

    Args:
        table: From ``read_ptbxl_table``, restricted to the wanted folds.
        asked: Questions with the ``ecg_id`` that they are about; those about other records are left out.

    Returns:
        One dictionary per question, with the fields of ``schema()``, record by record in the order of the table.
        Questions without a closed answer set are left out.
    """
    records = {int(record["ecg_id"]): record for record in table[list(_IDENTITY)].to_dict("records")}
    found: dict[int, list[Question]] = {ecg_id: [] for ecg_id in records}
    for ecg_id, question in asked:
        if ecg_id in found and question.answer_set:
            found[ecg_id].append(question)
    return [
        {**_identity(records[ecg_id]), "set": AS_WRITTEN, **plain_row(question)}
        for ecg_id, questions in found.items()
        for question in questions
    ]


_IDENTITY = ("ecg_id", "patient_id", "strat_fold", "filename_lr", "filename_hr")


def _identity(record: Mapping[Any, Any]) -> dict[str, Any]:
    """What names a record in a row; an absent file name is null."""
    return {name: None if record[name] != record[name] else record[name] for name in _IDENTITY}


def _kind(code: str) -> str:
    if code in RHYTHMS:
        return "rhythm"
    return "diagnosis" if "diagnostic" in STATEMENTS[code].categories else "form"


def main(argv: list[str] | None = None) -> int:
    """Write the questions and print their number. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m dataset_builders.evaluation_questions", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--ptbxl", required=True, help="folder of PTB-XL 1.0.x")
    parser.add_argument("--output", required=True, help="Parquet file to write")
    parser.add_argument("--folds", type=folds, default=folds("9"), help="default: 9")
    parser.add_argument("--per-record", type=float, default=5, help="mean number of sampled questions; default: 5")
    parser.add_argument("--every-record", nargs="*", default=["AFIB"], choices=list(STATEMENTS), metavar="CODE")
    parser.add_argument("--types", choices=list(TYPE_SETS), default="statements", help="default: statements")
    parser.add_argument(
        "--not-sure", action="store_true", help="ask for possible statements with the answer 'not sure'"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ecg-qa", metavar="DIR", help="ask the questions of this copy of ECG-QA instead")
    parser.add_argument("--version", choices=("template", "paraphrased"), default="paraphrased", help="of ECG-QA")
    args = parser.parse_args(argv)
    try:
        table = read_ptbxl_table(args.ptbxl)
        table = table[table["strat_fold"].isin(args.folds)]
        if args.ecg_qa:
            asked = single_ecg_questions(read_ecg_qa(args.ecg_qa, args.version), read_answer_sets(args.ecg_qa))
            rows = ecg_qa_questions(table, asked)
            if not rows:
                raise ValueError(f"{args.ecg_qa}: no question with a closed answer set about one record of these folds")
        else:
            rows = evaluation_questions(
                table,
                seed=args.seed,
                per_record=args.per_record,
                every_record=args.every_record,
                types=TYPE_SETS[args.types],
                not_sure=args.not_sure,
            )
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_parquet(rows, args.output, schema())
    print(f"{Path(args.output)}: {len(rows)} questions about {len({row['ecg_id'] for row in rows})} records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
