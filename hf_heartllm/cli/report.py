"""`heartllm report RECORD`."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from ..models.operating_points import times
from .common import (
    add_json_argument,
    add_model_argument,
    add_record_arguments,
    check_leads,
    describe,
    describe_windows,
    make_pipeline,
    print_json,
    print_notice,
    read_record,
)

HELP = "Write the report of a recording."
EXAMPLES = ("heartllm report example:normal", "heartllm report records100/00000/00152_lr --json")


MOST_FINDINGS = 6  # that are printed; all stand in --json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    add_model_argument(parser)
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print the report."""
    record = read_record(args)
    check_leads(record, args.model)
    report = make_pipeline("ecg-report", args)(record)
    if args.json:
        print_json(
            {
                "report": report.text,
                "token_probability": report.token_probability,
                "complete": report.complete,
                "findings": [asdict(one) for one in report.findings],
                "windows": describe_windows(report.windows),
                "warnings": args.warnings,
                "record": describe(record),
            }
        )
        return
    print(report)
    if report.findings:
        print("\nAsked one by one, at their operating points (all in --json):")
    for one in report.findings[:MOST_FINDINGS]:
        print(f"  {one.words}: p {one.probability:.2g}, {times(one.times_average)}")
    if report.windows:
        print(f"  from {len(report.windows)} windows of {report.windows[0].seconds:g} s")
    print_notice()
