"""Is a folder of PTB-XL whole? What `make data` asks before anything is trained on it.

    python -m dataset_builders.ptbxl_folder PTB_XL
    python -m dataset_builders.ptbxl_folder --ptbxl PTB_XL --link build/ptb-xl

PTB_XL is a folder as PhysioNet has it, with `ptbxl_database.csv`, `records100/` and, if you have them, `records500/`.
With --link the folder is linked there, nothing is copied; with --packed it is unpacked from there if need be.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TABLE = "ptbxl_database.csv"
RECORDS_OF_VERSIONS = {21_799: "1.0.3", 21_837: "1.0.0, 1.0.1 or 1.0.2"}
"""How many records a whole table of each version has."""

COLUMNS = ("ecg_id", "patient_id", "scp_codes", "strat_fold", "filename_lr", "filename_hr")
BYTES = {100: 24_000, 500: 120_000}
"""Of a whole signal file: 10 s of 12 leads in 16 bits."""

BUILDERS = __package__ or "dataset_builders"
HOW_TO_GET = f"python -m {BUILDERS}.ptb_xl --ptbxl {{}} --download --output build/rows fetches what is missing"


class FolderError(ValueError):
    """The folder cannot be used; the message is one line: what is missing, and what to do."""


@dataclass(frozen=True)
class FolderFacts:
    """What a folder in PTB-XL's layout holds.

    Attributes:
        folder: where its table lies.
        records: rows of the table.
        folds: its folds, in order.
        missing_100: signals at 100 Hz that the table names and that are not there, or not whole.
        missing_500: likewise at 500 Hz.
        named_500: how many signals at 500 Hz the table names.
    """

    folder: Path
    records: int
    folds: tuple[int, ...]
    missing_100: tuple[str, ...]
    missing_500: tuple[str, ...]
    named_500: int

    @property
    def version(self) -> str:
        """In words, by the number of records: the folder itself does not say it."""
        known = RECORDS_OF_VERSIONS.get(self.records)
        return f"PTB-XL {known}" if known else f"a part of PTB-XL or another set (the whole 1.0.3 has {21_799:,})"

    @property
    def there_500(self) -> int:
        """How many signals at 500 Hz are there, whole."""
        return self.named_500 - len(self.missing_500)

    def lines(self) -> list[str]:
        """What there is, one line each."""
        folds = ", ".join(map(str, self.folds))
        found = [f"{self.folder}: {self.records:,} records, folds {folds}: {self.version}"]
        if self.there_500 < self.records:
            optional = "optional: only fidelity at 500 Hz and late measurements use them"
            found.append(f"records500: {self.there_500:,} of {self.records:,} records are there ({optional})")
        return found


def find_table(folder: Path) -> Path:
    """The folder with PTB-XL's table: this one, or the only one in it that has it, as in PhysioNet's archive.

    Raises:
        FolderError: if there is none.
    """
    if folder.suffix == ".zip" and folder.is_file():
        raise FolderError(f"{folder}: an archive; unpack it first (unzip {folder}), then give its folder")
    if not folder.is_dir():
        raise FolderError(f"{folder}: no such folder; give the folder that holds {TABLE}")
    if (folder / TABLE).is_file():
        return folder
    inside = [path.parent for path in sorted(folder.glob(f"*/{TABLE}"))]
    if len(inside) == 1:
        return inside[0]
    which = f"it holds several: {', '.join(path.name for path in inside)}; name one" if inside else HOW_TO_GET
    raise FolderError(f"{folder}: no {TABLE} in it; {which.format(folder)}")


def look_into(folder: Path) -> FolderFacts:
    """Compare a folder with its own table.

    Args:
        folder: with `ptbxl_database.csv`.

    Raises:
        FolderError: if the table cannot be read, or is not PTB-XL's.
    """
    try:
        with open(folder / TABLE, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise FolderError(f"{folder / TABLE}: no column {', '.join(lacking)}; fetch the file again")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FolderError(f"{folder / TABLE}: cannot be read ({error}); fetch the file again") from None
    if not rows:
        raise FolderError(f"{folder / TABLE}: holds no records; fetch the file again")
    sizes = _sizes(folder, ("records100", "records500"))
    columns = {100: "filename_lr", 500: "filename_hr"}
    named = {rate: [row[column] for row in rows if row[column]] for rate, column in columns.items()}
    if not named[100]:
        raise FolderError(f"{folder / TABLE}: names no files at 100 Hz (filename_lr)")
    missing = {
        rate: tuple(
            name + end
            for name in names
            for end, least in ((".hea", 1), (".dat", BYTES[rate]))
            if sizes.get(name + end, 0) < least
        )
        for rate, names in named.items()
    }
    lost = {name.rsplit(".", 1)[0] for name in missing[500]}
    folds = sorted({int(float(row["strat_fold"])) for row in rows if row["strat_fold"]})
    return FolderFacts(folder, len(rows), tuple(folds), missing[100], tuple(sorted(lost)), len(named[500]))


def _sizes(folder: Path, tops: Iterable[str]) -> dict[str, int]:
    """Bytes of every file two folders below these, by its path in the folder."""
    found: dict[str, int] = {}
    for top in tops:
        for directory in sorted((folder / top).glob("*")):
            if directory.is_dir():
                with os.scandir(directory) as entries:
                    found |= {f"{top}/{directory.name}/{entry.name}": entry.stat().st_size for entry in entries}
    return found


def check_whole(facts: FolderFacts) -> None:
    """Raise FolderError where signals at 100 Hz are missing."""
    if facts.missing_100:
        first = ", ".join(facts.missing_100[:3])
        raise FolderError(
            f"{facts.folder}: {len(facts.missing_100):,} of {2 * facts.records:,} files at 100 Hz are missing or cut "
            f"off ({first}{', …' if len(facts.missing_100) > 3 else ''}); {HOW_TO_GET.format(facts.folder)}"
        )


def link(folder: Path, target: Path) -> None:
    """Have `target` be a link to `folder`; a link that was there is replaced, a folder of its own never is.

    Raises:
        FolderError: if a folder or file is in the way.
    """
    folder = folder.resolve()
    if target.resolve() == folder:
        return
    if target.exists() and not target.is_symlink():
        raise FolderError(f"{target}: holds other recordings already; move it away (mv {target} {target}-before)")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.{os.getpid()}.link")
    scratch.symlink_to(folder, target_is_directory=True)
    os.replace(scratch, target)


def unpack(packed: Path, target: Path) -> None:
    """Run the `unpack.py` of a folder of packed recordings; it keeps whole files and shows its progress.

    Raises:
        FolderError: if it fails.
    """
    if target.is_symlink():
        raise FolderError(f"{target}: a link to {target.resolve()}; remove it (rm {target}) to unpack {packed} there")
    done = subprocess.run([sys.executable, str(packed / "unpack.py"), "--output", str(target)])
    if done.returncode:
        raise FolderError(f"{packed / 'unpack.py'} ended with exit code {done.returncode}; run it again, it goes on")


def provide(given: str | None, data: Path, target: Path) -> FolderFacts:
    """See that `target` is PTB-XL, whole: linked to a given folder, or unpacked, or there already.

    Args:
        given: PTB-XL's folder; None: whatever `data` holds.
        data: a folder with PTB-XL, with `ptb-xl/`, or with `unpack.py` and what it unpacks.
        target: where training looks for it.

    Raises:
        FolderError: if there is none, or it is not whole.
    """
    source = None
    if given:
        source = find_table(Path(given).expanduser())
    else:
        source = next((folder for folder in (data, data / "ptb-xl") if (folder / TABLE).is_file()), None)
    if source is not None:
        facts = look_into(source)
        check_whole(facts)
        link(source, target)
        return facts
    if (target / TABLE).is_file():
        facts = look_into(target)
        if not facts.missing_100 and (facts.there_500 or not (data / "unpack.py").is_file()):
            return facts
    if (data / "unpack.py").is_file():
        unpack(data, target)
    elif not (target / TABLE).is_file():
        raise FolderError(
            f"no PTB-XL: {data} is no folder with it; make data PTBXL=DIR with PTB-XL as PhysioNet has it "
            f"(https://physionet.org/content/ptb-xl/1.0.3/), or {HOW_TO_GET.format('PTB_XL')}"
        )
    facts = look_into(target)
    check_whole(facts)
    return facts


def main(argv: list[str] | None = None) -> int:
    """Check, and link or unpack where asked. Returns the exit code: 2 with one line where something is missing."""
    parser = argparse.ArgumentParser(prog=f"python -m {BUILDERS}.ptbxl_folder", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", nargs="?", metavar="DIR", help="check this folder, and do no more")
    parser.add_argument("--ptbxl", metavar="DIR", help="PTB-XL's folder, to be linked")
    parser.add_argument("--packed", type=Path, default=Path("."), metavar="DIR", help="folder with PTB-XL or unpack.py")
    parser.add_argument("--link", type=Path, metavar="DIR", help="where training looks for it")
    args = parser.parse_args(argv)
    if (args.folder is None) == (args.link is None):
        parser.error("give a folder to check, or --link")
    try:
        if args.folder is not None:
            facts = look_into(find_table(Path(args.folder)))
            check_whole(facts)
        else:
            facts = provide(args.ptbxl or None, args.packed, args.link)
    except FolderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for line in facts.lines():
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
