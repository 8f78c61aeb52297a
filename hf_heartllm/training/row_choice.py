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
    of_devices: Collection[str] | None = None,
    max_records: int | None = None,
    with_codes: Collection[str] | None = None,
    splits: Collection[str] = ("train",),
    seed: int = 0,
) -> list[Mapping[str, Any]]:
    """The rows of some folds and devices, in their order.

    Folds are PTB-XL's; a row without one, as other collections have them, is taken by its split instead.

    Args:
        rows: of `token_file.load_rows`, with `record_id`, `strat_fold` and `split` (either may be absent or None).
        folds: those wanted.
        of_devices: `record_id` of the records of the wanted devices; None: of all.
        max_records: that many of them, drawn by the seed, so that sets of equal size can be compared; None: all.
        with_codes: `record_id` of the records that have codes: the draw is from these, so that none of it is lost.
        splits: of the rows without a fold, those wanted.
        seed: of the draw.

    Raises:
        ValueError: if no row is left, or fewer than `max_records`, or `max_records` is no number of records.
    """
    if max_records is not None and max_records < 1:
        raise ValueError(f"data.max_records {max_records}: give 1 or more, or null for all")
    without_fold = [row for row in rows if row.get("strat_fold") is None]
    by_split = [row for row in without_fold if row.get("split") is not None]
    if unknown := len(without_fold) - len(by_split):
        warnings.warn(
            f"{unknown} of {len(rows)} rows have no strat_fold and no split, so they are in none of the folds",
            stacklevel=2,
        )
    if by_split:
        warnings.warn(
            f"{len(by_split)} of {len(rows)} rows have no fold of PTB-XL's and go by their split: those of "
            f"{', '.join(sorted(splits))} are read",
            stacklevel=2,
        )
    if repeated := len(rows) - len({row["record_id"] for row in rows}):
        warnings.warn(
            f"{repeated} of {len(rows)} rows are of a record that has another row: each is an example of its own",
            stacklevel=2,
        )

    def wanted(row: Mapping[str, Any]) -> bool:
        fold = row.get("strat_fold")
        return (row.get("split") in splits if fold is None else fold in folds) and (
            of_devices is None or row["record_id"] in of_devices
        )

    chosen = [row for row in rows if wanted(row)]
    if not chosen:
        which = f"folds {sorted(folds)}{'' if of_devices is None else ' and these devices'}"
        raise ValueError(f"no rows of {which}, of {len(rows)} rows: nothing to train on")
    if max_records is None:
        return chosen
    if with_codes is not None:
        chosen = [row for row in chosen if row["record_id"] in with_codes]
    if max_records > len(chosen):
        raise ValueError(f"data.max_records {max_records}: there are {len(chosen)} records with codes to draw from")
    drawn = sorted(random.Random(seed).sample(range(len(chosen)), max_records))
    return [chosen[index] for index in drawn]
