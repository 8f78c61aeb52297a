"""The records of a collection as a dataset of codec features."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from hf_heartllm.data.label_names import PTBXL_VOCABULARY, vocabulary_of
from hf_heartllm.data.record import Record
from hf_heartllm.data.sources import PTB_XL, open_records
from hf_heartllm.labels.scp import SUPERCLASSES
from hf_heartllm.models.ecg_leads import standard_lead_name
from hf_heartllm.models.ecg_record import ECGError
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.training.draws import draws
from hf_heartllm.training.settings import Augmentation

MOST_REASONS = 10
"""Reasons for leaving recordings out, and remarks on those that are read, which are told one by one."""
_COUNTED_BY_LEAD = " not read: the model reads "


def training_records(
    path: str | Path, folds: Sequence[int], sampling_rate: int = 100, split: str = "train"
) -> tuple[list[Record], list[str]]:
    """The records of a collection that a training is on, and what was decided or left out, each a sentence.

    Args:
        path: as `open_records` takes it.
        folds: of PTB-XL.
        sampling_rate: 100 or 500, of PTB-XL's recordings.
        split: of a collection without folds, which is taken.

    Raises:
        FileNotFoundError: if none is on disk.
        ValueError: one line, if the collection cannot be read.
    """
    source = open_records(path, sampling_rate=sampling_rate, splits=dict.fromkeys(folds, "train"))
    wanted = source.splits().get("train" if source.layout == PTB_XL else split, [])
    records = [record for record in wanted if record.files]
    notes = [f"{path}: {note}" for note in source.notes]
    if others := len(source) - len(wanted):
        notes.append(f"{path}: {others} of {len(source)} recordings are of other splits than {split}: left out.")
    which = f"folds {list(folds)} at {sampling_rate} Hz" if source.layout == PTB_XL else f"the split {split}"
    if not records:
        raise FileNotFoundError(f"{path}: no recording of {which} is on disk, of {len(wanted)}; unpack the data first")
    if absent := len(wanted) - len(records):
        first = next(record for record in wanted if not record.files)
        notes.append(
            f"{path}: {absent} of {len(wanted)} recordings of {which} are left out, since they are not on disk, such "
            f"as {first.record_id}."
        )
    return records, notes


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


@dataclass
class Usable:
    """The records that a training can read, and what is lost.

    Attributes:
        records: those.
        lost: reason → number of the others, or of those of which only a part is read.
        unread: lead that the codec does not read, such as V7 or vx → number of recordings that have it.
        remarks: what is wrong with recordings that are read, such as a missing lead → number of them.
        seconds: durations that occur, where they are known.
        features: by the place in `records`, what was read of them already.
    """

    records: list[Record] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    seconds: set[float] = field(default_factory=set)
    features: dict[int, np.ndarray] = field(default_factory=dict)


def usable_records(
    records: Sequence[Record],
    extractor: ECGFeatureExtractor,
    crop_samples: int | None = None,
    max_records: int | None = None,
) -> Usable:
    """The first records that are as long as a window (or `min_duration`) and a stretch, and that the codec can read.

    PTB-XL's go by their headers, since reading its thousands takes minutes; of other collections every recording is
    read, so that none that is damaged ends a training hours later.

    Args:
        records: of `training_records`.
        extractor: of the codec.
        crop_samples: of the stretches that a training draws, at the codec's rate.
        max_records: that many; all when None.
    """
    window, found, failed = extractor.window_samples, Usable(), dict[str, list[str]]()
    needed = extractor.min_duration if window is None else window / extractor.sampling_rate
    needed = max(needed, (crop_samples or 0) / extractor.sampling_rate)
    of_ptbxl = all(record.fold is not None for record in records)
    for number, record in enumerate(tqdm(records, desc="recordings", disable=of_ptbxl)):
        if len(found.records) == max_records:
            found.lost["beyond data.max_records"] = len(records) - number
            break
        where = Path(record.root or "") / (record.path or "")
        facts, features, said = None if record.fold is None else header_facts(where), None, list[str]()
        try:
            if facts is None:
                facts, features, said = _read(record, extractor, needed)
        except (ECGError, OSError) as error:
            failed.setdefault(_without_name(str(error), where), []).append(record.record_id)
            continue
        seconds = facts.seconds
        samples = math.inf if features is None else features.shape[1]
        if (seconds is not None and seconds < needed) or samples < (crop_samples or 0):
            found.lost[f"shorter than the {needed:g} s that the training reads"] += 1
            continue
        if features is not None and window is None:  # a window's 240 kB are too much to keep
            found.features[len(found.records)] = features
        found.records.append(record)
        found.remarks.update(_without_name(line, where) for line in said)
        found.unread.update(extractor.unread_leads(facts.leads))
        if seconds is not None:
            found.seconds.add(seconds)
            if window is not None and seconds > needed:
                found.lost[f"but for their first {needed:g} s"] += 1
    commonest = sorted(failed.items(), key=lambda one: -len(one[1]))
    for why, names in commonest[:MOST_REASONS]:
        found.lost[f"cannot be read, such as {names[0]}: {why}"] = len(names)
    if rest := commonest[MOST_REASONS:]:
        found.lost[f"cannot be read for {len(rest)} other reasons"] = sum(len(names) for _, names in rest)
    return found


def _without_name(message: str, where: Path) -> str:
    """What is said of a recording, without its name in front."""
    name, _, words = message.partition(": ")
    return words if where.name in name else message


def _read(
    record: Record, extractor: ECGFeatureExtractor, needed: float
) -> tuple[HeaderFacts, np.ndarray | None, list[str]]:
    """Duration and leads of a recording, its features where it is as long as needed, and what was warned of.

    Raises:
        ECGError, OSError: if it cannot be read, or lacks leads that the codec needs.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        signal = record.read()
        features = extractor.extract(signal)[0] if signal.duration >= needed else None
    said = [str(one.message) for one in warned]
    facts = HeaderFacts(signal.duration, signal.leads)
    return facts, features, [line for line in said if _COUNTED_BY_LEAD not in line]


