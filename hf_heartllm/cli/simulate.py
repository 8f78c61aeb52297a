"""`heartllm simulate NAME OUT`."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .common import UsageError, add_json_argument, describe, print_json, print_notice

if TYPE_CHECKING:
    from ..models.ecg_record import ECGRecord

HELP = "Write a simulated recording with known truth."
EXAMPLES = (
    "heartllm simulate af af_record",
    "heartllm simulate lbbb lbbb.csv --sampling-rate 250 --seed 3 --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("name", metavar="NAME", help="normal, af, lbbb, …; an unknown one prints them all")
    parser.add_argument(
        "output", metavar="OUT", help="a WFDB record's name (OUT.hea and OUT.dat), or a .csv or .npy file"
    )
    parser.add_argument("--sampling-rate", type=float, default=500.0, metavar="HZ", help="default: 500")
    parser.add_argument("--duration", type=float, default=10.0, metavar="SECONDS", help="default: 10")
    parser.add_argument("--seed", type=int, help="of everything random (default: the example's own)")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the recording; --json prints its truth."""
    from ..ecg import EXAMPLES as NAMED
    from ..ecg import simulate_ecg

    name = args.name.removeprefix("example:")
    if name not in NAMED:
        raise UsageError(f"no simulated recording {args.name!r}; there are {', '.join(NAMED)}")
    settings = dict(NAMED[name])
    if args.seed is not None:
        if args.seed < 0:
            raise UsageError(f"--seed must not be negative, got {args.seed}")
        settings["seed"] = args.seed
    record, truth = simulate_ecg(name=name, sampling_rate=args.sampling_rate, duration=args.duration, **settings)
    files = write_recording(record, args.output)
    if args.json:
        print_json(
            {
                "files": [str(file) for file in files],
                "record": describe(record),
                "truth": truth.to_dict(),
                "simulated": True,
            }
        )
        return
    print(f"{', '.join(str(file) for file in files)}: {record.source}")
    print_notice()


def write_recording(record: ECGRecord, output: str | os.PathLike[str]) -> list[Path]:
    """Write a recording in mV as CSV (a header row of lead names), NPY (leads, samples) or WFDB (16 bits of 1 µV).

    Every file is written whole; a WFDB header follows its signal file.

    Args:
        record: what to write.
        output: a `.csv` or `.npy` file, or the name of a WFDB record, with `.hea` or without.

    Returns:
        The files written.

    Raises:
        UsageError: if WFDB does not allow the record's name.
    """
    import numpy as np

    path = Path(output)
    kind = path.suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".simulate.") as scratch:
        if kind == ".npy":
            names = [path.name]
            np.save(Path(scratch) / path.name, record.signal)
        elif kind == ".csv":
            names = [path.name]
            header = ",".join(record.leads)
            np.savetxt(
                Path(scratch) / path.name, record.signal.T, fmt="%.6f", delimiter=",", header=header, comments=""
            )
        else:
            bare = path.name.removesuffix(".hea").removesuffix(".dat")
            if not re.fullmatch(r"[A-Za-z0-9_-]+", bare):
                raise UsageError(
                    f"{output}: a WFDB record's name has letters, digits, - and _ only (or end in .csv, .npy)"
                )
            import wfdb

            count = len(record.leads)
            rate = int(record.sampling_rate) if record.sampling_rate.is_integer() else record.sampling_rate
            wfdb.wrsamp(
                bare,
                fs=rate,
                units=["mV"] * count,
                sig_name=list(record.leads),
                p_signal=record.signal.T.astype(np.float64),
                fmt=["16"] * count,
                adc_gain=[1000.0] * count,
                baseline=[0] * count,
                comments=[record.source or "simulated"],
                write_dir=scratch,
            )
            names = [f"{bare}.dat", f"{bare}.hea"]
        for name in names:
            os.replace(Path(scratch) / name, path.parent / name)
    return [path.parent / name for name in names]
