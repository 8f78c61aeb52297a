"""`heartllm ask RECORD … QUESTION` and `heartllm ask RECORD … -q QUESTION -q QUESTION`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ecg.readers.formats import SUFFIXES
from ..models.printable_text import printable
from .answers import answer_as_json, answer_in_words
from .common import (
    SEVERAL,
    Once,
    UsageError,
    add_json_argument,
    add_model_argument,
    add_quiet_argument,
    check_leads,
    in_words,
    make_pipeline,
    model_source,
    print_json,
    print_json_line,
    print_notice,
    quiet_transformers,
    seconds,
    share,
    tell,
)
from .recordings import add_recordings_arguments, complain, find_recordings, for_each, is_recording, show_error

if TYPE_CHECKING:
    from ..models.ecg_answers import ECGAnswer
    from ..models.ecg_record import ECGRecord

HELP = "Answer questions about recordings."
EXAMPLES = (
    'heartllm ask example:af "Does this ECG show atrial fibrillation?"',
    'heartllm ask example:af -q "What rhythm is this?" -q "What is the heart rate?" -q "Any sign of LBBB?"',
    'heartllm ask example:af example:lbbb -q "Is this ECG normal?" --json',
    'heartllm ask example:af "What rhythm is this?" --answers "sinus rhythm,atrial fibrillation" --json',
    'heartllm ask example:af "Does this ECG show atrial fibrillation?" --prevalence 0.2 --abstain-below 0.8',
    "heartllm simulate af ward/af.npy",
    'heartllm ask ward -q "AF?" --json --sampling-rate 500 --units mV --leads I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.usage = (
        "heartllm ask RECORD QUESTION [options]\n       heartllm ask RECORD ... -q QUESTION [-q QUESTION ...] [options]"
    )
    add_recordings_arguments(parser)
    parser.add_argument(
        "-q",
        "--question",
        action="append",
        default=[],
        metavar="QUESTION",
        help="in words; may stand several times (default: the last argument is the question)",
    )
    parser.add_argument(
        "--questions",
        metavar="FILE",
        help="one question a line; blank lines and those that begin with # are passed over",
    )
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
    add_quiet_argument(parser)
    group = parser.add_argument_group("a server that holds the plain export of the checkpoint (docs/serving.md)")
    group.add_argument(
        "--server",
        metavar="URL",
        help="tokenise here and ask a server of OpenAI's protocol there, such as http://localhost:8000; "
        "a key that it asks for stands in the environment variable HEARTLLM_SERVER_KEY",
    )
    group.add_argument("--server-model", metavar="NAME", help="which of its models (default: the one that it serves)")
    group.add_argument(
        "--server-timeout", type=seconds, default=120.0, metavar="S", help="longest wait for an answer (default: 120)"
    )


def run(args: argparse.Namespace) -> None:
    """Print the answers."""
    sources, questions = _told(args)
    answers = _answer_set(args.answers)
    model_source(args.model)  # what is wrong with it is told before anything is read
    recordings = find_recordings(sources)
    alone = not recordings.several and len(questions) == 1
    if recordings.several and not args.quiet:
        tell(f"{recordings.in_words()}, {_count(questions)}; loading the model …")
    if args.server is None:
        if args.server_model is not None:
            raise UsageError("--server-model belongs to --server URL")
        pipeline = Once(lambda: make_pipeline("ecg-question-answering", args))
    else:
        address = _server(args.server)
        pipeline = Once(lambda: _connected(address, args))

    def work(name: str, record: ECGRecord, heard: list[str]) -> tuple[str, ECGRecord, list[ECGAnswer], list[str]]:
        check_leads(record, args.model)
        if not recordings.several and not args.quiet:
            more = f", {_count(questions)}" if len(questions) > 1 else ""
            tell(f"{name}: {in_words(record)}{more}; loading the model …")
        return name, record, _ask(pipeline(), record, questions, answers, args), heard

    def show(result: tuple[str, ECGRecord, list[ECGAnswer], list[str]]) -> None:
        name, record, found, heard = result
        if args.json:
            for question, answer in zip(questions, found, strict=True):
                (print_json if alone else print_json_line)(answer_as_json(question, answer, record, heard))
            return
        if not alone:
            print(f"{printable(name)}: {in_words(record)}\n")
        for question, answer in zip(questions, found, strict=True):
            print(
                answer_in_words(question, answer) if alone else f"{question}\n{answer_in_words(question, answer)}\n",
                flush=True,
            )

    def show_unread(name: str, message: str) -> None:
        show_error(args, name, message, [{"question": question} for question in questions])

    unread = for_each(args, recordings, work, show, show_unread)
    if not args.json and pipeline.made:
        print_notice(apart=alone)
    complain(recordings, unread)


def _told(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The recordings and the questions that the arguments name."""
    sources = list(getattr(args, SEVERAL))
    questions = list(args.question)
    if args.questions is not None:
        questions += _question_lines(args.questions)
    if not questions:
        if len(sources) == 1:
            raise UsageError("QUESTION is missing: heartllm ask RECORD QUESTION, or -q QUESTION")
        question = sources.pop()
        if is_recording(question):
            raise UsageError(f"{question}: a recording where the question is due: ask it with -q QUESTION")
        if question.lower().endswith(SUFFIXES):
            raise UsageError(f"{question}: no such recording, and no question")
        unknown = [source for source in sources if not is_recording(source)]
        if unknown and len(sources) > 1:
            raise UsageError(f"{unknown[0]}: no such recording; a question of several words stands in quotes")
        questions = [question]
    if not all(question.strip() for question in questions):
        raise UsageError("the question is empty")
    return sources, questions


