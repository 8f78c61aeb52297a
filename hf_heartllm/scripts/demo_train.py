"""All stages of training on simulated ECGs, from nothing to a checkpoint that answers; five minutes on two cores.

    python training/demo_train.py --output build/demo-train

Shows that the path works. The checkpoint has learned from a few hundred simulated ECGs and knows nothing of patients.
Run it again after an interruption and it goes on; --force begins anew.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

# two of six are atrial fibrillation, so that a rhythm is no rare finding here and a few minutes are enough
CONDITIONS = (
    "normal",
    "atrial fibrillation",
    "tachycardia",
    "atrial fibrillation",
    "left bundle branch block",
    "bradycardia",
)
QUESTION = "What rhythm does this ECG show?"
EXAMPLES = {"example:af": "atrial fibrillation", "example:normal": "sinus rhythm", None: None}
"""Recordings that the checkpoint is asked about in the end, with their rhythms; None is no recording, the control."""


def run(*command: str) -> None:
    """Run one step with this Python, showing what is run; stop where it fails."""
    print(f"\n$ python {shlex.join(command)}", flush=True)
    # threads that wait for each other spin for a moment only, so that a machine that is busy otherwise takes no longer
    environment = {"GOMP_SPINCOUNT": "20000", **os.environ}
    subprocess.run([sys.executable, *command], check=True, env=environment)


def answers(folder: str) -> list[tuple[str | None, str]]:
    """What a checkpoint says about the examples, and without a recording: greedy text."""
    import hf_heartllm as hl

    model = hl.HeartLLMForCausalLM.from_pretrained(folder)
    tokenizer = hl.ECGTokenizer.from_pretrained(folder)
    said = []
    for name in EXAMPLES:
        ecg = [] if name is None else [{"type": "ecg", "ecg": hl.read_ecg(name)}]
        messages = [{"role": "user", "content": [*ecg, {"type": "text", "text": QUESTION}]}]
        inputs = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        written = model.generate(**inputs, max_new_tokens=20, do_sample=False)[0, inputs.input_ids.shape[1] :]
        said.append((name, tokenizer.decode(written, skip_special_tokens=True)))
    return said


def main() -> int:
    """Run every stage. Returns the exit code: 1 where the checkpoint does not tell the rhythms apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("build/demo-train"))
    parser.add_argument("--records", type=int, default=240, help="simulated records; default: 240")
    parser.add_argument("--seed", type=int, default=0, help="of the records and of every stage; default: 0")
    parser.add_argument("--force", action="store_true", help="remove what an earlier run left in --output")
    args = parser.parse_args()
    started = time.monotonic()
    out = args.output.resolve()
    if args.force:
        shutil.rmtree(out, ignore_errors=True)
    data, rows, tokens = out / "data", out / "rows.parquet", out / "tokens"
    seed, stage = str(args.seed), "hf_heartllm.scripts."
    # installed with the package, or at the top of a clone
    installed = "hf_heartllm.dataset_builders"
    builders = installed if find_spec(installed) else "dataset_builders"
    trained = ("--set", f"training.seed={seed}", "--set", "training.warmup_steps=10")

    run(
        *("-m", f"{builders}.simulated", "--records", str(args.records), "--seed", seed),
        *("--conditions", ",".join(CONDITIONS), "--output", f"{data}"),
    )
    run("-m", f"{builders}.training_rows", "--ptbxl", f"{data}", "--seed", seed, "--output", f"{rows}")
    run(
        *("-m", f"{stage}train_codec", "--recipe", "codec", "--ptbxl", f"{data}", *trained),
        *("--output", f"{out}/codec", "--set", "training.max_steps=150"),
        *("--set", "codec.hidden_sizes=[32, 96]", "--set", "probe.at_least=10"),
    )
    for recipe, before, steps in (("refinements", "codec", 30), ("decoder", "refinements", 20)):
        run(
            *("-m", f"{stage}train_codec", "--recipe", f"codec_{recipe}", "--ptbxl", f"{data}"),
            *("--codec", f"{out}/{before}/codec", "--output", f"{out}/{recipe}", *trained),
            *("--set", f"training.max_steps={steps}"),
        )
    codec = f"{out}/decoder/codec"
    run(
        *("-m", f"{builders}.ecg_tokens", "--ptbxl", f"{data}", "--codec", codec),
        *("--output", f"{tokens}"),
    )
    if not (Path(out) / "base" / "config.json").exists():  # it is whole as soon as it is there
        run(
            *("-m", f"{stage}make_base", "--recipe", "base_tiny", "--rows", f"{rows}"),
            *("--codec", codec, "--output", f"{out}/base", "--set", f"seed={seed}"),
            *("--set", "decoder.hidden_size=96", "--set", "decoder.intermediate_size=256"),
            *("--set", "decoder.num_hidden_layers=3", "--set", "decoder.num_attention_heads=3"),
            *("--set", "decoder.num_key_value_heads=3"),
        )
    files = ("--rows", f"{rows}", "--tokens", f"{tokens}")
    run(
        *("-m", f"{stage}pretrain", "--recipe", "pretrain_tiny", "--model", f"{out}/base", *files),
        *("--output", f"{out}/pretrain", *trained, "--set", "training.max_steps=30"),
    )
    run(
        *("-m", f"{stage}finetune", "--recipe", "finetune_tiny", "--model", f"{out}/pretrain/model"),
        *(*files, "--output", f"{out}/finetune", *trained, "--set", "training.max_steps=300"),
        *("--set", "training.learning_rate=0.003", "--set", "probe.at_least=10"),
    )
    model = f"{out}/finetune/model"
    told = answers(model)
    print(f"\n{QUESTION}")
    for name, text in told:
        print(f"  {name or 'no ECG, control':<20} {text}")
    print(f"\n{model}: trained on simulated ECGs in {time.monotonic() - started:.0f} s; try it:")
    print(f'  heartllm ask example:af "{QUESTION}" --model {shlex.quote(model)}')
    wrong = [name for name, text in told if name and text != EXAMPLES[name]]
    if wrong:
        print(f"not told apart this time: {', '.join(wrong)}; another --seed may do better", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "demo_train"))
