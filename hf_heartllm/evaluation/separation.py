"""No patient and no waveform of the training records is in a test set: looked up at run time, not taken for granted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .partial import PartialResults
from .question_file import HeldOutRecord

_MATLAB_HEADER = 24  # bytes before the samples of a Challenge record's `.mat` file (MATLAB version 4)


@dataclass(frozen=True)
class Separation:
    """What was looked up.

    Attributes:
        training_patients: number of patients of the training records; 0 where none is named, so none was compared.
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

    @property
    def by_patient(self) -> bool:
        """Whether there were patients to compare."""
        return self.training_patients > 0 and self.test_patients > 0

    @property
    def by_waveform(self) -> bool:
        """Whether there were waveforms to compare."""
        return self.training_waveforms > 0 and self.test_waveforms > 0

    def document(self) -> dict[str, Any]:
        """For JSON, with null where there was nothing to compare: a count of 0 would read as checked."""
        plain = asdict(self)
        for known, names in ((self.by_patient, "patients"), (self.by_waveform, "waveforms")):
            if not known:
                plain |= dict.fromkeys((f"training_{names}", f"test_{names}"))
        return plain

    def patient_words(self, folds: Iterable[int]) -> str:
        """Whether patients of these training folds are among the test's, or that this could not be looked up."""
        words = ", ".join(map(str, folds))
        if not self.by_patient:
            return f"Not checked: whether patients are the training's, since the table names none of folds {words}"
        return f"No patient of folds {words} ({self.training_patients} patients) is in the test set"

    def waveform_words(self) -> str:
        """How many waveforms were compared, or that none was."""
        if not self.by_waveform:
            which = "training" if self.test_waveforms else "test" if self.training_waveforms else "training and test"
            return f"no waveform was compared with any of training, since no samples of {which} records were looked up"
        return f"{self.test_waveforms} test and {self.training_waveforms} training waveforms were compared"


def waveform_hashes(folder: Path, names: Mapping[int, str], progress: bool = True) -> dict[int, bytes]:
    """Hash of each record's samples as they lie on disk, by ecg_id, without those that are not there.

    The samples of a `.dat` file, or of a `.mat` file as the PhysioNet/CinC Challenges have them, which are the same for
    the same recording. A copy that was resampled or rescaled has others.
    """
    from tqdm.auto import tqdm

    found = {}
    for ecg_id, name in tqdm(names.items(), desc="waveforms", unit="record", disable=not progress):
        data = _stored_samples(folder, name)
        if data is not None:
            found[ecg_id] = hashlib.sha256(data).digest()
    return found


def _stored_samples(folder: Path, name: str) -> bytes | None:
    for suffix, start in ((".dat", 0), (".mat", _MATLAB_HEADER)):
        try:
            return (folder / f"{name}{suffix}").read_bytes()[start:]
        except OSError:
            continue
    return None


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
        folder: where the files lie; None: only patients and numbers are compared.
        progress: show a bar on stderr.

    Raises:
        ValueError: if a record or a patient is in both.
    """
    test = list(test)
    trained, tested = set(training_patients), {record.patient_id for record in test}
    if both := trained & tested:
        raise ValueError(
            f"{len(both)} patients of the test set are in the training records too (such as {min(both)}): "
            "give questions about other folds, or name the folds of training with --training-folds"
        )
    if shared := {record.ecg_id for record in test} & set(training_names):
        raise ValueError(
            f"{len(shared)} records of the test set are training records too (such as ecg_id {min(shared)}): "
            "give questions about other folds, or name the folds of training with --training-folds"
        )
    if folder is None:
        return Separation(len(trained), len(tested), 0, 0, ())
    ours = waveform_hashes(folder, {record.ecg_id: record.filename_lr for record in test}, progress)
    theirs = waveform_hashes(folder, training_names, progress)
    known = {digest: ecg_id for ecg_id, digest in theirs.items()}
    copies = tuple((ecg_id, known[digest]) for ecg_id, digest in ours.items() if digest in known)
    return Separation(len(trained), len(tested), len(theirs), len(ours), copies)


def check_copies(
    folder: Path, names: Mapping[int, str], ptbxl: Path, training: Mapping[int, Iterable[str]], progress: bool = True
) -> Separation:
    """Compare the waveforms of another folder's records with those of training; its patients are not PTB-XL's.

    Args:
        folder: of the test records.
        names: number → file of each test record.
        ptbxl: folder of PTB-XL.
        training: ecg_id → files of each training record, at each rate.
        progress: show a bar on stderr.
    """
    ours = waveform_hashes(folder, names, progress)
    files = {
        number: (ecg_id, name) for number, (ecg_id, name) in enumerate((i, n) for i in training for n in training[i])
    }
    theirs = waveform_hashes(ptbxl, {number: name for number, (_, name) in files.items()}, progress)
    known = {digest: files[number][0] for number, digest in theirs.items()}
    copies = tuple((number, known[digest]) for number, digest in ours.items() if digest in known)
    return Separation(0, len(names), len(theirs), len(ours), copies)


def copies_within(folder: Path, names: Mapping[int, str], progress: bool = True) -> dict[int, int]:
    """Records of a folder that have the samples of one before them: number → that one's number.

    Counted as patients of their own they would make intervals too narrow.
    """
    first: dict[bytes, int] = {}
    found = waveform_hashes(folder, names, progress)
    return {number: first[digest] for number, digest in found.items() if first.setdefault(digest, number) != number}


def separation_once(path: Path, mark: str, look: Callable[[], Separation]) -> Separation:
    """What was looked up, kept in a file: the waveforms of a large set take a minute to read.

    Args:
        path: of the file.
        mark: names what is compared (`partial.run_mark`).
        look: compares.

    Raises:
        ValueError: if the file is of another comparison.
    """
    with PartialResults(path, mark) as partial:
        if partial.lines:
            kept = partial.lines[0]
            return Separation(**{**kept, "copies": tuple((a, b) for a, b in kept["copies"])})
        found = look()
        partial.append(asdict(found))
    return found
