"""`heartllm evaluate robustness --records DIR --questions FILE --output FILE.json`."""

from __future__ import annotations

import argparse

from ..common import UsageError
from .checkpoint import (
    add_checkpoint_arguments,
    check_paths,
    evaluate_and_write,
    given_settings,
    load_checkpoint,
    parts_folder,
)

HELP = "Evaluate a checkpoint's answers about disturbed recordings: noise, wander, lost leads, rates, gain, swaps."
EXAMPLES = (
    "heartllm evaluate robustness --records ptb-xl --questions fold9.parquet --max-records 300 --output try.json",
    'heartllm evaluate robustness --records ptb-xl --questions fold9.parquet --kinds "gain,swapped" --output gain.json',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(parser, tokens=False)
    parser.add_argument("--kinds", metavar="NAMES", help="of corruptions, separated by commas (default: all)")


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    check_paths(args)
    from ...evaluation.checkpoint.robustness import RobustnessSettings, chosen, evaluate_robustness

    kinds = None if args.kinds is None else tuple(kind.strip() for kind in args.kinds.split(","))
    try:
        chosen(kinds)
    except ValueError as error:
        raise UsageError(f"--kinds: {error}") from None
    settings = RobustnessSettings(**given_settings(args), kinds=kinds)
    checkpoint = load_checkpoint(args)
    evaluate_and_write(
        args,
        "robustness",
        f"robustness, {checkpoint.name}",
        lambda: evaluate_robustness(checkpoint, settings, parts_folder(args)),
        {"kinds": None},
    )
