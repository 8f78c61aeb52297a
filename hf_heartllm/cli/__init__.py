"""The command line: `heartllm ask|chat|report|measure|info|questions|…`, one module a command.

Only the module of the command that is run is imported, and nothing heavy before the arguments are understood: the help
and what is wrong with the arguments appear at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..interrupts import INTERRUPTED, nothing_to_stop, one_line_on_interrupt, say_stopped

if TYPE_CHECKING:
    import argparse

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, when huggingface_hub is imported

PROGRAM = "heartllm"
COMMANDS = (
    "ask",
    "chat",
    "report",
    "measure",
    "info",
    "questions",
    "plot",
    "convert",
    "simulate",
    "tokenize",
    "evaluate",
    "export",
    "push",
    "pull",
)


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The command line as a parser.

    Args:
        command: the only one that is needed; None: all of them.
    """
    import importlib

    from .. import __version__
    from ..models.notice import NOTICE
    from .common import Parser, add_commands

    names = COMMANDS if command is None else (command,)
    modules = {name: importlib.import_module(f".{name}", __name__) for name in names}
    parser = Parser(prog=PROGRAM, description="Ask questions about 12-lead ECGs.", epilog=NOTICE)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    add_commands(parser.add_subparsers(dest="command", metavar="COMMAND", required=True), modules)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; None takes them from the process.

    Returns:
        The exit code: 0; 2 after one line on stderr about a recording, a file or the arguments; 130 after Ctrl-C.
    """
    if argv is not None:
        return _run_or_stopped(argv)
    one_line_on_interrupt(PROGRAM)
    code = _run_or_stopped(sys.argv[1:])
    nothing_to_stop()
    return code


def _run_or_stopped(argv: Sequence[str]) -> int:
    try:
        return _run(argv)
    except KeyboardInterrupt:
        say_stopped(PROGRAM)
        return INTERRUPTED


def _run(argv: Sequence[str]) -> int:
    import os
    from contextlib import ExitStack

    from .common import heard_warnings, one_line, refused, tell

    try:
        args = build_parser(argv[0] if argv and argv[0] in COMMANDS else None).parse_args(argv)
        # Those who read several recordings hear the warnings about each; others need no class that lives beside numpy.
        reads_one = hasattr(args, "record") or args.command == "evaluate"
        with ExitStack() as stack:
            args.warnings = stack.enter_context(heard_warnings(getattr(args, "strict", False))) if reads_one else []
            args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has closed it; what it wanted, it has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except refused() as error:
        tell(one_line(error))
        return 2
    return 0
