"""`heartllm questions [WORDS]`."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from .common import UsageError, add_json_argument, add_model_argument, model_source, print_json, print_notice

if TYPE_CHECKING:
    from .question_rows import QuestionRow

HELP = "What a checkpoint can be asked, in which words, and how often its answers are right."
EXAMPLES = (
    "heartllm questions",
    "heartllm questions fibrillation",
    'heartllm questions "bundle branch block" --json',
)
MOST_WORDS = 4  # that are printed where many rows are; all stand in --json and where one row is asked for
FEW = 5  # rows that are shown in full
KINDS = {
    "rhythm": "rhythms",
    "diagnosis": "diagnoses",
    "form": "findings of form",
    "superclass": "classes of diagnoses",
    "noise": "noise",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "words", nargs="*", metavar="WORDS", help="only what holds these words or is called so (default: everything)"
    )
    add_model_argument(parser)
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print the questions."""
    source = model_source(args.model)
    from ..checkpoints import checkpoint
    from ..models.answer_calibration import CalibrationError, read_calibration
    from ..models.operating_points import words_of_folds
    from ..models.question_understanding import QuestionsError, read_trained_questions
    from .question_rows import matching, question_rows

    folder = checkpoint() if source is None else source
    try:
        questions, calibration = read_trained_questions(folder), read_calibration(folder)
    except (QuestionsError, CalibrationError) as error:
        raise UsageError(str(error)) from None
    if questions is None:
        raise UsageError(f"{folder}: the checkpoint does not say what it was trained to answer (questions.json)")
    every = question_rows(questions, calibration)
    wanted = " ".join(args.words).strip()
    rows = matching(every, wanted, questions) if wanted else every
    if not rows:
        words = {word for row in every for word in row.term.casefold().split()}
        near = " ".join((get_close_matches(word, words, 1) or [word])[0] for word in wanted.casefold().split())
        meant = f"; is it {near!r}?" if matching(every, near, questions) else ""
        raise UsageError(f"nothing that this checkpoint was trained to answer is called {wanted!r}{meant}")
    folds = () if calibration is None else calibration.measured_folds
    collection = "PTB-XL" if calibration is None else calibration.collection
    if args.json:
        print_json({"questions": [row.as_json() for row in rows], "measured_on_folds": list(folds)})
        return
    where = f"{words_of_folds(folds)} of {collection}" if folds else collection
    print("\n\n".join(_parts(rows, where, collection)))
    if questions.others_as_written:
        print(
            "\nAny other question is put to this checkpoint as it is, unless it denies or leaves open what it asks for."
        )
    print_notice()


def _parts(rows: list[QuestionRow], where: str, collection: str) -> list[str]:
    """The pages, one a kind of question; `where` the figures were measured, and of which collection the shares are."""
    most = MOST_WORDS if len(rows) > FEW else None
    parts = []
    asked = [row for row in rows if row.kind == "verify"]
    if asked:
        parts.append(_how_to_read(asked, where, collection))
    for kind, title in KINDS.items():
        of_kind = [row for row in asked if row.attribute_type == kind]
        if of_kind:
            parts.append("\n".join([f"yes or no: {title}", *_table(of_kind, most)]))
    others = [row for row in asked if row.attribute_type not in KINDS]
    if others:
        parts.append("\n".join(["yes or no: others", *_table(others, most)]))
    for kind, title in (("choose", "one of two"), ("query", "open questions"), ("report", "reports")):
        of_kind = [row for row in rows if row.kind == kind]
        if of_kind:
            parts.append("\n".join([title, *(line for row in of_kind for line in _open(row, most))]))
    return parts


def _how_to_read(rows: list[QuestionRow], where: str, collection: str) -> str:
    lines = [f'Asked as "{rows[0].question}", or in other words; case and punctuation do not matter.']
    if any(row.point is not None for row in rows):
        lines.append(f"sens, spec: sensitivity and specificity on {where}, on so many recordings with the finding;")
        lines.append(f"share: of {collection}'s recordings that have it.")
    if any(row.point is not None and not row.point.own for row in rows):
        lines.append("*: too few recordings have it to measure by; the point where the answer turns is a common one.")
    return "\n".join(lines)


def _table(rows: list[QuestionRow], most: int | None) -> list[str]:
    in_leads = [row for row in rows if " in lead " in row.term] if most is not None else []
    rows = [row for row in rows if row not in in_leads]
    if not any(row.point or row.prevalence for row in rows):
        lines = [f"  {row.term}{' (also ' + words + ')' if (words := _words(row, most)) else ''}" for row in rows]
        return lines + _by_lead(in_leads)
    width = max(len(row.term) for row in rows)
    code = max(len(row.code) for row in rows)
    lines = [f"  {'':<{code}}  {'':<{width}}   sens  spec  with   share  also understood"]
    for row in rows:
        point, share = row.point, row.prevalence
        figures = f"{'–':>6}{'–':>6}{'–':>6} "
        if point is not None:
            figures = f"{point.sensitivity:6.2f}{point.specificity:6.2f}{point.positives:6}{' ' if point.own else '*'}"
        prevalence = f"{'–':>7}" if share is None else f"{share:7.2%}"
        lines.append(f"  {row.code:<{code}}  {row.term:<{width}} {figures}{prevalence}  {_words(row, most)}".rstrip())
    return lines + _by_lead(in_leads)


def _by_lead(rows: list[QuestionRow]) -> list[str]:
    """What is asked of single leads, one line a finding."""
    leads: dict[str, list[str]] = {}
    for row in rows:
        term, _, lead = row.term.partition(" in lead ")
        leads.setdefault(term, []).append(lead)
    return [f"  {term} in lead {', '.join(of)}" for term, of in leads.items()]


def _words(row: QuestionRow, most: int | None) -> str:
    more = len(row.also) - most if most is not None else 0
    return ", ".join(row.also[:most]) + (f" and {more} more" if more > 0 else "")


def _open(row: QuestionRow, most: int | None) -> list[str]:
    answers: Any = row.answers
    what = "free text" if answers is None else f"one of {len(answers)} answers"
    if row.kind == "choose":
        what = f"{len(row.terms)} {KINDS.get(row.attribute_type, row.attribute_type)} against each other"
    lines = [f"  {row.question}  ({what})"]
    if most is None and row.kind == "choose":
        lines.append(f"    {', '.join(row.terms)}")
    if most is None and row.kind != "choose" and answers is not None:
        lines.append(f"    answers: {', '.join(answers)}")
    if row.also:
        lines.append(f"    also understood: {_words(row, most)}")
    return lines
