"""Every figure of a predictions file, each with its interval, beside those of its controls."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..labels.stated_findings import stated_findings
from .answers import EXACT, MACRO_F1, OF_ANSWERED, PUBLIC_CODE, Answers, answer_set, grouped
from .confidence import BINS, CALIBRATION_ERROR, RISK_COVERAGE, Believed
from .controlled import ControlledResult
from .findings import LEVELS, finding_metrics
from .intervals import Bootstrap, Settings
from .metrics import Measured, Metric, controlled
from .prediction_files import PredictionFile
from .report_metrics import Reports, report_metrics
from .wordnet import NO_SYNONYMS, Synonyms

MODEL = "model"
"""The column of the predictions themselves; the others have the names of their controls."""


@dataclass(frozen=True)
class PredictionScores:
    """All figures of a file.

    Attributes:
        results: in reading order; the columns are `MODEL` and the names of the controls.
        counts: per group and condition what was counted rather than measured.
        notes: what a reader must know, one sentence each.
    """

    results: list[ControlledResult]
    counts: list[dict[str, Any]]
    notes: list[str]


def score_predictions(
    file: PredictionFile, *, synonyms: Synonyms = NO_SYNONYMS, resamples: int = 2000, seed: int = 0
) -> PredictionScores:
    """Score a predictions file and its controls.

    Args:
        file: from `read_predictions`.
        synonyms: for METEOR, from `find_wordnet`.
        resamples: number of bootstrap samples.
        seed: of the draws.

    Raises:
        MissingLibraryError: for reports, without the libraries of the extra `eval`.
    """
    settings = {"resamples": resamples, "seed": seed}
    file, notes = _without_empty_controls(file)
    if not file.controls and not notes:
        notes.append("No controls were given, so nothing here says how much of it needs an ECG.")
    if file.grouped_by != "patient":
        notes.append(
            f"Not every row names its patient: intervals are by {file.grouped_by}, "
            "and too narrow where a patient has several."
        )
    if len(set(file.patients)) < 2:
        notes.append(f"All rows are of one {file.grouped_by}, which says nothing of others: no intervals.")
    if file.repeated:
        notes.append(f"{file.repeated} rows are there before with the same recording and question: they count again.")
    if file.kind == "questions":
        results, counts = _score_questions(file, settings)
        return PredictionScores([*results, *_confidence(file, settings)], counts, notes)
    if not synonyms.name:
        notes.append("No WordNet was found: METEOR has no synonym matches and is not the METEOR that papers print.")
    if not all(report.labels is not None for report in file.reports):
        notes.append("No labels were given: findings are compared with those that the reference states in words.")
    return PredictionScores(*_score_reports(file, synonyms, settings), notes)


def _without_empty_controls(file: PredictionFile) -> tuple[PredictionFile, list[str]]:
    """A control without any prediction has no figure: all its rows would count as wrong."""
    empty = [name for name, column in file.controls.items() if not any(column)]
    left = {name: column for name, column in file.controls.items() if name not in empty}
    notes = [f"The control {name!r} holds no prediction in any row: n/a." for name in empty]
    model = [row.prediction for row in file.questions or file.reports]
    notes += [
        f"The control {name!r} is the model's own predictions in every row: it controls nothing."
        for name, column in left.items()
        if [one or "" for one in column] == [one or "" for one in model]
    ]
    return replace(file, controls=left), notes


def _score_questions(file: PredictionFile, settings: Settings) -> tuple[list[ControlledResult], list[dict[str, Any]]]:
    columns = {MODEL: Answers(file.questions)}
    for name, predictions in file.controls.items():
        rows = zip(file.questions, predictions, strict=True)
        columns[name] = Answers([replace(question, prediction=prediction) for question, prediction in rows])
    measured = Measured[Answers](columns, np.array(file.patients), settings, model=MODEL)
    results: list[ControlledResult] = []
    counts: list[dict[str, Any]] = []
    for group, members in grouped(file.questions).items():
        results += measured.results((EXACT, PUBLIC_CODE, OF_ANSWERED, MACRO_F1), group, np.array(members))
        counts += [{"group": group, "condition": name, **one[members].counts()} for name, one in columns.items()]
    return results, counts


_CONFIDENCE = (
    Metric[Believed]("exact match of the likeliest answer", lambda rows, bootstrap: bootstrap.mean(rows.right)),
    Metric[Believed]("mean confidence", lambda rows, bootstrap: bootstrap.mean(rows.confidence)),
    replace(CALIBRATION_ERROR, name=f"{CALIBRATION_ERROR.name}, {BINS} bins"),
    RISK_COVERAGE,
)


def _confidence(file: PredictionFile, settings: Settings) -> list[ControlledResult]:
    """Results of the probabilities, over the rows that have them."""
    rows = [row for row, shares in enumerate(file.probabilities) if shares is not None]
    if not rows:
        return []
    shares = [{_key(name): share for name, share in (file.probabilities[row] or {}).items()} for row in rows]
    truth = [file.questions[row].true_set for row in rows]
    patients = np.array([file.patients[row] for row in rows])
    chosen = [max(row, key=lambda answer: row[answer]) for row in shares]
    confidence = np.clip([row[answer] for row, answer in zip(shares, chosen, strict=True)], 0, 1)
    right = np.array([answers == {answer} for answers, answer in zip(truth, chosen, strict=True)])
    believed, bootstrap = {MODEL: Believed(confidence, right)}, Bootstrap(patients, **settings)
    found = [controlled(metric, "all", believed, bootstrap, model=MODEL) for metric in _CONFIDENCE]
    for answer in sorted({name for row in shares for name in row}):
        members = [index for index, row in enumerate(shares) if answer in row]
        labels = [answer in truth[index] for index in members]
        if any(labels) and not all(labels):
            scores = [shares[index][answer] for index in members]
            area = Bootstrap(patients[members], **settings).auroc(labels, scores).interval()
            found.append(ControlledResult(f"AUROC of p({answer})", "all", {MODEL: area}, model=MODEL))
    return found


def _key(answer: str) -> str:
    return next(iter(answer_set((answer,))), "")


def _score_reports(
    file: PredictionFile, synonyms: Synonyms, settings: Settings
) -> tuple[list[ControlledResult], list[dict[str, Any]]]:
    references = [report.reference for report in file.reports]
    labels: list[Collection[str]] = [
        stated_findings(report.reference).codes if report.labels is None else report.labels for report in file.reports
    ]
    predictions: dict[str, list[str]] = {MODEL: [report.prediction for report in file.reports]}
    for name, column in file.controls.items():
        predictions[name] = [text if isinstance(text, str) else ". ".join(text or ()) for text in column]
    columns = {name: Reports(texts, references, labels, synonyms) for name, texts in predictions.items()}
    metrics = report_metrics(columns[MODEL])
    for level in LEVELS:
        metrics += [
            replace(metric, name=f"findings, {name.replace('_', ' ')} ({level})")
            for name, metric in finding_metrics(level).items()
        ]
    bootstrap = Bootstrap(file.patients, **settings)
    results = [controlled(metric, "all", columns, bootstrap, model=MODEL) for metric in metrics]
    counts = [
        {
            "group": "all",
            "condition": name,
            "empty": sum(not text.strip() for text in one.predictions),
            "without_finding": sum(not found.groups for found in one.stated),
        }
        for name, one in columns.items()
    ]
    return [
        one for one in results if not all(math.isnan(value.value) for value in one.values.values() if value)
    ], counts
