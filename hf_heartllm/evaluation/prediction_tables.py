"""The scores of a predictions file as JSON and as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .answers import EXACT
from .controlled import ControlledResult, controlled_table, interval_document, markdown_table
from .intervals import Interval
from .prediction_figures import MODEL, PredictionScores
from .prediction_files import PredictionFile
from .results import METRIC_LIBRARIES, library_versions


def interval_json(interval: Interval) -> dict[str, Any]:
    """An interval for JSON: null where a figure has no value."""
    found = {name: value for name, value in (interval_document(interval) or {}).items() if name != "level"}
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in found.items()}


def scores_json(file: PredictionFile, scores: PredictionScores, settings: dict[str, Any]) -> dict[str, Any]:
    """Everything in one object: file, hash, settings, versions, figures, counts, notes."""
    return {
        "file": file.path,
        "sha256": file.sha256,
        "kind": file.kind,
        "rows": len(file.patients),
        "intervals": {"level": 0.95, "grouped_by": file.grouped_by, "groups": len(set(file.patients))},
        "settings": settings,
        "versions": library_versions(METRIC_LIBRARIES),
        "controls": list(file.controls),
        "figures": [figure for result in scores.results for figure in _figures(result)],
        "counts": scores.counts,
        "notes": scores.notes,
    }


def _figures(result: ControlledResult) -> Iterator[dict[str, Any]]:
    margins = {f"{MODEL} − {name}": margin for name, margin in result.margins.items()}
    for condition, interval in {**result.values, **margins}.items():
        if interval is not None:
            named = {"group": result.group, "metric": result.figure, "condition": condition}
            yield {**named, **interval_json(interval)}


def scores_markdown(file: PredictionFile, scores: PredictionScores) -> str:
    """Tables with the controls beside the model, what was counted, and the notes.

    Of groups exact match alone is printed; the JSON holds every figure.
    """
    unit = f"{file.grouped_by}s"
    head = f"{file.path}: {len(file.patients)} {file.kind}, {len(set(file.patients))} {unit}, 95 % intervals"
    shown = [one for one in scores.results if one.group == "all" or one.figure == EXACT.name]
    names = {"abstained": "abstained", "empty": "empty", "outside": "outside the closed set"}
    names |= {"classes": "distinct true answers", "without_finding": "reports without a finding"}
    names = {name: words for name, words in names.items() if name in scores.counts[0]}
    counted = [
        [
            f"{count['group']}, {count['condition']}",
            *("—" if count[name] is None else f"{count[name]:,}" for name in names),
        ]
        for count in scores.counts
        if count["group"] == "all" or count["group"].startswith("question type")
    ]
    tables = [controlled_table(shown, every_margin=True), markdown_table(["counted", *names.values()], counted)]
    return "\n\n".join([head, *tables, *scores.notes])
