"""Probabilities and operating points of a checkpoint, from patients that a model of the same recipe has not seen.

    python -m dataset_builders.evaluation_questions --ptbxl build/ptb-xl --folds 8 --output build/fold8.parquet
    python training/calibrate.py --records build/ptb-xl --questions build/fold8.parquet \\
        --model build/folds1-7/model --training-folds 1-7 --checkpoint CHECKPOINT --output build/calibration

Of a collection without folds (a label file, a folder of WFDB records) the model was trained on the split "train", the
questions are of "validation", and what the points are worth is measured on "test":

    python -m dataset_builders.question_generator --labels labels.csv --split validation --pairs 0 --output val.parquet
    python -m hf_heartllm.scripts.calibrate --records labels.csv --questions val.parquet --model tuned/model \\
        --checkpoint tuned/model --output calibration

`--model` answers the questions; what is fitted is written as `calibration.json` into `--checkpoint`, which may be the
same folder, or a checkpoint of the same recipe that was trained on these patients too and so cannot be asked itself.
The sensitivity and specificity that an answer states are those of `--checkpoint` on `--measure-fold` or
`--measure-split`; nothing is chosen there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hf_heartllm.data.record import Record, id_order
from hf_heartllm.data.sources import PTB_XL, RecordSource, open_records
from hf_heartllm.data.splits import split_name
from hf_heartllm.evaluation.answering import asker_of
from hf_heartllm.evaluation.checkpoint.calibration import fit_calibration, prevalences
from hf_heartllm.evaluation.checkpoint.calibration_file import (
    asked_statements,
    check_checkpoint_folder,
    prevalence_facts,
    write_calibration,
)
from hf_heartllm.evaluation.conditions import REAL
from hf_heartllm.evaluation.held_out import part_of, reading_words, trained_on
from hf_heartllm.evaluation.provenance import Checkpoint, question_facts
from hf_heartllm.evaluation.question_file import evenly_spaced, read_questions
from hf_heartllm.evaluation.settings import DTYPES
from hf_heartllm.inference import checkpoint_name, load_answerer
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.models.answer_calibration import AnswerCalibration
from hf_heartllm.training.operating_points import fit_points, measured
from hf_heartllm.training.statement_margins import statement_margins


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--records",
        "--ptbxl",
        required=True,
        type=Path,
        metavar="SOURCE",
        help="PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records",
    )
    parser.add_argument(
        "--questions", required=True, type=Path, help="balanced questions on one fold or split, for temperatures"
    )
    parser.add_argument("--model", required=True, type=Path, help="checkpoint that answers, not trained on that part")
    parser.add_argument(
        "--training-folds",
        type=folds,
        default=folds("1-7"),
        help="of --model; without folds the split train counts; default: 1-7",
    )
    parser.add_argument("--checkpoint", required=True, type=Path, help="folder to write calibration.json into")
    measure = parser.add_mutually_exclusive_group()
    measure.add_argument(
        "--measure-fold", type=int, help="that neither was trained on: what the points are worth; default: 9"
    )
    measure.add_argument("--measure-split", metavar="NAME", help="of a collection without folds; default: test")
    parser.add_argument("--tokens", type=Path, help="codes of the records, made with the checkpoint's codec")
    parser.add_argument("--output", required=True, type=Path, help="folder for partial results")
    parser.add_argument("--max-records", type=int, help="of each part, evenly spaced; default: all")
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="of the weights; half precision is faster on some processors; default: float32",
    )
    return parser.parse_args(argv)


def _calibrated(args: argparse.Namespace) -> AnswerCalibration:
    """What is fitted and measured, as the checkpoint carries it.

    Raises:
        ValueError: one line, if patients of two parts are the same, or a part has no records or no statements.
    """
    if args.max_records is not None and args.max_records < 1:
        raise ValueError(f"--max-records {args.max_records}: give 1 or more")
    check_checkpoint_folder(args.checkpoint)
    source = open_records(args.records)
    training = [record for record in source if trained_on(record, args.training_folds)]
    asked = evenly_spaced(read_questions(args.questions, source).asked, args.max_records)
    chosen = [one.record for one in asked]
    parts = sorted({part_of(record) for record in chosen}, key=lambda part: id_order(str(part)))
    trained = {part_of(record) for record in training}
    _check_apart("the questions", chosen, "what was trained on", training)
    to_measure = _measured_part(args, source, {*trained, *parts})
    other = evenly_spaced([record for record in source if part_of(record) == to_measure], args.max_records)
    for others_are, others in (("the questions", chosen), ("what was trained on", training)):
        _check_apart("what is measured", other, others_are, others)
    statements = asked_statements(training)
    if not statements:
        raise ValueError(
            f"{args.records}: no statement that some of {len(training)} training records have and others have not"
        )
    answers, carries = (
        asker_of(
            Checkpoint(load_answerer(folder, dtype=args.dtype), checkpoint_name(folder)),
            *(args.tokens, reading_words(source, 100), args.output / "balanced"),
        )
        for folder in (args.model, args.checkpoint)
    )
    answered = answers.answers(asked, (REAL,))
    statements_asked = {(q.attribute_type, q.attribute) for q in answered.questions if q.is_yes_no}
    found = fit_calibration(answered, prevalences(chosen, statements_asked))
    if found.natural_temperature is None or found.yes_share is None:
        raise ValueError(f"{args.questions}: no yes/no questions on statements")
    of_statements = replace(answers, folder=args.output / "statements")
    margins = statement_margins(of_statements, chosen, statements)
    to_judge = replace(carries, folder=args.output / "measured")
    asked_again = statement_margins(to_judge, other, statements)
    fitted = measured(fit_points(margins, found.natural_temperature, found.yes_share), asked_again)
    facts = {
        "questions_file": question_facts(args.questions, asked, asked),
        "folds": parts,
        "folds_in_training": [part for part in parts if part in trained],
        "measured_folds": [to_measure],
        **prevalence_facts(source, training, args.training_folds),
        "model": answers.checkpoint.facts(),
    }
    return replace(found.carried(fitted.statements, facts), one_of=fitted.one_of)


def _measured_part(args: argparse.Namespace, source: RecordSource, used: set[int | str]) -> int | str:
    """The fold or split to measure on.

    Raises:
        ValueError: if the collection has no such part, or something was fitted on it.
    """
    there = {part_of(record) for record in source}
    with_folds = source.layout == PTB_XL
    if (args.measure_split if with_folds else args.measure_fold) is not None:
        give, has = ("fold", "folds") if with_folds else ("split", "splits, no folds")
        raise ValueError(f"{args.records}: the collection has {has}: give --measure-{give}")
    if with_folds:
        wanted: int | str = 9 if args.measure_fold is None else args.measure_fold
        if wanted not in there or wanted in {*args.training_folds, *used}:
            raise ValueError(f"--measure-fold {wanted}: give a fold of the data that nothing was fitted on")
        return wanted
    wanted = split_name(args.measure_split or "test")
    if wanted not in there or wanted in used:
        names = ", ".join(sorted(str(part) for part in there - used)) or "none"
        raise ValueError(f"--measure-split {wanted}: give a split that nothing was fitted on; there are {names}")
    return wanted


def _check_apart(what: str, records: Sequence[Record], others_are: str, others: Sequence[Record]) -> None:
    """Refuse records of the same patients.

    Raises:
        ValueError: naming one.
    """
    if seen := {record.patient for record in records} & {record.patient for record in others}:
        raise ValueError(f"{len(seen)} patients of {what} are in {others_are} too (such as {min(seen)})")


def main(argv: list[str] | None = None) -> int:
    """Fit and write. Returns the exit code: 2 for bad input, with one line on stderr."""
    args = parse(argv)
    try:
        carried = _calibrated(args)
        path = write_calibration(args.checkpoint, carried)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(path)
    for one in carried.statements:
        if (point := one.point) is not None:
            worth = f"sensitivity {point.sensitivity:.2f}  specificity {point.specificity:.2f}"
            whose = "" if point.own else ", common point"
            print(f"{one.attribute:8} margin {point.margin:6.2f}  {worth}  {point.positives} with it{whose}")
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "calibrate"))
