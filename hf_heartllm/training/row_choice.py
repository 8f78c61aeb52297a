"""Which rows a training is on: folds, device families, and a number of records drawn from all of them."""

from __future__ import annotations

import random
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any


def choose_rows(
    rows: Sequence[Mapping[str, Any]],
    folds: Collection[int],
    *,
    of_devices: Collection[int] | None = None,
    max_records: int | None = None,
    with_codes: Collection[int] | None = None,
    seed: int = 0,
) -> list[Mapping[str, Any]]:
    """The rows of some folds and devices, in their order.

    Args:
        rows: of `dataset_builders.training_rows`.
        folds: those wanted.
        of_devices: `ecg_id` of the records of the wanted devices; None: of all.
        max_records: that many of them, drawn by the seed, so that sets of equal size can be compared; None: all.
        with_codes: `ecg_id` of the records that have codes: the draw is from these, so that none of it is lost.
        seed: of the draw.

    Raises:
        ValueError: if no row is left, or fewer than `max_records`, or `max_records` is no number of records.
    """
    if max_records is not None and max_records < 1:
        raise ValueError(f"data.max_records {max_records}: give 1 or more, or null for all")
    if unknown := sum(row["strat_fold"] is None for row in rows):
        warnings.warn(
            f"{unknown} of {len(rows)} rows have no strat_fold, so they are in none of the folds", stacklevel=2
        )
    if repeated := len(rows) - len({row["ecg_id"] for row in rows}):
        warnings.warn(
            f"{repeated} of {len(rows)} rows are of a record that has another row: each is an example of its own",
            stacklevel=2,
        )
    chosen = [row for row in rows if row["strat_fold"] in folds and (of_devices is None or row["ecg_id"] in of_devices)]
    if not chosen:
        which = f"folds {sorted(folds)}{'' if of_devices is None else ' and these devices'}"
        raise ValueError(f"no rows of {which}, of {len(rows)} rows: nothing to train on")
    if max_records is None:
        return chosen
    if with_codes is not None:
        chosen = [row for row in chosen if row["ecg_id"] in with_codes]
    if max_records > len(chosen):
        raise ValueError(f"data.max_records {max_records}: there are {len(chosen)} records with codes to draw from")
    drawn = sorted(random.Random(seed).sample(range(len(chosen)), max_records))
    return [chosen[index] for index in drawn]
