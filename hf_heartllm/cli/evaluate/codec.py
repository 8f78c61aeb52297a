"""`heartllm evaluate codec FOLDER --ptbxl DIR --output FILE`."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ...arguments import add_options, given_options, settings_of
from ...evaluation.codec.settings import Settings
from ..common import UsageError, fold_list, positive, print_notice, quiet_transformers
from .checkpoint import check_paths, parts_folder

HELP = "Rate and distortion, clinical fidelity, robustness and meaning of an ECG codec, on recordings of PTB-XL."
EXAMPLES = (
    "heartllm evaluate codec build/codec/codec --ptbxl ptb-xl --output codec.json",
    "heartllm evaluate codec build/codec/codec --against build/paper/codec --ptbxl ptb-xl --output codec.json",
    "heartllm evaluate codec build/codec/codec --ptbxl ptb-xl --output try.json --max-records 100 --skip probes",
)
COUNTS = ("max_records", "measured_records", "tried_records", "probe_records", "probe_passes", "probe_seeds")
PARTS = ("rate-distortion", "fidelity", "robustness", "denoising", "probes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a codec: config.json and model.safetensors")
    add_options(
        parser,
        Settings,
        without=("progress",),
        ptbxl={"metavar": "DIR"},
        folds={"type": fold_list, "metavar": "FOLDS"},
        training_folds={"type": fold_list, "metavar": "FOLDS"},
        skip={"type": part_names, "metavar": "PARTS"},
        **{name: {"type": positive} for name in COUNTS},
    )
    parser.add_argument("--output", metavar="FILE", type=Path, required=True, help="JSON file of figures to write")
    parser.add_argument("--against", metavar="FOLDER", type=Path, help="another codec, evaluated on the same records")
    parser.add_argument("--name", help="of the codec in the figures (default: ours, or heartllm-paper by its layers)")
    parser.add_argument("--against-name", metavar="NAME", help="of the other codec, likewise")
    parser.add_argument("--parts", metavar="DIR", type=Path, help="where whole parts are kept (default: FILE.parts)")
    parser.add_argument("--pictures", metavar="DIR", type=Path, help="also draw originals over decoded, simulated ECGs")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def part_names(text: str) -> tuple[str, ...]:
    """Parts to leave out, with commas."""
    found = tuple(part for part in text.split(",") if part)
    if any(part not in PARTS for part in found):
        raise argparse.ArgumentTypeError(f"{text}: there are {', '.join(PARTS)}")
    return found


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the table, write the file."""
    for folder in (args.folder, args.against):
        if folder is not None and not (folder / "config.json").is_file():
            raise UsageError(f"{folder}: the folder holds no config.json, so it is no codec")
    check_paths(args)
    quiet_transformers()
    from ...evaluation.codec.coder import Coder
    from ...evaluation.codec.evaluate import evaluate_codecs
    from ...evaluation.codec.parts import table
    from ...evaluation.results import current_commit, machine_words, meets_target, write_results

    try:
        coder = Coder.from_folder(args.folder, args.name)
        against = None if args.against is None else Coder.from_folder(args.against, args.against_name)
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None
    if against is not None and against.name == coder.name:
        raise UsageError(f"both codecs are called {coder.name}; give --name and --against-name")
    settings = settings_of(Settings, args, progress=not args.quiet)
    parts = parts_folder(args)
    try:
        evaluation = evaluate_codecs(coder, against, settings, parts)
    except ValueError as error:
        raise UsageError(str(error)) from None
    print(table(evaluation.figures))
    facts: dict[str, Any] = {
        "command": _command(settings, against is not None),
        "commit": current_commit(Path(__file__).resolve().parent),
        "machine": machine_words(),
    }
    data = settings.words(len(settings.records()))
    rows = [
        replace(one, data="; ".join(filter(None, (data, one.data))), **facts).rounded(5) for one in evaluation.figures
    ]
    if missed := [figure for figure, row in zip(evaluation.figures, rows, strict=True) if meets_target(row) is False]:
        print(f"\nFigures that do not meet their bar: {len(missed)}\n{table(missed)}\n")
    write_results(args.output, rows)
    if args.pictures is not None:
        from ...evaluation.codec.picture import plot_rates, write_pictures

        written = write_pictures(coder, args.pictures)
        if evaluation.distortions:
            coders = [coder] if against is None else [coder, against]
            written.append(plot_rates(evaluation.distortions, coders, args.pictures / "rate-distortion.png"))
        for path in written:
            print(path)
    print_notice()


def _command(settings: Settings, against: bool) -> str:
    """The command as others would type it: the folders of this machine say nothing to them."""
    figures = [field.name for field in fields(settings) if field.name not in ("ptbxl", "device", "progress")]
    words = ["heartllm evaluate codec FOLDER --ptbxl DIR", "--against FOLDER" if against else ""]
    return " ".join([*filter(None, [*words, given_options(settings, figures)]), "--output FILE"])
