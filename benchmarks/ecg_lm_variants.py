"""Variants of ECG-LM, each made, trained and asked with every seed: what `soft_tokens` and `ecg_lm_ablations` share.

Everything is kept in one folder, a folder of it for each variant and seed: run again, only what is missing is made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_heartllm.arguments import option_name
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, read_results, write_results
from hf_heartllm.models.whole_files import write_whole

REPOSITORY = Path(__file__).resolve().parent.parent
CONDITIONS = ("real ECG", "another patient's ECG")
YES_NO = "macro-AUROC, {}, yes/no, every record"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What every variant is made of and judged on.

    Attributes:
        base: folder of the language model.
        encoder: folder of the encoder, of training/train_encoder.py.
        ptbxl: PTB-XL's folder.
        rows: Parquet file of dataset_builders.training_rows.
        soft_labels: Parquet file of training/soft_labels.py.
        output: folder for what is made.
        seeds: of the new weights and of the draws.
        training_folds: of PTB-XL; where measured numbers are read, those that were measured.
        judged: recordings that are asked about.
        fold: which they are of.
        tasks: what is asked of them.
        bf16: train and ask in bfloat16, which pays on processors with units for it.
    """

    base: Path
    encoder: Path
    ptbxl: Path
    rows: Path
    soft_labels: Path
    output: Path
    seeds: tuple[int, ...] = (1, 2, 3)
    training_folds: str = "1-7"
    judged: int = 200
    fold: int = 8
    tasks: tuple[str, ...] = ("superclass", "rhythm", "form")
    bf16: bool = False


@dataclass(frozen=True)
class Variant:
    """How a variant comes to be.

    Attributes:
        made: options of training/make_ecg_lm.py.
        tuned: settings of training/finetune_ecg_lm.py, with its recipe first.
        aligned: settings of training/align_ecg_lm.py; None: without the joint training.
        measurements: CSV table of dataset_builders.measurements, where one of them needs it.
    """

    made: tuple[str, ...]
    tuned: tuple[str, ...]
    aligned: tuple[str, ...] | None = None
    measurements: Path | None = None


def compare(
    settings: Comparison,
    variants: Mapping[str, Variant],
    first: str,
    columns: Mapping[str, str],
    facts: Mapping[str, Any],
    results: Path,
) -> int:
    """Make, train and ask each variant with each seed, as far as that is not done; print the table, write the figures.

    Args:
        settings: what they are made of and judged on.
        variants: by name.
        first: what the results' names begin with.
        columns: heading → part of the names that `heartllm evaluate classify` gives its results; those of tasks that
            are not asked are left out.
        facts: of each result.
        results: file of results to write.

    Returns:
        The exit code: 2 where the folder holds models of other settings, else that of the first program that fails,
        which says why on stderr.
    """
    try:
        _begin(settings)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        for seed in settings.seeds:
            for place, (name, variant) in enumerate(variants.items()):
                print(f"{name}, seed {seed}", flush=True)
                judge(settings, variant, settings.output / f"{place}-{seed}", seed)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd[1:4]))} … ended with {error.returncode}", file=sys.stderr)
        return error.returncode
    columns = {heading: part for heading, part in columns.items() if any(task in part for task in settings.tasks)}
    facts = {"commit": current_commit(), "machine": machine_words(), **facts}
    try:
        found = figures(settings, first, list(variants), list(columns.values()), facts)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(found, first, list(variants), columns))
    write_results(results, found)
    return 0


def _begin(settings: Comparison) -> None:
    """Say in the folder what its models are made of; ValueError if they are made of something else."""
    made = {name: value for name, value in vars(settings).items() if name not in ("output", "seeds", "results")}
    told = {name: str(value.resolve() if isinstance(value, Path) else value) for name, value in made.items()}
    path = settings.output / "settings.json"
    if path.exists():
        there = json.loads(path.read_text(encoding="utf-8"))
        if other := sorted(name for name in told if there.get(name) != told[name]):
            raise ValueError(f"{settings.output}: was made with another {option_name(other[0])}; give another --output")
    settings.output.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(told, indent=1) + "\n")


