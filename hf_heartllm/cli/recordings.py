"""Several recordings in one call: which ones the arguments name, and one after the other through a command.

One bad recording among several is said and passed over; the exit code is 2 then.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..ecg.readers.formats import DECIDING, STATED, UNSTATED, either, is_path, recording_help
from ..models.printable_text import printable
from .common import (
    SEVERAL,
    UsageError,
    add_reading_arguments,
    heard_warnings,
    one_line,
    print_json_line,
    read_record,
    refused,
    tell,
)

if TYPE_CHECKING:
    from ..models.ecg_record import ECGRecord

T = TypeVar("T")


@dataclass(frozen=True)
class Recordings:
    """The recordings that a command is about.

    Attributes:
        names: what each is read by.
        several: a folder or more than one recording was named, so that the output is one line or one part for each.
        others: how many files in the folders are no recordings.
    """

    names: tuple[str, ...]
    several: bool
    others: int = 0

    def in_words(self) -> str:
        """`40 recordings (3 other files passed over)`."""
        count = f"{len(self.names):,} recording{'s' if len(self.names) != 1 else ''}"
        return (
            f"{count} ({self.others:,} other file{'s' if self.others != 1 else ''} passed over)"
            if self.others
            else count
        )


def add_recordings_arguments(parser: argparse.ArgumentParser, nargs: str = "+", metavar: str = "RECORD") -> None:
    """RECORD … with folders, and what some files do not say themselves."""
    parser.add_argument(
        SEVERAL, nargs=nargs, metavar=metavar, help=f"{recording_help()}; a folder stands for every recording in it"
    )
    add_reading_arguments(parser)


def find_recordings(sources: Sequence[str], but: str | None = None) -> Recordings:
    """Which recordings are named by paths, folders and names such as `example:af`.

    A folder stands for the recordings in it and below, sorted; a WFDB record for itself once, whichever of its files
    are named. Files whose names begin with a dot are passed over.

    Args:
        sources: of the arguments.
        but: a file that is none, though it may lie in such a folder: what the command writes.

    Raises:
        UsageError: if a folder holds no recording, or a name is that of a folder and of a WFDB record.
    """
    found: dict[str, str] = {}  # the file that decides what a recording is → what it is read by
    others = 0
    folders = False
    for source in sources:
        if not is_folder(source):
            if but is not None and os.path.realpath(source) == os.path.realpath(but):
                raise UsageError(f"{but}: the recording itself, which is not overwritten; choose another name")
            found.setdefault(deciding_file(source), source)
            continue
        folders = True
        ours = None if but is None else os.path.realpath(but)
        files = sorted(path for path in _files_below(Path(source)) if os.path.realpath(path) != ours)
        headers = {str(path.with_suffix("")) for path in files if path.suffix.lower() == ".hea"}
        inside = [path for path in files if path.suffix.lower() in DECIDING]
        if not inside:
            raise UsageError(f"{source}: the folder holds no recording ({either(DECIDING)})")
        for path in inside:
            name = str(path.with_suffix("")) if path.suffix == ".hea" else str(path)
            found.setdefault(deciding_file(str(path)), name)
        others += sum(path not in inside and str(path.with_suffix("")) not in headers for path in files)
    return Recordings(tuple(found.values()), folders or len(sources) > 1, others)


def is_folder(source: str) -> bool:
    """Whether a name stands for a folder of recordings.

    Raises:
        UsageError: if a WFDB record beside the folder has the same name.
    """
    if not is_path(source) or not os.path.isdir(source):
        return False
    if source.rstrip(os.sep) == source and os.path.isfile(f"{source}.hea"):
        raise UsageError(f"{source}: a folder and a WFDB record; write {source}{os.sep} or {source}.hea")
    return True


def is_recording(source: str) -> bool:
    """Whether a name is that of a recording or a folder which is there."""
    return not is_path(source) or any(os.path.exists(path) for path in (source, f"{source}.hea"))


def deciding_file(source: str) -> str:
    """The header of a WFDB record, the file itself of others: two names with the same one are the same recording."""
    if not is_path(source):
        return source
    path = Path(source)
    if path.suffix.lower() not in DECIDING:
        for header in (path.with_name(f"{path.name}.hea"), path.with_suffix(".hea")):
            if path.name and header.is_file():
                path = header
                break
    return os.path.realpath(path)


def _files_below(folder: Path) -> Iterator[Path]:
    """The files in a folder and below, links to folders followed once."""
    seen = {os.path.realpath(folder)}

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        new = {name: os.path.realpath(os.path.join(place, name)) for name in sorted(folders) if name[0] != "."}
        folders[:] = [name for name, real in new.items() if real not in seen]
        seen.update(new.values())
        yield from (Path(place) / name for name in files if name[0] != ".")


def for_each(
    args: argparse.Namespace,
    recordings: Recordings,
    work: Callable[[str, ECGRecord, list[str]], T],
    show: Callable[[T], None],
    show_error: Callable[[str, str], None],
) -> int:
    """Read the recordings, work on each, and show what came out.

    Args:
        args: of `add_recordings_arguments`, and `quiet`.
        recordings: what to read.
        work: gets the recording's name, the recording, and the list of the warnings about it, which grows.
        show: prints what `work` gave.
        show_error: prints the name and the message of one among several that could not be read.

    Returns:
        How many could not be read, for `complain`. One that stands alone raises its error.
    """
    unread = 0
    for name in _with_progress(recordings, args.quiet):
        with heard_warnings(args.strict) as heard:
            try:
                result = work(name, _read(args, name, recordings), heard)
            except refused() as error:
                if not recordings.several or isinstance(error, UsageError):
                    raise
                unread += 1
                show_error(name, one_line(error))
                continue
        show(result)
    return unread


def complain(recordings: Recordings, unread: int) -> None:
    """End with exit code 2 where some could not be read.

    Raises:
        UsageError: `3 of 40 recordings could not be read`.
    """
    if unread:
        count = len(recordings.names)
        raise UsageError(f"{unread:,} of {count:,} recording{'s' if count > 1 else ''} could not be read")


def show_error(args: argparse.Namespace, name: str, message: str, rows: Sequence[dict[str, Any]] = ({},)) -> None:
    """Say what is wrong with one recording among several: on stderr, or as JSON lines where --json is given.

    Args:
        args: of the command, with `json`.
        name: of the recording.
        message: what is wrong.
        rows: what the lines say besides; one each.
    """
    if args.json:
        for row in rows:
            print_json_line({**row, "error": message, "record": {"source": name}})
    else:
        tell(message if printable(name) in message else f"{name}: {message}")


def _read(args: argparse.Namespace, name: str, recordings: Recordings) -> ECGRecord:
    if not recordings.several:
        return read_record(args, name)
    stated = {**vars(args), "quiet": True}  # the progress bar says enough
    if not name.lower().endswith(UNSTATED) and any(one.lower().endswith(UNSTATED) for one in recordings.names):
        stated |= dict.fromkeys(STATED)  # are about the tables; others state their own
    return read_record(argparse.Namespace(**stated), name)


def _with_progress(recordings: Recordings, quiet: bool) -> Iterator[str]:
    if len(recordings.names) == 1:
        yield from recordings.names
        return
    from tqdm import tqdm

    # On a terminal only: a bar in a file or a pipe is a line for every step.
    bar: Any = tqdm(recordings.names, unit="recording", leave=False, disable=True if quiet else None)
    with bar:
        yield from bar
