"""`heartllm simulate NAME OUT`."""

from __future__ import annotations

import argparse

from .common import UsageError, add_json_argument, check_not_there, describe, print_json, print_notice, reading_flags

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
    parser.add_argument("--force", action="store_true", help="replace OUT where it is there")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the recording; --json prints its truth."""
    from ..ecg import EXAMPLES as NAMED
    from ..ecg import simulate_ecg, write_ecg
    from ..ecg.writers import written_files

    name = args.name.removeprefix("example:")
    if name not in NAMED:
        raise UsageError(f"no simulated recording {args.name!r}; there are {', '.join(NAMED)}")
    settings = dict(NAMED[name])
    if args.seed is not None:
        if args.seed < 0:
            raise UsageError(f"--seed must not be negative, got {args.seed}")
        settings["seed"] = args.seed
    check_not_there(written_files(args.output), args.force)
    record, truth = simulate_ecg(name=name, sampling_rate=args.sampling_rate, duration=args.duration, **settings)
    files = write_ecg(record, args.output)
    how = reading_flags(record, files)
    if args.json:
        print_json(
            {
                "files": [str(file) for file in files],
                "read_with": how,
                "record": describe(record),
                "truth": truth.to_dict(),
                "simulated": True,
            }
        )
        return
    print(f"{', '.join(str(file) for file in files)}: {record.source}")
    if how:
        print(f"read it with {' '.join(how)}")
    print_notice()
