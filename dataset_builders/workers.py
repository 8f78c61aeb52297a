"""Writing shards in this process or in several spawned ones, one thread each."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hf_heartllm.data.row_files import FOOTER_KEY, FORMAT_VERSION
from hf_heartllm.hashes import file_sha256
from hf_heartllm.models.ecg_record import ECGError

from .row_builder import RowBuilder
from .shards import Shard

Job = tuple[Shard, int, str]
"""A shard, the number of shards in its split, and the hash of its plan."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_WORKER: dict[str, Any] = {}


def write_shards(builder: RowBuilder, jobs: Sequence[Job], folder: Path, num_proc: int, progress: bool) -> None:
    """Write shards, with a progress bar over their keys.

    Raises:
        ECGError: a damaged record where these are fatal, or a worker that was ended by the system.
    """
    from tqdm import tqdm

    if not jobs:
        return
    total = sum(len(shard.keys) for shard, _, _ in jobs)
    with tqdm(total=total, unit="record", desc=type(builder).__name__, disable=not progress) as bar:
        if num_proc == 1:
            for shard, count, plan in jobs:
                write_shard(builder, shard, count, folder, plan, bar.update)
        else:
            _write_in_workers(builder, jobs, folder, num_proc, bar)


def _write_in_workers(builder: RowBuilder, jobs: Sequence[Job], folder: Path, num_proc: int, bar: Any) -> None:
    import multiprocessing

    context = multiprocessing.get_context("spawn")  # a forked worker would wait for threads it has not got
    done = context.Value("q", 0)
    with _one_thread_each():
        pool = ProcessPoolExecutor(num_proc, context, _start_worker, (builder, folder, done))
        try:
            open_jobs = {pool.submit(_write_one, job) for job in jobs}
            while open_jobs:
                finished, open_jobs = wait(open_jobs, timeout=0.5, return_when=FIRST_COMPLETED)
                bar.update(done.value - bar.n)
                for future in finished:
                    future.result()
        except BrokenProcessPool:
            raise ECGError(
                "a worker was ended by the system (out of memory?); run again with fewer processes to go on"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Spawned processes inherit the environment, which numerical libraries read when they are imported."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start_worker(builder: RowBuilder, folder: Path, done: Any) -> None:
    import multiprocessing
    import signal
    import sys
    import threading

    import pyarrow as pa

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    pa.set_cpu_count(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    # A pool's worker waits for its next job forever when the parent was killed.
    threading.Thread(target=end_with_parent, daemon=True).start()
    _WORKER.update(builder=builder, folder=folder, done=done)


def _write_one(job: Job) -> None:
    shard, count, plan = job
    done = _WORKER["done"]

    def tick(rows: int) -> None:
        with done.get_lock():
            done.value += rows

    write_shard(_WORKER["builder"], shard, count, _WORKER["folder"], plan, tick)


def write_shard(builder: RowBuilder, shard: Shard, count: int, folder: Path, plan: str, tick: Any = None) -> None:
    """Write the rows of a shard under a temporary name, then rename it to its name with the hash of its content.

    Args:
        builder: makes the rows.
        shard: of its plan.
        count: shards in the split.
        folder: where the file goes.
        plan: `plan_hash` of the shard; kept in the file's footer.
        tick: called with 1 for each row, for a progress bar.
    """
    from datasets.arrow_writer import ParquetWriter

    started = time.time()
    stem = f"{shard.split}-{shard.index:05d}-of-{count:05d}"
    for left_over in folder.glob(f".{stem}.*.part"):
        left_over.unlink(missing_ok=True)
    temporary = folder / f".{stem}.{os.getpid()}.part"
    features = builder.info.features
    counted = {column: Counter[str]() for column in builder.COUNTED if column.partition(".")[0] in features}
    builder.skipped.clear()
    try:
        writer = ParquetWriter(features=features, path=str(temporary), writer_batch_size=builder.ROWS_PER_GROUP)
        try:
            for row in builder.rows(shard):
                writer.write(features.encode_example(row))
                for column, counter in counted.items():
                    counter.update(str(value) for value in _values(row, column.split(".")))
                if tick is not None:
                    tick(1)
            writer.write_examples_on_file()
            if writer.pa_writer is None:  # a shard without rows is a file all the same: the plan has it
                writer._build_writer(writer.schema)
            footer = {
                "format_version": FORMAT_VERSION,
                "plan": plan,
                "num_bytes": writer._num_bytes,
                "skipped": builder.skipped,
                "counts": {column: dict(sorted(counter.items())) for column, counter in counted.items()},
            }
            writer.pa_writer.add_key_value_metadata({FOOTER_KEY: json.dumps(footer, sort_keys=True).encode()})
            writer.finalize()
        finally:
            writer.close()
        # The time of reading, not of writing: a source file that changed in between is newer than the shard.
        os.utime(temporary, (started, started))
        os.replace(temporary, folder / f"{stem}-{file_sha256(temporary)[:16]}.parquet")
    finally:
        temporary.unlink(missing_ok=True)


def _values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """The values at a dotted path, through lists and structures; an absent one is `None`."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _values(item, path)
    elif path:
        yield from _values(value[path[0]] if value is not None else None, path[1:])
    else:
        yield value
