"""The scores of a predictions file as JSON and as Markdown tables."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .. import __version__
from .answers import EXACT
from .controlled import ControlledResult, controlled_table, markdown_table
from .intervals import Interval
from .prediction_figures import MODEL, PredictionScores
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
    numbers = {name: getattr(interval, name) for name in ("value", "low", "high")}
    known = {name: None if math.isnan(value) else round(value, 6) for name, value in numbers.items()}
    return {**known, "rows": interval.rows, "groups": interval.groups}


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
