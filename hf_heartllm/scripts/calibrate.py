"""Probabilities and operating points of a checkpoint, from patients that a model of the same recipe has not seen.

    python -m dataset_builders.evaluation_questions --ptbxl build/ptb-xl --folds 8 --output build/fold8.parquet
    python training/calibrate.py --ptbxl build/ptb-xl --questions build/fold8.parquet \\
        --model build/folds1-7/model --training-folds 1-7 --checkpoint CHECKPOINT --output build/calibration

`--model` answers the questions; what is fitted is written as `calibration.json` into `--checkpoint`, which may be the
same folder, or a checkpoint of the same recipe that was trained on these patients too and so cannot be asked itself.
The sensitivity and specificity that an answer states are those of `--checkpoint` on `--measure-fold`; nothing is chosen
there.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from hf_heartllm.data.sources import open_records
from hf_heartllm.evaluation.answered import tabulate
from hf_heartllm.evaluation.answering import answer_questions, ecg_source
from hf_heartllm.evaluation.checkpoint.calibration import fit_calibration, prevalences
from hf_heartllm.evaluation.checkpoint.calibration_file import (
    asked_statements,
    check_checkpoint_folder,
    write_calibration,
)
from hf_heartllm.evaluation.conditions import REAL
from hf_heartllm.evaluation.provenance import model_facts, question_facts
from hf_heartllm.evaluation.question_file import read_questions
from hf_heartllm.inference import checkpoint_name, load_answerer
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.training.operating_points import fit_points, measured
from hf_heartllm.training.statement_margins import statement_margins


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL 1.0.x")
    parser.add_argument(
        "--questions", required=True, type=Path, help="balanced questions on one fold, for temperatures"
    )
    parser.add_argument("--model", required=True, type=Path, help="checkpoint that answers, not trained on that fold")
    parser.add_argument("--training-folds", type=folds, default=folds("1-7"), help="of --model; default: 1-7")
    parser.add_argument("--checkpoint", required=True, type=Path, help="folder to write calibration.json into")
    parser.add_argument(
        "--measure-fold", type=int, default=9, help="that neither was trained on: what the points are worth; default: 9"
    )
    parser.add_argument("--tokens", type=Path, help="codes of the records, made with the checkpoint's codec")
    parser.add_argument("--output", required=True, type=Path, help="folder for partial results")
    parser.add_argument("--max-records", type=int, help="only the first records of the fold, to try it out")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Fit and write. Returns the exit code: 2 for bad input, with one line on stderr."""
    args = parse(argv)
    try:
        check_checkpoint_folder(args.checkpoint)
        source = open_records(args.ptbxl)
        training = [record for record in source if record.fold in args.training_folds]
        asked = read_questions(args.questions, source).asked[: args.max_records]
        chosen = [one.record for one in asked]
        fitted_folds = sorted({record.fold for record in chosen if record.fold is not None})
        trained = {record.patient_id for record in training} - {None}
        if seen := {record.patient for record in chosen} & trained:
            raise ValueError(f"{len(seen)} patients of the questions are in the training folds (such as {min(seen)})")
        answerer, carrier = load_answerer(args.model, dtype="float32"), load_answerer(args.checkpoint, dtype="float32")
        ecg_of, ecgs = ecg_source(answerer, args.tokens, "records at 100 Hz")
        outcomes = answer_questions(answerer, asked, ecg_of, args.output / "balanced", conditions=(REAL,), ecgs=ecgs)
        answered = tabulate(asked, outcomes, (REAL,))
        statements_asked = {(q.attribute_type, q.attribute) for q in answered.questions if q.is_yes_no}
        found = fit_calibration(answered, prevalences(chosen, statements_asked))
        if found.natural_temperature is None or found.yes_share is None:
            raise ValueError(f"{args.questions}: no yes/no questions on statements")
        statements = asked_statements(training)
        margins = statement_margins(answerer, chosen, statements, ecg_of, ecgs, args.output / "statements")
        other = [record for record in source if record.fold == args.measure_fold][: args.max_records]
        if not other or args.measure_fold in {*args.training_folds, *fitted_folds}:
            raise ValueError(f"--measure-fold {args.measure_fold}: give a fold of the data that nothing was fitted on")
        its_ecgs, words = ecg_source(carrier, args.tokens, "records at 100 Hz")
        asked_again = statement_margins(carrier, other, statements, its_ecgs, words, args.output / "measured")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    fitted = measured(fit_points(margins, found.natural_temperature, found.yes_share), asked_again)
    facts = {
        "questions_file": question_facts(args.questions, asked, asked),
        "folds": fitted_folds,
        "folds_in_training": [fold for fold in fitted_folds if fold in args.training_folds],
        "measured_folds": [args.measure_fold],
        "prevalence_folds": list(args.training_folds),
        "model": model_facts(answerer, checkpoint_name(args.model)),
    }
    carried = replace(found.carried(fitted.statements, facts), one_of=fitted.one_of)
    print(write_calibration(args.checkpoint, carried))
    for one in fitted.statements:
        if (point := one.point) is not None:
            worth = f"sensitivity {point.sensitivity:.2f}  specificity {point.specificity:.2f}"
            whose = "" if point.own else ", common point"
            print(f"{one.attribute:8} margin {point.margin:6.2f}  {worth}  {point.positives} with it{whose}")
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "calibrate"))
