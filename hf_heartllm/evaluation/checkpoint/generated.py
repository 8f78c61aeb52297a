"""Free generation beside the closed set, on the same questions: how often the text is right, and outside the set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...inference import Answerer
from ...models.pipeline_ecg import MAX_ANSWER_TOKENS
from ..answered import Answered
from ..answering import Ecgs, Key, Request, backgrounds, weights_fingerprint, write_texts
from ..answers import EXACT, MACRO_F1, OUTSIDE, Answers
from ..conditions import CONDITIONS, other_patients, shown_record
from ..controlled import MAJORITIES, TEXT_ONLY, ControlledResult
from ..metrics import Measured
from ..partial import run_mark
from ..question_file import AskedRecord


def generate_answers(
    answerer: Answerer,
    answered: Answered,
    rows: Sequence[int],
    asked: Sequence[AskedRecord],
    ecg_of: Ecgs,
    folder: Path,
    *,
    ecgs: str,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Let the model write its answers to some questions under every condition; greedy.

    Args:
        answerer: the model.
        answered: all questions.
        rows: places of those to ask.
        asked: all records, for the control's choice.
        ecg_of: reads a record's recording.
        folder: for partial results.
        ecgs: names what `ecg_of` gives.
        seed: of the control's choice; that of the closed-set scoring, so that both see the same ECGs.
        progress: show a bar on stderr.

    Returns:
        condition → texts, in the order of `rows`.
    """
    records = {one.record_id: one.record for one in asked}
    other, told = other_patients(records.values(), seed), backgrounds(asked)
    mark = run_mark(weights_fingerprint(answerer.model), asked, ecgs, sorted(told.items()))
    requests: dict[Key, Request] = {}
    for condition in CONDITIONS:
        for row in rows:
            own = answered.record_ids[row]
            shown = shown_record(condition, own, records, other)
            requests[condition, row] = condition, shown, answered.questions[row].text, told[own]
    texts = write_texts(
        *(answerer, requests, ecg_of, folder / "generated.jsonl", run_mark(mark, list(rows), seed)),
        max_new_tokens=MAX_ANSWER_TOKENS,
        title="generated",
        progress=progress,
    )
    return {condition: [texts[condition, row] for row in rows] for condition in CONDITIONS}


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
