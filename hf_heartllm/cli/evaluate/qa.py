"""`heartllm evaluate qa --records DIR --questions FILE --output FILE.json`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...arguments import add_old_name
from ..common import count
from .checkpoint import (
    add_checkpoint_arguments,
    add_comparison_arguments,
    check_paths,
    evaluate_and_write,
    given_settings,
    load_checkpoint,
    parts_folder,
)

HELP = "Evaluate a checkpoint's answers to a fixed set of questions, with every control beside them."
EXAMPLES = (
    "heartllm evaluate qa --records ptb-xl --questions fold9.parquet --train-rows rows.parquet --output qa.json",
    "heartllm evaluate qa --records ptb-xl --questions fold9.parquet --calibration-questions fold8.parquet "
    "--output qa.json",
    "heartllm evaluate qa --records ptb-xl --questions fold9.parquet --max-records 40 --generate 50 --output try.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(parser)
    add_comparison_arguments(parser, "answers")
    parser.add_argument(
        "--calibration-questions", type=Path, metavar="FILE", help="questions of fold 8, for the temperature"
    )
    parser.add_argument(
        "--write-calibration",
        type=Path,
        metavar="FOLDER",
        help="checkpoint folder to write calibration.json to: temperatures, in place of any operating points there",
    )
    parser.add_argument("--questions-name", metavar="NAME", help="of the questions, where they are not the usual ones")
    baseline = parser.add_argument(
        "--text-only-baseline",
        metavar="FOLDER",
        help="checkpoint that was trained on text alone (data.ecg: none), to stand beside this one",
    )
    add_old_name(parser, "--control-model", baseline)
    parser.add_argument(
        "--devices", metavar="PREFIX", help="only records of devices whose name begins so, such as CS or AT"
    )
    parser.add_argument("--generate", type=count, default=0, metavar="N", help="questions answered in free text too")


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    check_paths(args)
    from ...evaluation.checkpoint.questions import QASettings, evaluate_qa

    settings = QASettings(
        **given_settings(args),
        tokens=args.tokens,
        train_rows=args.train_rows,
        calibration_questions=args.calibration_questions,
        write_calibration=args.write_calibration,
        against=args.against,
        generate=args.generate,
        devices=args.devices,
    )
    checkpoint = load_checkpoint(args)
    control = None
    if args.text_only_baseline is not None:
        control = load_checkpoint(args, args.text_only_baseline, "--text-only-baseline")
    # Figures of some devices or other questions do not take the place of the usual ones.
    title = f"qa, {checkpoint.name}" + ("" if args.devices is None else f", devices {args.devices}")
    title += f", {args.questions_name}" if args.questions_name else ""
    evaluate_and_write(
        args,
        "qa",
        title,
        lambda: evaluate_qa(checkpoint, settings, parts_folder(args), control),
        {"devices": None, "generate": 0, "questions_name": None},
    )
