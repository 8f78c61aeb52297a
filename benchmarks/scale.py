"""What building data sets costs: records/s, bytes/record, memory, and what 800,000 records would take.

    python benchmarks/scale.py --ptbxl build/ptb-xl

Builds PTB-XL at 100 Hz whole and at 500 Hz as far as it is there, and ECG tokens of some records, in a scratch folder;
checks that one process gives the bytes of two. Writes rows `scale: …` and `ptb_xl: …` into
benchmarks/results/datasets.json.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dataset_builders.ecg_tokens import ECGTokens
from dataset_builders.engine import BuildReport, RowBuilder, build
from dataset_builders.ptb_xl import PTBXL
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results

RESULTS = Path(__file__).parent / "results" / "datasets.json"
MANY = 800_000  # about the number of records of MIMIC-IV-ECG


class Memory(threading.Thread):
    """Samples the resident memory of this process and its workers: MB of the largest of them."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[float] = []
        self.done = threading.Event()

    def run(self) -> None:
        own = psutil.Process()
        while not self.done.wait(0.25):
            sizes = []
            for process in (own, *own.children(recursive=True)):
                try:
                    sizes.append(process.memory_info().rss)
                except psutil.Error:
                    continue
            if sizes:
                self.samples.append(max(sizes) / 1e6)

    def peak(self, first: float, last: float) -> float:
        """Largest sample in a stretch of the run, as shares of its time."""
        count = len(self.samples)
        return max(self.samples[int(first * count) : max(int(last * count), int(first * count) + 1)], default=0.0)


def timed(builder: RowBuilder, output: Path, **settings: int | None) -> tuple[BuildReport, Memory]:
    """Build and watch the memory."""
    memory = Memory()
    memory.start()
    report = build(builder, output, progress=sys.stderr.isatty(), **settings)  # type: ignore[arg-type]
    memory.done.set()
    memory.join()
    return report, memory


def same_bytes(a: Path, b: Path) -> bool:
    """Whether two folders hold the same files with the same bytes."""
    names = {path.relative_to(a) for path in a.rglob("*") if path.is_file()}
    others = {path.relative_to(b) for path in b.rglob("*") if path.is_file()}
    return names == others and all((a / name).read_bytes() == (b / name).read_bytes() for name in names)


def main() -> int:
    """Measure, print and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL 1.0.x")
    parser.add_argument("--tokenizer", type=Path, default=None, help="checkpoint; default: the embedded one")
    parser.add_argument("--num-proc", type=int, default=2)
    parser.add_argument("--max-records", type=int, help="of the build at 100 Hz; default: all")
    parser.add_argument("--token-records", type=int, default=400, help="default: 400")
    parser.add_argument("--scratch", type=Path, help="folder for what is built; default: a temporary one")
    args = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="scale-", dir=args.scratch))
    command = "python benchmarks/scale.py --ptbxl build/ptb-xl"
    commit, machine = current_commit(), machine_words()
    rows: list[Result] = []

    def add(name: str, value: float, unit: str, data: str, bar: str | None = None) -> None:
        rows.append(Result(name, round(value, 4), None, bar, unit, data, command, commit, machine))
        print(f"{name}: {value:,.4g} {unit} ({data})", flush=True)

    def cost(name: str, report: BuildReport, data: str) -> None:
        rate = report.num_rows / report.seconds
        size = sum(file.file_bytes for files in report.files.values() for file in files) / report.num_rows
        add(f"scale: {name}, records a second", rate, "records/s", data)
        add(f"scale: {name}, bytes a record", size, "bytes", data)
        add(f"scale: {name}, {MANY:,} records", MANY / rate / 3600, "hours", f"extrapolated from {data}")
        add(f"scale: {name}, {MANY:,} records on disk", MANY * size / 1e9, "GB", f"extrapolated from {data}")

    try:
        cache = str(scratch / "cache")
        low = PTBXL(source=args.ptbxl, cache_dir=cache)
        report, memory = timed(low, scratch / "low", num_proc=args.num_proc, max_records=args.max_records)
        data = f"PTB-XL at 100 Hz, {report.num_rows:,} records, {args.num_proc} processes"
        cost("PTB-XL at 100 Hz", report, data)
        add("scale: memory of the largest process, first quarter", memory.peak(0.05, 0.25), "MB", data)
        add("scale: memory of the largest process, last quarter", memory.peak(0.75, 1.0), "MB", data)
        for split, files in report.files.items():
            add(f"ptb_xl: rows of {split}", sum(file.num_rows for file in files), "rows", "PTB-XL at 100 Hz as at hand")
        started = time.monotonic()
        again = build(low, scratch / "low", max_records=args.max_records, progress=False)
        add("scale: finding all shards whole", time.monotonic() - started, "s", data)
        assert again.written == 0, "a second build wrote shards"

        high = PTBXL(source=args.ptbxl, rate=500, cache_dir=cache)
        report, memory = timed(high, scratch / "high", num_proc=args.num_proc)
        data = f"PTB-XL at 500 Hz, {report.num_rows:,} records, {args.num_proc} processes"
        cost("PTB-XL at 500 Hz", report, data)
        build(high, scratch / "one", num_proc=1, progress=False)
        equal = same_bytes(scratch / "high" / "data", scratch / "one" / "data")
        add("scale: one process gives the bytes of several", equal, "1 is yes", data, "== 1")

        from hf_heartllm import checkpoint

        tokenizer = args.tokenizer or Path(checkpoint())
        tokens = ECGTokens(records=args.ptbxl, tokenizer=tokenizer, cache_dir=cache)
        report, memory = timed(tokens, scratch / "tokens", num_proc=1, max_records=args.token_records)
        data = f"PTB-XL at 100 Hz, {report.num_rows:,} records, 1 process, {tokenizer.name}"
        cost("ECG tokens", report, data)
        add("scale: ECG tokens, memory of the process", memory.peak(0.0, 1.0), "MB", data)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    write_results(RESULTS, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "scale"))
