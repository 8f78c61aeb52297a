"""`heartllm ask RECORD QUESTION`."""

from __future__ import annotations

import argparse

from .common import (
    UsageError,
    add_json_argument,
    add_model_argument,
    add_record_arguments,
    describe,
    make_pipeline,
    print_json,
    print_notice,
    read_record,
)

HELP = "Answer a question about a recording."
EXAMPLES = (
    'heartllm ask example:af "Does this ECG show atrial fibrillation?"',
    'heartllm ask records100/00000/00152_lr "What rhythm is this?" --answers "sinus rhythm,atrial fibrillation" --json',
    'heartllm ask ecg.npy "Is the heart rate high?" --sampling-rate 500 --units uV --leads I,II,V1,V2,V3,V4,V5,V6',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    parser.add_argument("question", metavar="QUESTION", help="in words")
    parser.add_argument(
        "--answers", metavar="A,B", help="closed answer set (default: yes,no for a yes/no question, else free text)"
    )
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
    answer = make_pipeline("ecg-question-answering", args)(record, args.question, answers)
    if args.json:
        print_json(
            {
                "question": args.question,
                "answer": answer.text,
                "probability": answer.probability,
                "alternatives": [{"answer": text, "probability": share} for text, share in answer.alternatives],
                "closed_answer_set": answer.closed,
                "record": describe(record),
            }
        )
        return
    print(answer.text)
    for text, share in answer.alternatives:
        print(f"  {share:7.2%}  {text}")
    print_notice()
