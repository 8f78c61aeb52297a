"""The scores of a predictions file as JSON and as Markdown tables."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .. import __version__
from .intervals import Interval
from .prediction_figures import MODEL, PredictionFigure, PredictionScores
from .prediction_files import PredictionFile

_LIBRARIES = ("numpy", "nltk", "rouge", "rouge-score", "sacrebleu")


def library_versions() -> dict[str, str | None]:
    """Our version, Python's and the metric libraries'; None for one that is not installed."""
    found: dict[str, str | None] = {"hf_heartllm": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def interval_json(interval: Interval) -> dict[str, Any]:
    """An interval for JSON: null where a figure has no value."""
    return {
        "value": number_json(interval.value),
        "low": number_json(interval.low),
        "high": number_json(interval.high),
        "rows": interval.rows,
        "groups": interval.groups,
    }


def number_json(value: float) -> float | None:
    """A number for JSON, which knows no NaN."""
    return None if math.isnan(value) else round(value, 6)


def scores_json(file: PredictionFile, scores: PredictionScores, settings: dict[str, Any]) -> dict[str, Any]:
    """Everything in one object: file, hash, settings, versions, figures, counts, notes."""
    return {
        "file": file.path,
        "sha256": file.sha256,
        "kind": file.kind,
        "rows": len(file.patients),
        "intervals": {"level": 0.95, "grouped_by": file.grouped_by, "groups": len(set(file.patients))},
        "settings": settings,
        "versions": library_versions(),
        "controls": list(file.controls),
        "figures": [
            {
                "group": figure.group,
                "metric": figure.metric,
                "condition": figure.condition,
                **interval_json(figure.interval),
            }
            for figure in scores.figures
        ],
        "counts": scores.counts,
        "notes": scores.notes,
    }


def cell(interval: Interval | None) -> str:
    """A figure and its interval for a table; a dash where there is none."""
    if interval is None or math.isnan(interval.value):
        return "–"
    if math.isnan(interval.low):
        return f"{interval.value:.3f}"
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    names = list(header)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def scores_markdown(file: PredictionFile, scores: PredictionScores) -> str:
    """Tables with the controls beside the model, what was counted, and the notes."""
    figures = {(figure.group, figure.metric, figure.condition): figure.interval for figure in scores.figures}
    head = (
        f"{file.path}: {len(file.patients)} {file.kind}, {len(set(file.patients))} {file.grouped_by}s, 95 % intervals"
    )
    tables = _question_tables if file.kind == "questions" else _report_tables
    return "\n\n".join([head, *tables(file, scores, figures), *scores.notes])


_Figures = dict[tuple[str, str, str], Interval]


def _question_tables(file: PredictionFile, scores: PredictionScores, figures: _Figures) -> list[str]:
    groups = list(dict.fromkeys(figure.group for figure in scores.figures))
    conditions = [MODEL, *file.controls]
    rows = []
    for group in groups:
        whole = figures[group, "exact match", MODEL]
        exact = [cell(figures.get((group, "exact match", condition))) for condition in conditions]
        rest = [cell(figures.get((group, f"{metric}", MODEL))) for metric in _QUESTION_METRICS]
        rows.append([group, f"{whole.rows:,}", f"{whole.groups:,}", *exact, *rest])
    header = [
        "exact match",
        "questions",
        f"{file.grouped_by}s",
        *conditions,
        *(f"{MODEL}, {metric}" for metric in _QUESTION_METRICS),
    ]
    counted = [
        [
            f"{count['group']}, {count['condition']}",
            *(
                "–" if count[name] is None else f"{count[name]:,}"
                for name in ("abstained", "empty", "outside", "classes")
            ),
        ]
        for count in scores.counts
        if count["group"] == "all" or count["group"].startswith("question type")
    ]
    tables = [
        markdown_table(header, rows),
        markdown_table(["counted", "abstained", "empty", "outside the closed set", "distinct true answers"], counted),
    ]
    listed = {"exact match", *_QUESTION_METRICS}
    return [*tables, *_others([figure for figure in scores.figures if figure.metric not in listed]), *_margins(scores)]


_QUESTION_METRICS = ("exact match, public code", "macro-F1 over answers")


def _report_tables(file: PredictionFile, scores: PredictionScores, figures: _Figures) -> list[str]:
    conditions = [MODEL, *file.controls]
    metrics = dict.fromkeys(figure.metric for figure in scores.figures)
    rows = [
        [metric, *(cell(figures.get(("all", metric, condition))) for condition in conditions)] for metric in metrics
    ]
    counted = [[count["condition"], f"{count['empty']:,}", f"{count['without_finding']:,}"] for count in scores.counts]
    return [
        markdown_table(["metric (convention)", *conditions], rows),
        markdown_table(["counted", "empty reports", "reports without a finding"], counted),
        *_margins(scores),
    ]


def _others(figures: list[PredictionFigure]) -> list[str]:
    rows = [
        [figure.metric, cell(figure.interval)]
        for figure in figures
        if figure.group == "all" and figure.condition == MODEL
    ]
    return [markdown_table(["all questions", MODEL], rows)] if rows else []


_MARGINS_PRINTED = ("exact match", "BLEU-4", "METEOR", "ROUGE-L F")  # the file that --output names has all


def _margins(scores: PredictionScores) -> list[str]:
    rows = [
        [figure.metric, figure.group, figure.condition, cell(figure.interval)]
        for figure in scores.figures
        if figure.condition.startswith(f"{MODEL} − ") and figure.metric.startswith(_MARGINS_PRINTED)
    ]
    return [markdown_table(["paired difference", "group", "of", "value"], rows)] if rows else []
