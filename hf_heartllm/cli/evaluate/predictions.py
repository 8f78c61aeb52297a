"""`heartllm evaluate predictions FILE`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..common import UsageError, positive

HELP = "Score any model's answers or reports, with intervals by patient and beside their controls."
EXAMPLES = (
    "heartllm evaluate predictions answers.jsonl --output scores.json",
    "heartllm evaluate predictions predictions_report_ptbxl.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subject's arguments."""
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="JSON or JSON Lines as docs/evaluation.md describes, or what the public HeartLLM code wrote",
    )
    parser.add_argument("--output", type=Path, metavar="JSON", help="file for every figure, with settings and versions")
    parser.add_argument("--wordnet", type=Path, metavar="DIR", help="WordNet's folder, for METEOR (default: search)")
    parser.add_argument(
        "--resamples", type=positive, default=2000, metavar="N", help="bootstrap samples; default: 2000"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap; default: 0")


def run(args: argparse.Namespace) -> None:
    """Score the file, print the tables, write the JSON."""
    from ...evaluation.libraries import MissingLibraryError
    from ...evaluation.prediction_figures import score_predictions
    from ...evaluation.prediction_files import PredictionFileError, read_predictions
    from ...evaluation.prediction_tables import scores_json, scores_markdown
    from ...evaluation.wordnet import NO_SYNONYMS, find_wordnet
    from ...models.whole_files import write_whole

    try:
        file = read_predictions(args.file)
        synonyms = NO_SYNONYMS
        if file.kind == "reports":
            synonyms = find_wordnet(args.wordnet)
        scores = score_predictions(file, synonyms=synonyms, resamples=args.resamples, seed=args.seed)
    except (PredictionFileError, MissingLibraryError) as error:
        raise UsageError(str(error)) from None
    print(scores_markdown(file, scores))
    if args.output is not None:
        settings = {"resamples": args.resamples, "seed": args.seed, "wordnet": synonyms.name or None}
        write_whole(args.output, json.dumps(scores_json(file, scores, settings), indent=1, ensure_ascii=False) + "\n")
