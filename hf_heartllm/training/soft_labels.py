"""How probable each statement is for each recording, from its raw signal, by networks that have not seen the recording.

A codec that sees the same recordings many times over can learn their labels by heart, errors and all. A network that
was trained on other folds cannot know them, and says how far the signal bears a statement out; its probabilities are
mixed with the labels (knowledge distillation, arXiv:1503.02531, cross-fitted).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hf_heartllm.data.record import id_order
from hf_heartllm.evaluation.codec.probes import ProbeInput, ProbeTraining, probe_scores, train_probe
from hf_heartllm.models.whole_files import written_whole

ID = "record_id"
OLD_ID = "ecg_id"
"""What the column was called while PTB-XL was all that there was."""


def cross_fitted(
    signals: np.ndarray,
    labels: np.ndarray,
    parts: np.ndarray,
    part: int,
    *,
    seeds: Sequence[int],
    passes: int,
    progress: Callable[[int], Any] = lambda step: None,
) -> np.ndarray:
    """Probabilities of the recordings of one part, by networks trained on those of the others.

    Args:
        signals: (recordings, leads, samples) in mV at 100 Hz, float16 or float32.
        labels: float32 (recordings, statements).
        parts: int (recordings,), the part of each; recordings of one patient are in one part.
        part: which to give.
        seeds: of the networks, one each; what they give is averaged.
        passes: over the recordings they are trained on.
        progress: called with 1 after each step.

    Returns:
        float32 (recordings of the part, statements), in their order.

    Raises:
        ValueError: if the part is empty, or all there is.
    """
    inside = parts == part
    if not inside.any() or inside.all():
        raise ValueError(f"part {part} has {int(inside.sum())} of {len(parts)} recordings: some, not all, are needed")
    mean = np.zeros((int(inside.sum()), labels.shape[1]), dtype=np.float32)
    for seed in seeds:
        probe = train_probe(
            ProbeInput(signals[~inside]),
            labels[~inside],
            seed=seed,
            training=ProbeTraining(passes=passes),
            progress=progress,
        )
        mean += 1 / (1 + np.exp(-probe_scores(probe, ProbeInput(signals[inside])))) / len(seeds)
    return mean


def write_soft_labels(
    path: str | os.PathLike[str], record_ids: Sequence[str], statements: Sequence[str], probabilities: np.ndarray
) -> None:
    """Write a Parquet file: `record_id`, then a float32 column for each statement. It appears whole or not at all."""
    columns: dict[str, Any] = {ID: pa.array(record_ids, pa.string())}
    columns |= {name: pa.array(probabilities[:, i], pa.float32()) for i, name in enumerate(statements)}
    with written_whole(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def soft_label_table(path: str | os.PathLike[str]) -> tuple[list[str], pa.Table]:
    """The records of a file of `write_soft_labels`, and its columns.

    Raises:
        ValueError: if there is no such file.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; training/soft_labels.py writes it")
    try:
        table = pq.read_table(path)
    except pa.ArrowException:
        raise ValueError(f"{path}: no Parquet file; training/soft_labels.py writes it") from None
    column = next((name for name in (ID, OLD_ID) if name in table.column_names), None)
    if column is None:
        raise ValueError(f"{path}: has no column {ID}; training/soft_labels.py writes it")
    return [str(name) for name in table[column].to_pylist()], table


def read_soft_labels(
    path: str | os.PathLike[str], statements: Sequence[str], record_ids: Sequence[str]
) -> Mapping[str, np.ndarray]:
    """Probabilities by `record_id`, each float32 (statements,).

    Args:
        path: of `write_soft_labels`.
        statements: in the order of the result.
        record_ids: recordings that must be there.

    Raises:
        ValueError: if there is no such file, a statement or a recording is not in it, or two recordings have one name.
    """
    names, table = soft_label_table(path)
    if twice := [name for name, number in Counter(record_ids).items() if number > 1]:
        raise ValueError(
            f"{path}: its probabilities are by record, and {len(twice)} are there twice, such as {twice[0]}"
        )
    if absent := [name for name in statements if name not in table.column_names]:
        raise ValueError(f"{path}: no probabilities of {', '.join(absent)}; make it with the recipe's `at_least`")
    rows = np.stack([table[name].to_numpy() for name in statements], axis=1).astype(np.float32)
    found = dict(zip(names, rows, strict=True))
    if absent_ids := sorted(set(record_ids) - found.keys(), key=id_order):
        raise ValueError(f"{path}: no probabilities of record {absent_ids[0]} ({len(absent_ids)} such)")
    return found
