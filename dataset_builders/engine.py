"""From a source of recordings to Parquet shards that `datasets.load_dataset` reads.

A builder states a plan (bounded shards, fixed by the source and its configuration alone) and makes the rows of a shard.
`build` writes the shards, each whole or not at all: an interrupted build goes on from the last whole shard, and its
bytes depend neither on the number of processes nor on interruptions. A shard that is there is kept when its footer
states the same plan and none of its source files is newer.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import datasets
from filelock import FileLock, Timeout

from hf_heartllm.arguments import add_options

from .build_report import BuildReport, counts_table
from .cards import check_identity, write_readme
from .row_builder import RowBuilder
from .shards import Shard, ShardFile, find_shard, is_older, plan_hash, shard_names, split_shards
from .single_file import OTHER_FILES, SUFFIXES, check_single_file, join_shards, parts_folder
from .workers import write_shards

__all__ = ["BuildReport", "RowBuilder", "Shard", "split_shards"]

ON_ERROR = ("raise", "skip")


def build(
    builder: RowBuilder,
    output: str | Path,
    *,
    num_proc: int = 1,
    max_records: int | None = None,
    shard: tuple[int, int] = (0, 1),
    on_error: str = "raise",
    card: str | Callable[[BuildReport], str] = "",
    progress: bool = True,
    fresh: bool = False,
) -> BuildReport:
    """Write a builder's rows as a folder that `datasets.load_dataset` reads, or as one file.

    Args:
        builder: what to build.
        output: the folder: `data/<configuration>/…parquet` and `README.md`; may hold other configurations. A name that
            ends in `.parquet` or `.csv` is one file, for rows of one split; its shards lie in a hidden folder beside it
            until it is whole.
        num_proc: processes, each with one thread; more than 1 are spawned.
        max_records: at most so many keys of the plan, the first ones of each split in proportion.
        shard: (i, n): write only part i, from 0, of n; the part after which no shard is missing writes the card.
        on_error: `"raise"` or `"skip"` for damaged records.
        card: the card's text below its YAML, or a function of the report that makes it.
        progress: show a progress bar.
        fresh: make all shards anew.

    Raises:
        ECGError: a damaged record, or a worker that was ended.
        ValueError: an argument out of range, a plan without records, or rows that one file cannot hold.
        OSError: what cannot be read or written, and `TimeoutError` where the same part is being built already.
    """
    part, parts = shard
    if not 0 <= part < parts:
        raise ValueError(f"--shard {part}/{parts}: parts count from 0/{parts} to {parts - 1}/{parts}")
    if num_proc < 1 or (max_records is not None and max_records < 1):
        raise ValueError("the numbers of processes and of records must be at least 1")
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error must be one of {', '.join(ON_ERROR)}, got {on_error!r}")
    started = time.monotonic()
    output = Path(output)
    single = output.suffix.lower() in SUFFIXES
    if not single and (output.is_file() or output.suffix.lower() in OTHER_FILES):
        raise ValueError(f"{output}: a file; name a folder to write, or one file *{' or *'.join(SUFFIXES)}")
    root = parts_folder(output) if single else output
    folder = root / "data" / builder.config.name
    builder.prepare()
    check_identity(root, builder.config.name, builder.identity())
    plan = first_records(builder.plan(), max_records)
    if not any(one.keys for one in plan):
        raise ValueError("the source has no record for this configuration")
    # Damaged records are part of a shard's rows only where they are skipped, so such shards are of another plan.
    hashes = {(s.split, s.index): plan_hash(f"{builder.fingerprint}{on_error}", s) for s in plan}
    counts = {name: sum(s.split == name for s in plan) for name in dict.fromkeys(s.split for s in plan)}
    if single:
        check_single_file(output, builder.info.features, counts)

    def found(one: Shard) -> ShardFile | None:
        return find_shard(folder, one, counts[one.split], hashes[one.split, one.index])

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f".part-{part}-of-{parts}.lock", timeout=0)
    try:
        with lock:
            jobs = []
            for one in plan[part::parts]:
                there = None if fresh else found(one)
                stale = there is None or is_older(there.path, builder.shard_files(one))
                if stale or not all(path.is_file() for path in builder.written_files(one)):
                    jobs.append((one, counts[one.split], hashes[one.split, one.index]))
            builder.on_error = on_error
            write_shards(builder, jobs, folder, min(num_proc, max(len(jobs), 1)), progress)
    except Timeout:
        raise TimeoutError(f"{folder}: part {part}/{parts} is being built by another process") from None
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)

    files: dict[str, list[ShardFile]] = {name: [] for name in counts}
    missing = 0
    for one in plan:
        file = found(one)
        if file is None:
            missing += 1
        else:
            files[one.split].append(file)
    seconds, notes = time.monotonic() - started, tuple(builder.notes())
    report = BuildReport(output, builder.config.name, files, missing, len(jobs), seconds, notes)
    if single and not missing:
        join_shards([file.path for shards in files.values() for file in shards], output, builder.LINE_END)
        shutil.rmtree(root)
    elif not missing:
        write_readme(builder.info, card(report) if callable(card) else card, report, builder.identity())
        kept = {file.path for shards in files.values() for file in shards}
        for path in shard_names(folder):
            if path not in kept:
                path.unlink()
    return report


def first_records(plan: Sequence[Shard], max_records: int | None) -> list[Shard]:
    """The plan cut down to so many keys: the first ones of each split, in proportion, at least one if possible."""
    sizes: dict[str, int] = {}
    for one in plan:
        sizes[one.split] = sizes.get(one.split, 0) + len(one.keys)
    total = sum(sizes.values())
    if max_records is None or max_records >= total:
        return list(plan)
    share = {name: max_records * size / total for name, size in sizes.items()}
    left = {name: min(sizes[name], max(int(value), 1 if sizes[name] else 0)) for name, value in share.items()}
    by_rest = sorted(sizes, key=lambda name: left[name] - share[name])
    while sum(left.values()) < max_records:  # rounding: those that lost most get one more
        name = next(name for name in by_rest if left[name] < sizes[name])
        left[name] += 1
        by_rest.sort(key=lambda name: left[name] - share[name])
    while sum(left.values()) > max_records:  # more splits than records
        largest = max(left, key=lambda name: left[name] - share[name])
        left[largest] -= 1
    cut = []
    for one in plan:
        keys = one.keys[: left[one.split]]
        left[one.split] -= len(keys)
        if keys:
            cut.append(replace(one, keys=keys))
    return cut


def _part(text: str) -> tuple[int, int]:
    first, _, last = text.partition("/")
    try:
        return int(first), int(last)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no part such as 0/4") from None


def build_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of a builder's command line, by its module's name; its help shows the builders' name where it runs."""
    prog, as_written = f"python -m {__package__}.{name}", argparse.RawDescriptionHelpFormatter
    shown = (description or "").replace("dataset_builders.", f"{__package__}.")
    return argparse.ArgumentParser(prog=prog, description=shown, formatter_class=as_written)


