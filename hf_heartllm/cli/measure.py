"""`heartllm measure RECORD …`."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import (
    SEVERAL,
    UsageError,
    add_json_argument,
    add_quiet_argument,
    describe,
    print_json,
    print_json_line,
    print_notice,
    tell,
    told_when_slow,
)
from .recordings import Recordings, add_recordings_arguments, complain, find_recordings, for_each, show_error

if TYPE_CHECKING:
    from ..ecg import LeadQuality, Measurements
    from ..ecg.findings import Findings
    from ..models.ecg_record import ECGRecord

HELP = "Measure recordings: rate, intervals, axis, amplitudes and ST levels, and what is doubtful about them."
SEXES = ("male", "female")
RHYTHMS = ("sinus", "af", "flutter", "paced", "other")
CONDUCTIONS = ("lbbb", "rbbb", "pre-excitation")
EXAMPLES = (
    "heartllm measure example:lbbb",
    "heartllm measure example:af --json",
    "heartllm measure example:st_elevation_inferior --findings --sex female --age 63",
    "heartllm measure example:af example:lbbb --csv",
    "heartllm simulate af clinic/af",
    "heartllm measure clinic --output measured.csv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_recordings_arguments(parser)
    parser.add_argument("--csv", action="store_true", help="print a table with one row a recording")
    parser.add_argument("--output", metavar="FILE.csv", help="write that table to a file")
    group = parser.add_argument_group("findings: what lies outside the usual range of adults")
    group.add_argument("--findings", action="store_true", help="say it in sentences, with what was not judged")
    group.add_argument("--sex", choices=SEXES, help="for limits that depend on it (default: what the file says)")
    group.add_argument("--age", type=float, metavar="YEARS", help="likewise; under 16 years nothing is judged")
    group.add_argument("--rhythm", choices=RHYTHMS, help="where it is known (default: what the measurements show)")
    group.add_argument("--conduction", choices=CONDUCTIONS, help="likewise")
    add_json_argument(parser)
    add_quiet_argument(parser)


Measured = tuple[str, "ECGRecord", "Measurements", "tuple[LeadQuality, ...]", "Findings | None", list[str]]


def run(args: argparse.Namespace) -> None:
    """Print the measurements; what is doubtful is left out with its reason."""
    table = args.csv or args.output is not None
    if args.json and table:
        raise UsageError("--json or a table (--csv, --output): give one")
    if args.output is not None and Path(args.output).suffix.lower() != ".csv":
        raise UsageError(f"--output {args.output}: the table is a .csv file")
    _check_findings(args)
    recordings = find_recordings(getattr(args, SEVERAL), but=args.output)
    if recordings.others and not args.quiet:
        tell(recordings.in_words())

    def work(name: str, record: ECGRecord, heard: list[str]) -> Measured:
        with told_when_slow(f"measuring {name} …", args.quiet or recordings.several):
            from ..ecg import lead_quality, measure

            measured = measure(record)
            return name, record, measured, lead_quality(record), _findings(args, record, measured), heard

    if table:
        _write_table(args, recordings, work)
        return

    def show(found: Measured) -> None:
        if args.json:
            (print_json_line if recordings.several else print_json)(_as_json(*found))
        else:
            from .measure_text import page

            print(page(*found[:5]) + "\n", flush=True)

    unread = for_each(args, recordings, work, show, lambda name, message: show_error(args, name, message))
    if not args.json and unread < len(recordings.names):
        print_notice(apart=False)
    complain(recordings, unread)


def _check_findings(args: argparse.Namespace) -> None:
    """That what findings need to know makes sense, and is asked for."""
    for option in ("sex", "age", "rhythm", "conduction"):
        if getattr(args, option) is not None and not args.findings:
            raise UsageError(f"--{option} is for --findings: give both")
    if args.age is not None and not 0 <= args.age < float("inf"):
        raise UsageError(f"--age {args.age:g}: years from 0 are needed")


def _findings(args: argparse.Namespace, record: ECGRecord, measured: Measurements) -> Findings | None:
    """The findings, where they are asked for; sex and age are what the options say, else what the recording does."""
    if not args.findings:
        return None
    from ..ecg.findings import find

    sex = args.sex or record.sex
    age = record.age if args.age is None else args.age
    return find(measured, sex=sex, age=age, rhythm=args.rhythm, conduction=args.conduction)


def _as_json(
    name: str,
    record: ECGRecord,
    found: Measurements,
    quality: tuple[LeadQuality, ...],
    findings: Findings | None,
    heard: list[str],
) -> dict[str, Any]:
    columns = found.as_columns()
    said = {} if findings is None else {"findings": findings.document()}
    return {
        **said,
        "measured": columns,
        "reasons": {column: found.why(column) for column, value in columns.items() if value is None},
        "beat_times": [round(time, 4) for time in found.beat_times],
        "quality": {one.lead: list(one.problems) for one in quality},
        "warnings": heard,
        "record": describe(record),
    }


def _write_table(args: argparse.Namespace, recordings: Recordings, work: Any) -> None:
    """One row a recording, as they come; a file is written whole, or not at all."""
    import csv
    import sys

    from ..models.whole_files import written_whole
    from .measure_text import FINDING_COLUMNS, TABLE_COLUMNS, row

    with ExitStack() as stack:
        file = sys.stdout
        if args.output is not None:
            temporary = stack.enter_context(written_whole(args.output))
            file = stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))
        names = (*TABLE_COLUMNS[:-1], *FINDING_COLUMNS, TABLE_COLUMNS[-1]) if args.findings else TABLE_COLUMNS
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()

        def write(fields: dict[str, Any]) -> None:
            table.writerow(fields)
            file.flush()

        def show_unread(name: str, message: str) -> None:
            show_error(args, name, message)
            write({"record": name, "error": message})

        unread = for_each(args, recordings, work, lambda found: write(row(*found)), show_unread)
    if args.output is not None:
        print(f"{args.output}: {len(recordings.names) - unread:,} recordings measured")
        print_notice()
    complain(recordings, unread)
