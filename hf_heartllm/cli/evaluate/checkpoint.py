"""What the evaluations of a checkpoint share: arguments, loading, writing what was found."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...arguments import add_old_name
from ..common import UsageError, add_model_argument, model_source, positive, print_notice, quiet_transformers

if TYPE_CHECKING:
    from ...evaluation.held_out import Checkpoint
    from ...evaluation.page import Evaluation

USUAL = {"sampling_rate": 100, "max_records": None, "resamples": 2000, "seed": 0, "training_folds": "1-8"}
"""Options of every evaluation of a checkpoint that change figures, and their defaults."""


def add_checkpoint_arguments(parser: argparse.ArgumentParser, tokens: bool = True, questions: bool = True) -> None:
    """What all evaluations of a checkpoint take.

    Args:
        parser: to add to.
        tokens: codes may stand for the recordings.
        questions: records and a question file are what is evaluated on; without it the records may be left out.
    """
    add_model_argument(parser)
    what = (
        "PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records"
        if questions
        else "PTB-XL's folder, or labels.csv or its folder"
    )
    parser.add_argument("--records", "--ptbxl", type=Path, required=questions, metavar="SOURCE", help=what)
    if questions:
        parser.add_argument(
            "--questions",
            type=Path,
            required=True,
            metavar="FILE",
            help="Parquet, such as of dataset_builders.evaluation_questions",
        )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="JSON file of everything to write")
    parser.add_argument("--results", type=Path, metavar="FILE", help="results file whose rows are replaced too")
    if tokens:
        parser.add_argument(
            "--tokens", type=Path, metavar="PATH", help="codes of the records, made with the checkpoint's codec"
        )
    rate = parser.add_argument(
        "--sampling-rate", type=int, choices=(100, 500), default=100, help="Hz of the records; default: 100"
    )
    add_old_name(parser, "--rate", rate)
    parser.add_argument("--max-records", type=positive, metavar="N", help="records, evenly spaced (default: all)")
    parser.add_argument("--parts", type=Path, metavar="DIR", help="for partial results (default: FILE.parts)")
    parser.add_argument("--device", default="cpu", help="default: cpu")
    parser.add_argument("--resamples", type=positive, default=2000, metavar="N", help="bootstrap; default: 2000")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--training-folds",
        default="1-8",
        metavar="FOLDS",
        help="of the checkpoint, or none of these records; without folds the split train counts; default: 1-8",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def add_comparison_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """What answers and reports (`what`) are compared with."""
    parser.add_argument(
        "--train-rows", type=Path, metavar="FILE", help=f"dataset_builders.training_rows, for the commonest {what}"
    )
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="partial results of another checkpoint, for paired differences"
    )


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
    from ...evaluation.held_out import Checkpoint
    from ...inference import checkpoint_name, load_answerer

    folder = checkpoint() if source is None else source
    return Checkpoint(load_answerer(folder, device=args.device), checkpoint_name(folder))


def parts_folder(args: argparse.Namespace) -> Path:
    """Where partial results go."""
    given: Path | None = args.parts
    return given or args.output.with_name(f"{args.output.name}.parts")


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `evaluation.held_out.CheckpointSettings`."""
    return {**run_settings(args), "records": args.records, "questions": args.questions}


def run_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `evaluation.held_out.RunSettings`."""
    from ...labels.ptbxl import folds

    try:
        training = () if args.training_folds == "none" else folds(args.training_folds)
    except ValueError as error:
        raise UsageError(str(error)) from None
    names = ("max_records", "seed", "resamples")
    given = {name: getattr(args, name) for name in names} | {"rate": args.sampling_rate}
    return {**given, "training_folds": training, "progress": not args.quiet}


def evaluate_and_write(
    args: argparse.Namespace,
    subject: str,
    title: str,
    evaluate: Callable[[], Evaluation],
    usual: Mapping[str, Any],
) -> None:
    """Evaluate; write the JSON, the Markdown page beside it and, where asked for, the results file; print the page.

    Args:
        args: of the command.
        subject: of `heartllm evaluate`.
        title: what the names of the results' rows begin with.
        evaluate: gives what was found; what it refuses is told in one line.
        usual: the subject's own options that change figures, with their defaults.
    """
    from ...evaluation.libraries import MissingLibraryError
    from ...evaluation.results import current_commit, machine_words, write_results
    from ...models.whole_files import write_whole

    try:
        evaluation = evaluate()
    except (ValueError, MissingLibraryError) as error:
        raise UsageError(str(error)) from None
    command = command_words(subject, args, usual)
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
    print(page)
    print_notice()


def without_nan(value: Any) -> Any:
    """The same with null for not-a-number, which JSON does not know."""
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(one) for one in value]
    return None if isinstance(value, float) and value != value else value


def command_words(subject: str, args: argparse.Namespace, usual: Mapping[str, Any]) -> str:
    """The command as others would type it: the folders of this machine say nothing to them."""
    words = f"heartllm evaluate {subject}"
    words += " --records SOURCE" if args.records is not None else ""
    words += " --data FOLDER" if getattr(args, "data", None) is not None else ""
    words += f" --questions {args.questions.name}" if getattr(args, "questions", None) is not None else ""
    words += " --model FOLDER" if args.model else ""
    words += " --text-only-baseline FOLDER" if getattr(args, "text_only_baseline", None) else ""
    for option in ("tokens", "train_rows", "calibration_questions", "write_calibration", "against"):
        if getattr(args, option, None) is not None:
            words += f" --{option.replace('_', '-')} PATH"
    for option, default in {**USUAL, **usual}.items():
        if (value := getattr(args, option)) != default:
            words += f" --{option.replace('_', '-')} {shlex.quote(str(value))}"
    return f"{words} --output FILE"
