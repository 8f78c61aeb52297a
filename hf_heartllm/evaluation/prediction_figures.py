"""Every figure of a predictions file, each with its interval, beside those of its controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..labels.stated_findings import stated_findings
from .answers import AnsweredQuestion, answer_figures, answer_set, exact_match, grouped
from .confidence import BINS, risk_coverage
from .findings import finding_figures
from .intervals import Interval, bootstrap_auroc, bootstrap_sums, paired_bootstrap
from .prediction_files import PredictionFile
from .report_metrics import report_figures, row_scores
from .wordnet import NO_SYNONYMS, Synonyms

MODEL = "model"
"""The condition of the predictions themselves; the others have the names of their controls."""


@dataclass(frozen=True)
class PredictionFigure:
    """One figure.

    Attributes:
        group: `"all"`, or which rows, such as `"question type single-verify"`.
        metric: with its convention, such as `"BLEU-4 (authors)"`.
        condition: `MODEL`, a control's name, or `"model − NAME"` for a paired difference.
        interval: value, interval by patient, rows and patients.
    """

    group: str
    metric: str
    condition: str
    interval: Interval


@dataclass(frozen=True)
class PredictionScores:
    """All figures of a file.

    Attributes:
        figures: in reading order.
        counts: per group and condition what was counted rather than measured.
        notes: what a reader must know, one sentence each.
    """

    figures: list[PredictionFigure]
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
        figures, counts = _score_questions(file, settings)
        return PredictionScores([*figures, *_confidence(file, settings)], counts, notes)
    if not synonyms.name:
        notes.append("No WordNet was found: METEOR has no synonym matches and is not the METEOR that papers print.")
    if not all(report.labels is not None for report in file.reports):
        notes.append("No labels were given: findings are compared with those that the reference states in words.")
    figures, counts = _score_reports(file, synonyms, settings)
    return PredictionScores(figures, counts, notes)


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


def _conditions(file: PredictionFile) -> Iterator[tuple[str, tuple[AnsweredQuestion, ...]]]:
    yield MODEL, file.questions
    for name, predictions in file.controls.items():
        rows = zip(file.questions, predictions, strict=True)
        yield name, tuple(replace(question, prediction=prediction) for question, prediction in rows)


def _score_questions(
    file: PredictionFile, settings: Mapping[str, int]
) -> tuple[list[PredictionFigure], list[dict[str, Any]]]:
    conditions = dict(_conditions(file))
    right = {name: np.array([exact_match(row) for row in rows]) for name, rows in conditions.items()}
    figures: list[PredictionFigure] = []
    counts: list[dict[str, Any]] = []
    for group, rows in grouped(file.questions).items():
        for condition, questions in conditions.items():
            found = answer_figures([questions[row] for row in rows], group, **settings)
            for metric, interval in (
                ("exact match", found.exact),
                ("exact match, public code", found.exact_public_code),
                ("exact match of answered", found.exact_answered),
                ("macro-F1 over answers", found.macro_f1),
            ):
                figures.append(PredictionFigure(group, metric, condition, interval))
            counted = {name: getattr(found, name) for name in ("classes", "abstained", "empty", "outside")}
            counts.append({"group": group, "condition": condition, **counted})
        patients = [file.patients[row] for row in rows]
        for name in file.controls:
            margin = paired_bootstrap(right[MODEL][rows], right[name][rows], patients, **settings)
            figures.append(PredictionFigure(group, "exact match", f"{MODEL} − {name}", margin))
    return figures, counts


def _confidence(file: PredictionFile, settings: Mapping[str, int]) -> list[PredictionFigure]:
    """Figures of the probabilities, over the rows that have them."""
    rows = [row for row, shares in enumerate(file.probabilities) if shares is not None]
    if not rows:
        return []
    shares = [{_key(name): share for name, share in (file.probabilities[row] or {}).items()} for row in rows]
    truth = [file.questions[row].true_set for row in rows]
    patients = [file.patients[row] for row in rows]
    chosen = [max(row, key=lambda answer: row[answer]) for row in shares]
    confidence = np.clip([row[answer] for row, answer in zip(shares, chosen, strict=True)], 0, 1)
    right = np.array([answers == {answer} for answers, answer in zip(truth, chosen, strict=True)])
    found = [
        PredictionFigure("all", metric, MODEL, interval)
        for metric, interval in zip(
            ("exact match of the likeliest answer", "mean confidence", f"expected calibration error, {BINS} bins"),
            bootstrap_sums(_calibration_columns(confidence, right), patients, _calibration, **settings),
            strict=True,
        )
    ]
    area = risk_coverage(confidence, right).area
    unknown = float("nan")
    whole = found[0].interval
    found.append(
        PredictionFigure(
            "all",
            "area under risk–coverage",
            MODEL,
            replace(whole, value=area, low=unknown, high=unknown),
        )
    )
    for answer in sorted({name for row in shares for name in row}):
        asked = [index for index, row in enumerate(shares) if answer in row]
        labels = [answer in truth[index] for index in asked]
        if any(labels) and not all(labels):
            scores = [shares[index][answer] for index in asked]
            interval = bootstrap_auroc(labels, scores, [patients[index] for index in asked], **settings)
            found.append(PredictionFigure("all", f"AUROC of p({answer})", MODEL, interval))
    return found


def _key(answer: str) -> str:
    return next(iter(answer_set((answer,))), "")


def _calibration_columns(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Rows, right ones and confidence by bin, float64 (rows, 3 · bins); bins as in `confidence.reliability`."""
    edges = np.linspace(0, 1, BINS + 1)
    of_row = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
    held = np.eye(BINS)[of_row]
    return np.hstack([held, held * right[:, None], held * confidence[:, None]])


