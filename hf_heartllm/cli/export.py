"""`heartllm export NAME [DIR]`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from ..checkpoints import available, checkpoint
from ..hub.checkpoint_code import write_code
from ..models.checkpoint_files import EMBEDDED, default_checkpoint
from ..models.whole_files import folder_written_whole, in_the_way
from .common import UsageError, add_json_argument, print_json, print_notice

HELP = "Write an embedded checkpoint as a folder that transformers loads, its code included."
EXAMPLES = ("heartllm export heartllm", "heartllm export heartllm models/heartllm --force")
CHECKPOINTS = {"heartllm": EMBEDDED, EMBEDDED: EMBEDDED, **{name: name for name in available()}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(CHECKPOINTS)}")
    parser.add_argument("directory", metavar="DIR", nargs="?", help="folder to write (default: ./NAME)")
    parser.add_argument("--force", action="store_true", help="replace DIR although it holds something")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the checkpoint."""
    if args.name not in CHECKPOINTS:
        raise UsageError(f"no embedded checkpoint {args.name!r}; there are {', '.join(CHECKPOINTS)}")
    name = CHECKPOINTS[args.name]
    source = default_checkpoint() if name == EMBEDDED else Path(checkpoint(name))
    target = Path(args.directory or args.name)
    export_checkpoint(source, target, force=args.force)
    if args.json:
        print_json({"checkpoint": name, "directory": str(target)})
        return
    print(target)
    print_notice()


def export_checkpoint(source: Path, target: Path, *, force: bool = False) -> None:
    """Copy a checkpoint and the code that travels with it, whole: `target` holds all of it or is left as it was.

    Args:
        source: folder of the checkpoint.
        target: folder to write.
        force: replace a folder that is not empty.

    Raises:
        UsageError: if `target` is a file or the working folder, or holds something and `force` is False.
    """
    if why := in_the_way(target, force=force):
        raise UsageError(why)
    with folder_written_whole(target) as new:
        shutil.copytree(source, new, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        write_code(new)  # that of the package which runs, so that files of two versions are never mixed
