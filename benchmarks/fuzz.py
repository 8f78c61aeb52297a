"""Damaged and hostile recordings: does anything but one clear line or a valid record come of them, at what cost?

    python benchmarks/fuzz.py                     # 10,000 files for each reader
    python benchmarks/fuzz.py --case WFDB:123 --keep DIR    # writes one of them and says what comes of it

Small simulated recordings in every format (`fuzz_files.py`) are changed at random: bits, bytes, stretches, numbers and
words of headers, lengths, names. The draws depend on the seed, the reader and the number of the file alone. Each file
is read in a process that may take `--memory` megabytes more than it has at its beginning and `--seconds` of processor
time a file; what is beyond that counts as a failure, as does any other error than ours, a warning that is not ours, and
a record that could not be used. A broken-off run goes on where it was, as long as the readers are the same.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))  # where a process of its own looks for this file's neighbour

from benchmarks.fuzz_files import RECORDINGS, Recording, mutated  # noqa: E402
from hf_heartllm.ecg import ECGError, read_ecg  # noqa: E402
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results  # noqa: E402
from hf_heartllm.hashes import sha256_of  # noqa: E402
from hf_heartllm.models.ecg_record import ECGRecord, ECGWarning  # noqa: E402
from hf_heartllm.models.record_from_array import LARGEST  # noqa: E402

REFUSED, READ = "refused", "read"
"""What may come of a file: one line, or a record. Anything else is a failure, told by its own words."""

BATCH = 500  # files a process reads, after which what was found is written down
MEMORY, SECONDS = 256, 5.0  # MB beside what a process has at its beginning; processor time a file
WAIT = 120.0  # seconds without a word of a process: it waits for something that will not come
_CODE = ("ecg/readers", "models/ecg_record.py", "models/ecg_leads.py", "models/record_from_array.py")


@dataclass
class Batch:
    """What came of some files of one reader.

    Attributes:
        reader: its name in `RECORDINGS`.
        first: number of the first file.
        count: of the files.
        key: of seed, limits and code.
        refused: files that ended in one line of ours.
        read: files that gave a valid record.
        failures: number of a file → what came of it instead.
        seconds: processor time of the slowest file.
        megabytes: that the process took more than at its beginning.
    """

    reader: str
    first: int
    count: int
    key: str
    refused: int = 0
    read: int = 0
    failures: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    megabytes: float = 0.0


def drawn(reader: str, number: int, seed: int, recordings: list[Recording]) -> Recording:
    """The file of this number."""
    return mutated(recordings, np.random.default_rng([seed, sum(reader.encode()), number]))


def written(recording: Recording, folder: Path) -> str:
    """Write a recording's files; gives the name to read it by."""
    for name, content in recording.files.items():
        (folder / name).write_bytes(content)
    return str(folder / recording.name) if recording.files else recording.name


def outcome(recording: Recording, folder: Path) -> str:
    """What comes of a recording: `REFUSED`, `READ`, or why it is a failure."""
    name = written(recording, folder)
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            record = read_ecg(name, **recording.stated)
    except ECGError as error:
        return _bad_line(str(error)) or REFUSED
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {str(error)[:100]!a}"
    finally:
        for file in recording.files:
            (folder / file).unlink(missing_ok=True)
    for one in heard:
        if not issubclass(one.category, ECGWarning):
            return f"{one.category.__name__}: {str(one.message)[:100]!a}"
        if _bad_line(str(one.message)):
            return f"a warning is {_bad_line(str(one.message))}"
    return _bad_record(record) or READ


def _bad_line(message: str) -> str | None:
    """Why a message is none that can be shown."""
    if "too large for the memory" in message:
        return "memory was asked for that the file does not fill"
    return None if message.isprintable() and len(message) <= 300 else f"no printable short line: {message[:100]!a}"


def _bad_record(record: ECGRecord) -> str | None:
    """Why a record is none that can be used."""
    signal = record.signal[~np.isnan(record.signal)]
    if signal.size and not np.abs(signal).max() <= LARGEST * 1.001:
        return f"samples of {np.abs(signal).max()}"
    if not (np.isfinite(record.duration) and record.duration > 0):
        return f"a duration of {record.duration} s"
    if not repr(record).isprintable() or not all(name.isprintable() and name for name in record.leads):
        return f"names that cannot be printed: {record.leads!a}"
    return None


