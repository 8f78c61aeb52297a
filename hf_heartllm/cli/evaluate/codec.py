"""`heartllm evaluate codec FOLDER --ptbxl DIR --output FILE`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..common import UsageError, positive, print_notice, quiet_transformers
from .checkpoint import check_paths, parts_folder

HELP = "Rate and distortion, clinical fidelity, robustness and meaning of an ECG codec, on recordings of PTB-XL."
EXAMPLES = (
    "heartllm evaluate codec build/codec/codec --ptbxl ptb-xl --output codec.json",
    "heartllm evaluate codec build/codec/codec --against build/paper/codec --ptbxl ptb-xl --output codec.json",
    "heartllm evaluate codec build/codec/codec --ptbxl ptb-xl --output try.json --max-records 100 --skip probes",
)
USUAL: dict[str, Any] = {
    "folds": "9",
    "training_folds": "1-8",
    "max_records": None,
    "measured_records": 400,
    "tried_records": 60,
    "probe_records": None,
    "probe_passes": 10,
    "probe_seeds": 3,
    "skip": "",
}
"""Options that change figures, and their defaults."""
PARTS = ("rate-distortion", "fidelity", "robustness", "denoising", "probes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a codec: config.json and model.safetensors")
    parser.add_argument("--ptbxl", metavar="DIR", type=Path, required=True, help="folder in PTB-XL's layout")
    parser.add_argument("--output", metavar="FILE", type=Path, required=True, help="JSON file of figures to write")
    parser.add_argument("--against", metavar="FOLDER", type=Path, help="another codec, evaluated on the same records")
    parser.add_argument("--name", help="of the codec in the figures (default: ours, or heartllm-paper by its layers)")
    parser.add_argument("--against-name", metavar="NAME", help="of the other codec, likewise")
    parser.add_argument("--folds", default=USUAL["folds"], help="folds to evaluate (default: 9)")
    parser.add_argument(
        "--training-folds", default=USUAL["training_folds"], metavar="FOLDS", help="of the probes (default: 1-8)"
    )
    parser.add_argument("--max-records", type=positive, metavar="N", help="of the evaluated folds, evenly spaced")
    parser.add_argument(
        "--measured-records", type=positive, default=USUAL["measured_records"], metavar="N", help="default: 400"
    )
    parser.add_argument(
        "--tried-records", type=positive, default=USUAL["tried_records"], metavar="N", help="robustness; default: 60"
    )
    parser.add_argument("--probe-records", type=positive, metavar="N", help="to train probes on (default: all)")
    parser.add_argument("--probe-passes", type=positive, default=USUAL["probe_passes"], metavar="N", help="default: 10")
    parser.add_argument("--probe-seeds", type=positive, default=USUAL["probe_seeds"], metavar="N", help="default: 3")
    parser.add_argument("--skip", default="", metavar="PARTS", help=f"of {','.join(PARTS)}")
    parser.add_argument("--parts", metavar="DIR", type=Path, help="where whole parts are kept (default: FILE.parts)")
    parser.add_argument("--pictures", metavar="DIR", type=Path, help="also draw originals over decoded, simulated ECGs")
    parser.add_argument("--device", default="cpu", help="for probes; default: cpu")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the table, write the file."""
    from ...labels.ptbxl import folds

    skip = tuple(part for part in args.skip.split(",") if part)
    unknown = [part for part in skip if part not in PARTS]
    if unknown:
        raise UsageError(f"--skip {','.join(unknown)}: there are {', '.join(PARTS)}")
    for folder in (args.folder, args.against):
        if folder is not None and not (folder / "config.json").is_file():
            raise UsageError(f"{folder}: the folder holds no config.json, so it is no codec")
    try:
        evaluated, training = folds(args.folds), folds(args.training_folds)
    except ValueError as error:
        raise UsageError(str(error)) from None
    check_paths(args)
    quiet_transformers()
    from ...evaluation.codec.coder import Coder
    from ...evaluation.codec.evaluate import evaluate_codecs
    from ...evaluation.codec.parts import table
    from ...evaluation.codec.settings import Settings
    from ...evaluation.results import current_commit, machine_words, meets_target, write_results

    try:
        coder = Coder.from_folder(args.folder, args.name)
        against = None if args.against is None else Coder.from_folder(args.against, args.against_name)
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None
    if against is not None and against.name == coder.name:
        raise UsageError(f"both codecs are called {coder.name}; give --name and --against-name")
    settings = Settings(
        ptbxl=args.ptbxl,
        folds=evaluated,
        training_folds=training,
        max_records=args.max_records,
        measured_records=args.measured_records,
        tried_records=args.tried_records,
        probe_records=args.probe_records,
        probe_passes=args.probe_passes,
        probe_seeds=args.probe_seeds,
        device=args.device,
        skip=skip,
        progress=not args.quiet,
    )
    parts = parts_folder(args)
    try:
        evaluation = evaluate_codecs(coder, against, settings, parts)
    except ValueError as error:
        raise UsageError(str(error)) from None
    print(table(evaluation.figures))
    facts: dict[str, Any] = {
        "command": _command(args),
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


def _command(args: argparse.Namespace) -> str:
    """The command as others would type it: the folders of this machine say nothing to them."""
    words = "heartllm evaluate codec FOLDER --ptbxl DIR"
    words += " --against FOLDER" if args.against else ""
    for option, usual in USUAL.items():
        value = getattr(args, option)
        words += f" --{option.replace('_', '-')} {value}" if value != usual else ""
    return f"{words} --output FILE"
