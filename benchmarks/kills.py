"""Trainings killed without warning and run again: are the final weights those of an uninterrupted run?

    python benchmarks/kills.py --kills 20

Each stage trains a tiny model for a few steps and saves a checkpoint every third. `kill -9` comes at moments drawn
evenly from the time that the stage took undisturbed, from its first step to the last file of its model. A run is killed
up to four times and then runs to its end; its weights must be equal to the undisturbed ones, bit by bit. On CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RECORDS, CODES = 12, 40
QUESTIONS = (("Does this ECG show atrial fibrillation?", "AFIB"), ("Does this ECG show sinus rhythm?", "SR"))
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
KILLS_PER_RUN = 4


@dataclass
class Stage:
    """A training as it is started, without its `--output`.

    Attributes:
        name: in the table.
        words: of its command line.
        environment: beside that of this process.
    """

    name: str
    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Killed:
    """How one stage survived.

    Attributes:
        kills: how many there were.
        runs: how many were run to their end.
        equal: how many of those have the undisturbed weights.
        half_written: kills that left a checkpoint or a model that was not whole.
    """

    kills: int = 0
    runs: int = 0
    equal: int = 0
    half_written: int = 0


def tiny_inputs(folder: Path) -> Path:
    """A random base, a checkpoint on it, and a token set of a few records with random codes of the shipped codec."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from transformers import LlamaConfig, LlamaForCausalLM

    from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
    from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
    from hf_heartllm.training.vocabulary import train_text_tokenizer

    text = train_text_tokenizer([*(one for one, _ in QUESTIONS), "yes", "no", "sinus rhythm."] * 3, vocab_size=320)
    base = LlamaForCausalLM(LlamaConfig(vocab_size=len(text), tie_word_embeddings=True, **SIZES))
    base.save_pretrained(folder / "base")
    text.save_pretrained(folder / "base")
    tokenizer = ECGTokenizer.from_base(text, ECGTokenizer.from_pretrained().codec)
    HeartLLMForCausalLM.from_base(base, tokenizer).save_pretrained(folder / "checkpoint")
    tokenizer.save_pretrained(folder / "checkpoint")
    rng = np.random.default_rng(0)

    def asked(index: int) -> list[dict[str, str]]:
        kind = {"question_type": "verify", "attribute_type": "rhythm", "source": "labels"}
        holds = QUESTIONS[index % 2][1]
        return [{**kind, "question": q, "attribute": a, "answer": "yes" if a == holds else "no"} for q, a in QUESTIONS]

    codes = rng.integers(0, tokenizer.ecg_codebook_size, (RECORDS, CODES)).tolist()
    columns = {
        "record_id": [str(i) for i in range(RECORDS)],
        "strat_fold": [1 + i % 2 for i in range(RECORDS)],
        "codes": pa.array(codes, pa.list_(pa.uint16())),
        "codec": [tokenizer.codec.fingerprint()] * RECORDS,
        "questions": [asked(i) for i in range(RECORDS)],
        "report": ["sinus rhythm."] * RECORDS,
    }
    (folder / "tokens").mkdir()
    pq.write_table(pa.table(columns), folder / "tokens" / "train.parquet")
    said = [{"question": q, "answer": "no", "finished": True} for q, _ in QUESTIONS]
    rows = [*said, {"text": "sinus rhythm."}]
    (folder / "turns.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def stages(folder: Path, steps: int = 24, save_steps: int = 3) -> list[Stage]:
    """The stages on `tiny_inputs(folder)`; the last begins with the model that the first has written undisturbed."""
    changes = {
        "training.max_steps": steps,
        "training.save_steps": save_steps,
        "training.warmup_steps": 2,
        "training.logging_steps": 2,
        "training.per_device_train_batch_size": 2,
        "data.folds": "1-2",
    }
    base = {"name": "somebody/tiny", "source": "make it"}
    of_adapter = {"data.incomplete_share": 0}
    ground = {**changes, **of_adapter, "base": base, "layers": 1, "lora.r": 2, "lora.rank_pattern": "{}"}
    ground |= {"lora.lora_dropout": 0.1, "data.at_least": 2}
    tokens = ["--tokens", str(folder / "tokens")]
    whole = [*tokens, "--model", str(folder / "checkpoint")]
    turns = ["--general-turns", str(folder / "turns.jsonl")]
    grounded = [*tokens, *turns, "--model", str(folder / "ground" / "model")]
    codec = [*turns, "--base", str(folder / "base"), "--codec", str(folder / "checkpoint")]
    tune = {**changes, **of_adapter, "data.statements.at_least": 2, "frozen_layers": 1}
    return [
        Stage("ground", _words("ground", "ground_smollm2", [*tokens, *codec], ground)),
        Stage("pretrain", _words("pretrain", "pretrain_tiny", whole, changes)),
        Stage("finetune", _words("finetune", "finetune_tiny", whole, {**changes, "probe.at_least": 2})),
        Stage(
            "finetune (adapter)",
            _words("finetune", "finetune_smollm2", grounded, tune),
            {"HEARTLLM_BASE": str(folder / "base")},
        ),
    ]


def _words(script: str, recipe: str, files: Sequence[str], changes: Mapping[str, object]) -> list[str]:
    settings = [part for name, value in changes.items() for part in ("--set", f"{name}={value}")]
    return [f"training/{script}.py", "--recipe", recipe, *files, *settings]


def start(stage: Stage, output: Path) -> subprocess.Popen[str]:
    """A stage on its way."""
    own = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, *stage.words, "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, **own, **stage.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_the_trainer(process: subprocess.Popen[str]) -> None:
    """Until a stage has said how many records it trains on; what comes after is its trainer."""
    assert process.stdout is not None
    for line in process.stdout:
        if line[:1].isdigit() and " records" in line:
            return


def to_the_end(stage: Stage, output: Path) -> float:
    """Run a stage; gives the seconds from its first step on.

    Raises:
        RuntimeError: if it fails, with the end of what it said.
    """
    process = start(stage, output)
    wait_for_the_trainer(process)
    begun = time.monotonic()
    said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{stage.name}: exit code {process.returncode}: {' '.join(said)[-2000:]}")
    return time.monotonic() - begun


def kill_and_go_on(stage: Stage, output: Path, seconds: float, rng: random.Random, kills: int, told: Killed) -> None:
    """Kill a stage at random moments, each time begun again, then run it to its end."""
    from hf_heartllm.training.checkpoints import last_whole_checkpoint

    for _ in range(kills):
        process = start(stage, output)
        wait_for_the_trainer(process)
        time.sleep(rng.uniform(0, seconds))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            told.kills += 1
        process.communicate()
        whole = last_whole_checkpoint(output)
        newest = max(output.glob("checkpoint-*"), key=lambda one: int(one.name.split("-")[1]), default=None)
        half = newest is not None and str(newest) != whole
        told.half_written += half or (output / ".model.writing").exists()
    to_the_end(stage, output)


def same_weights(first: Path, second: Path) -> bool:
    """Whether two runs have the same model, bit by bit."""
    from safetensors.torch import load_file

    names = [one.name for one in (first / "model").glob("*model.safetensors")]
    pairs = [[load_file(run / "model" / name) for run in (first, second)] for name in names]
    return bool(names) and all(
        one.keys() == other.keys() and all(bool((one[key] == other[key]).all()) for key in one) for one, other in pairs
    )


def survive(stage: Stage, folder: Path, kills: int, seed: int = 0) -> Killed:
    """Run a stage undisturbed into `folder`/its name, then killed `kills` times.

    Args:
        stage: the training.
        folder: of the runs.
        kills: how many.
        seed: of their moments.
    """
    undisturbed = folder / stage.name
    seconds = to_the_end(stage, undisturbed)
    told, rng = Killed(), random.Random(f"{stage.name}-{seed}")
    while told.kills < kills:
        output = folder / f"{stage.name} killed {told.runs}"
        kill_and_go_on(stage, output, seconds, rng, min(KILLS_PER_RUN, kills - told.kills), told)
        told.runs += 1
        told.equal += same_weights(undisturbed, output)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of each stage")
    parser.add_argument("--seed", type=int, default=0, help="of their moments")
    args = parser.parse_args()
    lost = 0
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        folder = tiny_inputs(Path(scratch))
        print(f"{'stage':<20}{'kills':>7}{'half written':>14}{'runs':>6}{'equal':>7}", flush=True)
        for stage in stages(folder):
            told = survive(stage, folder, args.kills, args.seed)
            lost += told.runs - told.equal
            counts = f"{told.kills:>7}{told.half_written:>14}{told.runs:>6}{told.equal:>7}"
            print(f"{stage.name:<20}{counts}", flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "kills"))
