"""Free generation beside the closed set, on the same questions: how often the text is right, and outside the set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...models.pipeline_ecg import MAX_ANSWER_TOKENS
from ..answered import Answered
from ..answering import Asker, backgrounds, write_texts
from ..answers import EXACT, MACRO_F1, OUTSIDE, Answers
from ..controlled import MAJORITIES, TEXT_ONLY, ControlledResult
from ..metrics import Measured
from ..partial import run_mark
from ..question_file import AskedRecord


def generate_answers(
    asker: Asker, answered: Answered, rows: Sequence[int], asked: Sequence[AskedRecord]
) -> dict[str, list[str]]:
    """Let the model write its answers to some questions under every condition; greedy.

    Args:
        asker: that of the closed-set scoring, so that both see the same ECGs.
        answered: all questions.
        rows: places of those to ask.
        asked: all records, for the control's choice.

    Returns:
        condition → texts, in the order of `rows`.
    """
    mark = run_mark(asker.checkpoint.weights, asked, asker.ecgs, sorted(backgrounds(asked).items()))
    mark = run_mark(mark, list(rows), asker.seed)
    wanted = [(answered.record_ids[row], answered.questions[row].text) for row in rows]
    return write_texts(*(asker, asked, wanted, "generated.jsonl", mark), names=rows, max_new_tokens=MAX_ANSWER_TOKENS)


def generated_results(
    answered: Answered, rows: Sequence[int], texts: Mapping[str, Sequence[str]], measured: Measured[Answers]
) -> list[ControlledResult]:
    """Exact match of written answers, of the closed set's on the same questions, and the share outside the set.

    Args:
        answered: all questions.
        rows: places of those that were written.
        texts: condition → what was written.
        measured: the closed set's answers to all questions.
    """
    places, title = np.array(rows, dtype=int), f"{len(rows)} {answered.set_name}"
    closed = measured.without(TEXT_ONLY).of(places)
    written = {}
    for column, found in texts.items():
        questions = zip(closed.columns[column].questions, found, strict=True)
        written[column] = Answers([replace(question, prediction=text) for question, text in questions])
    everything, freely = np.arange(len(places)), replace(closed, columns={**closed.columns, **written})
    result = []
    for words, one in (("written answer", freely), ("closed set", closed)):
        metrics = [replace(metric, name=f"{metric.name}, {words}") for metric in (EXACT, MACRO_F1)]
        result += one.results(metrics, title, everything)
    alone = replace(closed, columns=written, absent=dict.fromkeys(MAJORITIES, "it writes nothing"), unanswered=None)
    outside = replace(OUTSIDE, name=f"written {OUTSIDE.name}")
    return [*result, *alone.results([outside], title, everything)]
