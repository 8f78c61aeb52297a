"""The figures of a held-out evaluation: accuracies, margins over the controls, AUROCs, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .conditions import CONDITION_WORDS
from .heldout import Answered
from .intervals import Interval, bootstrap_auroc, bootstrap_mean, paired_bootstrap
from .results import ResultRow

MARGIN_BAR = "interval > 0"
AUROC_BARS = {"AFIB": ">= 0.95"}


@dataclass(frozen=True)
class Figure:
    """One figure with its interval, and what it should reach."""

    name: str
    interval: Interval
    bar: str | None = None

    def row(self, *, data: str, command: str, commit: str, machine: str) -> ResultRow:
        """The figure as it stands in git."""
        found = self.interval
        return ResultRow(
            name=self.name,
            value=round(found.value, 4),
            interval=None if math.isnan(found.low) else (round(found.low, 4), round(found.high, 4)),
            bar=self.bar,
            unit="fraction",
            data=f"{data}; {found.rows} questions, {found.groups} patients",
            command=command,
            commit=commit,
            machine=machine,
        )


def figures(answered: Answered, *, resamples: int = 2000, seed: int = 0) -> list[Figure]:
    """All figures of an evaluation.

    Exact match over the sampled questions, in all and by question type; its paired margins over the controls; and for
    each question that every record is asked, the AUROC of p("yes").
    """
    settings = {"resamples": resamples, "seed": seed}
    result: list[Figure] = []
    for title, rows in _groups(answered):
        patients = answered.patients[rows]
        for condition, right in answered.right.items():
            name = f"exact match, {title}, {CONDITION_WORDS[condition]}"
            result.append(Figure(name, bootstrap_mean(right[rows], patients, **settings)))
        for condition in answered.right:
            if condition == "real" or "real" not in answered.right:
                continue
            margin = paired_bootstrap(
                answered.right["real"][rows], answered.right[condition][rows], patients, **settings
            )
            bar = MARGIN_BAR if title == "all questions" and condition == "control" else None
            result.append(Figure(f"exact match, {title}, real ECG − {CONDITION_WORDS[condition]}", margin, bar))
    asked = dict.fromkeys((q.question, q.attribute) for q in answered.questions if q.every_record)
    for text, attribute in asked:
        rows = np.array([q.every_record and q.question == text for q in answered.questions])
        labels = [question.answer == "yes" for question, wanted in zip(answered.questions, rows, strict=True) if wanted]
        if all(labels) or not any(labels):
            continue
        for condition, share in answered.yes.items():
            if condition == "blind":
                continue  # one probability for all records: no ranking
            area = bootstrap_auroc(labels, share[rows], answered.patients[rows], **settings)
            bar = AUROC_BARS.get(attribute) if condition == "real" else None
            result.append(Figure(f"AUROC, {attribute} from p(yes), {CONDITION_WORDS[condition]}", area, bar))
    return result


def _groups(answered: Answered) -> Iterator[tuple[str, np.ndarray]]:
    """Title and bool (questions,) of the sampled questions: all, by question type, by question and attribute type."""
    titles: dict[str, list[int]] = {}
    for index, question in enumerate(answered.questions):
        if not question.every_record:
            kind = question.question_type
            for title in ("all questions", kind, f"{kind} {question.attribute_type}"):
                titles.setdefault(title, []).append(index)
    for title in sorted(titles, key=lambda title: (title != "all questions", title)):
        rows = np.zeros(len(answered.questions), dtype=bool)
        rows[titles[title]] = True
        yield title, rows


def table(found: list[Figure]) -> str:
    """The figures as an aligned text table."""
    width = max((len(figure.name) for figure in found), default=0)
    lines = []
    for figure in found:
        value, low, high = figure.interval.value, figure.interval.low, figure.interval.high
        interval = f"{'no interval':^18}" if math.isnan(low) else f"[{low:7.4f}, {high:7.4f}]"
        lines.append(f"{figure.name:<{width}}  {value:7.4f}  {interval}  {figure.bar or ''}".rstrip())
    return "\n".join(lines)
