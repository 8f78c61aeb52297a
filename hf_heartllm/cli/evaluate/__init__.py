"""`heartllm evaluate SUBJECT …`: one module a subject."""

from __future__ import annotations

import argparse

from ..common import add_commands
from . import classify, codec, predictions, priors, qa, report, robustness

HELP = "Evaluate a checkpoint, a codec, anyone's predictions, or what can be answered without an ECG."
SUBJECTS = {
    "classify": classify,
    "codec": codec,
    "predictions": predictions,
    "priors": priors,
    "qa": qa,
    "report": report,
    "robustness": robustness,
}
EXAMPLES = tuple(module.EXAMPLES[0] for module in SUBJECTS.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-parser a subject."""
    add_commands(parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True), SUBJECTS)