def _question_lines(name: str) -> list[str]:
    """The questions of a file, `-` being the standard input."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"--questions {name}: not a text file in UTF-8") from None
    lines = [line.strip() for line in text.splitlines()]
    questions = [line for line in lines if line and not line.startswith("#")]
    if not questions:
        raise UsageError(f"--questions {name}: no question in it")
    return questions


def _answer_set(text: str | None) -> list[str] | None:
    if text is None:
        return None
    answers = [answer.strip() for answer in text.split(",")]
    if not all(answers) or len(set(answers)) != len(answers):
        raise UsageError(f"--answers {text!r}: give different answers, separated by commas")
    return answers


def _server(url: str) -> str:
    """The address of a server; whether an ECG leaves the machine with it is said before any does."""
    from ..server import ServerError, is_loopback, server_address

    try:
        address = server_address(url)
    except ServerError as error:
        raise UsageError(f"--server: {error}") from None
    if not is_loopback(address):
        open_to_all = "" if address.startswith("https:") else ", unencrypted"
        tell(f"warning: the patient's ECG leaves this machine for {address}{open_to_all}")
    return address


def _connected(address: str, args: argparse.Namespace) -> Any:
    """What answers with a server in place of the pipeline."""
    quiet_transformers()
    from ..inference.served_answers import connect

    return connect(address, args.model, name=args.server_model, timeout=args.server_timeout)


def _count(questions: Sequence[str]) -> str:
    return f"{len(questions)} question{'s' if len(questions) > 1 else ''}"


def _ask(
    ask: Any, record: ECGRecord, questions: Sequence[str], answers: list[str] | None, args: argparse.Namespace
) -> list[ECGAnswer]:
    """The answers to all questions about one recording."""
    from ..models.ecg_record import ECGError

    options = {"prevalence": args.prevalence, "abstain_below": args.abstain_below}
    try:
        found: list[ECGAnswer] = ask(record, list(questions), answers, **options)
    except ECGError:
        raise
    except ValueError as error:  # about a question or the calibration
        raise UsageError(str(error)) from None
    return found
