"""Put a trained checkpoint into the package, as `hl.checkpoint()` finds it.

    python training/embed_checkpoint.py --model build/finetuned/model --name heartllm-tiny

Keeps the folder's LICENSE, README and picture. A `calibration.json` in the new model's folder comes along; one of the
weights that are replaced does not stay. The code that a checkpoint needs is linked from hf_heartllm/models, so the
repository holds it once; a wheel and `heartllm export` hold the files themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "hf_heartllm"
KEPT = ("LICENSE", "README.md", "codec.png")


def embed(model: Path, name: str) -> Path:
    """Copy the checkpoint's data files and link its code. Returns the folder."""
    target = PACKAGE / "checkpoints" / name
    scratch = target.with_name(f".{name}.writing")
    shutil.rmtree(scratch, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.py", "training_args.bin", "__pycache__", *KEPT)
    shutil.copytree(model, scratch, ignore=ignored)
    for words in scratch.glob("tokenizer.json"):  # a large vocabulary is indented by more than half of its size
        text = json.loads(words.read_text(encoding="utf-8"))
        words.write_text(json.dumps(text, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    for file in scratch.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)  # safetensors writes files that nobody else can read
    for code in sorted((PACKAGE / "models").glob("*.py")):
        if code.name != "__init__.py":
            (scratch / code.name).symlink_to(Path("..") / ".." / "models" / code.name)
    for kept in KEPT:
        if (target / kept).is_file():
            shutil.copy(target / kept, scratch / kept)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(scratch, target)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", required=True, type=Path, help="checkpoint folder, as training/finetune.py writes it"
    )
    parser.add_argument("--name", default="heartllm-tiny", help="default: heartllm-tiny")
    args = parser.parse_args()
    print(embed(args.model, args.name))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "embed_checkpoint"))
