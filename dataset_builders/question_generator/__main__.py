"""Questions from labels, balanced, for any labelled set.

    python -m dataset_builders.question_generator --ptbxl DIR --output DIR
    python -m dataset_builders.question_generator --labels labels.csv --output DIR
    python -m dataset_builders.question_generator --labels WFDB_FOLDER --output DIR
    python -m dataset_builders.question_generator --labels labels.csv --split test --output questions.parquet

`python -m dataset_builders.question_generator --help-labels` prints the form of the CSV file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hf_heartllm.arguments import add_old_name
from hf_heartllm.data import label_file

from ..engine import add_build_arguments, run_build
from .builder import SampledQuestions
from .cards import card_of
from .table import TYPE_SETS


def main(argv: list[str] | None = None) -> int:
    """Build the folder and print the counts. Returns the exit code: 2 for bad input, with one line on stderr."""
    arguments = sys.argv[1:] if argv is None else argv
    if "--help-labels" in arguments:
        print(label_file.__doc__)
        return 0
    parser = argparse.ArgumentParser(prog="python -m dataset_builders.question_generator", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    group = parser.add_mutually_exclusive_group(required=True)
    ptbxl = group.add_argument("--ptbxl", dest="ptb_xl", type=Path, help="folder of PTB-XL 1.0.x")
    add_old_name(group, "--ptb-xl", ptbxl)
    group.add_argument("--labels", type=Path, help="CSV file (see --help-labels), or a folder of labelled WFDB records")
    parser.add_argument("--measurements", type=Path, help="CSV table of durations in ms by record_id or ecg_id")
    parser.add_argument("--types", choices=list(TYPE_SETS), default="all", help="attribute types; default: all")
    parser.add_argument("--per-record", type=float, help="mean questions on one recording; default: all")
    parser.add_argument(
        "--pairs", type=int, default=50, help="comparisons an attribute and change; 0: none; default: 50"
    )
    parser.add_argument("--possible-is-stated", action="store_true", help='no "not sure": possible statements are yes')
    parser.add_argument("--sampling-rate", type=int, choices=(100, 500), default=500, help="of PTB-XL; default: 500")
    parser.add_argument("--split", help="only the questions of this part, such as test; default: all")
    parser.add_argument("--seed", type=int, default=0)
    add_build_arguments(parser)
    args = parser.parse_args(argv)
    made: list[SampledQuestions] = []

    def make() -> SampledQuestions:
        source = args.ptb_xl or args.labels
        if not source.exists():
            raise FileNotFoundError(f"{source}: no such file or folder")
        builder = SampledQuestions(
            config_name="ptb-xl" if args.ptb_xl else args.labels.stem,
            source=source,
            measurements=args.measurements,
            types=TYPE_SETS[args.types],
            per_record=args.per_record,
            not_sure=not args.possible_is_stated,
            pairs=args.pairs,
            seed=args.seed,
            split=args.split,
            sampling_rate=args.sampling_rate,
        )
        made.append(builder)
        return builder

    return run_build(make, args, lambda _: card_of(made[0]))


if __name__ == "__main__":
    sys.exit(main())
