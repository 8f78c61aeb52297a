"""What new rows of a pretrained language model should begin as, before they learn to stand for ECG tokens.

    python benchmarks/first_rows.py --base build/smollm2-135m-instruct --tokens build/tokens \\
        --soft-labels build/soft_labels.parquet --measurements build/measurements.csv --output build/first-rows

The rows of all codes begin as their mean, and learn at the rate of everything else or at one of their own; or they
begin apart, by the levels of the codec's quantiser, and share what codes of one level have in common. Each is
grounded by training/ground.py (recipe ground_smollm2, no texts held) over seeds, and judged by the probes on
recordings of a fold that was not trained on. Beside it stands how many directions the rows differ in at the end: the
participation ratio of the variances along their principal axes (1: one direction; at most the smaller of codes and
width).

Everything is kept in --output: run again, it goes on where it stopped. Prints a table of the means over the seeds and
writes benchmarks/results/first_rows.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.ecg_lm_variants import mean_over_seeds  # noqa: E402
from hf_heartllm.arguments import add_options, given_options, settings_of  # noqa: E402
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results  # noqa: E402

KINDS = {
    "their mean, at the rate of everything else": ("first_rows=mean", "rows_learning_rate=0.001"),
    "their mean, at a rate of their own": ("first_rows=mean",),
    "apart by levels, at a rate of their own": (),
}
MEASURES = {"superclass": "auroc_superclass", "all statements": "auroc_statements", "directions": "directions"}
ROWS = "trainable_tokens_delta"
BORDERS = 2
"""Rows of the start and the end of an ECG, before those of the codes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is compared.

    Attributes:
        base: folder of the language model.
        tokens: folder of dataset_builders.ecg_tokens, with questions unless `rows` holds them.
        rows: Parquet file of dataset_builders.training_rows.
        soft_labels: Parquet file of training/soft_labels.py.
        measurements: CSV table of dataset_builders.measurements.
        output: folder for what is made.
        seeds: of the new weights and of the draws.
        steps: of grounding, `records` recordings each.
        records: of a step.
        judged: recordings of fold 8.
        bf16: train in bfloat16, which pays on processors with units for it.
        results: results file to write.
    """

    base: Path
    tokens: Path
    rows: Path | None = None
    soft_labels: Path
    measurements: Path
    output: Path
    seeds: tuple[int, ...] = (1, 2, 3)
    steps: int = 200
    records: int = 16
    judged: int = 500
    bf16: bool = False
    results: Path = REPOSITORY / "benchmarks" / "results" / "first_rows.json"


def directions(rows: Tensor) -> float:
    """How many directions rows (codes, hidden) differ in: the participation ratio of their principal axes' variances.

    >>> directions(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    2.0
    """
    variances = torch.linalg.svdvals(rows.double() - rows.double().mean(dim=0)).square()
    return float(variances.sum().square() / variances.square().sum())


def ground(settings: Settings, options: tuple[str, ...], folder: Path, seed: int) -> dict[str, float]:
    """Train one model, as far as that is not done; what was measured of it."""
    if not (folder / "log.json").exists():
        paths = {"--base": settings.base, "--tokens": settings.tokens, "--rows": settings.rows}
        paths |= {"--soft-labels": settings.soft_labels, "--measurements": settings.measurements}
        words = [word for option, path in paths.items() if path for word in (option, str(path.absolute()))]
        steps = settings.steps
        changed = (
            "data.folds=1-7", "data.eval_folds=8", f"data.eval_records={settings.judged}", "data.incomplete_share=0",
            "text_weight=0", f"training.seed={seed}", f"training.max_steps={steps}", f"training.eval_steps={steps}",
            f"training.warmup_steps={max(1, steps // 20)}", f"training.per_device_train_batch_size={settings.records}",
            f"training.bf16={str(settings.bf16).lower()}", *options,
        )  # fmt: skip
        command = [sys.executable, "training/ground.py", "--recipe", "ground_smollm2", *words]
        command += ["--output", str(folder.absolute()), "--set", *changed]
        subprocess.run(command, cwd=REPOSITORY, env=os.environ, check=True, stdout=subprocess.DEVNULL)
    history = json.loads((folder / "log.json").read_text(encoding="utf-8"))["log_history"]
    judged = [one for one in history if "eval_loss" in one][-1]
    [rows] = [
        value for name, value in load_file(folder / "model" / "adapter_model.safetensors").items() if ROWS in name
    ]
    found = {name: judged[f"eval_{name}"] for name in MEASURES.values() if f"eval_{name}" in judged}
    return {**found, "directions": directions(rows[BORDERS:])}


def main() -> int:
    """Train and judge what is not there yet. Returns the exit code, that of the first program that fails."""
    parser = argparse.ArgumentParser(prog="python benchmarks/first_rows.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_options(parser, Settings)
    settings = settings_of(Settings, parser.parse_args())
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    try:
        for seed in settings.seeds:
            for place, (kind, options) in enumerate(KINDS.items()):
                print(f"{kind}, seed {seed}", flush=True)
                found[kind].append(ground(settings, options, settings.output / f"{place}-{seed}", seed))
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd[1:4]))} … ended with {error.returncode}", file=sys.stderr)
        return error.returncode
    facts = {
        "command": f"python benchmarks/first_rows.py {given_options(settings)}",
        "data": f"{settings.judged} records of fold 8, {settings.steps * settings.records} read of folds 1-7; mean, "
        f"lowest and highest of {len(settings.seeds)} seeds",
        "commit": current_commit(),
        "machine": machine_words(),
    }
    rows = [
        mean_over_seeds(
            _name(kind, heading),
            [one[measure] for one in of_seeds],
            {**facts, "unit": "directions" if heading == "directions" else "fraction"},
        )
        for kind, of_seeds in found.items()
        for heading, measure in MEASURES.items()
    ]
    print(table_of(rows))
    write_results(settings.results, rows)
    return 0


def _name(kind: str, heading: str) -> str:
    return f"first rows, {kind}: {'' if heading == 'directions' else 'AUROC of the probes, '}{heading}"


def table_of(rows: Sequence[Result]) -> str:
    """Markdown: kinds as rows, measures as columns, each the mean, the lowest and the highest of the seeds."""
    by_name = {row.name: row for row in rows}
    lines = [f"| rows begin as | {' | '.join(MEASURES)} |", f"|---|{'---|' * len(MEASURES)}"]
    for kind in KINDS:
        cells = []
        for heading in MEASURES:
            one, digits = by_name[_name(kind, heading)], 1 if heading == "directions" else 3
            assert one.interval is not None
            low, high = one.interval
            cells.append(f"{one.value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
