"""`heartllm evaluate classify --records DIR --output FILE.json`, or `--data FOLDER`."""

from __future__ import annotations

import argparse

from ...arguments import settings_of
from ...evaluation.classification.seen import Seen, read_seen
from ...evaluation.classification.settings import ClassifySettings
from ...evaluation.classification.tasks import TASKS
from ..common import UsageError, fold_list
from .checkpoint import add_checkpoint_arguments, check_paths, evaluate_and_write, load_checkpoint, parts_folder

HELP = "Evaluate classification by prompt: superclass, rhythm and form, by letter and by yes or no, with every control."
EXAMPLES = (
    "heartllm evaluate classify --records ptb-xl --output classify.json",
    "heartllm evaluate classify --data georgia --records ptb-xl --output georgia.json",
    'heartllm evaluate classify --records ptb-xl --model my-model --seen "report text" --output classify.json',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    add_checkpoint_arguments(
        parser,
        ClassifySettings,
        data={"metavar": "FOLDER"},
        folds={"type": fold_list, "metavar": "FOLDS"},
        splits={"type": _splits, "metavar": "NAMES"},
        tasks={"type": _tasks, "metavar": "NAMES"},
        seen={"type": _seen, "metavar": "WHAT"},
    )


def _tasks(text: str) -> tuple[str, ...]:
    tasks = tuple(dict.fromkeys(task.strip() for task in text.split(",")))
    for task in tasks:
        if task not in TASKS:
            raise argparse.ArgumentTypeError(f"no task {task!r}; there are {', '.join(TASKS)}")
    return tasks


def _splits(text: str) -> tuple[str, ...]:
    from ...data.splits import split_name

    try:
        return tuple(dict.fromkeys(split_name(one) for one in text.split(",")))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seen(text: str) -> Seen:
    try:
        return read_seen(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the page, write the files."""
    if args.records is None and args.data is None:
        raise UsageError("give --records SOURCE (PTB-XL or labels.csv), or --data FOLDER")
    if args.data is not None and args.tokens is not None:
        raise UsageError("--tokens: codes of PTB-XL's records; not with --data")
    check_paths(args)
    from ...evaluation.classification.run import evaluate_classification

    settings = settings_of(ClassifySettings, args, progress=not args.quiet)
    checkpoint = load_checkpoint(args)
    others = {} if settings.seen is None else {"seen": ", ".join(sorted(settings.seen.what or ["nothing"]))}
    evaluate_and_write(
        args,
        "classify",
        f"classify, {checkpoint.name}",
        lambda: evaluate_classification(checkpoint, settings, parts_folder(args)),
        settings,
        others,
    )
