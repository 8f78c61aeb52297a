"""`heartllm tokenize RECORD`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..models.whole_files import written_whole
from .common import (
    UsageError,
    add_json_argument,
    add_model_argument,
    add_record_arguments,
    describe,
    make_tokenizer,
    print_json,
    read_record,
)

HELP = "Turn a recording into the ECG tokens of the language model: ids, or their text form."
EXAMPLES = (
    "heartllm tokenize example:normal",
    "heartllm tokenize example:normal --text",
    "heartllm tokenize example:af --output ids.txt",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    parser.add_argument(
        "--text",
        action="store_true",
        help="the text form that a server with the plain language model reads, start and end token included: "
        "<|start_ecg|><ecg_0000>…<|end_ecg|>, instead of ids",
    )
    parser.add_argument("--bare", action="store_true", help="with --text: without start and end token")
    parser.add_argument("--output", metavar="FILE", help="write there instead of printing")
    add_model_argument(parser)
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print or write the tokens."""
    if args.output and args.json:
        raise UsageError("--output writes plain tokens: leave --json out, or send the printed JSON to a file")
    if args.bare and not args.text:
        raise UsageError("--bare belongs to --text: ids are printed without start and end token anyway")
    record = read_record(args)
    tokenizer = make_tokenizer(args)
    ids = [int(token) for token in tokenizer.encode_ecg(record)]
    ends = ([], []) if args.bare else ([tokenizer.ecg_start_token_id], [tokenizer.ecg_end_token_id])
    text = tokenizer.ecg_ids_to_text([*ends[0], *ids, *ends[1]])
    if args.json:
        result = {"ids": ids, "ecg_token_offset": tokenizer.ecg_token_offset, "warnings": args.warnings}
        result |= {"record": describe(record)}
        print_json({**result, "text": text} if args.text else result)
        return
    line = text if args.text else " ".join(map(str, ids))
    if not args.output:
        print(line)
        return
    path = Path(args.output)
    with written_whole(path) as temporary:
        temporary.write_text(line + "\n", encoding="utf-8")
    print(f"{path}: {len(ids)} tokens")