def statements_of(record: Record) -> list[str]:
    """What a record's labels state for a probe: codes, then `superclass X` in PTB-XL's order."""
    groups = record.stated("superclass")
    ordered = [*(name for name in SUPERCLASSES if name in groups), *sorted(groups - SUPERCLASSES.keys())]
    return [*sorted(record.codes), *(f"superclass {name}" for name in ordered)]


class RecordingDataset(Dataset[dict[str, Any]]):
    """Features of recordings, read when first asked for and then kept in memory, with the statements of each as 0 to 1.

    A statement that a record's labels leave open is NaN. PTB-XL's cardiologists stated all that they saw: what they
    did not state is 0.

    Args:
        recordings: what to read.
        extractor: makes the features; a recording gives its first window.
        statements: SCP codes or the collection's own names (and `superclass X`) in the order of the vector.
        crop_samples: length of a random stretch to return of each recording; None for the whole window.
        seed: of the stretches and changes; another one in each `epoch`, which `EpochOfDraws` sets.
        augmentation: changes of what the codec reads.
        probabilities: of the statements, by `record_id`, each (statements,); see `soft_labels`.
        soft_label_share: of the probabilities in the vector, the rest is what was stated.
        features: of recordings that were read already, by their place.
    """

    def __init__(
        self,
        recordings: Sequence[Record],
        extractor: ECGFeatureExtractor,
        statements: Sequence[str] = (),
        crop_samples: int | None = None,
        seed: int = 42,
        augmentation: Augmentation | None = None,
        probabilities: Mapping[str, np.ndarray] | None = None,
        soft_label_share: float = 0.0,
        features: Mapping[int, np.ndarray] | None = None,
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
        self._kept: dict[int, np.ndarray] = dict(features or {})
        own = vocabulary_of(self.recordings).attributes
        self._kinds = {
            name: kind
            for names in (PTBXL_VOCABULARY.attributes, own)
            for kind in ("diagnosis", "form", "rhythm")
            for name in names[kind]
        }

    def __len__(self) -> int:
        return len(self.recordings)

    def features_of(self, index: int) -> np.ndarray:
        """float32 (leads, samples) of a recording, unchanged."""
        if index not in self._kept:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=f".*{_COUNTED_BY_LEAD}")
                features: np.ndarray = self.extractor.extract(self.recordings[index].read())[0]
            if self.extractor.window_samples is not None:
                return features  # 240 kB each: too much to keep
            self._kept[index] = features
        return self._kept[index]

    def complete_features(self, indices: Iterable[int]) -> torch.Tensor:
        """float32 (recordings, leads, samples), unchanged, of those in which no lead is missing; as long as a crop.

        Raises:
            ValueError: if there is none.
        """
        found = [torch.from_numpy(self.features_of(index)[:, : self.crop_samples]) for index in indices]
        complete = [one for one in found if not one.isnan().any()]
        if not complete:
            raise ValueError(f"none of {len(found)} recordings has all leads, which the refinements begin with")
        return torch.stack(complete)

    def _stated(self, recording: Record) -> np.ndarray:
        """float32 (statements,): 0, 1, or NaN where it is left open."""
        found = []
        for name in self.statements:
            group = name.removeprefix("superclass ")
            says = recording.says("superclass" if group != name else self._kinds.get(name, "diagnosis"), group)
            found.append(np.nan if says is None and recording.fold is None else bool(says))
        return np.array(found, dtype=np.float32)

    def __getitem__(self, index: int) -> dict[str, Any]:
        recording = self.recordings[index]
        features = self.features_of(index)
        drawn = draws(self.seed, index, self.epoch)
        if self.crop_samples:
            places = features.shape[1] - self.crop_samples + 1
            start = drawn.randrange(places)
            features = features[:, start : start + self.crop_samples]
        stated = self._stated(recording)
        if self.probabilities is not None:
            stated += np.float32(self.soft_label_share) * (self.probabilities[recording.record_id] - stated)
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
