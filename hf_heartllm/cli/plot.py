"""`heartllm plot RECORD OUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import UsageError, add_json_argument, add_record_arguments, describe, print_json, print_notice, read_record

HELP = "Draw a recording on standard ECG paper: 25 mm/s, 10 mm/mV."
EXAMPLES = ("heartllm plot example:normal ecg.png", "heartllm plot records100/00000/00152_lr ecg.pdf")
FORMATS = (".png", ".svg", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    parser.add_argument("output", metavar="OUT", help="picture to write: .png, .svg or .pdf")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the picture."""
    if Path(args.output).suffix.lower() not in FORMATS:
        raise UsageError(f"{args.output}: a picture ends in {', '.join(FORMATS)}")
    record = read_record(args)
    from ..ecg import plot_ecg

    plot_ecg(record, args.output)
    if args.json:
        print_json({"picture": args.output, "warnings": args.warnings, "record": describe(record)})
        return
    print(args.output)
    print_notice()
