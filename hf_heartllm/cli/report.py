"""`heartllm report RECORD …`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..models.printable_text import printable
from .answers import report_as_json, report_in_words
from .common import (
    SEVERAL,
    Once,
    add_json_argument,
    add_model_argument,
    add_quiet_argument,
    check_leads,
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
            (print_json_line if recordings.several else print_json)(report_as_json(report, record, heard))
            return
        text = report_in_words(report)
        print(f"{printable(name)}: {in_words(record)}\n\n{text}\n" if recordings.several else text, flush=True)

    unread = for_each(args, recordings, work, show, lambda name, message: show_error(args, name, message))
    if not args.json and pipeline.made:
        print_notice(apart=not recordings.several)
    complain(recordings, unread)
