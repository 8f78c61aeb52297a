"""What is taught of a record's statements: what was stated, mixed with how probable its signal makes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_heartllm.training.examples import stated
from hf_heartllm.training.soft_labels import soft_label_table


def hard_labels(rows: Sequence[Mapping[str, Any]], statements: Sequence[str]) -> dict[str, np.ndarray]:
    """By `record_id`, float32 (statements,): 1 where a row's questions affirm it (`examples.stated`)."""
    found = {}
    for row in rows:
        holding = stated(row)
        found[row["record_id"]] = np.array([name in holding for name in statements], dtype=np.float32)
    return found


MEASURED = ("heart rate < 60", "heart rate 60 to 100", "heart rate > 100", "irregular rhythm")
"""What is asked of a record's beats beside its statements, as `wordings` call it."""

_REGULAR = {"very regular": 0.0, "regular": 0.0, "irregular": 1.0, "very irregular": 1.0}


def measured_labels(row: Mapping[str, Any]) -> np.ndarray:
    """Float32 (4,): which of `MEASURED` the beats that were counted on a record make true; NaN where not known.

    A row tells them as the answers to the questions for rate and regularity, such as "90 to 99", "below 40" and "very
    regular". A rate of 100 to 109 is taken as above 100, and a slightly irregular rhythm as neither.
    """
    answers = {one.attribute: one.answer for one in row["questions"] or ()}
    told = re.match(r"(below )?(\d+)", answers.get("heart rate", ""))
    rate = np.nan if told is None else int(told[2]) - bool(told[1])
    ranges = [np.nan] * 3 if told is None else [rate < 60, 60 <= rate < 100, rate >= 100]
    return np.array([*ranges, _REGULAR.get(answers.get("regularity", ""), np.nan)], dtype=np.float32)


def with_measured(labels: Mapping[str, np.ndarray], rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Labels of records, and behind them those of `MEASURED`."""
    measured = {row["record_id"]: measured_labels(row) for row in rows}
    return {name: np.concatenate([one, measured[name]]) for name, one in labels.items()}


def softened(
    labels: Mapping[str, np.ndarray], statements: Sequence[str], path: str | Path, share: float
) -> dict[str, np.ndarray]:
    """Labels mixed with the probabilities of a file (`soft_labels.write_soft_labels`); what it lacks stays hard.

    Args:
        labels: of `hard_labels`.
        statements: in their order.
        path: Parquet file with a column for each statement.
        share: of the probabilities.

    Returns:
        The labels of all records.

    Raises:
        ValueError: if the file is none of soft labels, or has none of the records.
    """
    names, table = soft_label_table(path)
    # NORM is a statement too; the other superclasses have columns of their own kind
    named = {
        name: next((one for one in (name, f"superclass {name}") if one in table.column_names), None)
        for name in statements
    }
    known = [name for name in statements if named[name] is not None]
    if not known:
        raise ValueError(f"{path}: none of the statements is there; training/soft_labels.py writes a column for each")
    columns = [list(statements).index(name) for name in known]
    probabilities = np.stack([table[named[name]].to_numpy() for name in known], axis=1).astype(np.float32)
    mixed, found = dict(labels), 0
    for record_id, row in zip(names, probabilities, strict=True):
        if record_id in labels:
            mixed[record_id] = labels[record_id].copy()
            mixed[record_id][columns] = share * row + (1 - share) * labels[record_id][columns]
            found += 1
    if not found:
        raise ValueError(f"{path}: has none of the {len(labels)} records")
    print(f"soft labels of {found} of {len(labels)} records, {len(known)} of {len(statements)} statements", flush=True)
    return mixed
