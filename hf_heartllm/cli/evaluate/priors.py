"""`heartllm evaluate priors ECGQA_DIR`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...arguments import add_old_name
from ..common import UsageError, positive

if TYPE_CHECKING:
    from ...data.ecg_qa_files import ECGQARow
    from ...data.record import Record
    from ...evaluation.priors import PriorScores

HELP = "Score ECG-QA's majority answers, which look at no ECG: the figure that every model must beat."
EXAMPLES = (
    "heartllm evaluate priors ecg-qa",
    "heartllm evaluate priors ecg-qa --ptbxl ptb-xl --split folds --output priors.json",
)
TRAIN_FOLDS, TEST_FOLDS = range(1, 9), (9,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    parser.add_argument("folder", metavar="ECGQA_DIR", type=Path, help="ECG-QA's folder (ecgqa, or ecgqa/ptbxl)")
    parser.add_argument("--version", choices=("template", "paraphrased"), default="template", help="default: template")
    parser.add_argument(
        "--split",
        choices=("official", "folds"),
        default="official",
        help="ECG-QA's own train and test, or PTB-XL's folds 1-8 and 9, which needs --ptbxl; default: official",
    )
    ptbxl = parser.add_argument(
        "--ptbxl", type=Path, metavar="DIR", help="PTB-XL's folder: intervals by patient, folds"
    )
    add_old_name(parser, "--ptb-xl", ptbxl)
    parser.add_argument("--output", type=Path, metavar="JSON", help="file for every figure, with settings and versions")
    parser.add_argument(
        "--resamples", type=positive, default=2000, metavar="N", help="bootstrap samples; default: 2000"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap; default: 0")


def run(args: argparse.Namespace) -> None:
    """Score the priors, print the table, write the JSON."""
    from ...evaluation.priors import read_copy, score_priors, split_by_fold
    from ...evaluation.results import METRIC_LIBRARIES, library_versions
    from ...models.whole_files import write_whole

    if args.split == "folds" and args.ptbxl is None:
        raise UsageError("--split folds: needs --ptbxl, which says each record's fold")
    try:
        copy = read_copy(args.folder, args.ptbxl, args.version)
    except ValueError as error:
        raise UsageError(str(error)) from None
    rows, records = copy.rows, copy.records
    if args.split == "folds" and records is not None:
        train, test = split_by_fold(rows, records, TRAIN_FOLDS, TEST_FOLDS)
        where = "trained on PTB-XL's folds 1-8, scored on fold 9"
    else:
        train, test = ([row for row in rows if row.split == split] for split in ("train", "test"))
        where = "trained on ECG-QA's train split, scored on its test split"
    scores = score_priors(
        train, test, records=records, closed_sets=copy.closed_sets, resamples=args.resamples, seed=args.seed
    )
    unit = "recordings" if records is None else "patients"
    head = f"Majority answers without any ECG, {where}; {args.version} questions; ECG-QA: {copy.complete}."
    notes = _notes(train, test, records, rows if args.split == "folds" else [])
    print("\n\n".join([head, _table(scores, unit), *notes]))
    if args.output is not None:
        result = {
            "title": head,
            "settings": {
                "version": args.version,
                "split": args.split,
                "resamples": args.resamples,
                "seed": args.seed,
                "grouped_by": unit,
            },
            "versions": library_versions(METRIC_LIBRARIES),
            "notes": notes,
            "figures": [_json(score) for score in scores],
        }
        write_whole(args.output, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _notes(
    train: Sequence[ECGQARow],
    test: Sequence[ECGQARow],
    records: Mapping[str, Record] | None,
    of_folds: Sequence[ECGQARow],
) -> list[str]:
    """What was compared of the patients, and what was left out."""
    from ...evaluation.priors import shared_patients

    notes = []
    if records is None:
        notes.append(
            "Patients cannot be checked or resampled without --ptbxl: intervals are by recording, and too narrow "
            "where a patient has several."
        )
    elif train and test:
        shared, unknown = shared_patients(train, test, records)
        known = len(test) - unknown
        notes.append(
            f"{shared:,} of {known:,} test rows are about a patient of the training rows."
            if known
            else "Patients cannot be checked: PTB-XL's table names none of the test rows'."
        )
        if known and unknown:
            notes.append(f"{unknown:,} more test rows are about a recording whose patient the table does not name.")
    if of_folds and (left := len(of_folds) - len(train) - len(test)):
        notes.append(f"Left out: {left:,} rows about recordings of other folds, of both parts, or not in the table.")
    return notes


def _table(scores: Sequence[PriorScores], unit: str) -> str:
    from ...data.ecg_qa_files import QUESTION_TYPES
    from ...evaluation.controlled import cell, markdown_table

    rows = []
    for score in sorted(scores, key=lambda score: QUESTION_TYPES.index(score.question_type)):
        counts = [f"{score.train_rows:,}", f"{score.test_rows:,}", f"{score.unseen:,}"]
        found = score.figures
        if found is None:
            lacking = "no training rows to take it from" if score.test_rows else "no test rows in this copy"
            row = [score.question_type, "any", *counts, "—", lacking, "—"]
        else:
            units = next(iter(found.values())).groups
            row = [score.question_type, score.prior, *counts, f"{units:,}", *map(cell, found.values())]
        if row not in rows:
            rows.append(row)
    header = [
        "question type",
        "majority per",
        "train rows",
        "test rows",
        "unseen texts",
        unit,
        "exact match (95 % interval)",
        "macro-F1",
    ]
    return markdown_table(header, rows)


def _json(score: PriorScores) -> dict[str, Any]:
    from ...evaluation.answers import EXACT, MACRO_F1
    from ...evaluation.prediction_tables import interval_json

    found = score.figures
    return {
        "question_type": score.question_type,
        "prior": score.prior,
        "train_rows": score.train_rows,
        "test_rows": score.test_rows,
        "unseen_texts": score.unseen,
        "exact_match": found and interval_json(found[EXACT.name]),
        "macro_f1": found and interval_json(found[MACRO_F1.name]),
        "unanswered": found and score.unanswered,
    }
