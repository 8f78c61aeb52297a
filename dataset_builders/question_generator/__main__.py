"""Questions from labels, balanced, for any labelled set.

    python -m dataset_builders.question_generator --ptbxl DIR --output DIR
    python -m dataset_builders.question_generator --labels labels.csv --output DIR
    python -m dataset_builders.question_generator --labels WFDB_FOLDER --output DIR
    python -m dataset_builders.question_generator --labels labels.csv --split test --output questions.parquet

`python -m dataset_builders.question_generator --help-labels` prints the form of the CSV file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hf_heartllm.arguments import add_old_name
from hf_heartllm.data import label_file

from ..engine import add_build_arguments, add_config_options, build_parser, config_of, run_build
from .builder import QuestionGeneratorConfig, SampledQuestions
from .cards import card_of
from .table import TYPE_SETS


def main(argv: list[str] | None = None) -> int:
    """Build the folder and print the counts. Returns the exit code: 2 for bad input, with one line on stderr."""
    arguments = sys.argv[1:] if argv is None else argv
    if "--help-labels" in arguments:
        print(label_file.__doc__)
        return 0
    parser = build_parser("question_generator", __doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    ptbxl = group.add_argument("--ptbxl", dest="ptb_xl", type=Path, metavar="PATH", help="folder of PTB-XL 1.0.x")
    add_old_name(group, "--ptb-xl", ptbxl)
    label_help = "CSV file (see --help-labels), or a folder of labelled WFDB records"
    group.add_argument("--labels", type=Path, metavar="PATH", help=label_help)
    types = {"type": str, "choices": list(TYPE_SETS), "default": "all"}
    rate = {"choices": (100, 500)}
    add_config_options(parser, QuestionGeneratorConfig, "source", "not_sure", "folds", types=types, sampling_rate=rate)
    parser.add_argument("--possible-is-stated", action="store_true", help='no "not sure": possible statements are yes')
    add_build_arguments(parser)
    args = parser.parse_args(argv)
    made: list[SampledQuestions] = []

    def make() -> SampledQuestions:
        source = args.ptb_xl or args.labels
        if not source.exists():
            raise FileNotFoundError(f"{source}: no such file or folder")
        chosen = {"source": source, "types": TYPE_SETS[args.types], "not_sure": not args.possible_is_stated}
        name = "ptb-xl" if args.ptb_xl else args.labels.stem
        builder = SampledQuestions(config_name=name, **config_of(QuestionGeneratorConfig, args, **chosen))
        made.append(builder)
        return builder

    return run_build(make, args, lambda _: card_of(made[0]))


if __name__ == "__main__":
    sys.exit(main())
