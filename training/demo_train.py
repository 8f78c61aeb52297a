"""All stages of training on simulated ECGs, from nothing to a checkpoint that answers; a few minutes on two cores.

    python training/demo_train.py --output build/demo-train

Shows that the path works. The checkpoint has learned from a few hundred simulated ECGs and knows nothing of patients.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> None:
    """Run one step with this Python, showing what is run; stop where it fails."""
    print(f"\n$ python {' '.join(command)}", flush=True)
    subprocess.run([sys.executable, *command], check=True, cwd=ROOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "demo-train")
    parser.add_argument("--records", type=int, default=270, help="simulated records; default: 270")
    args = parser.parse_args()
    started = time.monotonic()
    out = args.output.resolve()
    data, rows, tokens = out / "data", out / "rows.parquet", out / "tokens.npz"
    recipes = "training/recipes"

    run("-m", "dataset_builders.simulated", "--records", str(args.records), "--output", f"{data}")
    run("-m", "dataset_builders.training_rows", "--ptbxl", f"{data}", "--output", f"{rows}")
    run(
        *("training/train_codec.py", "--recipe", f"{recipes}/codec.yaml", "--ptbxl", f"{data}"),
        *("--output", f"{out}/codec", "--set", "training.max_steps=120"),
        *("--set", "training.warmup_steps=10", "--set", "probe.at_least=10"),
    )
    for recipe, before, steps in (("refinements", "codec", 80), ("decoder", "refinements", 40)):
        run(
            *("training/train_codec.py", "--recipe", f"{recipes}/codec_{recipe}.yaml", "--ptbxl", f"{data}"),
            *("--codec", f"{out}/{before}/codec", "--output", f"{out}/{recipe}"),
            *("--set", f"training.max_steps={steps}", "--set", "training.warmup_steps=10"),
        )
    codec = f"{out}/decoder/codec"
    run(
        *("-m", "dataset_builders.ecg_tokens", "--ptbxl", f"{data}", "--codec", codec),
        *("--output", f"{tokens}"),
    )
    run(
        *("training/make_base.py", "--recipe", f"{recipes}/base_tiny.yaml", "--rows", f"{rows}"),
        *("--codec", codec, "--output", f"{out}/base"),
        *("--set", "decoder.hidden_size=96", "--set", "decoder.intermediate_size=256"),
        *("--set", "decoder.num_hidden_layers=3", "--set", "decoder.num_attention_heads=3"),
        *("--set", "decoder.num_key_value_heads=3"),
    )
    files = ("--rows", f"{rows}", "--tokens", f"{tokens}")
    run(
        *("training/pretrain.py", "--recipe", f"{recipes}/pretrain_tiny.yaml", "--model", f"{out}/base", *files),
        *("--output", f"{out}/pretrain", "--set", "training.max_steps=30", "--set", "training.warmup_steps=5"),
    )
    run(
        *("training/finetune.py", "--recipe", f"{recipes}/finetune_tiny.yaml", "--model", f"{out}/pretrain/model"),
        *(*files, "--output", f"{out}/finetune", "--set", "training.max_steps=300"),
        *("--set", "training.warmup_steps=20", "--set", "training.learning_rate=0.003"),
    )
    model = f"{out}/finetune/model"
    run("-m", "hf_heartllm.cli", "ask", "example:af", "What rhythm does this ECG show?", "--model", model)
    run("-m", "hf_heartllm.cli", "report", "example:normal", "--model", model)
    print(f"\n{model}: trained on simulated ECGs in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "demo_train"))
