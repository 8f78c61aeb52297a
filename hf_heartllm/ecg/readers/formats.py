"""The formats that `read_ecg` reads: one table, from which dispatch, help, errors and `docs/formats.md` come.

A new format is a file beside this one and a row of `FORMATS`. Nothing heavy is imported here: `--help` shows the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

STATED = ("sampling_rate", "units", "leads")
"""What a caller may have to state of a recording whose format does not."""


@dataclass(frozen=True)
class Format:
    """One kind of recording.

    Attributes:
        name: what it is called.
        example: how a recording is named, for help and the docs.
        module: the file of this folder that reads it.
        reader: the function there; it takes the recording's name, and `arguments` by their names.
        arguments: of `read_ecg`, those that have a meaning for it.
        says: what a recording says itself.
        needs: what the caller states.
        suffixes: of its files; the first is that of the file which decides what is read, and which stands for the
            recording in a folder.
        prefix: with which names begin that are no paths; such a format has no suffixes.
    """

    name: str
    example: str
    module: str
    reader: str
    arguments: tuple[str, ...]
    says: str
    needs: str
    suffixes: tuple[str, ...] = ()
    prefix: str = ""


WFDB = Format(
    name="WFDB",
    example="00152_lr",
    module="wfdb_format",
    reader="read_wfdb",
    arguments=("leads",),
    says="sampling rate, units, leads; age, sex, height and weight where comments state them",
    needs="nothing",
    suffixes=(".hea", ".dat", ".mat"),
)
"""Its recordings are several files, so they are also named by what these have in common."""

FORMATS = (
    WFDB,
    Format(
        name="CSV",
        example="ecg.csv",
        module="tables",
        reader="read_csv",
        arguments=STATED,
        says="leads in a header row; units in its names (`I (mV)`) or below them; the sampling rate in a time column "
        "with its unit (`time (s)`); all three in the head of a watch's export",
        needs="what the file does not say",
        suffixes=(".csv",),
    ),
    Format(
        name="NPY",
        example="ecg.npy",
        module="arrays",
        reader="read_npy",
        arguments=STATED,
        says="nothing but numbers, (leads, samples) or (samples, leads)",
        needs="sampling rate, units, leads in the file's order",
        suffixes=(".npy",),
    ),
    Format(
        name="simulated",
        example="example:NAME",
        module="simulated",
        reader="read_simulated",
        arguments=("leads",),
        says="all: 12 leads, 10 s at 500 Hz, in mV",
        needs="nothing",
        prefix="example:",
    ),
    Format(
        name="WFDB, fetched from PhysioNet",
        example="physionet:DATABASE/VERSION/RECORD",
        module="physionet",
        reader="read_physionet",
        arguments=("leads", "timeout"),
        says="as WFDB",
        needs="nothing; a network",
        prefix="physionet:",
    ),
)
PREFIXES = tuple(one.prefix for one in FORMATS if one.prefix)
"""With which names begin that are no paths."""

SUFFIXES = tuple(suffix for one in FORMATS for suffix in one.suffixes)
"""Of files that belong to a recording."""

DECIDING = tuple(one.suffixes[0] for one in FORMATS if one.suffixes)
"""Of the one file that stands for a recording: two names with the same one are the same recording."""

UNSTATED = tuple(suffix for one in FORMATS if set(STATED) <= set(one.arguments) for suffix in one.suffixes)
"""Of files that may not state their sampling rate, units and leads."""


def is_path(name: str) -> bool:
    """Whether a recording's name is a path, and no name such as `example:af`."""
    return not name.startswith(PREFIXES)


def format_of(name: str) -> Format:
    """The format that a recording's name says; a path without a known suffix is a WFDB record's."""
    if not is_path(name):
        return next(one for one in FORMATS if one.prefix and name.startswith(one.prefix))
    suffix = Path(name).suffix.lower()
    return next((one for one in FORMATS if suffix in one.suffixes), WFDB)


def either(words: Iterable[str], last: str = " or ") -> str:
    """`a, b or c`."""
    *rest, end = words
    return f"{', '.join(rest)}{last}{end}" if rest else end


def kinds_of_files() -> str:
    """For a file of none: `WFDB, .csv, .npy`."""
    return ", ".join(one.name if one is WFDB else ", ".join(one.suffixes) for one in FORMATS if one.suffixes)


def recording_help() -> str:
    """What an argument that names a recording may be."""
    names = [f"{one.example} ({one.name})" for one in FORMATS if one.prefix]
    return either([f"a path ({WFDB.name} record, {', '.join(SUFFIXES)})", *names], ", or ")


def formats_table() -> str:
    """The table of `docs/formats.md`, in Markdown."""
    lines = ["| recording | named by | says itself | you state |", "|---|---|---|---|"]
    for one in FORMATS:
        names = [f"`{one.example}`"] if one is WFDB or one.prefix else []
        named = ", ".join([*names, *(f"`{suffix}`" for suffix in one.suffixes)])
        lines.append(f"| {one.name} | {named} | {one.says} | {one.needs} |")
    return "\n".join(lines)
