"""`heartllm measure RECORD`."""

from __future__ import annotations

import argparse
from dataclasses import fields

from .common import add_json_argument, add_record_arguments, describe, print_json, print_notice, read_record

HELP = "Measure a recording: rate, intervals, axis, amplitudes and ST levels."
EXAMPLES = ("heartllm measure example:lbbb", "heartllm measure records100/00000/00152_lr --json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print the measurements; what is doubtful is left out with its reason."""
    record = read_record(args)
    from ..ecg import measure

    found = measure(record)
    columns = found.as_columns()
    if args.json:
        reasons = {name: found.why(name) for name, value in columns.items() if value is None}
        print_json({"measured": columns, "reasons": reasons, "warnings": args.warnings, "record": describe(record)})
        return
    names = [item.name for item in fields(found.overall)]
    width = max(map(len, names))
    for name in names:
        value = columns[name]
        print(f"{name:{width}}  {found.why(name) if value is None else value}")
    print_notice()
