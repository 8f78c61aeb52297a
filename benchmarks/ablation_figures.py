"""Figures, table and plot of the runs that `ablations.py` keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plots
from hf_heartllm.evaluation.intervals import Bootstrap, Resampled
from hf_heartllm.evaluation.results import Result

FULL, NO_TAB, NO_FT, NO_DISC, HYBRID = "full", "w/o TAB", "w/o FT", "w/o DISC", "hybrid"
EXACT, AUROC, ROUGE = "exact match", "AUROC of yes/no", "ROUGE-L of reports"

AT_LEAST = 5
"""Recordings with and without a statement that an AUROC needs."""

Runs = Mapping[str, Sequence[Mapping[str, Any]]]
"""Arm → its runs, one a seed."""


def figures(runs: Runs) -> dict[str, dict[str, Resampled]]:
    """Measure → arm → `Resampled`, the mean over the seeds, on resamples of patients that are the same for all arms.

    Questions that not every run was judged on (a recording that could not be encoded) are left out of all.
    """
    tables = {arm: [_by_question(run["questions"]) for run in of_arm] for arm, of_arm in runs.items()}
    every = [table for of_arm in tables.values() for table in of_arm]
    keys = sorted(set.intersection(*(set(table) for table in every)))
    if not keys:
        raise ValueError("the runs were judged on no question in common")
    first = every[0]
    records = sorted({key[0] for key in keys})
    patients = {key[0]: first[key]["patient"] for key in keys}
    ranked = Bootstrap([patients[name] for name in records])
    balanced = [key for key in keys if not first[key]["every"]]
    labels: dict[str, list[int]] = {}
    for key in keys:
        if "label" in first[key]:
            labels.setdefault(first[key]["attribute"], []).append(first[key]["label"])
    attributes = sorted(name for name, each in labels.items() if AT_LEAST <= sum(each) <= len(each) - AT_LEAST)
    yes_no = [key for key in keys if "label" in first[key] and first[key]["attribute"] in attributes]
    exact = Bootstrap([first[key]["patient"] for key in balanced]) if balanced else None
    place = {key: (records.index(key[0]), attributes.index(first[key]["attribute"])) for key in yes_no}

    def matrix(table: Mapping[Any, Any], name: str) -> np.ndarray:
        values = np.full((len(records), len(attributes)), np.nan)
        for key in yes_no:
            values[place[key]] = table[key][name]
        return values

    found: dict[str, dict[str, Resampled]] = {EXACT: {}, AUROC: {}}
    for arm, of_arm in tables.items():
        if exact is not None:
            right = np.array([[table[key]["right"] for key in balanced] for table in of_arm], dtype=float)
            found[EXACT][arm] = exact.mean(right.mean(axis=0))
        if attributes:
            margins = np.stack([matrix(table, "margin") for table in of_arm])
            found[AUROC][arm] = ranked.auroc(matrix(first, "label"), margins)
    found[ROUGE] = _of_reports(runs)
    return {measure: of_arms for measure, of_arms in found.items() if of_arms}


def _of_reports(runs: Runs) -> dict[str, Resampled]:
    """Arm → `Resampled` of the reports' scores; none where there are no reports of the same records."""
    scores = {arm: [{one["record"]: one for one in run["reports"]} for run in of_arm] for arm, of_arm in runs.items()}
    every = [of_run for of_arm in scores.values() for of_run in of_arm]
    records = sorted(set.intersection(*(set(of_run) for of_run in every)))
    if not records:
        return {}
    boot = Bootstrap([every[0][name]["patient"] for name in records])
    return {
        arm: boot.mean(np.mean([[of_run[name]["score"] for name in records] for of_run in of_arm], axis=0))
        for arm, of_arm in scores.items()
    }


def _by_question(questions: Sequence[dict[str, Any]]) -> dict[tuple[str, int], dict[str, Any]]:
    counts: dict[str, int] = {}
    found = {}
    for one in questions:
        counts[one["record"]] = counts.get(one["record"], 0) + 1
        found[one["record"], counts[one["record"]]] = one
    return found


def table_of(runs: Runs) -> str:
    """The table of the runs so far, in Markdown: means over seeds with 95 % intervals, and the difference to full."""
    lines = [
        "| arm | seeds | measure | mean | 95 % interval | less full | lowest and highest seed |",
        "|---|---|---|---|---|---|---|",
    ]
    for measure, of_arms in figures(runs).items():
        for arm, value in of_arms.items():
            ends, less = value.interval(), "–"
            if arm != FULL and FULL in of_arms:
                other = value.minus(of_arms[FULL])
                less = f"{other.value:+.3f} ({other.low:+.3f} to {other.high:+.3f})"
            each = [figures({arm: [one]})[measure][arm].value for one in runs[arm]]
            lines.append(
                f"| {arm} | {len(runs[arm])} | {measure} | {value.value:.3f} | {ends.low:.3f} to {ends.high:.3f} "
                f"| {less} | {min(each):.3f}, {max(each):.3f} |"
            )
    return "\n".join(lines)


def results_of(runs: Runs, data: str, command: str, commit: str, machine: str) -> list[Result]:
    """The rows of the results file."""
    facts = {
        "data": data,
        "command": command,
        "commit": commit,
        "machine": machine,
    }
    rows = []
    for measure, of_arms in figures(runs).items():
        rows += [Result.of(f"ablation, {measure}, {arm}", one, **facts).rounded(4) for arm, one in of_arms.items()]
        rows += [
            Result.of(f"ablation, {measure}, {arm} less full", one.minus(of_arms[FULL]), **facts).rounded(4)
            for arm, one in of_arms.items()
            if arm != FULL and FULL in of_arms
        ]
    return rows


def draw(runs: Runs, path: Path) -> None:
    """The plot of the table."""
    shown = {}
    for measure, of_arms in figures(runs).items():
        for arm, value in of_arms.items():
            ends = value.interval()
            known = not np.isnan(ends.low)
            shown[arm, measure] = {"value": value.value, "interval": [ends.low, ends.high] if known else None}
    measures = tuple(dict.fromkeys(measure for _, measure in shown))
    plots.draw(plots.Plot("", "arm", measures, "fold 9"), shown, path)
