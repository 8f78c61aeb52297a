"""`heartllm evaluate robustness --records DIR --questions FILE --output FILE.json`."""

from __future__ import annotations

import argparse

from ...arguments import settings_of
from ...evaluation.settings import RobustnessSettings
from ..common import UsageError
from .checkpoint import add_checkpoint_arguments, check_paths, evaluate_and_write, load_checkpoint, parts_folder

HELP = "Evaluate a checkpoint's answers about disturbed recordings: noise, wander, lost leads, rates, gain, swaps."
EXAMPLES = (
    "heartllm evaluate robustness --records ptb-xl --questions fold9.parquet --max-records 300 --output try.json",
    'heartllm evaluate robustness --records ptb-xl --questions fold9.parquet --kinds "gain,swapped" --output gain.json',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(parser, RobustnessSettings, kinds={"type": _names, "metavar": "NAMES"})


def _names(text: str) -> tuple[str, ...]:
    return tuple(kind.strip() for kind in text.split(","))


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    check_paths(args)
    from ...evaluation.checkpoint.robustness import chosen, evaluate_robustness

    settings = settings_of(RobustnessSettings, args, progress=not args.quiet)
    try:
        chosen(settings.kinds)
    except ValueError as error:
        raise UsageError(f"--kinds: {error}") from None
    checkpoint = load_checkpoint(args)
    evaluate_and_write(
        args,
        "robustness",
        f"robustness, {checkpoint.name}",
        lambda: evaluate_robustness(checkpoint, settings, parts_folder(args)),
        settings,
    )
