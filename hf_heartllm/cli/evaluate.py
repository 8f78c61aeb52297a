"""`heartllm evaluate SUBJECT …`: one module a subject, each with the four things that a command has."""

from __future__ import annotations

import argparse

from ..models.notice import NOTICE
from . import (
    evaluate_codec,
    evaluate_predictions,
    evaluate_priors,
    evaluate_qa,
    evaluate_report,
    evaluate_robustness,
)

HELP = "Evaluate a checkpoint, a codec, anyone's predictions, or what can be answered without an ECG."
SUBJECTS = {
    "codec": evaluate_codec,
    "predictions": evaluate_predictions,
    "priors": evaluate_priors,
    "qa": evaluate_qa,
    "report": evaluate_report,
    "robustness": evaluate_robustness,
}
EXAMPLES = tuple(module.EXAMPLES[0] for module in SUBJECTS.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-parser a subject."""
    subparsers = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    for name, module in SUBJECTS.items():
        subparser = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog="examples:\n" + "\n".join(f"  {line}" for line in module.EXAMPLES) + f"\n\n{NOTICE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run_subject=module.run)


def run(args: argparse.Namespace) -> None:
    """Run the subject's evaluation."""
    args.run_subject(args)
