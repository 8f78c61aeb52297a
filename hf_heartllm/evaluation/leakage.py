"""No patient and no waveform of the training records is in a test set: looked up at run time, not taken for granted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..data.record import Record, id_order
from ..labels.record_ids import record_text
from .partial import PartialResults, run_mark
from .question_file import AskedRecord

_MATLAB_HEADER = 24  # bytes before the samples of a Challenge record's `.mat` file (MATLAB version 4)


@dataclass(frozen=True)
class Leakage:
    """What was looked up.

    Attributes:
        training_patients: number of patients of the training records; 0 where none is named, so none was compared.
        test_patients: number of patients of the test records.
        training_waveforms: number of training records whose samples were at hand.
        test_waveforms: likewise of the test.
        copies: `record_id` of a test and a training record with the same samples; the test ones are left out.
    """

    training_patients: int
    test_patients: int
    training_waveforms: int
    test_waveforms: int
    copies: tuple[tuple[str, str], ...]

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

    def patient_words(self, parts: str) -> str:
        """Whether patients of these training parts ("folds 1, 2") are among the test's, or that this is not known."""
        if not parts:
            return "Not checked: the checkpoint is said to have been trained on nothing of this collection"
        if not self.by_patient:
            return f"Not checked: whether patients are the training's, since none is named of {parts}"
        return f"No patient of {parts} ({self.training_patients} patients) is in the test set"

    def waveform_words(self) -> str:
        """How many waveforms were compared, or that none was."""
        if not self.by_waveform:
            which = "training" if self.test_waveforms else "test" if self.training_waveforms else "training and test"
            return f"no waveform was compared with any of training, since no samples of {which} records were looked up"
        return f"{self.test_waveforms} test and {self.training_waveforms} training waveforms were compared"

    def note(self, parts: str, opening: str | None = None) -> str:
        """All of it in a sentence; `opening` stands for `patient_words` where they do not fit."""
        said = f"{opening or self.patient_words(parts)}; {self.waveform_words()}"
        if self.by_waveform:
            copied = ", ".join(test for test, _ in self.copies)
            said += (
                f" by their samples as stored; {len(self.copies)} copies were left out{': ' if copied else ''}{copied}"
            )
        return f"{said}."


def unnamed_notes(test: Iterable[Record], training: Iterable[Record]) -> list[str]:
    """How many of the records name no patient, and what follows from it; none where all do."""
    notes = []
    if unknown := sum(record.patient_id is None for record in training):
        notes.append(
            f"{unknown} training records name no patient, so patients of the test were not compared with theirs."
        )
    if unknown := sum(record.patient_id is None for record in test):
        notes.append(
            f"{unknown} test records name no patient: each counts as a patient of its own, so intervals are too "
            "narrow where a patient has several, and they were not compared with the training's."
        )
    return notes


def waveform_hashes(records: Iterable[Record], progress: bool = True) -> list[tuple[str, bytes]]:
    """`record_id` and hash of each record's samples as they lie on disk, without those that are not there.

    The samples of a `.dat` file, or of a `.mat` file as the PhysioNet/CinC Challenges have them, which are the same for
    the same recording; of another format the whole file. A copy that was resampled or rescaled has others.
    """
    from tqdm.auto import tqdm

    found = []
    for record in tqdm(list(records), desc="waveforms", unit="record", disable=not progress):
        data = _stored_samples(record)
        if data is not None:
            found.append((record.record_id, hashlib.sha256(data).digest()))
    return found


def _stored_samples(record: Record) -> bytes | None:
    if record.path is None:
        return None
    path = str(Path(record.root or "") / record.path)
    for suffix, start in ((".dat", 0), (".mat", _MATLAB_HEADER), ("", 0)):
        try:
            return Path(f"{path.removesuffix('.hea')}{suffix}").read_bytes()[start:]
        except OSError:
            continue
    return None


def training_leakage(
    asked: Iterable[AskedRecord],
    training: Sequence[Record],
    rows: Iterable[Mapping[str, Any]] = (),
    *,
    parts: Path | None = None,
    rate: int = 100,
    progress: bool = True,
) -> Leakage:
    """Compare what is asked about with the training records: patients and names, each time.

    Args:
        asked: the records to evaluate on.
        training: the collection's records that the checkpoint was trained on.
        rows: of training, with `record_id` and `patient_id`, which may be of other records.
        parts: folder where the comparison of waveforms is kept; None: they are not compared.
        rate: Hz of the recordings; waveforms are compared at 100 Hz.
        progress: show a bar on stderr.

    Raises:
        ValueError: if a record or a patient is in both.
    """
    rows, test = list(rows), [one.record for one in asked]
    tested = {one.patient_id for one in test if one.patient_id is not None}
    trained = {name for row in rows if (name := record_text(row["patient_id"])) is not None}
    trained |= {record.patient_id for record in training if record.patient_id is not None}
    names = {record.record_id for record in training} | {row["record_id"] for row in rows}
    for what, both in (("patients", trained & tested), ("records", {one.record_id for one in test} & names)):
        if both:
            raise ValueError(
                f"{len(both)} {what} of the test set are in the training records too (such as "
                f"{min(both, key=id_order)}): give questions about other records, or name the folds of training with "
                "--training-folds (none: the checkpoint was trained on nothing of this collection)"
            )
    if parts is None or rate != 100 or not training:
        return Leakage(len(trained), len(tested), 0, 0, ())
    found = compare_waveforms(test, training, parts, rate, progress=progress)
    return replace(found, training_patients=len(trained), test_patients=len(tested))


def compare_waveforms(
    test: Sequence[Record], training: Sequence[Record], parts: Path, *rate: int, progress: bool = True
) -> Leakage:
    """Compare waveforms, not patients; kept in a file of `parts`, since those of a large set take a minute to read.

    Raises:
        ValueError: if the file is of another comparison, or of another `rate` in Hz.
    """
    mark = run_mark([record.record_id for record in test], sorted({record.record_id for record in training}), *rate)
    with PartialResults(parts / "leakage.jsonl", mark) as partial:
        if partial.lines:
            kept = partial.lines[0]
            return Leakage(**{**kept, "copies": tuple((a, b) for a, b in kept["copies"])})
        ours, theirs = waveform_hashes(test, progress), waveform_hashes(training, progress)
        known = {digest: record_id for record_id, digest in theirs}
        copies = tuple((record_id, known[digest]) for record_id, digest in ours if digest in known)
        found = Leakage(0, len(ours), len(theirs), len(ours), copies)
        partial.append(asdict(found))
    return found


def copies_within(records: Iterable[Record], progress: bool = True) -> dict[str, str]:
    """Records that have the samples of one before them: record_id → that one's.

    Counted as patients of their own they would make intervals too narrow.
    """
    first: dict[bytes, str] = {}
    found = waveform_hashes(records, progress)
    return {one: first[digest] for one, digest in found if first.setdefault(digest, one) != one}
