"""Recordings on disk as a dataset of codec features."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from hf_heartllm.ecg import read_ecg
from hf_heartllm.labels.ptbxl import read_ptbxl_table
from hf_heartllm.labels.scp import superclasses
from hf_heartllm.models.ecg_leads import standard_lead_name
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.training.draws import draws
from hf_heartllm.training.settings import Augmentation


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

    Warns of those that are not, and of rows of the table without a fold.

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
    if absent := len(rows) - len(recordings):
        warnings.warn(
            f"{folder}: {absent} of {len(rows)} recordings of folds {list(folds)} are left out, since they are not on "
            f"disk at {sampling_rate} Hz",
            stacklevel=2,
        )
    if unknown := int(table["strat_fold"].isna().sum()):
        warnings.warn(f"{folder}: {unknown} of {len(table)} rows have no strat_fold and are in no fold", stacklevel=2)
    return recordings


@dataclass(frozen=True)
class HeaderFacts:
    """What a WFDB header says before its signal is read.

    Attributes:
        seconds: duration; None where the header does not say.
        leads: names of its signals, in standard spelling.
    """

    seconds: float | None
    leads: tuple[str, ...]


def header_facts(path: Path) -> HeaderFacts | None:
    """Duration and leads of a WFDB record; None where its header cannot be read so, which reading it will tell.

    Args:
        path: of the record, without suffix.
    """
    try:
        text = Path(f"{path}.hea").read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        head = lines[0].split()
        samples = int(head[3]) if len(head) > 3 else 0
        rate = float(head[2].partition("/")[0].partition("(")[0])
        names = [line.split(maxsplit=8)[8] for line in lines[1 : 1 + int(head[1].partition("/")[0])]]
    except (OSError, IndexError, ValueError):
        return None
    return HeaderFacts(samples / rate if samples > 0 and rate > 0 else None, tuple(map(standard_lead_name, names)))


def long_enough(
    recordings: Sequence[Recording], extractor: ECGFeatureExtractor, crop_samples: int | None = None
) -> tuple[list[Recording], Counter[str], Counter[str]]:
    """The recordings that a training can read, by their headers, and what is lost.

    Args:
        recordings: from `list_recordings`.
        extractor: of the codec.
        crop_samples: of the stretches that a training draws, at the codec's rate.

    Returns:
        Those that are as long as a window (or `min_duration`) and a stretch; why → number of the others; and lead that
        the codec does not read, such as V7 or vx → number of recordings that have it.
    """
    window = extractor.window_samples
    needed = extractor.min_duration if window is None else window / extractor.sampling_rate
    needed = max(needed, (crop_samples or 0) / extractor.sampling_rate)
    kept, lost, unread = [], Counter[str](), Counter[str]()
    for recording in recordings:
        facts = header_facts(recording.path)
        if facts is not None and facts.seconds is not None and facts.seconds < needed:
            lost[f"shorter than the {needed:g} s that the training reads"] += 1
            continue
        kept.append(recording)
        if facts is not None:
            if window is not None and facts.seconds is not None and facts.seconds > needed:
                lost[f"but for their first {needed:g} s"] += 1
            unread.update(extractor.unread_leads(facts.leads))
    return kept, lost, unread


class RecordingDataset(Dataset):
    """Features of recordings, read when first asked for and then kept in memory, with the statements of each as 0 to 1.

    Args:
        recordings: what to read.
        extractor: makes the features; a recording gives its first window.
        statements: SCP codes (and `superclass X`) in the order of the vector.
        crop_samples: length of a random stretch to return of each recording; None for the whole window.
        seed: of the stretches and changes; another one in each `epoch`, which `EpochOfDraws` sets.
        augmentation: changes of what the codec reads.
        probabilities: of the statements, by `ecg_id`, each (statements,); see `soft_labels`.
        soft_label_share: of the probabilities in the vector, the rest is what was stated.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        extractor: ECGFeatureExtractor,
        statements: Sequence[str] = (),
        crop_samples: int | None = None,
        seed: int = 42,
        augmentation: Augmentation | None = None,
        probabilities: Mapping[int, np.ndarray] | None = None,
        soft_label_share: float = 0.0,
    ) -> None:
        self.recordings = list(recordings)
        self.extractor = extractor
        self.statements = list(statements)
        self.crop_samples = crop_samples
        self.seed = seed
        self.augmentation = augmentation
        self.probabilities = probabilities
        self.soft_label_share = soft_label_share
        self.epoch = 0
        self._kept: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.recordings)

    def _features(self, index: int) -> np.ndarray:
        if index not in self._kept:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".* not read: the codec reads ")  # `say_unread` counts them
                features = self.extractor.extract(read_ecg(self.recordings[index].path))[0]
            if self.extractor.window_samples is not None:
                return features  # 240 kB each: too much to keep
            self._kept[index] = features
        return self._kept[index]

    def complete_features(self, indices: Iterable[int]) -> torch.Tensor:
        """float32 (recordings, leads, samples), unchanged, of those in which no lead is missing; as long as a crop.

        Raises:
            ValueError: if there is none.
        """
        found = [torch.from_numpy(self._features(index)[:, : self.crop_samples]) for index in indices]
        complete = [one for one in found if not one.isnan().any()]
        if not complete:
            raise ValueError(f"none of {len(found)} recordings has all leads, which the refinements begin with")
        return torch.stack(complete)

    def __getitem__(self, index: int) -> dict[str, Any]:
        recording = self.recordings[index]
        features = self._features(index)
        drawn = draws(self.seed, index, self.epoch)
        if self.crop_samples:
            places = features.shape[1] - self.crop_samples + 1
            start = drawn.randrange(places)
            features = features[:, start : start + self.crop_samples]
        held = {*recording.statements, *(f"superclass {group}" for group in superclasses(recording.statements))}
        stated = np.array([code in held for code in self.statements], dtype=np.float32)
        if self.probabilities is not None:
            stated += np.float32(self.soft_label_share) * (self.probabilities[recording.ecg_id] - stated)
        row = {"input_features": torch.from_numpy(features.copy()), "statement_labels": torch.from_numpy(stated)}
        if self.augmentation is None:
            return row
        as_recorded = drawn.random() >= self.augmentation.gain
        if not as_recorded:
            features = features * np.float32(np.exp(drawn.uniform(-1.2, 1.2)))
        read = features.copy()
        if drawn.random() < self.augmentation.noise:
            deviation = np.exp(drawn.uniform(np.log(0.005), np.log(0.06)))
            noise = np.random.default_rng(drawn.getrandbits(32)).standard_normal(read.shape, dtype=np.float32)
            read += np.float32(deviation) * noise
        if drawn.random() < self.augmentation.missing:
            chest = [i for i, name in enumerate(self.extractor.leads) if name.startswith("V")]
            gone = drawn.sample(chest, drawn.randint(1, len(chest)))
            read[gone] = np.nan
            features = features.copy()
            features[gone] = np.nan
        return row | {
            "input_features": torch.from_numpy(read),
            "target_features": torch.from_numpy(features.copy()),
            "as_recorded": torch.tensor(as_recorded),
        }
