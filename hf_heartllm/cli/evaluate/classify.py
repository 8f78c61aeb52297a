"""`heartllm evaluate classify --records DIR --output FILE.json`, or `--data FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..common import UsageError
from .checkpoint import (
    add_checkpoint_arguments,
    check_paths,
    evaluate_and_write,
    load_checkpoint,
    parts_folder,
    run_settings,
)

HELP = "Evaluate classification by prompt: superclass, rhythm and form, by letter and by yes or no, with every control."
EXAMPLES = (
    "heartllm evaluate classify --records ptb-xl --output classify.json",
    "heartllm evaluate classify --data georgia --records ptb-xl --output georgia.json",
    'heartllm evaluate classify --records ptb-xl --model my-model --seen "report text" --output classify.json',
)
USUAL = {"folds": "9", "splits": "test", "tasks": "superclass,rhythm,form", "seen": None}
"""Options of this subject that change figures, and their defaults."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(parser, questions=False)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="WFDB records whose headers hold labels (PhysioNet/CinC Challenges, LUDB), instead of PTB-XL's folds; "
        "with --records beside it, its training folds give the majority and copies of them are left out",
    )
    parser.add_argument("--folds", default=USUAL["folds"], metavar="FOLDS", help="PTB-XL's test folds; default: 9")
    parser.add_argument(
        "--splits",
        default=USUAL["splits"],
        metavar="NAMES",
        help="of a label file (--records labels.csv); default: test",
    )
    parser.add_argument("--tasks", default=USUAL["tasks"], metavar="NAMES", help="default: superclass,rhythm,form")
    parser.add_argument(
        "--seen",
        metavar="WHAT",
        help="what the checkpoint saw in training, separated by commas: labels, report text, letter choice, yes/no, "
        "prompt format (both formats), or nothing (default: what its configuration says, else unknown)",
    )


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    choices = _choices(args)
    check_paths(args)
    from ...evaluation.classification.run import ClassifySettings, evaluate_classification

    settings = ClassifySettings(
        **run_settings(args), records=args.records, data=args.data, tokens=args.tokens, **choices
    )
    checkpoint = load_checkpoint(args)
    evaluate_and_write(
        args,
        "classify",
        f"classify, {checkpoint.name}",
        lambda: evaluate_classification(checkpoint, settings, parts_folder(args)),
        USUAL,
    )


def _choices(args: argparse.Namespace) -> dict[str, Any]:
    from ...data.splits import split_name
    from ...evaluation.classification.seen import read_seen
    from ...evaluation.classification.tasks import TASKS
    from ...labels.ptbxl import folds

    if args.records is None and args.data is None:
        raise UsageError("give --records SOURCE (PTB-XL or labels.csv), or --data FOLDER")
    if args.data is not None and args.tokens is not None:
        raise UsageError("--tokens: codes of PTB-XL's records; not with --data")
    tasks = tuple(dict.fromkeys(task.strip() for task in args.tasks.split(",")))
    for task in tasks:
        if task not in TASKS:
            raise UsageError(f"--tasks: no task {task!r}; there are {', '.join(TASKS)}")
    try:
        seen = None if args.seen is None else read_seen(args.seen.split(","))
    except ValueError as error:
        raise UsageError(f"--seen: {error}") from None
    try:
        chosen = folds(args.folds)
    except ValueError as error:
        raise UsageError(f"--folds: {error}") from None
    try:
        splits = tuple(dict.fromkeys(split_name(one) for one in args.splits.split(",")))
    except ValueError as error:
        raise UsageError(f"--splits: {error}") from None
    return {"tasks": tasks, "seen": seen, "folds": chosen, "splits": splits}
