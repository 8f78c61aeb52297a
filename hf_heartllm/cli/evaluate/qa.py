"""`heartllm evaluate qa --records DIR --questions FILE --output FILE.json`."""

from __future__ import annotations

import argparse

from ...arguments import add_old_name, settings_of
from ...evaluation.settings import QASettings
from ..common import count
from .checkpoint import add_checkpoint_arguments, check_paths, evaluate_and_write, load_checkpoint, parts_folder

HELP = "Evaluate a checkpoint's answers to a fixed set of questions, with every control beside them."
EXAMPLES = (
    "heartllm evaluate qa --records ptb-xl --questions fold9.parquet --train-rows rows.parquet --output qa.json",
    "heartllm evaluate qa --records ptb-xl --questions fold9.parquet --calibration-questions fold8.parquet "
    "--output qa.json",
    "heartllm evaluate qa --records ptb-xl --questions fold9.parquet --max-records 40 --generate 50 --output try.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(parser, QASettings, generate={"type": count})
    parser.add_argument("--questions-name", metavar="NAME", help="of the questions, where they are not the usual ones")
    baseline = parser.add_argument(
        "--text-only-baseline",
        metavar="FOLDER",
        help="checkpoint that was trained on text alone (data.ecg: none), to stand beside this one",
    )
    add_old_name(parser, "--control-model", baseline)


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    check_paths(args)
    from ...evaluation.checkpoint.questions import evaluate_qa

    settings = settings_of(QASettings, args, progress=not args.quiet)
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
        settings,
        {"text_only_baseline": "FOLDER", "questions_name": f"{args.questions_name}"},
    )
