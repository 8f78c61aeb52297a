"""The results of answered questions: exact match, macro-F1, AUROC of each answer, all with their controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..answered import Answered
from ..answers import EXACT, MACRO_F1, Answers
from ..conditions import CONDITIONS
from ..controlled import MAJORITIES, MARGIN, RANKS_NOTHING, TEXT_ONLY, ControlledResult
from ..groups import groups_of
from ..intervals import NONE, Bootstrap, Interval, Settings
from ..metrics import AUROC, MACRO_AUROC, Measured, Ranked, controlled
from ..people import Person, subgroups

MIN_POSITIVES = 20
"""An AUROC stands in the table where there are this many questions with the answer, and without it."""

AUROC_TARGETS = {"AFIB": ">= 0.95"}
NO_TRAINING_ROWS = "no training rows were given"
NOTHING_LIKE_IT = "n/a where the training rows have no question of the same kind"
ALL_BALANCED = "all balanced questions"  # the group that the target of the margin stands for

Majority = Mapping[str, Sequence[str | None]]
"""Column → its answer to each question; None where the training rows have nothing to answer it from."""


def question_groups(answered: Answered) -> dict[str, np.ndarray]:
    """Rows of the balanced questions: all, by question type, by attribute type, by both."""
    questions = [answered.questions[row] for row in answered.balanced]
    columns = {
        "all": [answered.set_name for _ in questions],
        "question type": [one.question_type for one in questions],
        "attribute type": [one.attribute_type for one in questions],
        "": [f"{one.question_type} {one.attribute_type}" for one in questions],
    }
    return {title: answered.balanced[rows] for title, rows in groups_of(columns).items()}


def measured_answers(
    answered: Answered,
    majority: Majority | None,
    settings: Settings,
    text_alone: Sequence[str] | None = None,
    absent: str = NO_TRAINING_ROWS,
) -> Measured[Answers]:
    """The answers to all questions under every column.

    Args:
        answered: all questions under all of `CONDITIONS`.
        majority: what the training rows answer; None where none were given. A column that lacks one of a group's
            answers has no value there: a figure over the rest would stand beside one over all.
        settings: of the bootstrap.
        text_alone: answers of a model trained on text alone; None where none was given.
        absent: why there is no majority.
    """
    said = {**answered.chosen, **(majority or {}), **({} if text_alone is None else {TEXT_ONLY: text_alone})}
    return Measured(
        {column: answered.answers(one) for column, one in said.items()},
        answered.patients,
        settings,
        {} if majority else dict.fromkeys(MAJORITIES, absent),
        {column: np.array([answer is None for answer in one]) for column, one in (majority or {}).items()},
        NOTHING_LIKE_IT,
    )


def answer_results(answered: Answered, measured: Measured[Answers]) -> list[ControlledResult]:
    """Exact match and macro-F1 by question type and attribute type."""
    return [
        one
        for title, rows in question_groups(answered).items()
        for one in measured.results((EXACT, MACRO_F1), title, rows, MARGIN if title == ALL_BALANCED else None)
    ]


def subgroup_results(
    answered: Answered, measured: Measured[Answers], persons: Mapping[str, Person]
) -> list[ControlledResult]:
    """Exact match over the balanced questions by sex, age band and device family."""
    groups = subgroups(persons[answered.record_ids[row]] for row in answered.balanced)
    of_all = measured.without(TEXT_ONLY)
    return [one for title, rows in groups.items() for one in of_all.results((EXACT,), title, answered.balanced[rows])]


def auroc_results(answered: Answered, settings: Settings) -> list[ControlledResult]:
    """The AUROC of each answer by its probability, where enough questions have it and enough have not.

    Yes/no questions are ranked by p("yes"), statement by statement: those that every record is asked, and the balanced
    ones. Open questions (`query`) are ranked by the probability of each answer of their closed set. Two alternatives
    (`choose`) have no answer in common to rank.

    Among the balanced questions about half of the records without a statement have another abnormality of its kind,
    so these are harder than a record drawn at random; the questions that every record is asked are not balanced.
    """
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, question in enumerate(answered.questions):
        if question.every_record and question.is_yes_no:
            groups[0, "every record", question.attribute_type, question.attribute, "yes"].append(index)
        elif question.is_yes_no:
            groups[1, answered.set_name, question.attribute_type, question.attribute, "yes"].append(index)
        elif question.question_type == "query":
            for answer in question.answer_set:
                key = 2, answered.set_name, question.attribute_type, "query", answer, question.answer_set
                groups[key].append(index)
    found = []
    for key in sorted(groups, key=str):
        _, what, attribute_type, attribute, answer, *_ = key
        rows = np.array(groups[key])
        labels = np.array([answered.questions[row].answer == answer for row in rows])
        if min(labels.sum(), (~labels).sum()) < MIN_POSITIVES:
            continue
        of = f"{attribute} ({attribute_type})" if answer == "yes" else f"{attribute_type} query: {answer}"
        ranked = {one: Ranked(labels, answered.of_answer(one, rows, answer)) for one in CONDITIONS}
        found.append(
            controlled(
                AUROC,
                f"{of}, {what}, {labels.sum()} positive",
                ranked,
                Bootstrap(answered.patients[rows], **settings),
                absent=RANKS_NOTHING,
                target=AUROC_TARGETS.get(attribute) if what == "every record" else None,
            )
        )
    return found


def mean_auroc(found: Sequence[ControlledResult], of: str) -> list[ControlledResult]:
    """The mean of these AUROCs `of` some questions, each counting alike, without interval; none for fewer than two."""
    if len(found) < 2:
        return []
    values: dict[str, Interval | None] = {}
    for condition in CONDITIONS:
        areas = [one for result in found if (one := result.values.get(condition)) is not None]
        rows, groups = sum(one.rows for one in areas), max(one.groups for one in areas)
        mean = float(np.mean([one.value for one in areas]))
        values[condition] = Interval(mean, NONE, NONE, areas[0].level, rows, groups)
    group = f"mean of the {len(found)} AUROCs of {of}"
    return [ControlledResult(MACRO_AUROC.name, group, values, absent=RANKS_NOTHING)]
