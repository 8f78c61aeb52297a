"""Recordings on disk as a dataset of codec features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from hf_heartllm.ecg import read_ecg
from hf_heartllm.labels.ptbxl import read_ptbxl_table
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.training.draws import draws


@dataclass(frozen=True)
class Recording:
    """One recording of a data set in PTB-XL's layout.

    Attributes:
        path: the WFDB record.
        ecg_id: its number in the data set.
        statements: its SCP codes, whatever their likelihood.
    """

    path: Path
    ecg_id: int
    statements: frozenset[str]


def list_recordings(folder: str | Path, folds: Sequence[int], sampling_rate: int = 100) -> list[Recording]:
    """The recordings of some folds of a data set in PTB-XL's layout, at 100 or 500 Hz, that are on disk.

    Raises:
        FileNotFoundError: if none is.
    """
    folder = Path(folder)
    table = read_ptbxl_table(folder)
    column = {100: "filename_lr", 500: "filename_hr"}[sampling_rate]
    rows = table[table["strat_fold"].isin(list(folds))]
    recordings = [
        Recording(folder / name, int(ecg_id), frozenset(codes))
        for ecg_id, name, codes in zip(rows.index, rows[column], rows["scp_codes"], strict=True)
        if isinstance(name, str) and (folder / f"{name}.hea").is_file()
    ]
    if not recordings:
        raise FileNotFoundError(
            f"{folder}: no record of folds {list(folds)} at {sampling_rate} Hz; unpack the data first"
        )
    return recordings


class RecordingDataset(Dataset):
    """Features of recordings, read when asked for, with the statements of each as a 0/1 vector.

    Args:
        recordings: what to read.
        extractor: makes the features; a recording gives its first window.
        statements: SCP codes in the order of the vector.
        crop_samples: length of a random stretch to return of each recording; None for the whole window.
        seed: of the stretches; another one in each `epoch`, which `EpochOfDraws` sets.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        extractor: ECGFeatureExtractor,
        statements: Sequence[str] = (),
        crop_samples: int | None = None,
        seed: int = 42,
    ) -> None:
        self.recordings = list(recordings)
        self.extractor = extractor
        self.statements = list(statements)
        self.crop_samples = crop_samples
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int) -> dict[str, Any]:
        recording = self.recordings[index]
        features = self.extractor.extract(read_ecg(recording.path))[0]
        if self.crop_samples:
            places = features.shape[1] - self.crop_samples + 1
            start = draws(self.seed, index, self.epoch).randrange(places)
            features = features[:, start : start + self.crop_samples]
        stated = np.array([code in recording.statements for code in self.statements], dtype=np.float32)
        return {"input_features": torch.from_numpy(features.copy()), "statement_labels": torch.from_numpy(stated)}
