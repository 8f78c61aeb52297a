"""`heartllm evaluate report --ptbxl DIR --questions FILE --output FILE.json`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common import UsageError
from .checkpoint import (
    add_checkpoint_arguments,
    command_words,
    given_settings,
    load_checkpoint,
    parts_folder,
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
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="partial results of another checkpoint, for paired differences",
    )
    parser.add_argument("--wordnet", type=Path, metavar="DIR", help="WordNet's folder, for METEOR (default: search)")


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    from ...evaluation.checkpoint.reports import ReportSettings, evaluate_reports
    from ...evaluation.libraries import MissingLibraryError
    from ...evaluation.wordnet import find_wordnet

    settings = ReportSettings(
        **given_settings(args),
        tokens=args.tokens,
        train_rows=args.train_rows,
        reference=args.reference,
        against=args.against,
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
