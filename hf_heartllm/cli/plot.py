"""`heartllm plot RECORD OUT`."""

from __future__ import annotations

import argparse

from .common import (
    add_json_argument,
    add_record_arguments,
    check_picture_name,
    describe,
    print_json,
    print_notice,
    read_record,
)

HELP = "Draw a recording on ECG paper: one A4 page, 25 mm/s, 10 mm/mV."
EXAMPLES = (
    "heartllm plot example:normal ecg.png",
    'heartllm plot example:af af.pdf --layout 3x4+3 --title "Before cardioversion"',
    "heartllm simulate normal long --duration 120",
    "heartllm plot long strips.svg --layout strips --start 30",
)
LAYOUTS = """\
layouts, each one A4 page in landscape:
  3x4+1   four columns of 2.5 s, one after the other in time, over a rhythm strip of lead II
  3x4+3   the same over the rhythm strips II, V1, V5
  6x2     two columns of 5 s
  12x1    every lead over the whole 10 s
  strips  lines of 10 s, one after the other: for one to six leads, or lead II of a long twelve-lead recording
  auto    strips for six standard leads or fewer, else 6x2 for less than 8 s, else 3x4+1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    parser.add_argument("output", metavar="OUT", help="picture to write: .png, .svg or .pdf")
    parser.add_argument(
        "--layout", metavar="LAYOUT", default="auto", help="auto (default), 3x4+1, 3x4+3, 6x2, 12x1, strips; see below"
    )
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="the first second to draw")
    parser.add_argument("--title", metavar="TEXT", help="the line on top (default: the name of the recording's file)")
    parser.add_argument(
        "--no-measurements",
        action="store_true",
        help="leave rate, intervals and axis out of the header (saves the time to measure them)",
    )
    add_json_argument(parser)
    parser.epilog = f"{LAYOUTS}\n{parser.epilog or ''}"


def run(args: argparse.Namespace) -> None:
    """Write the picture."""
    check_picture_name(args.output)
    from ..ecg.plot import layout_name, plot_ecg

    layout = layout_name(args.layout)  # before a long recording is read
    record = read_record(args)
    plot_ecg(
        record,
        args.output,
        title=args.title,
        layout=layout,
        start=args.start,
        measurements=not args.no_measurements,
    )
    if args.json:
        print_json({"picture": args.output, "warnings": args.warnings, "record": describe(record)})
        return
    print(args.output)
    print_notice()
