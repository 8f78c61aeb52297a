"""The figures of answered questions: exact match, macro-F1, AUROC of each answer, all with their controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..answers import AnsweredQuestion, answer_figures
from ..conditions import CONDITIONS, REAL
from ..heldout import Answered
from ..heldout_figures import AUROC_BARS
from ..intervals import Interval, bootstrap_auroc, bootstrap_mean, paired_bootstrap
from .people import Person, subgroups
from .rows import ALL_COLUMNS, MAJORITY, MAJORITY_AGE_SEX, MARGIN_BAR, TEXT_ALONE, ControlledRow

MIN_POSITIVES = 20
"""An AUROC stands in the table where there are this many questions with the answer, and without it."""

EXACT, MACRO_F1 = "exact match", "macro-F1 over answers"
NO_TRAINING_ROWS = "no training rows were given"
NOTHING_LIKE_IT = "n/a where the training rows have no question of the same kind"
ALL_BALANCED = "all balanced questions"  # the group that the bar of the margin stands for
NO_PROBABILITIES = "it gives answers without probabilities, so it ranks nothing"

Settings = Mapping[str, Any]
"""`resamples` and `seed` of the bootstrap."""


Majority = Mapping[str, Sequence[str | None]]
"""Column → its answer to each question; None where the training rows have nothing to answer it from."""


def known_majority(majority: Majority | None, rows: Sequence[int]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """What the majority answers to some questions, by column, and why a column has no answers.

    A column that lacks one of the answers has none: a figure over the rest would stand beside one over all.
    """
    if majority is None:
        return {}, dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), NO_TRAINING_ROWS)
    chosen = {column: [answers[row] for row in rows] for column, answers in majority.items()}
    known = {column: [one for one in answers if one is not None] for column, answers in chosen.items()}
    found = {column: answers for column, answers in known.items() if len(answers) == len(rows)}
    return found, dict.fromkeys(chosen.keys() - found.keys(), NOTHING_LIKE_IT)


def question_groups(answered: Answered) -> dict[str, np.ndarray]:
    """Rows of the balanced questions: all, by question type, by attribute type, by both."""
    groups: dict[str, list[int]] = {}
    order: dict[str, int] = {}
    for index, question in enumerate(answered.questions):
        if question.every_record:
            continue
        kind, attribute = question.question_type, question.attribute_type
        titles = (f"all {answered.set_name}", f"question type {kind}", f"attribute type {attribute}")
        for rank, title in enumerate((*titles, f"{kind} {attribute}")):
            groups.setdefault(title, []).append(index)
            order[title] = rank
    return {title: np.array(groups[title]) for title in sorted(groups, key=lambda title: (order[title], title))}


def answer_rows(
    answered: Answered,
    majority: Majority | None,
    settings: Settings,
    text_alone: Sequence[str] | None = None,
) -> list[ControlledRow]:
    """Exact match and macro-F1 by question type and attribute type.

    Args:
        answered: all questions under all of `CONDITIONS`.
        majority: what the training rows answer; None where none were given.
        settings: of the bootstrap.
        text_alone: answers of a model trained on text alone; None where none was given.
    """
    looked = {**answered.chosen, **({} if text_alone is None else {TEXT_ALONE: text_alone})}
    result = []
    for title, rows in question_groups(answered).items():
        guessed, absent = known_majority(majority, rows.tolist())
        predictions = {**{column: [answers[row] for row in rows] for column, answers in looked.items()}, **guessed}
        patients = answered.patients[rows]
        values: dict[str, dict[str, Interval | None]] = {EXACT: {}, MACRO_F1: {}}
        right: dict[str, list[bool]] = {}
        for column in ALL_COLUMNS:
            if column not in predictions:
                continue
            chosen = predictions[column]
            questions = [answered.questions[row] for row in rows]
            right[column] = [answer == question.answer for answer, question in zip(chosen, questions, strict=True)]
            found = answer_figures(
                [
                    AnsweredQuestion((question.answer,), (answer,), str(patient), question.answers)
                    for question, answer, patient in zip(questions, chosen, patients, strict=True)
                ],
                title,
                **settings,
            )
            values[EXACT][column], values[MACRO_F1][column] = found.exact, found.macro_f1
        margins = {
            column: paired_bootstrap(right[REAL], right[column], patients, **settings)
            for column in right
            if column != REAL
        }
        bar = MARGIN_BAR if title == ALL_BALANCED else None
        result.append(ControlledRow(EXACT, title, values[EXACT], margins, absent, bar))
        result.append(ControlledRow(MACRO_F1, title, values[MACRO_F1], {}, absent))
    return result


def exact_match_row(answered: Answered, title: str, settings: Settings) -> ControlledRow:
    """Exact match of the balanced questions, without the majority answers (they do not look at an ECG)."""
    rows = np.array([i for i, question in enumerate(answered.questions) if not question.every_record], dtype=int)
    patients = answered.patients[rows]
    values = {column: bootstrap_mean(right[rows], patients, **settings) for column, right in answered.right.items()}
    margins = {
        column: paired_bootstrap(answered.right[REAL][rows], right[rows], patients, **settings)
        for column, right in answered.right.items()
        if column != REAL
    }
    absent = dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), "it looks at no ECG: see `heartllm evaluate qa`")
    return ControlledRow(EXACT, title, values, margins, absent)


def subgroup_rows(
    answered: Answered,
    persons: Mapping[int, Person],
    majority: Majority | None,
    settings: Settings,
) -> list[ControlledRow]:
    """Exact match over the balanced questions by sex, age band and device family."""
    balanced = np.array([i for i, question in enumerate(answered.questions) if not question.every_record], dtype=int)
    result = []
    for title, members in subgroups(persons[int(answered.ecg_ids[row])] for row in balanced).items():
        rows = balanced[members]
        guessed, absent = known_majority(majority, rows.tolist())
        truth = [answered.questions[row].answer for row in rows]
        right = {c: answered.right[c][rows] for c in CONDITIONS}
        for column, answers in guessed.items():
            right[column] = np.array([a == b for a, b in zip(answers, truth, strict=True)], dtype=bool)
        patients = answered.patients[rows]
        values = {column: bootstrap_mean(one, patients, **settings) for column, one in right.items()}
        margins = {
            column: paired_bootstrap(right[REAL], one, patients, **settings)
            for column, one in right.items()
            if column != REAL
        }
        result.append(ControlledRow(EXACT, title, values, margins, absent))
    return result


def auroc_groups(answered: Answered) -> Iterator[tuple[str, str, np.ndarray, str | None]]:
    """Title, answer, rows and bar of each AUROC with enough questions on both sides.

    Yes/no questions are ranked by p("yes"), statement by statement: those that every record is asked, and the balanced
    ones. Open questions (`query`) are ranked by the probability of each answer of their closed set. Two alternatives
    (`choose`) have no answer in common to rank.
    """
    rows: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, question in enumerate(answered.questions):
        if question.every_record and question.is_yes_no:
            rows[0, "every record", question.attribute_type, question.attribute, "yes"].append(index)
        elif question.is_yes_no:
            rows[1, answered.set_name, question.attribute_type, question.attribute, "yes"].append(index)
        elif question.question_type == "query":
            for answer in question.answers:
                rows[2, answered.set_name, question.attribute_type, "query", answer, question.answers].append(index)
    for key in sorted(rows, key=str):
        _, what, attribute_type, attribute, answer, *_ = key
        positives = sum(answered.questions[row].answer == answer for row in rows[key])
        if min(positives, len(rows[key]) - positives) < MIN_POSITIVES:
            continue
        of = f"{attribute} ({attribute_type})" if answer == "yes" else f"{attribute_type} query: {answer}"
        bar = AUROC_BARS.get(attribute) if what == "every record" else None
        yield f"{of}, {what}, {positives} positive", answer, np.array(rows[key]), bar


def auroc_rows(answered: Answered, settings: Settings) -> list[ControlledRow]:
    """The AUROC of each answer by its probability, statement by statement.

    Among the balanced questions about half of the records without a statement have another abnormality of its kind,
    so these are harder than a record drawn at random; the questions that every record is asked are not balanced.
    """
    absent = dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), NO_PROBABILITIES)
    result = []
    for title, answer, rows, bar in auroc_groups(answered):
        labels = np.array([answered.questions[row].answer == answer for row in rows])
        values: dict[str, Interval | None] = {
            condition: bootstrap_auroc(
                labels, answered.of_answer(condition, rows, answer), answered.patients[rows], **settings
            )
            for condition in CONDITIONS
        }
        result.append(ControlledRow("AUROC", title, values, absent=absent, bar=bar))
    return result


def mean_auroc_row(rows: Sequence[ControlledRow], of: str) -> ControlledRow | None:
    """The mean of these AUROCs `of` some questions, each counting alike, without interval; None for fewer than two."""
    if len(rows) < 2:
        return None
    none = float("nan")
    values: dict[str, Interval | None] = {}
    for condition in CONDITIONS:
        found = [value for row in rows if (value := row.values.get(condition)) is not None]
        count = sum(one.rows for one in found)
        values[condition] = Interval(
            float(np.mean([one.value for one in found])),
            none,
            none,
            found[0].level,
            count,
            max(o.groups for o in found),
        )
    absent = dict.fromkeys((MAJORITY, MAJORITY_AGE_SEX), NO_PROBABILITIES)
    return ControlledRow("macro-AUROC", f"mean of the {len(rows)} AUROCs of {of}", values, absent=absent)
