"""One training row per PTB-XL record: its questions with answers, and its report.

    python -m dataset_builders.training_rows --ptbxl DIR --ecg-qa DIR --output rows.parquet

The row names the record's files; it holds no signal.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_heartllm.data.label_names import PTBXL_VOCABULARY
from hf_heartllm.data.measured import with_measurements
from hf_heartllm.data.ptbxl_records import records_of
from hf_heartllm.data.question import MEASURED, Question
from hf_heartllm.labels.ptbxl import folds, read_ptbxl_table
from hf_heartllm.labels.record_ids import whole_number
from hf_heartllm.models.report_text import clean_report_text

from .ecg_qa_files import ECG_QA, read_answer_sets, read_ecg_qa, single_ecg_questions
from .parquet import question_type, write_parquet
from .reports import read_english_reports, report_from_codes
from .sampler.beats import beat_questions
from .sampler.numeric import count_ranges, questions_on_ranges
from .sampler.table import TYPE_SETS, Asking, plain_row, question_rows

if TYPE_CHECKING:
    import pandas as pd

LABELS = "ptb-xl labels"


def schema() -> Any:
    """The Arrow schema of the rows."""
    import pyarrow as pa

    return pa.schema(
        [
            ("ecg_id", pa.int64()),
            ("patient_id", pa.int64()),
            ("strat_fold", pa.int64()),
            ("filename_lr", pa.string()),
            ("filename_hr", pa.string()),
            ("questions", pa.list_(question_type())),
            ("report", pa.string()),
            ("report_original_english", pa.string()),
        ]
    )


def training_rows(
    table: pd.DataFrame,
    *,
    seed: int,
    per_record: float,
    ecg_qa: Mapping[int, list[Question]] | None = None,
    english_reports: Mapping[int, str] | None = None,
    measured: Mapping[int, list[Question]] | None = None,
    types: Sequence[str] = TYPE_SETS["statements"],
    not_sure: bool = False,
) -> list[dict[str, Any]]:
    """Build the rows of a table.

    Args:
        table: From ``read_ptbxl_table``, restricted to the wanted folds; the questions are balanced over it.
        seed: Of the questions from labels.
        per_record: Mean number of questions from labels for a record.
        ecg_qa: ECG-QA's questions by ``ecg_id``; they come after the others. Those of records that are not in the table
            are not used.
        english_reports: Original reports in English by ``ecg_id``; what the device printed round the findings is taken
            out, and what was nothing else is None.
        measured: Questions whose answers were measured, by ``ecg_id``; they come last.
        types: Attribute types of the questions from labels (``data.label_names.ATTRIBUTE_TYPES``).
        not_sure: Whether statements with a likelihood above 0 and below 100 are answered "not sure"; they count as
            stated otherwise.

    Returns:
        One dictionary per record, in the order of the table, with the fields of ``schema()``.
    """
    questions: dict[int, list[dict[str, Any]]] = defaultdict(list)
    asking = Asking(tuple(types), per_record, not_sure, seed)
    labelled = list(records_of(table, dict.fromkeys(range(1, 11), "all")))
    for of_record, question in question_rows(labelled, PTBXL_VOCABULARY, asking):
        questions[int(of_record.record_id)].append({**plain_row(question), "source": LABELS})
    for ecg_id, found in (ecg_qa or {}).items():
        questions[ecg_id].extend({**plain_row(question), "source": ECG_QA} for question in found)
    for ecg_id, found in (measured or {}).items():
        questions[ecg_id].extend({**plain_row(question), "source": MEASURED} for question in found)
    rows = []
    for record in table.to_dict("records"):
        ecg_id = int(record["ecg_id"])
        rows.append(
            {
                "ecg_id": ecg_id,
                "patient_id": whole_number(record["patient_id"]),
                "strat_fold": int(record["strat_fold"]),
                "filename_lr": _text(record["filename_lr"]),
                "filename_hr": _text(record["filename_hr"]),
                "questions": questions[ecg_id],
                "report": report_from_codes(record["scp_codes"]),
                "report_original_english": clean_report_text((english_reports or {}).get(ecg_id) or "") or None,
            }
        )
    return rows


def _text(value: Any) -> str | None:
    """A cell of the table that holds text; absent ones are not-a-number in pandas."""
    return value if isinstance(value, str) and value else None


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dataset_builders.training_rows", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--ptbxl", required=True, help="folder of PTB-XL 1.0.x")
    parser.add_argument("--ecg-qa", help="folder of ECG-QA; without it there are only questions from labels")
    parser.add_argument("--version", choices=("template", "paraphrased"), default="paraphrased", help="of ECG-QA")
    parser.add_argument(
        "--measure-beats", action="store_true", help="ask for rate and regularity too (reads the records)"
    )
    parser.add_argument("--measurements", type=Path, help="CSV table of durations in ms by ecg_id, asked for too")
    parser.add_argument("--english-reports", help="the dataset folder of the HeartLLM authors' samples")
    parser.add_argument("--output", required=True, help="Parquet file to write")
    parser.add_argument("--folds", type=folds, default=folds("1-8"), help="default: 1-8")
    parser.add_argument("--per-record", type=float, default=14, help="mean questions from labels; default: 14")
    parser.add_argument("--types", choices=list(TYPE_SETS), default="statements", help="default: statements")
    parser.add_argument(
        "--not-sure", action="store_true", help="ask for possible statements with the answer 'not sure'"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Write the rows and print their number. Returns the exit code: 2 for bad input, with one line on stderr."""
    args = _parse(argv)
    try:
        whole = read_ptbxl_table(args.ptbxl)
        table = whole[whole["strat_fold"].isin(args.folds)]
        if table.empty:
            raise ValueError(f"{args.ptbxl}: no record of folds {', '.join(map(str, args.folds))}")
        by_record: dict[int, list[Question]] = defaultdict(list)
        if args.ecg_qa:
            for ecg_id, question in single_ecg_questions(
                read_ecg_qa(args.ecg_qa, args.version), read_answer_sets(args.ecg_qa)
            ):
                by_record[ecg_id].append(question)
        at_hand = {int(ecg_id) for ecg_id in table["ecg_id"]}
        used = {ecg_id: found for ecg_id, found in by_record.items() if ecg_id in at_hand}
        reports = read_english_reports(args.english_reports) if args.english_reports else None
        measured: dict[int, list[Question]] = defaultdict(list)
        if args.measure_beats:
            ids = [int(ecg_id) for ecg_id in table["ecg_id"]]
            names = [_text(name) for name in table["filename_lr"]]
            measured |= zip(ids, beat_questions(Path(args.ptbxl), names, ids, args.seed), strict=True)
        if args.measurements:
            labelled = list(records_of(table, dict.fromkeys(args.folds, "all")))
            labelled = list(with_measurements(labelled, args.measurements))
            balance = count_ranges(labelled)
            for record in labelled:
                made = questions_on_ranges(record, balance, f"{args.seed}:{record.record_id}")
                measured[int(record.record_id)] = [*measured[int(record.record_id)], *made]
        rows = training_rows(
            table,
            seed=args.seed,
            per_record=args.per_record,
            ecg_qa=used,
            english_reports=reports,
            measured=measured,
            types=TYPE_SETS[args.types],
            not_sure=args.not_sure,
        )
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_parquet(rows, args.output, schema())
    for name, lost in (("strat_fold", whole["strat_fold"]), ("patient_id", table["patient_id"])):
        if unknown := int(lost.isna().sum()):
            kept = "and are left out" if name == "strat_fold" else "and cannot be kept apart from a test's patients"
            print(f"{unknown} records of the table have no {name} {kept}")
    asked = sum(len(row["questions"]) for row in rows)
    real = sum(len(found) for found in used.values())
    absent = sum(len(found) for found in by_record.values()) - real
    if reports:
        known = {row["ecg_id"] for row in rows if row["ecg_id"] in reports}
        kept = sum(row["report_original_english"] is not None for row in rows)
        print(
            f"original reports in English: {kept}; {len(known) - kept} more hold no finding, and "
            f"{len(reports) - len(known)} are of records that are absent or in other folds"
        )
    print(
        f"{Path(args.output)}: {len(rows)} records, {asked} questions, {real} of them from ECG-QA "
        f"({absent} more are of records that are absent or in other folds)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
