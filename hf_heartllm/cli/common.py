"""What the commands share: arguments of recordings and models, reading and printing.

Nothing heavy is imported here, numpy included: help and complaints about arguments need none of it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from ..ecg.readers.formats import UNSTATED, either, recording_help
from ..models.checkpoint_files import default_checkpoint, find_checkpoint, model_type
from ..models.notice import NOTICE
from ..models.printable_text import printable

if TYPE_CHECKING:
    from ..models.ecg_record import ECGRecord


class UsageError(Exception):
    """The arguments do not make sense; the message is one line."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, and whose several recordings may stand around options."""

    def error(self, message: str) -> NoReturn:
        """Complain in one line."""
        raise UsageError(f"{message} (see {self.prog} --help)")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ever; `ask A -q Q B` means A and B, which argparse alone does not understand."""
        found, rest = super().parse_known_args(args, namespace)
        if isinstance(getattr(found, SEVERAL, None), list):
            getattr(found, SEVERAL).extend(word for word in rest if not word.startswith("-"))
            rest = [word for word in rest if word.startswith("-")]
        return found, rest


SEVERAL = "records"
"""Where the arguments hold several recordings."""


def refused() -> tuple[type[Exception], ...]:
    """What is told in one line, with exit code 2: errors about arguments, files and recordings.

    Those about recordings live beside numpy; as long as that module is not loaded nobody has raised one.
    """
    module = sys.modules.get(f"{__package__.rpartition('.')[0]}.models.ecg_record")
    return (UsageError, OSError) if module is None else (UsageError, OSError, module.ECGError, module.ECGWarning)


def one_line(error: BaseException) -> str:
    """An exception's message on one line, with the file's name where the system left it out of the message."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _number(text: str, kind: type[int] | type[float] = float) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no {'whole ' if kind is int else ''}number") from None


def positive(text: str) -> int:
    """A number of at least 1."""
    value: int = _number(text, int)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def count(text: str) -> int:
    """A number of at least 0."""
    value: int = _number(text, int)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def share(text: str) -> float:
    """A number strictly between 0 and 1."""
    value: float = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def seconds(text: str) -> float:
    """A length of time above 0."""
    value: float = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def fold_list(text: str) -> tuple[int, ...]:
    """Folds of PTB-XL, such as 1-8."""
    from ..labels.ptbxl import folds

    try:
        return folds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_commands(subparsers: Any, modules: Mapping[str, ModuleType]) -> None:
    """Add one sub-parser a module, with its help, its examples and the notice.

    Args:
        subparsers: what `ArgumentParser.add_subparsers` gave.
        modules: command → module with `HELP`, `EXAMPLES`, `add_arguments`, and `run` unless it has commands of its own.
    """
    for name, module in modules.items():
        parser = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog="examples:\n" + "\n".join(f"  {line}" for line in module.EXAMPLES) + f"\n\n{NOTICE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(parser)
        if hasattr(module, "run"):
            parser.set_defaults(run=module.run)


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """RECORD, and what some files do not say themselves."""
    parser.add_argument("record", metavar="RECORD", help=recording_help())
    add_reading_arguments(parser)


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """What some files do not say themselves, and --strict."""
    files = either(UNSTATED, " and ")
    group = parser.add_argument_group(f"recordings in {files} files, where the file does not say it itself")
    group.add_argument("--sampling-rate", type=float, metavar="HZ", help="samples a second")
    group.add_argument("--units", metavar="UNIT", help="mV, uV, nV or V")
    group.add_argument(
        "--leads",
        metavar="NAMES",
        help="which leads, separated by commas: names, where the file has none in its order, "
        "or pairs that rename, such as MLII=II (any format)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="end with exit code 2 at whatever else would be a warning"
    )