def _calibration(sums: np.ndarray) -> np.ndarray:
    rows, right, confidence = np.split(sums, 3, axis=1)
    total = rows.sum(axis=1)
    error = np.abs(right - confidence).sum(axis=1) / total
    return np.column_stack([right.sum(axis=1) / total, confidence.sum(axis=1) / total, error])


def _score_reports(
    file: PredictionFile, synonyms: Synonyms, settings: Mapping[str, int]
) -> tuple[list[PredictionFigure], list[dict[str, Any]]]:
    references = [report.reference for report in file.reports]
    labels: list[Sequence[str] | frozenset[str]] = [
        stated_findings(report.reference).codes if report.labels is None else report.labels for report in file.reports
    ]
    predictions: dict[str, list[str]] = {MODEL: [report.prediction for report in file.reports]}
    for name, column in file.controls.items():
        predictions[name] = [text if isinstance(text, str) else ". ".join(text or ()) for text in column]
    figures: list[PredictionFigure] = []
    counts: list[dict[str, Any]] = []
    for condition, texts in predictions.items():
        metrics = report_figures(texts, references, file.patients, synonyms=synonyms, **settings)
        figures += [PredictionFigure("all", figure.name, condition, figure.interval) for figure in metrics]
        for found in finding_figures(texts, labels, file.patients, **settings):
            for metric in (
                "precision",
                "recall",
                "f1",
                "hallucinated",
                "reports_with_hallucination",
                "contradicted",
            ):
                interval = getattr(found, metric)
                if not np.isnan(interval.value):
                    name = f"findings, {metric.replace('_', ' ')} ({found.level})"
                    figures.append(PredictionFigure("all", name, condition, interval))
        empty = sum(not text.strip() for text in texts)
        counts.append(
            {"group": "all", "condition": condition, "empty": empty, "without_finding": found.without_finding}
        )
    rows = {condition: row_scores(texts, references, synonyms) for condition, texts in predictions.items()}
    for control in file.controls:
        for metric, convention in rows[MODEL]:
            difference = paired_bootstrap(
                rows[MODEL][metric, convention], rows[control][metric, convention], file.patients, **settings
            )
            figures.append(PredictionFigure("all", f"{metric} ({convention})", f"{MODEL} − {control}", difference))
    return figures, counts
