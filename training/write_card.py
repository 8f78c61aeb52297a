"""Write the cards of the embedded checkpoints with what lies beside them, and the tables of README.md and docs.

python training/write_card.py          # after `heartllm evaluate qa --results benchmarks/results/evaluation.json`
python training/write_card.py --check  # writes nothing; exit code 1 and a line each for what is out of date
python training/write_card.py --name heartllm-tiny --checkpoint build/tiny/tuned/model  # of a folder, before a push

Beside the weights stand then README.md, EVALUATION.md with every figure, two plots, and .eval_results, all of them
from benchmarks/results, model_cards and the checkpoint itself. What was not measured is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hf_heartllm.hub.cards import checkpoint_facts, render_tables
from hf_heartllm.hub.model_cards import CardFiles, read_measured, render_files
from hf_heartllm.hub.pivots import render_pivots
from hf_heartllm.models.whole_files import write_whole

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES, RESULTS = ROOT / "model_cards", ROOT / "benchmarks" / "results"
NAME = "heartllm-tiny"


def cards() -> dict[Path, CardFiles]:
    """Folder of each embedded checkpoint that model_cards tells of → what should lie beside its weights.

    Raises:
        FileNotFoundError: if heartllm-tiny is not there.
        ValueError: if a fact or a figure is missing.
    """
    names = [told.stem for told in sorted(TEMPLATES.glob("*.json"))]
    folders = {name: ROOT / "hf_heartllm" / "checkpoints" / name for name in dict.fromkeys([NAME, *names])}
    there = {name: folder for name, folder in folders.items() if name == NAME or (folder / "config.json").is_file()}
    return {folder: card(folder, name) for name, folder in there.items()}


def card(folder: Path, name: str) -> CardFiles:
    """What should lie beside a checkpoint's weights.

    `model_cards/NAME.json` says what no checkpoint and no results file does. Two of its entries are about the card:
    `template`, the Markdown beside it (NAME's own by default), and `results`, the file of `benchmarks/results` with the
    checkpoint's figures (evaluation.json); all others are facts that the template shows.

    Raises:
        FileNotFoundError: if the checkpoint, or what is told of it, is not there.
        ValueError: if a fact or a figure is missing.
    """
    facts = json.loads((TEMPLATES / f"{name}.json").read_text(encoding="utf-8"))
    template = TEMPLATES / f"{facts.pop('template', name)}.md"
    measured = read_measured(name, RESULTS / facts.pop("results", "evaluation.json"))
    pictures = ["codec.png"] if (folder / "codec.png").is_file() else []
    return render_files(template, measured, {**facts, **checkpoint_facts(folder)}, RESULTS, pictures=pictures)


def documents() -> dict[Path, str]:
    """README.md and the pages of docs, those that are there, with what they should say.

    Raises:
        FileNotFoundError: if a mark names a results file that is not there.
        ValueError: if a mark names no row; the message names the document.
    """
    wanted = {}
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
                wanted[path] = render_pivots(render_tables(text, RESULTS), RESULTS)
            except ValueError as error:
                raise ValueError(f"{path.relative_to(ROOT)}: {error}") from error
    return wanted


def out_of_date(wanted: dict[Path, str]) -> list[Path]:
    """Those files that are not there or say something else."""
    return [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def main(argv: list[str] | None = None) -> int:
    """Write or check. Returns the exit code: 1 for files out of date, 2 if something to render from is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="write the card of this checkpoint alone")
    parser.add_argument("--name", help="of that checkpoint: model_cards/NAME.json tells of it")
    args = parser.parse_args(argv)
    if (args.checkpoint is None) != (args.name is None):
        parser.error("--checkpoint and --name belong together")
    texts: dict[Path, str] = {}
    try:
        if args.checkpoint is not None:
            files = {args.checkpoint: card(args.checkpoint, args.name)}
        else:
            texts, files = documents(), cards()
    except FileNotFoundError as error:
        print(f"error: {error.filename} is not there; train and measure first", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    changed = out_of_date(texts)
    beside = {folder: one.out_of_date(folder) for folder, one in files.items()}
    if not args.check:
        for path in changed:
            write_whole(path, texts[path])
        for folder, one in files.items():
            if beside[folder]:
                one.write(folder)
    for path in [*changed, *(path for paths in beside.values() for path in paths)]:
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        print(f"{shown}: {'out of date' if args.check else 'written' if path.exists() else 'removed'}")
    return 1 if args.check and (changed or any(beside.values())) else 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "write_card"))
