"""`heartllm evaluate qa --ptbxl DIR --questions FILE --output FILE.json`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common import UsageError, count
from .checkpoint import (
    add_checkpoint_arguments,
    command_words,
    given_settings,
    load_checkpoint,
    parts_folder,
    write_evaluation,
)

HELP = "Evaluate a checkpoint's answers to a fixed set of questions, with every control beside them."
EXAMPLES = (
    "heartllm evaluate qa --ptbxl ptb-xl --questions fold9.parquet --train-rows rows.parquet --output qa.json",
    "heartllm evaluate qa --ptbxl ptb-xl --questions fold9.parquet --calibration-questions fold8.parquet "
    "--output qa.json",
    "heartllm evaluate qa --ptbxl ptb-xl --questions fold9.parquet --max-records 40 --generate 50 --output try.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(parser)
    parser.add_argument(
        "--train-rows", type=Path, metavar="FILE", help="dataset_builders.training_rows, for the majority answers"
    )
    parser.add_argument(
        "--calibration-questions", type=Path, metavar="FILE", help="questions of fold 8, for the temperature"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="partial results of another checkpoint, for paired differences",
    )
    parser.add_argument("--generate", type=count, default=0, metavar="N", help="questions answered in free text too")


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    from ...evaluation.checkpoint.questions import QASettings, evaluate_qa, headline_rows

    settings = QASettings(
        **given_settings(args),
        tokens=args.tokens,
        train_rows=args.train_rows,
        calibration_questions=args.calibration_questions,
        against=args.against,
        generate=args.generate,
    )
    model, tokenizer, name = load_checkpoint(args)
    try:
        evaluation = evaluate_qa(model, tokenizer, name, settings, parts_folder(args))
    except ValueError as error:
        raise UsageError(str(error)) from None
    write_evaluation(args, evaluation, command_words("qa", args), f"qa, {name}", headline_rows(evaluation))
