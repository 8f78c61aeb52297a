"""Write the cards of the embedded checkpoints, and the tables of README.md and docs, from the measured figures.

python training/write_card.py          # after `heartllm evaluate qa --results benchmarks/results/evaluation.json`
python training/write_card.py --check  # writes nothing; exit code 1 and a line each for what is out of date
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hf_heartllm.evaluation.results import read_results
from hf_heartllm.hub.cards import checkpoint_facts, render_card, render_tables
from hf_heartllm.hub.pivots import render_pivots
from hf_heartllm.models.whole_files import write_whole

ROOT = Path(__file__).resolve().parent.parent
NAME = "heartllm-tiny"


def cards() -> dict[Path, str]:
    """Where the cards stand, and what they should say: of each template in model_cards whose checkpoint is embedded.

    Raises:
        FileNotFoundError: if heartllm-tiny or its results are not there.
        ValueError: if a fact or a figure is missing.
    """
    names = [template.stem for template in sorted((ROOT / "model_cards").glob("*.md"))]
    there = [name for name in names if (ROOT / "hf_heartllm" / "checkpoints" / name / "config.json").is_file()]
    return dict(card(name) for name in dict.fromkeys([NAME, *there]))


def card(name: str = NAME) -> tuple[Path, str]:
    """Where a card stands, and what it should say.

    Raises:
        FileNotFoundError: if the checkpoint or its results are not there.
        ValueError: if a fact or a figure is missing.
    """
    folder = ROOT / "hf_heartllm" / "checkpoints" / name
    template = ROOT / "model_cards" / f"{name}.md"
    training = json.loads(template.with_suffix(".json").read_text(encoding="utf-8"))
    results = ROOT / "benchmarks" / "results"
    rows = [row for file in ("path.json", "codec.json") for row in read_results(results / file)]
    text = render_card(template, rows, {**training, **checkpoint_facts(folder)})
    return folder / "README.md", render_pivots(text, results)


def documents() -> dict[Path, str]:
    """README.md and the pages of docs, those that are there, with what they should say.

    Raises:
        FileNotFoundError: if a mark names a results file that is not there.
        ValueError: if a mark names no row; the message names the document.
    """
    wanted = {}
    results = ROOT / "benchmarks" / "results"
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
                wanted[path] = render_pivots(render_tables(text, results), results)
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
    args = parser.parse_args(argv)
    try:
        wanted = {**documents(), **cards()}
    except FileNotFoundError as error:
        print(f"error: {error.filename} is not there; train and measure first", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    changed = out_of_date(wanted)
    for path in changed:
        if not args.check:
            write_whole(path, wanted[path])
        print(f"{path.relative_to(ROOT)}: {'out of date' if args.check else 'written'}")
    return 1 if args.check and changed else 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "write_card"))
