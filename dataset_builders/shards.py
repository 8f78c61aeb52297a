"""One shard: a bounded piece of a source and the Parquet file that it becomes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_heartllm.data.row_files import FOOTER_KEY
from hf_heartllm.hashes import sha256_of

_NAME = re.compile(r"(?P<split>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})-(?P<hash>[0-9a-f]{16})\.parquet")


@dataclass(frozen=True)
class Shard:
    """A bounded piece of a source.

    Attributes:
        split: name of the split that its rows belong to.
        index: number of the shard within its split, from 0.
        keys: what the builder makes rows from, such as the numbers of records; strings, numbers and tuples of them.
    """

    split: str
    index: int
    keys: tuple[Any, ...]


@dataclass(frozen=True)
class ShardFile:
    """A whole Parquet file of a shard, as its footer describes it.

    Attributes:
        path: the file.
        plan: hash over everything that decides its rows (`RowBuilder.fingerprint` and the shard itself).
        num_rows: rows.
        num_bytes: bytes in memory (Arrow), which `datasets` calls `num_bytes`.
        file_bytes: bytes on disk.
        skipped: records that could not be read, as (name, reason).
        counts: column → value → number of rows (or of list items) with it, for the builder's `COUNTED` columns.
    """

    path: Path
    plan: str
    num_rows: int
    num_bytes: int
    file_bytes: int
    skipped: tuple[tuple[str, str], ...] = ()
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def split_shards(split: str, keys: Sequence[Any], size: int) -> list[Shard]:
    """The shards of one split, with at most `size` keys each."""
    return [
        Shard(split, index, tuple(keys[start : start + size])) for index, start in enumerate(range(0, len(keys), size))
    ]


def plan_hash(fingerprint: str, shard: Shard) -> str:
    """What a shard's rows depend on, as a hash: the builder's fingerprint and the shard's keys."""
    text = json.dumps([fingerprint, shard.split, shard.index, shard.keys], sort_keys=True, default=str)
    return sha256_of(text)


def read_shard(path: Path) -> ShardFile | None:
    """What the footer of a shard's file says; None where the file is not whole or no such file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
        footer = json.loads(metadata.metadata[FOOTER_KEY])
        size = path.stat().st_size
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    skipped = tuple((name, reason) for name, reason in footer["skipped"])
    return ShardFile(path, footer["plan"], metadata.num_rows, footer["num_bytes"], size, skipped, footer["counts"])


def find_shard(folder: Path, shard: Shard, count: int, plan: str) -> ShardFile | None:
    """The last whole file of a shard in a folder, whatever the hash in its name; None where there is none of this plan.

    There can be two: one from before a source file changed stays until the card names the new one.
    """
    paths = folder.glob(f"{shard.split}-{shard.index:05d}-of-{count:05d}-*.parquet")
    whole = [found for path in paths if (found := read_shard(path)) is not None and found.plan == plan]
    return max(whole, key=lambda found: found.path.stat().st_mtime_ns, default=None)


def is_older(path: Path, sources: Iterable[Path]) -> bool:
    """Whether a shard was read before one of its source files changed, or one of them is no longer there."""
    made = path.stat().st_mtime
    try:
        return any(max(state.st_mtime, state.st_ctime) > made for state in map(os.stat, sources))
    except OSError:
        return True


def shard_names(folder: Path) -> Iterator[Path]:
    """The files in a folder that are named as shards are."""
    return (path for path in folder.glob("*.parquet") if _NAME.fullmatch(path.name))
