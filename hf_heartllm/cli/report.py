"""`heartllm report RECORD …`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .common import (
    SEVERAL,
    Once,
    add_json_argument,
    add_model_argument,
    add_quiet_argument,
    check_leads,
    describe,
    describe_windows,
    in_words,
    make_pipeline,
    model_source,
    print_json,
    print_json_line,
    print_notice,
    tell,
)
from .recordings import add_recordings_arguments, complain, find_recordings, for_each, show_error

if TYPE_CHECKING:
    from ..models.ecg_answers import ECGReport
    from ..models.ecg_record import ECGRecord

HELP = "Write the report of a recording, or of several."
EXAMPLES = ("heartllm report example:normal", "heartllm report example:af example:lbbb --json")


MOST_FINDINGS = 6  # that are printed; all stand in --json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_recordings_arguments(parser)
    add_model_argument(parser)
    add_json_argument(parser)
    add_quiet_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print the reports."""
    model_source(args.model)  # what is wrong with it is told before anything is read
    recordings = find_recordings(getattr(args, SEVERAL))
    if recordings.several and not args.quiet:
        tell(f"{recordings.in_words()}; loading the model …")
    pipeline = Once(lambda: make_pipeline("ecg-report", args))

    def work(name: str, record: ECGRecord, heard: list[str]) -> tuple[str, ECGRecord, ECGReport, list[str]]:
        check_leads(record, args.model)
        if not recordings.several and not args.quiet:
            tell(f"{name}: {in_words(record)}; loading the model …")
        return name, record, pipeline()(record), heard

    def show(result: tuple[str, ECGRecord, ECGReport, list[str]]) -> None:
        name, record, report, heard = result
        if args.json:
            (print_json_line if recordings.several else print_json)(_as_json(report, record, heard))
            return
        text = _in_words(report)
        print(f"{name}: {in_words(record)}\n\n{text}\n" if recordings.several else text, flush=True)

    unread = for_each(args, recordings, work, show, lambda name, message: show_error(args, name, message))
    if not args.json and pipeline.made:
        print_notice(apart=not recordings.several)
    complain(recordings, unread)


def _in_words(report: ECGReport) -> str:
    from ..models.operating_points import times

    lines = [str(report)]
    if report.findings:
        lines.append("\nAsked one by one, at their operating points (all in --json):")
    for one in report.findings[:MOST_FINDINGS]:
        lines.append(f"  {one.words}: p {one.probability:.2g}, {times(one.times_average)}")
    if report.windows:
        lines.append(f"  from {len(report.windows)} windows of {report.windows[0].seconds:g} s")
    return "\n".join(lines)


def _as_json(report: ECGReport, record: ECGRecord, heard: list[str]) -> dict[str, Any]:
    return {
        "report": report.text,
        "token_probability": report.token_probability,
        "complete": report.complete,
        "findings": [asdict(one) for one in report.findings],
        "windows": describe_windows(report.windows),
        "warnings": heard,
        "record": describe(record),
    }
