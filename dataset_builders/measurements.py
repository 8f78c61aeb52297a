"""Measurements of many recordings as a CSV table, one row a recording.

    python -m dataset_builders.measurements --ptbxl DIR --output measurements.csv --num-proc 2
    python -m dataset_builders.measurements --labels labels.csv --output measurements.csv
    python -m dataset_builders.measurements --ptbxl DIR --ptbxl-plus DIR --output measurements.csv

Columns: `ecg_id` (of a file of labels: `record_id`), `path`, all of `hf_heartllm.ecg.measurements.COLUMNS` (empty where
doubtful; yes and no as 1 and 0), and `not_measured`, the reasons. With --ptbxl-plus the same columns come from its
table of 12SL features. The sampler takes the table as --measurements. An interrupted run goes on where it stopped;
rows that the output already has are kept.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hf_heartllm.arguments import add_old_name
from hf_heartllm.ecg import ECGError, measure, read_ecg
from hf_heartllm.ecg.measurements import COLUMNS
from hf_heartllm.ecg.measurements.result import GLOBAL_NAMES
from hf_heartllm.labels.ptbxl import folds, read_ptbxl_table, record_path
from hf_heartllm.labels.ptbxl_plus import read_12sl_features

from .sampler.label_file import read_label_file

REASONS = "not_measured"
Cells = dict[str, str]


@dataclass(frozen=True)
class Recording:
    """A recording to measure.

    Attributes:
        record_id: its name in the table.
        path: as the source names it, without suffix.
        file: where it is.
    """

    record_id: str
    path: str
    file: Path


def measured_row(recording: Recording, on_error: str = "raise") -> Cells:
    """The cells of one recording.

    Raises:
        ECGError: if it cannot be read or measured and `on_error` is `raise`; with `skip` its row says why.
    """
    cells = {"path": recording.path}
    try:
        found = measure(read_ecg(recording.file))
    except (ECGError, OSError) as error:
        if on_error == "raise":
            raise ECGError(str(error)) from None
        return cells | {REASONS: f"all: {error}"}
    columns = found.as_columns()
    missing = [name for name in GLOBAL_NAMES if columns[name] is None]
    reasons = "; ".join(f"{name}: {found.why(name)}" for name in missing)
    return cells | {name: _cell(value) for name, value in columns.items()} | {REASONS: reasons}


def measure_recordings(
    recordings: Sequence[Recording],
    output: Path,
    *,
    key: str,
    num_proc: int = 1,
    on_error: str = "raise",
    fresh: bool = False,
    progress: bool = True,
) -> int:
    """Measure recordings and write the table, in their order, whole or not at all.

    Args:
        recordings: with different `record_id`.
        output: the CSV file; what it holds already of the same recordings is kept. While it grows, the rows are in
            `.NAME.part` beside it.
        key: name of the first column.
        num_proc: processes, spawned.
        on_error: `raise` or `skip`, for a recording that cannot be read.
        fresh: measure all anew.
        progress: whether to show a bar.

    Returns:
        How many recordings were measured in this call.

    Raises:
        ECGError: for a damaged recording where these are fatal, or if another process writes the same table.
    """
    from tqdm import tqdm

    names = (key, "path", *COLUMNS, REASONS)
    part = output.with_name(f".{output.name}.part")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(f"{part}.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise ECGError(f"{output}: another process is writing this table") from None
    try:
        if fresh:
            part.unlink(missing_ok=True)
        known = {} if fresh else {**_rows(output, names), **_rows(part, names)}
        wanted = [r for r in recordings if known.get(r.record_id, {}).get("path") != r.path]
        with part.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            bar = tqdm(_measured(wanted, num_proc, on_error), total=len(wanted), unit="record", disable=not progress)
            for recording, cells in zip(wanted, bar, strict=True):
                known[recording.record_id] = {key: recording.record_id, **cells}
                writer.writerow(known[recording.record_id])
                file.flush()
        _write(output, names, [known[recording.record_id] for recording in recordings])
        part.unlink()
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
    return len(wanted)


def _measured(recordings: Sequence[Recording], num_proc: int, on_error: str) -> Iterator[Cells]:
    if num_proc == 1 or len(recordings) < 2:
        yield from (measured_row(recording, on_error) for recording in recordings)
        return
    import multiprocessing
    from functools import partial

    with multiprocessing.get_context("spawn").Pool(num_proc) as pool:
        yield from pool.imap(partial(measured_row, on_error=on_error), recordings, chunksize=4)


def _rows(path: Path, names: Sequence[str]) -> dict[str, Cells]:
    """The whole rows of a table with these columns, by their first cell; none of any other file."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    if len(text) > text.rfind("\n") + 1 and path.suffix == ".part":  # a row that was broken off
        path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
    reader = csv.DictReader(lines)
    if tuple(reader.fieldnames or ()) != tuple(names):
        if path.suffix == ".part":
            path.unlink()
        return {}
    return {row[names[0]]: row for row in reader}


