"""`heartllm evaluate report --ptbxl DIR --questions FILE --output FILE.json`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import UsageError
from .evaluate_qa import (
    add_checkpoint_arguments,
    command_words,
    load_checkpoint,
    parts_folder,
    training_folds,
    write_evaluation,
)

HELP = "Evaluate the reports that a checkpoint writes, by words and by findings, with every control beside them."
EXAMPLES = (
    "heartllm evaluate report --ptbxl ptb-xl --questions fold9.parquet --train-rows rows.parquet --output report.json",
    "heartllm evaluate report --ptbxl ptb-xl --questions fold9.parquet --max-records 40 --output try.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(parser)
    parser.add_argument(
        "--train-rows", type=Path, metavar="FILE", help="dataset_builders.training_rows, for the majority report"
    )
    parser.add_argument(
        "--reference",
        choices=("statements", "translated"),
        default="statements",
        help="true report: made of the SCP statements, or PTB-XL's own in English; default: statements",
    )
    parser.add_argument("--wordnet", type=Path, metavar="DIR", help="WordNet's folder, for METEOR (default: search)")
    parser.add_argument("--training-folds", default="1-8", metavar="FOLDS", help="of the checkpoint; default: 1-8")


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    folds = training_folds(args)
    from ..evaluation.libraries import MissingLibraryError
    from ..evaluation.qa.reports import ReportSettings, evaluate_reports
    from ..evaluation.wordnet import find_wordnet

    settings = ReportSettings(
        ptbxl=args.ptbxl,
        questions=args.questions,
        tokens=args.tokens,
        train_rows=args.train_rows,
        max_records=args.max_records,
        reference=args.reference,
        training_folds=folds,
        rate=args.rate,
        seed=args.seed,
        resamples=args.resamples,
        progress=not args.quiet,
    )
    model, tokenizer, name = load_checkpoint(args)
    try:
        synonyms = find_wordnet(args.wordnet)
        evaluation = evaluate_reports(model, tokenizer, name, settings, parts_folder(args), synonyms)
    except (ValueError, MissingLibraryError) as error:
        raise UsageError(str(error)) from None
    rows = [row for table in evaluation.tables.values() for row in table]
    options = ("reference",) if args.reference != "statements" else ()
    write_evaluation(args, evaluation, command_words("report", args, options), f"report, {name}", rows)
