"""Put a trained checkpoint into the package, as `hl.checkpoint()` finds it.

    python training/embed_checkpoint.py --model build/finetuned/model --name heartllm-tiny
    make checkpoint-code    (python3 -m training.embed_checkpoint --code)

Keeps the folder's LICENSE, README and picture; a new folder's LICENSE is heartllm-tiny's with its own name, and its
card is written by training/write_card.py from model_cards/NAME.md. A `calibration.json` in the new model's folder comes
along; one of the weights that are replaced does not stay. A plain language model (text-tiny, of
training/text_model.py) needs no code of ours.

The code that a checkpoint needs lies beside it as files, so that any copy of the folder is whole: a clone on Windows, a
zip, a wheel, an upload. They are copies of those in hf_heartllm/models, which `--code` brings up to date; it needs
nothing but Python.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from hf_heartllm.checkpoints import available
from hf_heartllm.hub.checkpoint_code import code_named, write_code
from hf_heartllm.models.whole_files import folder_written_whole

PACKAGE = Path(__file__).resolve().parent.parent / "hf_heartllm"
KEPT = ("LICENSE", "README.md", "codec.png")
LICENSED_AS = "heartllm-tiny"
"""Whose LICENSE a new checkpoint begins with: the same data, the same terms."""


def embed(model: Path, name: str) -> Path:
    """Copy the checkpoint's data files and put its code beside them. Returns the folder."""
    target = PACKAGE / "checkpoints" / name
    ignored = shutil.ignore_patterns("*.py", "training_args.bin", "__pycache__", *KEPT)
    with folder_written_whole(target) as scratch:
        shutil.copytree(model, scratch, ignore=ignored)
        for words in scratch.glob("tokenizer.json"):  # a large vocabulary is indented by more than half of its size
            text = json.loads(words.read_text(encoding="utf-8"))
            compact = json.dumps(text, ensure_ascii=False, separators=(",", ":")) + "\n"
            words.write_text(compact, encoding="utf-8")
        write_code(scratch, PACKAGE / "models")
        for file in scratch.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)  # safetensors writes files that nobody else can read
        other = PACKAGE / "checkpoints" / LICENSED_AS / "LICENSE"
        if not (scratch / "LICENSE").exists() and other.is_file():
            licence = licence_of(name, scratch, other.read_text(encoding="utf-8"))
            (scratch / "LICENSE").write_text(licence, encoding="utf-8")
        for kept in KEPT:
            if (target / kept).is_file():
                shutil.copy(target / kept, scratch / kept)
    return target


def refresh_code() -> list[str]:
    """Bring the code beside every embedded checkpoint up to date. Returns the files that were written or removed."""
    folders = [PACKAGE / "checkpoints" / name for name in available()]
    return [f"{folder.name}/{name}" for folder in folders for name in write_code(folder, PACKAGE / "models")]


def licence_of(name: str, checkpoint: Path, text: str) -> str:
    """The text of another checkpoint's licence, about this one: the first line names the weights."""
    weights = ", ".join(sorted(str(file.relative_to(checkpoint)) for file in checkpoint.rglob("*.safetensors")))
    rest = text.split("\n", 1)[1]
    if not code_named(checkpoint):
        rest = "\n\n".join(part for part in rest.split("\n\n") if not part.startswith("The Python files"))
    base = json.loads((checkpoint / "config.json").read_text(encoding="utf-8")).get("base_model")
    if not base:
        return f"The weights of {name} ({weights}) and its vocabulary (tokenizer.json)\n{rest}"
    code = "\n\nThe Python files"
    vocabulary = f"\n\ntokenizer.json holds the vocabulary of {base['name']}, under that model's licence."
    return f"The weights of {name} ({weights})\n{rest}".replace(code, vocabulary + code, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--model", type=Path, help="checkpoint folder, as training/finetune.py or training/text_model.py writes it"
    )
    what.add_argument("--code", action="store_true", help="bring the code beside the embedded checkpoints up to date")
    parser.add_argument("--name", default="heartllm-tiny", help="default: heartllm-tiny")
    args = parser.parse_args()
    if args.code:
        print("\n".join(refresh_code()) or "up to date")
        return
    if not (args.model / "config.json").is_file():
        parser.error(f"--model {args.model}: no checkpoint is there (config.json)")
    print(embed(args.model, args.name))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "embed_checkpoint"))
