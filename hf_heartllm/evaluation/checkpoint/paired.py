"""Two checkpoints on the same questions: the difference of their exact match, paired by question."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...models.whole_files import write_whole
from ..answered import Answered, tabulate
from ..answering import OUTCOMES, outcomes_of
from ..conditions import REAL
from ..intervals import Bootstrap, Interval, Settings
from ..question_file import AskedRecord
from ..runner import Run
from .figures import question_groups

NAME = "evaluated.json"


def write_identity(run: Run) -> None:
    """Note beside the outcomes whose they are, for a later comparison."""
    identity = {"model": run.asker.checkpoint.facts(), "questions": run.questions}
    write_whole(run.asker.folder / NAME, json.dumps(identity, indent=1) + "\n")


def read_other_run(
    other: Path, file: str, questions: Mapping[str, Any], subject: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What names the checkpoint of another run, and the lines of its partial results.

    Args:
        other: folder of its partial results.
        file: which of them.
        questions: what names this run's questions (`provenance.question_facts`).
        subject: of `heartllm evaluate`.

    Raises:
        ValueError: if no such run was finished there, or it was on other questions.
    """
    try:
        identity = json.loads((other / NAME).read_text(encoding="utf-8"))
        lines = (other / file).read_text(encoding="utf-8").splitlines()[1:]
    except OSError as error:
        raise ValueError(f"{other}: no finished run of `heartllm evaluate {subject}` there ({error})") from None
    if identity["questions"]["hash"] != questions["hash"]:
        raise ValueError(f"{other}: answers to questions {identity['questions']['hash']}, not {questions['hash']}")
    return identity["model"], [json.loads(line) for line in lines]


def other_answers(
    other: Path, questions: Mapping[str, Any], asked: Sequence[AskedRecord]
) -> tuple[dict[str, Any], Answered]:
    """What names another checkpoint, and its answers by the real ECGs.

    Args:
        other: folder of partial results of its run.
        questions: what names the questions (`provenance.question_facts`).
        asked: the records wanted.

    Raises:
        ValueError: if the other run was on other questions, or is not whole.
    """
    model, lines = read_other_run(other, OUTCOMES, questions, "qa")
    found = outcomes_of(lines)
    if absent := [one.record_id for one in asked if (one.record_id, REAL) not in found]:
        raise ValueError(f"{other}: no answers about record {absent[0]} ({len(absent)} are missing)")
    return model, tabulate(asked, found, (REAL,))


def answer_differences(ours: Answered, theirs: Answered, settings: Settings) -> dict[str, Interval]:
    """Group of questions → our exact match less theirs, on the real ECGs."""
    differences = {}
    for title, rows in question_groups(ours).items():
        bootstrap = Bootstrap(ours.patients[rows], **settings)
        differences[title] = bootstrap.mean(ours.right[REAL][rows]).minus(bootstrap.mean(theirs.right[REAL][rows]))
    return differences
