"""The command line: `heartllm ask|report|measure|tokenize|plot|simulate|evaluate|export|info`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..models.ecg_record import ECGError, ECGWarning
from . import ask, evaluate, export, info, measure, plot, report, simulate, tokenize
from .common import UsageError, add_commands, heard_warnings, one_line

COMMANDS = {
    "ask": ask,
    "report": report,
    "measure": measure,
    "tokenize": tokenize,
    "plot": plot,
    "simulate": simulate,
    "evaluate": evaluate,
    "export": export,
    "info": info,
}


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, one sub-parser a command."""
    from ..models.notice import NOTICE

    parser = _Parser(prog="heartllm", description="Ask questions about 12-lead ECGs.", epilog=NOTICE)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_commands(subparsers, COMMANDS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; None takes them from the process.

    Returns:
        The exit code: 0, or 2 after one line on stderr about a recording, a file or the arguments.
    """
    try:
        args = build_parser().parse_args(argv)
        with heard_warnings(getattr(args, "strict", False)) as args.warnings:
            args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has closed it; what it wanted, it has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ECGError, ECGWarning, UsageError, OSError) as error:
        print(f"heartllm: {one_line(error)}", file=sys.stderr)
        return 2
    return 0
