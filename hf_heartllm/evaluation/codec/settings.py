"""What an evaluation of a codec is made of; the options of `heartllm evaluate codec` are these fields."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ...data.record import Record
    from .coder import Coder

Item = TypeVar("Item")


@dataclass(frozen=True)
class Settings:
    """Which records, which parts, and how much of what is costly.

    Attributes:
        ptbxl: folder in PTB-XL's layout.
        folds: folds that are evaluated.
        training_folds: folds that probes are trained on.
        max_records: recordings of the evaluated folds, evenly spaced; all when None.
        measured_records: recordings at 100 Hz whose intervals and amplitudes are measured; those at 500 Hz all are.
        tried_records: recordings for robustness and denoising.
        probe_records: recordings of the training folds, for probes; all when None.
        probe_passes: passes of each probe over them.
        probe_seeds: probes of each input.
        device: where probes are trained.
        skip: parts to leave out, of rate-distortion,fidelity,robustness,denoising,probes.
        progress: whether to show bars.
    """

    ptbxl: Path
    folds: tuple[int, ...] = (9,)
    training_folds: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    max_records: int | None = None
    measured_records: int = 400
    tried_records: int = 60
    probe_records: int | None = None
    probe_passes: int = 10
    probe_seeds: int = 3
    device: str = "cpu"
    skip: tuple[str, ...] = ()
    progress: bool = True

    def records(self, sampling_rate: int = 100) -> list[Record]:
        """The evaluated recordings.

        Raises:
            ECGError: if there is none at 100 Hz.
        """
        return self._on_disk(self.folds, self.max_records, sampling_rate)

    def training_records(self) -> list[Record]:
        """The recordings that probes are trained on.

        Raises:
            ECGError: if there is none.
        """
        return self._on_disk(self.training_folds, self.probe_records, 100)

    def _on_disk(self, folds: Sequence[int], count: int | None, sampling_rate: int) -> list[Record]:
        """At most `count` recordings of some folds that are on disk; warns of those whose patient is not named."""
        from ...data.sources import open_records
        from ...ecg import ECGError
        from ..question_file import evenly_spaced

        of_folds = [one for one in open_records(self.ptbxl, sampling_rate=sampling_rate) if one.fold in folds]
        if unnamed := sum(one.patient_id is None for one in of_folds):
            warnings.warn(
                f"{self.ptbxl}: {unnamed} of {len(of_folds)} records of folds {list(folds)} name no patient: patients "
                "cannot be checked for them, and each counts as a patient of its own, so intervals are too narrow",
                stacklevel=3,
            )
        found = [one for one in of_folds if one.path and (self.ptbxl / f"{one.path}.hea").is_file()]
        if not found and sampling_rate == 100:
            raise ECGError(f"{self.ptbxl}: no record of folds {list(folds)} at 100 Hz; unpack the data first")
        return evenly_spaced(found, count)

    def key(self, coder: Coder, records: Sequence[Record]) -> dict[str, Any]:
        """What a part depends on: weights and records."""
        return {"weights": coder.weights_digest(), "records": [one.record_id for one in records]}

    def shown(self, items: Sequence[Item], title: str) -> Iterable[Item]:
        """The items with a progress bar on stderr."""
        from tqdm import tqdm

        bar: Iterable[Item] = tqdm(items, desc=title, disable=not self.progress, dynamic_ncols=True)
        return bar

    def words(self, count: int) -> str:
        """What the evaluation was made on, for the rows of results."""
        folds = ", ".join(str(fold) for fold in self.folds)
        return f"PTB-XL, fold{'s' if len(self.folds) > 1 else ''} {folds}, {count} records at 100 Hz"
