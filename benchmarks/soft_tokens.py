"""How many soft tokens an ECG needs before a frozen language model, and of what they should be made.

    python benchmarks/soft_tokens.py --base build/smollm2-135m-instruct --encoder build/ecg-lm/encoder/model \\
        --ptbxl build/ptb-xl --rows build/rows.parquet --soft-labels build/soft_labels.parquet \\
        --output build/soft-tokens

ECG-LM's paper puts one soft token of the whole recording before its language model. Here stand beside it one token a
lead, tokens along time, more tokens of the whole recording, and, with --measurements, one token with the measured
numbers behind it as text. Each is put before the same frozen language model behind the same frozen encoder by
training/make_ecg_lm.py, is trained by training/finetune_ecg_lm.py on the same draws of yes/no statements, and is judged
by its answers (`heartllm evaluate classify`) on recordings of a fold that neither was trained on.

Everything is kept in --output: run again, it goes on where it stopped. Prints a table of the means over the seeds and
writes benchmarks/results/soft_tokens.json once every kind has every seed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from hf_heartllm.arguments import add_options, given_options, settings_of  # noqa: E402
from hf_heartllm.evaluation.results import (  # noqa: E402
    Result,
    current_commit,
    machine_words,
    read_results,
    write_results,
)

KINDS = {
    "1 of the recording, as in the paper": ("--projector", "record", "--ecg-tokens", "1"),
    "12, one a lead": ("--projector", "leads"),
    "16 along time": ("--projector", "time", "--ecg-tokens", "16"),
    "32 along time": ("--projector", "time", "--ecg-tokens", "32"),
    "32 of the recording": ("--projector", "record", "--ecg-tokens", "32"),
}
MEASURED = "1 of the recording, and measured numbers"
TASKS = ("superclass", "rhythm", "form")
CONDITIONS = ("real ECG", "another patient's ECG")
RECORDS = 4
"""Of a step."""
STATEMENTS_ALONE = (
    "data.folds=1-7", "data.others=null", "data.report_share=0", "data.letters_share=0", "data.incomplete_share=0",
    "data.max_questions=1", "data.statements.questions=2", "data.statements.terse=24",
    "data.statements.plain_share=1.0", "data.statements.explained_share=0", "frozen_encoder=true",
    f"training.per_device_train_batch_size={RECORDS}", "training.warmup_steps=10", "training.save_steps=50",
)  # fmt: skip
"""What differs from finetune_ecg_lm_smollm2.yaml: yes/no alone, which shows soonest what the soft tokens hold."""


@dataclass(frozen=True)
class Settings:
    """What is compared, and on what.

    Attributes:
        base: folder of the frozen language model.
        encoder: folder of the frozen encoder, of training/train_encoder.py.
        ptbxl: PTB-XL's folder.
        rows: Parquet file of dataset_builders.training_rows.
        soft_labels: Parquet file of training/soft_labels.py.
        output: folder for what is made.
        measurements: CSV table of dataset_builders.measurements; None: the kind with measured numbers is left out.
        seeds: of the new weights and of the draws.
        steps: of training, `RECORDS` recordings each.
        judged: recordings that are asked about.
        fold: which they are of.
        results: results file to write.
        bf16: train and ask in bfloat16, which pays on processors with units for it.
    """

    base: Path
    encoder: Path
    ptbxl: Path
    rows: Path
    soft_labels: Path
    output: Path
    measurements: Path | None = None
    seeds: tuple[int, ...] = (1, 2, 3)
    steps: int = 250
    judged: int = 200
    fold: int = 8
    results: Path = REPOSITORY / "benchmarks" / "results" / "soft_tokens.json"
    bf16: bool = False


def main() -> int:
    """Train and judge what is not there yet. Returns the exit code, that of the first program that fails."""
    parser = argparse.ArgumentParser(prog="python benchmarks/soft_tokens.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_options(parser, Settings)
    settings = settings_of(Settings, parser.parse_args())
    kinds = dict(KINDS)
    if settings.measurements is not None:
        kinds[MEASURED] = (*kinds["1 of the recording, as in the paper"], "--measured-text")
    try:
        for seed in settings.seeds:
            for place, (kind, options) in enumerate(kinds.items()):
                print(f"{kind}, seed {seed}", flush=True)
                judge(settings, settings.output / f"{place}-{seed}", options, seed)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd[1:4]))} … ended with {error.returncode}", file=sys.stderr)
        return error.returncode
    found = figures(settings, list(kinds))
    print(table(found, list(kinds)))
    write_results(settings.results, found)
    return 0


def judge(settings: Settings, folder: Path, options: Sequence[str], seed: int) -> None:
    """Make, train and ask one model, as far as that is not done."""
    untrained, trained = folder / "untrained", folder / "trained"
    if not (untrained / "config.json").exists():
        _run(
            settings, "training/make_ecg_lm.py", "--base", settings.base, "--base-name", "base",
            "--encoder", settings.encoder, "--output", untrained, "--seed", str(seed), *options,
        )  # fmt: skip
    if not (trained / "model" / "config.json").exists():
        told = [*STATEMENTS_ALONE, f"training.max_steps={settings.steps}", f"training.seed={seed}"]
        more = [] if settings.measurements is None else ["--measurements", str(settings.measurements.absolute())]
        told.append(f"training.bf16={str(settings.bf16).lower()}")
        _run(
            settings, "training/finetune_ecg_lm.py", "--recipe", "finetune_ecg_lm_smollm2", "--model", untrained,
            "--records", settings.ptbxl, "--rows", settings.rows, "--soft-labels", settings.soft_labels, *more,
            "--output", trained, "--set", *told,
        )  # fmt: skip
    if not (folder / "rows.json").exists():
        half = ["--dtype", "bfloat16"] if settings.bf16 else []
        _run(
            settings, "-m", "hf_heartllm.cli", "evaluate", "classify", "--records", settings.ptbxl,
            "--folds", str(settings.fold), "--training-folds", "1-7", "--model", trained / "model",
            "--max-records", str(settings.judged), *half,
            "--output", folder / "classify.json", "--results", folder / "rows.json", "--quiet",
        )  # fmt: skip


def _run(settings: Settings, *words: str | Path) -> None:
    """A program of this project, which finds the language model by its folder."""
    command = [sys.executable, *(str(one.absolute()) if isinstance(one, Path) else one for one in words)]
    environment = {**os.environ, "HEARTLLM_BASE": str(settings.base.absolute())}
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)


def figures(settings: Settings, kinds: Sequence[str]) -> list[Result]:
    """The mean over the seeds of each kind's AUROC by yes/no, task and condition; as interval lowest and highest."""
    command = f"python benchmarks/soft_tokens.py {given_options(settings)}"
    facts = {"command": command, "commit": current_commit(), "machine": machine_words()}
    facts["data"] = (
        f"{settings.judged} records of fold {settings.fold}, trained on {settings.steps * RECORDS} of folds 1-7; mean, "
        f"lowest and highest of {len(settings.seeds)} seeds"
    )
    found = []
    for place, kind in enumerate(kinds):
        of_seeds = [read_results(settings.output / f"{place}-{seed}" / "rows.json") for seed in settings.seeds]
        for task in TASKS:
            for condition in CONDITIONS:
                values = [_area(rows, task, condition) for rows in of_seeds]
                name = f"soft tokens, {kind}: macro-AUROC, {task}, {condition}"
                found.append(Result(name, float(np.mean(values)), (min(values), max(values)), **facts))
    return found


def _area(rows: Sequence[Result], task: str, condition: str) -> float:
    [one] = [
        row for row in rows if f"macro-AUROC, {task}, yes/no, every record" in row.name and row.name.endswith(condition)
    ]
    return one.value


def table(found: Sequence[Result], kinds: Sequence[str]) -> str:
    """Markdown: kinds as rows, tasks as columns, the control behind each."""
    by_name = {row.name: row for row in found}
    lines = [f"| soft tokens | {' | '.join(TASKS)} |", f"|---|{'---|' * len(TASKS)}"]
    for kind in kinds:
        cells = []
        for task in TASKS:
            real, other = (by_name[f"soft tokens, {kind}: macro-AUROC, {task}, {one}"] for one in CONDITIONS)
            assert real.interval is not None
            cells.append(f"{real.value:.3f} ({real.interval[0]:.3f} to {real.interval[1]:.3f}); {other.value:.3f}")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
