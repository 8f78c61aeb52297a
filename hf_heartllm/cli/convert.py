"""`heartllm convert RECORD OUT`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..ecg.readers.formats import is_path
from .common import (
    UsageError,
    add_json_argument,
    add_quiet_argument,
    add_record_arguments,
    check_not_there,
    describe,
    in_words,
    print_json,
    print_notice,
    read_record,
    reading_flags,
)
from .recordings import deciding_file

HELP = "Write a recording in another format: WFDB, CSV or NPY, in mV."
EXAMPLES = (
    "heartllm convert example:lbbb lbbb.csv",
    "heartllm convert lbbb.csv lbbb.hea --force",
    "heartllm convert lbbb lbbb.npy",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    parser.add_argument(
        "output", metavar="OUT", help="a .csv or .npy file, or a WFDB record's name (OUT.hea and OUT.dat)"
    )
    parser.add_argument("--force", action="store_true", help="replace OUT where it is there")
    add_json_argument(parser)
    add_quiet_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the recording."""
    from ..ecg.writers import write_ecg, written_files

    there = check_not_there(written_files(args.output), args.force)
    record = read_record(args)
    sources = {os.path.realpath(file) for file in _source_files(args.record)}
    if any(os.path.realpath(file) in sources for file in there):
        raise UsageError(f"{args.output}: the recording itself, which is not overwritten; choose another name")
    files = write_ecg(record, args.output)
    how = reading_flags(record, files)
    if args.json:
        result = {"files": [str(file) for file in files], "read_with": how, "warnings": args.warnings}
        print_json({**result, "record": describe(record)})
        return
    print(f"{', '.join(str(file) for file in files)}: {in_words(record)}, in mV")
    if how:
        print(f"read it with {' '.join(how)}")
    print_notice()


def _source_files(name: str) -> list[Path]:
    """The files that a recording is read from."""
    if not is_path(name):
        return []
    file = Path(deciding_file(name))
    if file.suffix.lower() != ".hea":
        return [file]
    from ..ecg.readers.wfdb_header import parse_header, read_header_text

    signals = parse_header(read_header_text(file, name), name, file.stem).signals
    return [file, *(file.parent / signal.file for signal in signals)]
