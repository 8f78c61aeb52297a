"""Free generation beside the closed set, on the same questions: how often the text is right, and outside the set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...models.pipeline_ecg import MAX_ANSWER_TOKENS
from ..answered import Answered
from ..answers import EXACT, MACRO_F1, OUTSIDE, Answers
from ..conditions import CONDITIONS, CONTROL, REAL, condition_prompt, other_patients
from ..controlled import MAJORITIES, TEXT_ALONE, ControlledResult
from ..generation import generate_texts
from ..heldout import one_window
from ..metrics import Measured
from ..partial import PartialResults, run_mark
from ..question_file import HeldOutRecord

BATCH = 32


def chosen_rows(answered: Answered, count: int) -> list[int]:
    """Places of `count` balanced questions, evenly spaced over all of them."""
    balanced = answered.balanced.tolist()
    count = min(count, len(balanced))
    return [balanced[index * len(balanced) // count] for index in range(count)]


def generate_answers(
    model: Any,
    tokenizer: Any,
    answered: Answered,
    rows: Sequence[int],
    records: Sequence[HeldOutRecord],
    ecg_ids: Callable[[HeldOutRecord], Sequence[int]],
    folder: str | os.PathLike[str],
    *,
    mark: str,
    backgrounds: Mapping[int, str],
    seed: int = 0,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Let the model write its answers to some questions under every condition; greedy.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        answered: all questions.
        rows: places of those to ask.
        records: all records, for the control's choice.
        ecg_ids: token ids of a record's ECG.
        folder: for partial results.
        mark: names model, questions and ECGs.
        backgrounds: by ecg_id, what is told under `"background"`.
        seed: of the control's choice; that of the closed-set scoring, so that both see the same ECGs.
        progress: show a bar on stderr.

    Returns:
        condition → texts, in the order of `rows`.
    """
    from tqdm.auto import tqdm

    by_id = {record.ecg_id: record for record in records}
    other = other_patients(records, seed)
    with PartialResults(Path(folder) / "generated.jsonl", run_mark(mark, list(rows), seed)) as partial:
        texts = {(line["row"], line["condition"]): line["text"] for line in partial.lines}
        todo = [(row, condition) for condition in CONDITIONS for row in rows if (row, condition) not in texts]
        with tqdm(total=len(todo), desc="generated", unit="answer", disable=not progress) as bar:
            for first in range(0, len(todo), BATCH):
                batch = todo[first : first + BATCH]
                prompts = []
                for row, condition in batch:
                    ecg_id = int(answered.ecg_ids[row])
                    shown = by_id[other[ecg_id] if condition == CONTROL else ecg_id]
                    needed = None
                    if "ecg" in _shows(condition):
                        needed = one_window(tokenizer, ecg_ids(shown), shown.ecg_id)
                    question = answered.questions[row].question
                    prompts.append(
                        condition_prompt(tokenizer, condition, question, needed, backgrounds.get(ecg_id, ""))
                    )
                for index, text in generate_texts(
                    model, tokenizer, prompts, max_new_tokens=MAX_ANSWER_TOKENS, batch_size=BATCH
                ):
                    texts[batch[index]] = text
                    partial.append({"row": batch[index][0], "condition": batch[index][1], "text": text})
                bar.update(len(batch))
    return {condition: [texts[row, condition] for row in rows] for condition in CONDITIONS}


def _shows(condition: str) -> str:
    return "ecg" if condition in (REAL, CONTROL, "deaf") else ""


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
    closed = measured.without(TEXT_ALONE).of(places)
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