def _work(reader: str, numbers: range, seed: int, memory: int, seconds: float, parent: Connection) -> None:
    """In a process of its own: read files, and say of each that it begins and what came of it."""
    recordings = RECORDINGS[reader]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for recording in recordings:  # what is imported with the first of a kind is no file's doing
            outcome(recording, folder)
        _limit_memory(memory)
        before = _megabytes()
        for number in numbers:
            recording = drawn(reader, number, seed, recordings)
            parent.send((number, None, 0.0, 0.0))
            begun = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, seconds)  # whose signal ends the process, whatever it is doing
            found = outcome(recording, folder)
            signal.setitimer(signal.ITIMER_PROF, 0)
            parent.send((number, found, time.process_time() - begun, _megabytes() - before))


def _limit_memory(megabytes: int) -> None:
    """Let this process take so much more than it has, where the system can count it."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def _megabytes() -> float:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def read_batch(batch: Batch, seed: int, memory: int = MEMORY, seconds: float = SECONDS) -> Iterator[int]:
    """Read the files of a batch and fill it in; a process that ends early is followed by another.

    Yields:
        The number of each file when it is done.
    """
    spawn = multiprocessing.get_context("spawn")
    at, stop = batch.first, batch.first + batch.count
    while at < stop:
        here, there = spawn.Pipe(duplex=False)
        process = spawn.Process(target=_work, args=(batch.reader, range(at, stop), seed, memory, seconds, there))
        process.start()
        there.close()
        try:
            for number, found, took, grown in _heard(here):
                at = number
                if found is None:
                    continue
                batch.seconds, batch.megabytes = max(batch.seconds, took), max(batch.megabytes, grown)
                _count(batch, number, found)
                at = number + 1
                yield number
        finally:
            process.kill() if at < stop else process.join()
            process.join()
        if at < stop:
            slow = process.exitcode == -signal.SIGPROF
            _count(batch, at, f"more than {seconds:g} s" if slow else f"the process ended with {process.exitcode}")
            yield at
            at += 1


def _heard(parent: Connection) -> Iterator[tuple[int, str | None, float, float]]:
    """What a process says, until it has ended or says nothing any more."""
    with contextlib.suppress(EOFError):
        while parent.poll(WAIT):
            yield parent.recv()


def _count(batch: Batch, number: int, found: str) -> None:
    if found == REFUSED:
        batch.refused += 1
    elif found == READ:
        batch.read += 1
    else:
        batch.failures[number] = found


def code_key(seed: int, memory: int, seconds: float) -> str:
    """What makes two runs the same: seed, limits, the readers and the mutations."""
    package = REPOSITORY / "hf_heartllm"
    files = [file for name in _CODE for file in (sorted((package / name).glob("*.py")) or [package / name])]
    files.append(REPOSITORY / "benchmarks" / "fuzz_files.py")
    return sha256_of("\n".join([f"{seed} {memory} {seconds}", *(file.read_text("utf-8") for file in files)]))[:16]


def batches(readers: list[str], files: int, key: str, parts: Path) -> list[Batch]:
    """The batches of a run; those that a broken-off one has written are filled in."""
    known: dict[tuple[str, int, int], Batch] = {}
    for line in parts.read_text("utf-8").splitlines() if parts.exists() else []:
        with contextlib.suppress(ValueError, TypeError):  # a line that a broken-off run left half
            one = Batch(**json.loads(line))
            if one.key == key:
                known[one.reader, one.first, one.count] = one
    wanted = [(reader, first, min(BATCH, files - first)) for reader in readers for first in range(0, files, BATCH)]
    return [known.get(one) or Batch(*one, key) for one in wanted]


def results(done: list[Batch], files: int, seed: int) -> list[Result]:
    """Rows of each reader: failures, the slowest file, the most memory."""
    rows = []
    facts: dict[str, Any] = {
        "command": "python benchmarks/fuzz.py",
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    for reader in dict.fromkeys(batch.reader for batch in done):
        of = [batch for batch in done if batch.reader == reader]
        refused, read = sum(batch.refused for batch in of), sum(batch.read for batch in of)
        data = f"{files} mutated files, seed {seed}: {refused} refused, {read} read"
        failures = sum(len(batch.failures) for batch in of)
        slowest, most = max(batch.seconds for batch in of), max(batch.megabytes for batch in of)
        name = f"damaged files: {reader}"
        rows += [
            Result(f"{name}, neither refused nor read", failures, target="<= 0", unit="files", data=data, **facts),
            Result(f"{name}, slowest file", slowest, target=f"<= {SECONDS:g}", unit="s", data=data, **facts).rounded(3),
            Result(f"{name}, memory taken", most, target=f"<= {MEMORY}", unit="MB", data=data, **facts).rounded(1),
        ]
    return rows


def one_case(name: str, seed: int, keep: Path) -> int:
    """Write one file and say what comes of it."""
    reader, _, number = name.partition(":")
    if reader not in RECORDINGS or not number.isdecimal():
        print(f"fuzz: a case is READER:NUMBER with one of {', '.join(RECORDINGS)}", file=sys.stderr)
        return 2
    recording = drawn(reader, int(number), seed, RECORDINGS[reader]())
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        print(f"{written(recording, keep)}  {recording.stated}: {outcome(recording, Path(scratch))}")
    return 0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000, metavar="N", help="of each reader; default: 10000")
    parser.add_argument("--readers", nargs="+", choices=list(RECORDINGS), default=list(RECORDINGS), help="default: all")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--memory", type=int, default=MEMORY, metavar="MB", help=f"a process may take; {MEMORY}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"processor time a file; {SECONDS:g}")
    parser.add_argument("--case", metavar="READER:NUMBER", help="one file alone")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz-case"), help="where --case writes it")
    parser.add_argument("--parts", type=Path, default=Path("build/fuzz.jsonl"), help="partial results")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks/results/review.json")
    parser.add_argument("--no-results", action="store_true", help="write no results file")
    args = parser.parse_args(argv)
    if args.files < 1:
        parser.error("--files is at least 1")
    return args


def main(argv: list[str] | None = None) -> int:
    """Run, print and write. Returns 1 if a file was neither refused nor read."""
    args = parse_arguments(argv)
    if args.case:
        return one_case(args.case, args.seed, args.keep)
    found = batches(args.readers, args.files, code_key(args.seed, args.memory, args.seconds), args.parts)
    args.parts.parent.mkdir(parents=True, exist_ok=True)
    ended = sum(batch.count for batch in found if batch.refused + batch.read + len(batch.failures))
    with (
        args.parts.open("a", encoding="utf-8") as parts,
        tqdm(total=args.files * len(args.readers), unit="file") as bar,
    ):
        bar.update(ended)
        for batch in found:
            if batch.refused + batch.read + len(batch.failures):
                continue
            bar.set_description(batch.reader)
            for _ in read_batch(batch, args.seed, args.memory, args.seconds):
                bar.update()
            parts.write(json.dumps(asdict(batch)) + "\n")
            parts.flush()
    print(f"{'reader':<12}{'files':>8}{'refused':>9}{'read':>8}{'failed':>8}{'slowest':>10}{'memory':>10}")
    for reader in args.readers:
        of = [batch for batch in found if batch.reader == reader]
        numbers = [
            sum(batch.count for batch in of),
            sum(batch.refused for batch in of),
            sum(batch.read for batch in of),
        ]
        failed = sum(len(batch.failures) for batch in of)
        costs = f"{max(b.seconds for b in of):>8.2f} s{max(b.megabytes for b in of):>7.0f} MB"
        print(f"{reader:<12}{numbers[0]:>8}{numbers[1]:>9}{numbers[2]:>8}{failed:>8}{costs}")
    for batch in found:
        for number, what in batch.failures.items():
            print(f"{batch.reader}:{number}: {what}")
    if not args.no_results:
        write_results(args.results, results(found, args.files, args.seed))
    return int(any(batch.failures for batch in found))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "fuzz"))