def add_quiet_argument(parser: argparse.ArgumentParser) -> None:
    """--quiet."""
    parser.add_argument("--quiet", action="store_true", help="say nothing of the progress on stderr")


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """--model."""
    parser.add_argument(
        "--model", metavar="MODEL", help="checkpoint folder or Hub repository (default: the embedded checkpoint)"
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


@contextmanager
def heard_warnings(strict: bool = False) -> Iterator[list[str]]:
    """Print warnings about recordings as one line each on stderr, once each, and collect them.

    Args:
        strict: raise the first one instead, as an `ECGWarning`.

    Yields:
        The list that they are added to, for `--json`.
    """
    from ..models.ecg_record import ECGWarning

    heard: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def one_line_each(message: Any, category: type[Warning], *rest: Any, **options: Any) -> None:
            if not issubclass(category, ECGWarning):
                show(message, category, *rest, **options)
                return
            line = " ".join(str(message).split())
            if line not in heard:
                heard.append(line)
                tell(f"warning: {line}")

        warnings.simplefilter("error" if strict else "always", ECGWarning)
        warnings.showwarning = one_line_each
        yield heard


def tell(line: str) -> None:
    """Say something on stderr, above the progress bar where there is one."""
    if sys.stderr is None:  # closed by the caller; print would turn to stdout
        return
    text = f"heartllm: {printable(line)}"
    bar = getattr(sys.modules.get("tqdm"), "tqdm", None)
    if bar is None:
        print(text, file=sys.stderr, flush=True)
    else:
        bar.write(text, file=sys.stderr)


@contextmanager
def told_when_slow(line: str, quiet: bool, seconds: float = 0.2) -> Iterator[None]:
    """Say what is being done where it has not ended by then, so that nobody waits in silence."""
    timer = threading.Timer(seconds, tell, [line])
    timer.daemon = True
    if not quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def read_record(args: argparse.Namespace, name: str | None = None) -> ECGRecord:
    """Read the recording that the arguments name, or another one with the same arguments."""
    name = args.record if name is None else name
    with told_when_slow(f"reading {name} …", getattr(args, "quiet", True)):
        from ..ecg import read_ecg

        return read_ecg(name, sampling_rate=args.sampling_rate, units=args.units, leads=args.leads)


def check_leads(record: ECGRecord, model: str | None) -> None:
    """Before a model is loaded: that a recording has the leads which the checkpoint's codec needs.

    Args:
        record: the recording.
        model: what --model names; one on the Hub is asked later, when it has been fetched.

    Raises:
        ECGError: if some are missing and cannot be derived.
    """
    from ..models.ecg_leads import STANDARD_LEADS
    from ..models.ecg_record import ECGError, require_leads

    try:
        folder = default_checkpoint() if model is None else Path(find_checkpoint(model))
        settings = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    try:
        require_leads(record, settings.get("required_leads") or settings.get("leads") or ())
    except ECGError as error:
        if set(STANDARD_LEADS).isdisjoint(record.leads):
            raise
        raise ECGError(f"{error} (--model ecg-lm-tiny reads any of the twelve)") from None


def model_source(model: str | None, option: str = "--model") -> str | None:
    """What an option such as --model names, checked; None is heartllm-tiny, which the package ships."""
    if model is None:
        return None
    model = os.fspath(find_checkpoint(model))
    if Path(model).is_dir():
        if not (Path(model) / "config.json").is_file():
            raise UsageError(f"{option} {model}: the folder holds no config.json, so it is no checkpoint")
        kind = model_type(model)
        if kind is not None and not kind.startswith("hf_"):  # whoever loads it says what else is wrong
            raise UsageError(f"{option} {model}: a language model of type {kind!r} that reads no ECGs")
        if not any(Path(model).glob("*.safetensors")):
            raise UsageError(f"{option} {model}: the folder holds no weights (*.safetensors)")
    elif Path(model).exists():
        raise UsageError(f"{option} {model}: a file; give the checkpoint's folder")
    elif os.path.isabs(model) or model.startswith(".") or model.count("/") != 1:
        from ..checkpoints import available, checkpoint

        ours = ", ".join(name for name in available() if (model_type(checkpoint(name)) or "").startswith("hf_"))
        raise UsageError(
            f"{option} {model}: no such folder, none of the package's checkpoints ({ours}), and no name of a Hub "
            "repository (OWNER/NAME)"
        )
    return model


PICTURES = (".png", ".svg", ".pdf")


def check_not_there(files: Sequence[Path], force: bool) -> list[Path]:
    """Which of the files to write are there already.

    Raises:
        UsageError: if one is, and it is not to be replaced.
    """
    there = [file for file in files if file.exists()]
    if there and not force:
        raise UsageError(f"{there[0]}: is there already; choose another name or add --force")
    return there


def check_picture_name(name: str) -> None:
    """That a picture can be written under a name, by its ending."""
    if Path(name).suffix.lower() not in PICTURES:
        raise UsageError(f"{name}: a picture ends in {', '.join(PICTURES)}")


class Once:
    """Something that is made when it is first needed; what is wrong with it is told as such, not as a recording's."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.made = False
        self._make = make
        self._value: Any = None

    def __call__(self) -> Any:
        if not self.made:
            try:
                self._value = self._make()
            except (OSError, ValueError) as error:
                raise UsageError(one_line(error)) from None
            self.made = True
        return self._value


def make_pipeline(task: str, args: argparse.Namespace) -> Any:
    """The pipeline of a task on the chosen model."""
    source = model_source(args.model)
    quiet_transformers()
    from ..models.pipeline_ecg import pipeline

    return pipeline(task, source)


def make_tokenizer(args: argparse.Namespace) -> Any:
    """The tokenizer of the chosen model."""
    source = model_source(args.model)
    quiet_transformers()
    from ..models.tokenization_heartllm import ECGTokenizer

    try:
        return ECGTokenizer.from_pretrained(default_checkpoint() if source is None else source)
    except ValueError as error:  # such as a codec of a type that is not known here
        raise UsageError(one_line(error)) from None


def quiet_transformers() -> None:
    """Keep progress bars and advice of transformers out of a command's output; errors stay."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def in_words(record: ECGRecord) -> str:
    """What was read, for a line of text: `12 leads, 10 s at 500 Hz`."""
    count = len(record.leads)
    leads = f"{count} leads" if count > 1 else f"lead {record.leads[0]}"
    return f"{leads}, {record.duration:.6g} s at {record.sampling_rate:.6g} Hz"


def describe(record: ECGRecord) -> dict[str, Any]:
    """What was read, for JSON."""
    return {
        "source": None if record.source is None else record.source.removesuffix(" (simulated)"),
        "sampling_rate": record.sampling_rate,
        "duration": record.duration,
        "leads": list(record.leads),
    }


def reading_flags(record: ECGRecord, files: list[Path]) -> list[str]:
    """What must be said of files to read them back: an NPY file holds the numbers alone."""
    if files[0].suffix.lower() != ".npy":
        return []
    leads = ",".join(record.leads)
    leads = f"'{leads}'" if " " in leads else leads
    return ["--sampling-rate", f"{record.sampling_rate:.10g}", "--units", "mV", "--leads", leads]


def describe_windows(windows: Sequence[Any]) -> list[dict[str, Any]]:
    """The windows of an answer or a report, for JSON."""
    return [
        {
            "start": one.start,
            "stop": one.stop,
            "text": one.text,
            "alternatives": [{"answer": text, "probability": share} for text, share in one.alternatives],
            "problem": one.problem,
        }
        for one in windows
    ]


def print_json(result: Mapping[str, Any]) -> None:
    """Print one JSON object, the notice in it."""
    print(json.dumps({**result, "notice": NOTICE}, indent=2, ensure_ascii=False, allow_nan=False))


def print_json_line(result: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, at once."""
    print(json.dumps({**result, "notice": NOTICE}, ensure_ascii=False, allow_nan=False), flush=True)


def print_notice(apart: bool = True) -> None:
    """Print the notice below a human answer, a blank line between them unless there is one."""
    print(f"\n{NOTICE}" if apart else NOTICE)
