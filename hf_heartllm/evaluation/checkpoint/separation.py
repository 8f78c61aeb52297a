"""No patient and no waveform of the training records is in a test set: looked up at run time, not taken for granted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..question_file import HeldOutRecord


@dataclass(frozen=True)
class Separation:
    """What was looked up.

    Attributes:
        training_patients: number of patients of the training records.
        test_patients: number of patients of the test records.
        training_waveforms: number of training records whose samples were at hand.
        test_waveforms: likewise of the test.
        copies: (test ecg_id, training ecg_id) of records with the same samples; the test ones are left out.
    """

    training_patients: int
    test_patients: int
    training_waveforms: int
    test_waveforms: int
    copies: tuple[tuple[int, int], ...]


def waveform_hashes(folder: Path, names: Mapping[int, str], progress: bool = True) -> dict[int, bytes]:
    """Hash of each record's samples as they lie on disk (`.dat`), by ecg_id, without those that are not there."""
    from tqdm.auto import tqdm

    found = {}
    for ecg_id, name in tqdm(names.items(), desc="waveforms", unit="record", disable=not progress):
        try:
            data = (folder / f"{name}.dat").read_bytes()
        except OSError:
            continue
        found[ecg_id] = hashlib.sha256(data).digest()
    return found


def check_separation(
    test: Iterable[HeldOutRecord],
    training_patients: Iterable[int],
    training_names: Mapping[int, str],
    folder: Path | None,
    progress: bool = True,
) -> Separation:
    """Compare the test records with those of training.

    Args:
        test: the records to evaluate on.
        training_patients: patients whose records a model was trained on.
        training_names: ecg_id → file of each training record.
        folder: where the files lie; None: only patients are compared.
        progress: show a bar on stderr.

    Raises:
        ValueError: if a patient is in both.
    """
    test = list(test)
    trained, tested = set(training_patients), {record.patient_id for record in test}
    if both := trained & tested:
        raise ValueError(
            f"{len(both)} patients of the test set are in the training records too (such as {min(both)}): "
            "give questions about other folds, or name the folds of training with --training-folds"
        )
    if folder is None:
        return Separation(len(trained), len(tested), 0, 0, ())
    ours = waveform_hashes(folder, {record.ecg_id: record.filename_lr for record in test}, progress)
    theirs = waveform_hashes(folder, training_names, progress)
    known = {digest: ecg_id for ecg_id, digest in theirs.items()}
    copies = tuple((ecg_id, known[digest]) for ecg_id, digest in ours.items() if digest in known)
    return Separation(len(trained), len(tested), len(theirs), len(ours), copies)