def add_config_options(
    parser: argparse._ActionsContainer, kind: type[datasets.BuilderConfig], *without: str, **of_fields: dict[str, Any]
) -> None:
    """Add an option for each field of a builder's configuration, as of `arguments.add_options`."""
    base = [field.name for field in fields(datasets.BuilderConfig)]
    add_options(parser, kind, without=(*base, *without), **of_fields)


def config_of(kind: type[datasets.BuilderConfig], args: argparse.Namespace, **others: Any) -> dict[str, Any]:
    """The fields of a configuration that `add_config_options` asked for; `others` are not as they were given."""
    return {one.name: getattr(args, one.name) for one in fields(kind) if hasattr(args, one.name)} | others


def add_build_arguments(parser: argparse.ArgumentParser, output: str = "folder or *.parquet to write") -> None:
    """Add the arguments that all builders share; `output` says what is written."""
    group = parser.add_argument_group("building")
    group.add_argument("--output", required=True, type=Path, help=f"{output}; run again to go on")
    group.add_argument("--num-proc", type=int, default=1, metavar="N", help="processes; default: 1")
    group.add_argument("--max-records", type=int, metavar="N", help="only the first N records, shared among the splits")
    group.add_argument("--shard", type=_part, default=(0, 1), metavar="I/N", help="only part I (from 0) of N")
    group.add_argument("--on-error", choices=ON_ERROR, default="raise", help="a damaged record; default: raise")
    group.add_argument("--fresh", action="store_true", help="make all shards anew")
    group.add_argument("--quiet", action="store_true", help="no progress bar")


def run_build(
    builder: RowBuilder | Callable[[], RowBuilder],
    args: argparse.Namespace,
    card: str | Callable[[BuildReport], str] = "",
) -> int:
    """Build as the command line says, print the counts, and return the exit code: 2 for bad input, with one line.

    Args:
        builder: the builder, or a function that makes it (its errors are then one line too).
        args: with the arguments of `add_build_arguments`.
        card: as in `build`.
    """
    try:
        if not isinstance(builder, RowBuilder):
            builder = builder()
        report = build(
            builder,
            args.output,
            num_proc=args.num_proc,
            max_records=args.max_records,
            shard=args.shard,
            on_error=args.on_error,
            card=card,
            progress=not args.quiet,
            fresh=args.fresh,
        )
    except (OSError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last whole shard", file=sys.stderr)
        return 130
    for name, reason in report.skipped:
        print(f"skipped {name}: {reason}", file=sys.stderr)
    print("\n\n".join([counts_table(report), *report.notes]))
    print(f"\n{report.output}: {report.num_rows} rows, {report.written} shards written in {report.seconds:.1f} s")
    if report.missing:
        print(f"{report.missing} shards are still missing: build the other parts, or run any part again when they are")
    return 0
