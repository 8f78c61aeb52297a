"""Free generation beside the closed set, on the same questions: how often the text is right, and outside the set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...models.pipeline_ecg import MAX_ANSWER_TOKENS
from ..answers import AnsweredQuestion, answer_figures, answer_set
from ..conditions import CONDITIONS, CONTROL, REAL, condition_prompt, other_patients
from ..generation import generate_texts
from ..heldout import Answered, one_window
from ..intervals import Interval, bootstrap_mean, paired_bootstrap
from ..partial import PartialResults, run_mark
from ..question_file import HeldOutRecord
from .figures import Majority, Settings, known_majority
from .rows import COLUMNS, MAJORITY, MAJORITY_AGE_SEX, ControlledRow

BATCH = 32


def chosen_rows(answered: Answered, count: int) -> list[int]:
    """Places of `count` balanced questions, evenly spaced over all of them."""
    balanced = [index for index, question in enumerate(answered.questions) if not question.every_record]
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


def generated_rows(
    answered: Answered,
    rows: Sequence[int],
    texts: Mapping[str, Sequence[str]],
    majority: Majority | None,
    settings: Settings,
) -> list[ControlledRow]:
    """Exact match of written answers, of the closed set's on the same questions, and the share outside the set."""
    questions = [answered.questions[row] for row in rows]
    patients = answered.patients[np.array(rows, dtype=int)]
    answers_without_ecg, absent = known_majority(majority, list(rows))
    majority_only = dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), "it writes nothing")

    def asked(predictions: Sequence[str | tuple[str, ...]]) -> list[AnsweredQuestion]:
        return [
            AnsweredQuestion((question.answer,), prediction, str(patient), question.answers)
            for question, prediction, patient in zip(questions, predictions, patients, strict=True)
        ]

    def closed(answers: Sequence[str]) -> list[AnsweredQuestion]:
        return asked([(answer,) for answer in answers])

    title = f"{len(rows)} {answered.set_name}"
    written = {condition: asked(list(found)) for condition, found in texts.items()}
    scored = {condition: closed([answered.chosen[condition][row] for row in rows]) for condition in CONDITIONS}
    guessed = {column: closed(answers) for column, answers in answers_without_ecg.items()}
    result = []
    for words, of_column in (("written answer", written), ("closed set", scored)):
        exact: dict[str, Interval | None] = {}
        macro: dict[str, Interval | None] = {}
        right: dict[str, list[bool]] = {}
        for column in COLUMNS:
            if column not in of_column and column not in guessed:
                continue
            answers = of_column.get(column) or guessed[column]
            found = answer_figures(answers, title, **settings)
            exact[column], macro[column] = found.exact, found.macro_f1
            right[column] = [_is_right(one) for one in answers]
        margins = {
            column: paired_bootstrap(right[REAL], right[column], patients, **settings)
            for column in right
            if column != REAL
        }
        result.append(ControlledRow(f"exact match, {words}", title, exact, margins, absent))
        result.append(ControlledRow(f"macro-F1 over answers, {words}", title, macro, {}, absent))
    outside: dict[str, Interval | None] = {
        condition: bootstrap_mean([_is_outside(one) for one in answers], patients, **settings)
        for condition, answers in written.items()
    }
    result.append(ControlledRow("written answers outside the closed set", title, outside, {}, majority_only))
    return result


def _is_right(question: AnsweredQuestion) -> bool:
    return answer_set(question.prediction, question.allowed) == answer_set(question.answer)


def _is_outside(question: AnsweredQuestion) -> bool:
    """Also where nothing was written: an empty text is no answer of the set."""
    found = answer_set(question.prediction, question.allowed)
    return not found or not found <= answer_set(question.allowed)