def judge(settings: Comparison, variant: Variant, folder: Path, seed: int) -> None:
    """Make, train and ask one model, as far as that is not done."""
    begun, aligned, tuned = folder / "untrained", folder / "aligned" / "model", folder / "trained" / "model"
    if not (begun / "config.json").exists():
        _run(
            settings, "training/make_ecg_lm.py", "--base", settings.base, "--output", begun, "--seed", str(seed),
            *variant.made,
        )  # fmt: skip
    trained_on: tuple[str | Path, ...] = ("--records", settings.ptbxl, "--rows", settings.rows)
    if variant.measurements is not None:
        trained_on += ("--measurements", variant.measurements)
    same = (
        f"data.folds={settings.training_folds}",
        f"training.seed={seed}",
        f"training.bf16={str(settings.bf16).lower()}",
    )
    if variant.aligned is not None:
        if not (aligned / "config.json").exists():
            _run(
                settings, "training/align_ecg_lm.py", "--recipe", "align_ecg_lm", "--model", begun, *trained_on,
                "--output", aligned.parent, "--set", *same, *variant.aligned,
            )  # fmt: skip
        begun = aligned
    if not (tuned / "config.json").exists():
        recipe, *more = variant.tuned
        _run(
            settings, "training/finetune_ecg_lm.py", "--recipe", recipe, "--model", begun, *trained_on,
            "--soft-labels", settings.soft_labels, "--output", tuned.parent, "--set", *same, *more,
        )  # fmt: skip
    if not (folder / "rows.json").exists():
        half = ["--dtype", "bfloat16"] if settings.bf16 else []
        _run(
            settings, "-m", "hf_heartllm.cli", "evaluate", "classify", "--records", settings.ptbxl,
            "--folds", str(settings.fold), "--training-folds", settings.training_folds, "--model", tuned,
            "--max-records", str(settings.judged), "--tasks", ",".join(settings.tasks), *half,
            "--output", folder / "classify.json", "--results", folder / "rows.json", "--quiet",
        )  # fmt: skip


def _run(settings: Comparison, *words: str | Path) -> None:
    """A program of this project, which finds the language model by its folder."""
    command = [sys.executable, *(str(one.absolute()) if isinstance(one, Path) else one for one in words)]
    environment = {**os.environ, "HEARTLLM_BASE": str(settings.base.absolute())}
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)


def figures(
    settings: Comparison, first: str, variants: Sequence[str], measures: Sequence[str], facts: Mapping[str, Any]
) -> list[Result]:
    """The mean over the seeds of each variant, measure and condition; as interval lowest and highest.

    Args:
        settings: whose folder holds what was found.
        first: what the results' names begin with.
        variants: their names, in the order in which they were judged.
        measures: parts of the names that `heartllm evaluate classify` gives its results.
        facts: of each result.
    """
    found = []
    for place, variant in enumerate(variants):
        of_seeds = [read_results(settings.output / f"{place}-{seed}" / "rows.json") for seed in settings.seeds]
        for measure in measures:
            for condition in CONDITIONS:
                values = [_value(rows, measure, condition) for rows in of_seeds]
                found.append(mean_over_seeds(f"{first}, {variant}: {measure}, {condition}", values, facts))
    return found


def mean_over_seeds(name: str, values: Sequence[float], facts: Mapping[str, Any]) -> Result:
    """The mean of what each seed gave; as interval the lowest and the highest, of one seed none."""
    return Result(name, float(np.mean(values)), (min(values), max(values)) if len(values) > 1 else None, **facts)


def words_of_seeds(seeds: Sequence[int]) -> str:
    """What a value and its interval are, for `Result.data`."""
    return "one seed" if len(seeds) == 1 else f"mean, lowest and highest of {len(seeds)} seeds"


def _value(rows: Sequence[Result], measure: str, condition: str) -> float:
    found = [row.value for row in rows if f": {measure}" in row.name and row.name.endswith(f", {condition}")]
    if len(found) != 1:
        raise ValueError(f"no figure of {measure!r}, {condition}: too few recordings of a class; give more --judged")
    return found[0]


def table(found: Sequence[Result], first: str, variants: Sequence[str], columns: Mapping[str, str]) -> str:
    """Markdown: variants as rows, measures as columns, the control behind each.

    Args:
        found: of `figures`.
        first: what their names begin with.
        variants: the rows.
        columns: heading → measure.
    """
    by_name = {row.name: row for row in found}
    lines = [f"| {first} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for variant in variants:
        cells = []
        for measure in columns.values():
            real, other = (by_name[f"{first}, {variant}: {measure}, {condition}"] for condition in CONDITIONS)
            between = "" if real.interval is None else f" ({real.interval[0]:.3f} to {real.interval[1]:.3f})"
            cells.append(f"{real.value:.3f}{between}; {other.value:.3f}")
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)
