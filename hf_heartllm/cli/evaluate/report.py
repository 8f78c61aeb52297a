"""`heartllm evaluate report --records DIR --questions FILE --output FILE.json`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...arguments import settings_of
from ...evaluation.settings import ReportSettings
from .checkpoint import add_checkpoint_arguments, check_paths, evaluate_and_write, load_checkpoint, parts_folder

HELP = "Evaluate the reports that a checkpoint writes, by words and by findings, with every control beside them."
EXAMPLES = (
    "heartllm evaluate report --records ptb-xl --questions fold9.parquet --train-rows rows.parquet --output try.json",
    "heartllm evaluate report --records ptb-xl --questions fold9.parquet --max-records 40 --output try.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(parser, ReportSettings)
    parser.add_argument("--wordnet", type=Path, metavar="DIR", help="WordNet's folder, for METEOR (default: search)")


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    check_paths(args)
    from ...evaluation.checkpoint.reports import evaluate_reports
    from ...evaluation.wordnet import find_wordnet

    settings = settings_of(ReportSettings, args, progress=not args.quiet)
    checkpoint = load_checkpoint(args)
    evaluate_and_write(
        args,
        "report",
        f"report, {checkpoint.name}",
        lambda: evaluate_reports(checkpoint, settings, parts_folder(args), find_wordnet(args.wordnet)),
        settings,
    )
