"""Put a trained checkpoint into the package, as `hl.checkpoint()` finds it.

    python training/embed_checkpoint.py --model build/finetuned/model --name heartllm-tiny

Keeps the folder's LICENSE, README and picture; a new folder's LICENSE is heartllm-tiny's with its own name, and its
card is written by training/write_card.py from model_cards/NAME.md. A `calibration.json` in the new model's folder comes
along; one of the weights that are replaced does not stay. The code that a checkpoint needs is linked from
hf_heartllm/models, so the repository holds it once; a wheel and `heartllm export` hold the files themselves. A plain
language model (text-tiny, of training/text_model.py) needs no code of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

from hf_heartllm.models.configuration_ecg_lm import ECGLMConfig
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig

PACKAGE = Path(__file__).resolve().parent.parent / "hf_heartllm"
KEPT = ("LICENSE", "README.md", "codec.png")
LICENSED_AS = "heartllm-tiny"
"""Whose LICENSE a new checkpoint begins with: the same data, the same terms."""


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
    if needs_code(scratch):
        for code in sorted((PACKAGE / "models").glob("*.py")):
            if code.name != "__init__.py":
                (scratch / code.name).symlink_to(Path("..") / ".." / "models" / code.name)
    other = PACKAGE / "checkpoints" / LICENSED_AS / "LICENSE"
    if not (scratch / "LICENSE").exists() and other.is_file():
        (scratch / "LICENSE").write_text(licence_of(name, scratch, other.read_text(encoding="utf-8")), encoding="utf-8")
    for kept in KEPT:
        if (target / kept).is_file():
            shutil.copy(target / kept, scratch / kept)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(scratch, target)
    return target


def needs_code(checkpoint: Path) -> bool:
    """Whether a checkpoint is loaded by our code; a plain language model is not."""
    kind = json.loads((checkpoint / "config.json").read_text(encoding="utf-8")).get("model_type")
    return kind in (HeartLLMConfig.model_type, ECGLMConfig.model_type)


def licence_of(name: str, checkpoint: Path, text: str) -> str:
    """The text of another checkpoint's licence, about this one: the first line names the weights."""
    weights = ", ".join(sorted(str(file.relative_to(checkpoint)) for file in checkpoint.rglob("*.safetensors")))
    rest = text.split("\n", 1)[1]
    if not needs_code(checkpoint):
        rest = "\n\n".join(part for part in rest.split("\n\n") if not part.startswith("The Python files"))
    base = json.loads((checkpoint / "config.json").read_text(encoding="utf-8")).get("base_model")
    if not base:
        return f"The weights of {name} ({weights}) and its vocabulary (tokenizer.json)\n{rest}"
    code = "\n\nThe Python files"
    vocabulary = f"\n\ntokenizer.json holds the vocabulary of {base['name']}, under that model's licence."
    return f"The weights of {name} ({weights})\n{rest}".replace(code, vocabulary + code, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model",
        required=True,
        type=Path,
        help="checkpoint folder, as training/finetune.py or training/text_model.py writes it",
    )
    parser.add_argument("--name", default="heartllm-tiny", help="default: heartllm-tiny")
    args = parser.parse_args()
    if not (args.model / "config.json").is_file():
        parser.error(f"--model {args.model}: no checkpoint is there (config.json)")
    print(embed(args.model, args.name))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "embed_checkpoint"))
