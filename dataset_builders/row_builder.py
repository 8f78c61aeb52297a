"""A builder: what its shards are, and the rows of each."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets

from hf_heartllm import __version__
from hf_heartllm.hashes import file_sha256, sha256_of
from hf_heartllm.models.ecg_record import ECGError

from .shards import Shard

_INDEX_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".json", ".json.gz", ".jsonl", ".parquet", ".txt")

# `datasets` replaces `open`, `os.path` and `Path` in the modules of a builder with ones for remote files, unless a
# module says that this is done. Builders here read local files, and `isinstance(value, Path)` has to stay true.
_patched_for_streaming = True

_BASE_FIELDS = {field.name for field in dataclasses.fields(datasets.BuilderConfig)} - {"name"}


class RowBuilder(datasets.GeneratorBasedBuilder):
    """A `datasets` builder that says what its shards are and makes the rows of each.

    Subclasses give `BUILDER_CONFIG_CLASS` (a dataclass of `datasets.BuilderConfig`, with the paths of its sources as
    `Path`), `_info()`, `plan()` and `rows(shard)`; `VERSION` rises when the same source gives other rows.

    Attributes:
        COUNTED: columns whose values are counted per split, for the printed table and the card; a dotted path goes into
            lists of structures (`"questions.question_type"`).
        ROWS_PER_GROUP: rows that are held in memory, and that a reader of one row must read.
        LINE_END: of a CSV table.
        on_error: `"raise"` or `"skip"`: what `reading` does with a damaged record.
        skipped: damaged records of the shard at work, as (name, reason).
    """

    VERSION = datasets.Version("1.0.0")
    COUNTED: tuple[str, ...] = ()
    ROWS_PER_GROUP = 64
    LINE_END = "\n"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        sys.modules[cls.__module__]._patched_for_streaming = True  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.on_error = "raise"
        self.skipped: list[tuple[str, str]] = []
        super().__init__(*args, **kwargs)

    def prepare(self) -> None:
        """Get the source ready, once and before anything else, such as by downloading it."""

    def identity(self) -> dict[str, str]:
        """Entries of the card's YAML that all configurations of a folder must share, such as a codec."""
        return {}

    def notes(self) -> list[str]:
        """Lines that are printed after a build and stand in its card, such as how many records are absent."""
        return []

    def plan(self) -> list[Shard]:
        """All shards, split by split. The same source and configuration give the same plan."""
        raise NotImplementedError

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of one shard, with the features of `_info()`, in the order of its keys."""
        raise NotImplementedError

    def index_files(self) -> Iterable[Path]:
        """Files whose content decides plan and rows, hashed into `fingerprint`.

        By default the files that the configuration names, and the tables and lists below the folders that it names.
        """
        for value in _config_values(self.config).values():
            if _is_path(value) and Path(value).is_file():
                yield Path(value)
            elif _is_path(value):
                yield from sorted(path for path in Path(value).rglob("*") if path.name.endswith(_INDEX_SUFFIXES))

    def shard_files(self, shard: Shard) -> Iterable[Path]:
        """Further files that a shard is read from, such as its signals; when one is newer, the shard is made anew."""
        return ()

    def written_files(self, shard: Shard) -> Iterable[Path]:
        """Files that `rows(shard)` writes beside its rows; when one is no longer there, the shard is made anew."""
        return ()

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash over what decides the rows: class, version, configuration, features, index files, library versions."""
        settings = {k: v for k, v in _config_values(self.config).items() if not _is_path(v)}
        parts = {
            "builder": [type(self).__qualname__, str(self.VERSION), __version__],
            "config": settings,
            "features": self.info.features.to_dict(),
            "libraries": {name: version(name) for name in ("datasets", "pyarrow")},
            "index": [file_sha256(path) for path in self.index_files()],
        }
        return sha256_of(json.dumps(parts, sort_keys=True, default=str))

    @contextmanager
    def reading(self, name: str | Path) -> Iterator[None]:
        """Wrap reading one record: an `ECGError` or `OSError` is fatal or the record is skipped, as `on_error` says.

        Args:
            name: the record as the report calls it, relative to the source.

        Raises:
            ECGError: with the record's name, where errors are fatal.
        """
        try:
            yield
        except (ECGError, OSError) as error:
            reason = " ".join(str(error).split())
            for value in _config_values(self.config).values():
                if _is_path(value):  # what is written does not depend on where the source lies
                    reason = reason.replace(f"{value}{os.sep}", "")
            if self.on_error == "raise":
                shown = str(error) if str(name) in str(error) else f"{name}: {error}"
                raise ECGError(f"{shown}; --on-error skip leaves it out") from None
            self.skipped.append((str(name), reason))

    def _create_builder_config(self, *args: Any, **kwargs: Any) -> tuple[datasets.BuilderConfig, str]:
        # `datasets` names the cache by the configuration alone and would return the rows of a source that has changed.
        config, config_id = super()._create_builder_config(*args, **kwargs)
        self.config = config
        seen = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in self.index_files()]
        state = sha256_of(json.dumps([__version__, seen]))[:16]
        return config, f"{config_id}-{state}"

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        self.prepare()
        by_split: dict[str, list[Shard]] = {}
        for shard in self.plan():
            by_split.setdefault(shard.split, []).append(shard)
        return [datasets.SplitGenerator(name, gen_kwargs={"shards": shards}) for name, shards in by_split.items()]

    def _generate_examples(self, shards: list[Shard]) -> Iterator[tuple[Any, dict[str, Any]]]:
        from datasets.builder import Key

        for number, shard in enumerate(shards):
            for item, row in enumerate(self.rows(shard)):
                yield Key(number, item), row

    def __getstate__(self) -> dict[str, Any]:
        # What a process has read or loaded for itself does not travel to another one.
        cached = {name for cls in type(self).__mro__ for name, v in vars(cls).items() if _is_cached(v)}
        return {k: v for k, v in self.__dict__.items() if k not in cached or k == "fingerprint"}


def _config_values(config: datasets.BuilderConfig) -> dict[str, Any]:
    return {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.name not in _BASE_FIELDS}


def _is_path(value: Any) -> bool:
    return isinstance(value, Path) or (isinstance(value, str) and os.sep in value and Path(value).exists())


def _is_cached(value: Any) -> bool:
    return isinstance(value, functools.cached_property)