def _write(output: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, output)


def _cell(value: float | bool | None) -> str:
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, bool) or float(value).is_integer() else repr(float(value))


def _from_12sl(recordings: Sequence[Recording], folder: Path, output: Path, key: str) -> int:
    """Write 12SL's measurements of the recordings; of one that its table lacks, a row that says so."""
    table = read_12sl_features(folder, COLUMNS)
    known = dict(zip(table.index.tolist(), table.to_numpy().tolist(), strict=True))
    rows: list[Cells] = []
    for recording in recordings:
        cells = {key: recording.record_id, "path": recording.path}
        if values := known.get(int(recording.record_id)):
            rows.append(cells | {name: _cell(value) for name, value in zip(COLUMNS, values, strict=True)})
        else:
            rows.append(cells | {REASONS: "all: not in the table of 12SL features"})
    output.parent.mkdir(parents=True, exist_ok=True)
    _write(output, (key, "path", *COLUMNS, REASONS), rows)
    return len(rows)


def _recordings(args: argparse.Namespace) -> tuple[str, list[Recording]]:
    """The name of the first column, and what to measure."""
    if args.labels:
        records = [record for record in read_label_file(args.labels) if record.path]
        if not records:
            raise ValueError(f"{args.labels}: no row has a path")
        folder = args.labels.parent
        return "record_id", [Recording(r.record_id, str(r.path), folder / str(r.path)) for r in records]
    table = read_ptbxl_table(args.ptb_xl)
    table = table[table["strat_fold"].isin(folds(args.folds))]
    if args.ids:
        wanted = {int(word) for word in args.ids.read_text(encoding="utf-8").split()}
        if absent := sorted(wanted - set(table["ecg_id"])):
            raise ValueError(f"{args.ids}: ecg_id {absent[0]} is not in folds {args.folds} of {args.ptb_xl}")
        table = table[table["ecg_id"].isin(wanted)]
    column = "filename_lr" if args.sampling_rate == 100 else "filename_hr"
    if absent := int(table[column].isna().sum()):
        other = {100: 500, 500: 100}[args.sampling_rate]
        what = f"{absent} of {len(table)} records have no file at {args.sampling_rate} Hz ({column} is empty)"
        raise ValueError(f"{args.ptb_xl}: {what}; try --sampling-rate {other}")
    paths = {int(ecg_id): record_path(table.loc[ecg_id], args.sampling_rate) for ecg_id in table["ecg_id"]}
    return "ecg_id", [Recording(str(ecg_id), path, args.ptb_xl / path) for ecg_id, path in sorted(paths.items())]


def main(argv: list[str] | None = None) -> int:
    """Write the table. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m dataset_builders.measurements", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    group = parser.add_mutually_exclusive_group(required=True)
    ptbxl = group.add_argument("--ptbxl", dest="ptb_xl", type=Path, help="folder of PTB-XL 1.0.x")
    for old in ("--source", "--ptb-xl"):
        add_old_name(group, old, ptbxl)
    group.add_argument("--labels", type=Path, help="CSV file of labels with the recordings' paths, beside it")
    parser.add_argument("--output", required=True, type=Path, help="CSV file to write; run again to go on")
    plus = parser.add_argument(
        "--ptbxl-plus", dest="ptb_xl_plus", type=Path, help="take PTB-XL+'s 12SL features instead of measuring"
    )
    add_old_name(parser, "--ptb-xl-plus", plus)
    parser.add_argument("--folds", default="1-10", help="of PTB-XL; default: 1-10")
    parser.add_argument("--ids", type=Path, help="text file of the ecg_ids to measure; default: all of the folds")
    parser.add_argument("--sampling-rate", type=int, choices=(100, 500), default=500, help="of PTB-XL; default: 500")
    parser.add_argument("--num-proc", type=int, default=1, metavar="N", help="processes; default: 1")
    parser.add_argument("--max-records", type=int, metavar="N", help="only the first N")
    parser.add_argument("--on-error", choices=("raise", "skip"), default="raise", help="a damaged record")
    parser.add_argument("--fresh", action="store_true", help="measure all anew")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    args = parser.parse_args(argv)
    try:
        if args.ptb_xl_plus and not args.ptb_xl:
            raise ValueError("--ptbxl-plus goes with --ptbxl")
        key, recordings = _recordings(args)
        recordings = recordings[: args.max_records]
        if args.ptb_xl_plus:
            done = _from_12sl(recordings, args.ptb_xl_plus, args.output, key)
            print(f"{args.output}: {done} rows of 12SL features")
            return 0
        done = measure_recordings(
            recordings,
            args.output,
            key=key,
            num_proc=args.num_proc,
            on_error=args.on_error,
            fresh=args.fresh,
            progress=not args.quiet,
        )
    except (OSError, ValueError, ECGError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.output}: {len(recordings)} rows, {done} of them measured now")
    return 0


if __name__ == "__main__":
    sys.exit(main())
