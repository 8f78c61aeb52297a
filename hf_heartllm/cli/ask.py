"""`heartllm ask RECORD QUESTION`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..models.ecg_record import ECGError
from .common import (
    UsageError,
    add_json_argument,
    add_model_argument,
    add_record_arguments,
    check_leads,
    describe,
    describe_windows,
    make_pipeline,
    print_json,
    print_notice,
    read_record,
    share,
)

HELP = "Answer a question about a recording."
EXAMPLES = (
    'heartllm ask example:af "Does this ECG show atrial fibrillation?"',
    'heartllm ask records100/00000/00152_lr "What rhythm is this?" --answers "sinus rhythm,atrial fibrillation" --json',
    'heartllm ask example:af "Does this ECG show atrial fibrillation?" --prevalence 0.2 --abstain-below 0.8',
    'heartllm ask ecg.npy "Any sign of LBBB?" --sampling-rate 500 --units uV --leads I,II,V1,V2,V3,V4,V5,V6',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    parser.add_argument("question", metavar="QUESTION", help="in words")
    parser.add_argument(
        "--answers", metavar="A,B", help="closed answer set (default: yes,no for a yes/no question, else free text)"
    )
    parser.add_argument(
        "--prevalence",
        type=share,
        metavar="P",
        help="share of yes among the patients that a yes/no question is asked about (default: the finding's in PTB-XL "
        "where it is known, else that of balanced questions); needs a calibrated checkpoint",
    )
    parser.add_argument("--abstain-below", type=share, metavar="P", help="withhold an answer whose confidence is below")
    add_model_argument(parser)
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print the answer."""
    if not args.question.strip():
        raise UsageError("the question is empty")
    answers = None
    if args.answers is not None:
        answers = [answer.strip() for answer in args.answers.split(",")]
        if not all(answers) or len(set(answers)) != len(answers):
            raise UsageError(f"--answers {args.answers!r}: give different answers, separated by commas")
    record = read_record(args)
    check_leads(record, args.model)
    try:
        ask = make_pipeline("ecg-question-answering", args)
        answer = ask(record, args.question, answers, prevalence=args.prevalence, abstain_below=args.abstain_below)
    except ECGError:
        raise
    except ValueError as error:  # about the question or the calibration
        raise UsageError(str(error)) from None
    if args.json:
        print_json(
            {
                "question": args.question,
                "asked": answer.asked,
                "negated": answer.negated,
                "answered": answer.answered,
                "answer": answer.text,
                "probability": answer.probability,
                "confidence": answer.confidence,
                "alternatives": _rows(answer.alternatives),
                "abstained": not answer.answered,
                "reason": answer.abstained,
                "nearest": list(answer.nearest),
                "calibrated": answer.calibrated,
                "prevalence": answer.prevalence,
                "basis": answer.basis,
                "operating_point": None if answer.operating_point is None else asdict(answer.operating_point),
                "uncalibrated": _rows(answer.uncalibrated),
                "closed_answer_set": answer.closed,
                "windows": describe_windows(answer.windows),
                "windows_rule": answer.windows_rule,
                "warnings": args.warnings,
                "record": describe(record),
            }
        )
        return
    print(answer)
    for question in answer.nearest:
        print(f"  trained: {question}")
    if answer.asked not in (None, args.question) and not answer.negated:
        print(f'  asked as "{answer.asked}"')
    for text, probability in answer.alternatives:
        print(f"  {probability:7.2%}  {text}")
    for line in answer.explained():
        print(f"  {line}")
    print_notice()


def _rows(alternatives: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"answer": text, "probability": probability} for text, probability in alternatives]
