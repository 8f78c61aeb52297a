"""What the evaluations of a checkpoint share: arguments, loading, writing what was found."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...arguments import add_old_name, add_options, given_options, option_name
from ...evaluation.settings import DTYPES
from ..common import UsageError, add_model_argument, fold_list, model_source, positive, print_notice, quiet_transformers

if TYPE_CHECKING:
    from ...evaluation.provenance import Checkpoint
    from ...evaluation.runner import Evaluation
    from ...evaluation.settings import RunSettings


def add_checkpoint_arguments(parser: argparse.ArgumentParser, kind: type, **of_fields: dict[str, Any]) -> None:
    """What an evaluation of a checkpoint takes: its settings, and where to read from and write to.

    Args:
        parser: to add to.
        kind: its settings, of `evaluation.settings`.
        of_fields: as of `arguments.add_options`.
    """
    add_model_argument(parser)
    every: dict[str, dict[str, Any]] = {
        "records": {"names": ("--ptbxl",), "metavar": "SOURCE"},
        "questions": {"metavar": "FILE"},
        "devices": {"metavar": "PREFIX"},
        "max_records": {"type": positive},
        "resamples": {"type": positive},
        "training_folds": {"type": _training_folds, "metavar": "FOLDS"},
    }
    known = {field.name for field in fields(kind)}
    every = {name: one for name, one in every.items() if name in known}
    add_options(parser, kind, without=("progress",), **every, **of_fields)
    add_old_name(parser, "--rate", next(one for one in parser._actions if one.dest == "sampling_rate"))
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="JSON file of everything to write")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="results file whose rows are replaced too, and curves.json beside it",
    )
    parser.add_argument("--parts", type=Path, metavar="DIR", help="for partial results (default: FILE.parts)")
    parser.add_argument("--device", default="cpu", help="default: cpu")
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="of the weights, which the result names; half precision is faster on some devices (default: as saved)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def _training_folds(text: str) -> tuple[int, ...]:
    return () if text == "none" else fold_list(text)


READ = ("records", "ptbxl", "questions", "tokens", "train_rows", "calibration_questions")
"""Options that name what is read."""


def check_paths(args: argparse.Namespace) -> None:
    """Before anything heavy is imported: that what the arguments name is there.

    Raises:
        UsageError: if a file, a folder or a checkpoint is not.
    """
    data = getattr(args, "data", None)
    if data is not None and not data.is_dir():
        raise UsageError(f"{data}: no such folder")
    for option in READ:
        value = getattr(args, option, None)
        if isinstance(value, Path) and not value.exists():
            raise UsageError(f"--{option.replace('_', '-')} {value}: no such file or folder")
    for option in ("model", "text_only_baseline"):
        model_source(getattr(args, option, None), f"--{option.replace('_', '-')}")


def load_checkpoint(args: argparse.Namespace, model: str | None = None, option: str = "--model") -> Checkpoint:
    """The checkpoint of --model, or another one that an option names."""
    source = model_source(args.model if model is None else model, option)
    quiet_transformers()
    from ...checkpoints import checkpoint
    from ...evaluation.provenance import Checkpoint
    from ...inference import checkpoint_name, load_answerer

    folder = checkpoint() if source is None else source
    return Checkpoint(load_answerer(folder, args.device, args.dtype), checkpoint_name(folder))


def parts_folder(args: argparse.Namespace) -> Path:
    """Where partial results go."""
    given: Path | None = args.parts
    return given or args.output.with_name(f"{args.output.name}.parts")


def evaluate_and_write(
    args: argparse.Namespace,
    subject: str,
    title: str,
    evaluate: Callable[[], Evaluation],
    settings: RunSettings,
    others: Mapping[str, str] | None = None,
) -> None:
    """Evaluate; write the JSON, the Markdown page beside it and, where asked for, the results file; print the page.

    Args:
        args: of the command.
        subject: of `heartllm evaluate`.
        title: what the names of the results' rows begin with.
        evaluate: gives what was found; what it refuses is told in one line.
        settings: of the evaluation.
        others: the subject's options beside them that change figures, with the word that stands for their value.
    """
    from ...evaluation.confidence_curves import CURVES_FILE, write_curves
    from ...evaluation.libraries import MissingLibraryError
    from ...evaluation.results import current_commit, machine_words, write_results
    from ...models.whole_files import write_whole

    try:
        evaluation = evaluate()
    except (ValueError, MissingLibraryError) as error:
        raise UsageError(str(error)) from None
    command = command_words(subject, args, settings, others or {})
    document = {**evaluation.document, "command": command}
    document["commit"] = current_commit(Path(__file__).resolve().parent)
    document["machine"] = machine_words()
    page = evaluation.markdown()
    text = json.dumps(without_nan(document), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(args.output, text + "\n")
    write_whole(args.output.with_suffix(".md"), page)
    if args.results is not None:
        questions = document["questions"]
        facts: dict[str, Any] = {
            "data": f"{document['data']}, questions {questions['hash']}, {questions['records']} records",
            "command": command,
            "commit": document["commit"],
            "machine": document["machine"],
        }
        write_results(args.results, evaluation.results(prefix=title, **facts))
        if curves := document.get("curves"):
            write_curves(args.results.with_name(CURVES_FILE), title, curves, **facts)
    print(page)
    print_notice()


def without_nan(value: Any) -> Any:
    """The same with null for not-a-number, which JSON does not know."""
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(one) for one in value]
    return None if isinstance(value, float) and value != value else value


def command_words(subject: str, args: argparse.Namespace, settings: RunSettings, others: Mapping[str, str]) -> str:
    """The command as others would type it: the folders of this machine say nothing to them."""
    questions = getattr(settings, "questions", None)
    shown = {"records": "SOURCE", "data": "FOLDER"} | ({} if questions is None else {"questions": questions.name})
    names = [field.name for field in fields(settings) if field.name not in ("progress", "seen")]
    given = {"model": "FOLDER", **({"dtype": args.dtype} if args.dtype else {}), **others}
    told = [f"{option_name(name)} {shlex.quote(word)}" for name, word in given.items() if getattr(args, name, None)]
    words = [f"heartllm evaluate {subject}", given_options(settings, names, shown), *told, "--output FILE"]
    return " ".join(word for word in words if word)
