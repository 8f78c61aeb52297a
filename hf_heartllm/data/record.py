"""One recording of a collection: whose it is, what its labels say, where its signal lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..models.ecg_record import ECGError, ECGRecord


@dataclass(frozen=True)
class Report:
    """A report as a source has it.

    Attributes:
        text: the report.
        language: two letters (ISO 639-1), such as `"de"`; None where the source does not say.
        source: who wrote it: `"physician"`, `"device"`, `"statements"` (made from the labels) …; None: not known.
    """

    text: str
    language: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Record:
    """A recording of any collection, with what the collection says of it.

    Attributes:
        record_id: names the recording; unique in its collection.
        patient_id: names the patient; None where that is not known: the record then counts as a patient of its own.
        split: the part of the collection, such as `"train"`. No patient has records in two parts.
        labels: for each type of label what the record has: SCP codes or the collection's own names. An empty set means
            that it was looked for and nothing found; None or an absent type, that nobody looked.
        possible: those of `labels` that the source calls possible (in PTB-XL a likelihood above 0 and below 100).
        unknown: labels that the source neither states nor denies. They are not asked for.
        measurements: durations in ms by name; None or absent: doubtful or not measured.
        reports: in the order of the source.
        path: of the recording, as `read_ecg` takes it, relative to `root`; None where `signal` holds it.
        root: the folder that `path` is relative to; None: the working directory.
        reading: what `read_ecg` must be told to read it (`units`, `sampling_rate`, …) because its format does not say.
        signal: the recording itself, where it is in memory.
        fold: its fold, where the collection has folds.
        age: years at the recording; None where it is not known.
        sex: `"male"`, `"female"` or None.
        height: in cm, or None.
        weight: in kg, or None.
        device: what it was recorded with, or None.
        time: when, as text that sorts (ISO 8601), or None.
        complete: whether an SCP code or superclass that it does not state is absent, as in PTB-XL; else it may be open.

    Examples:
        >>> record = Record("A 17", patient_id="Z-9", labels={"rhythm": frozenset({"AFIB"})}, path="a/17.csv")
        >>> record
        Record 'A 17' of patient 'Z-9', train: AFIB
        >>> record.stated("form")
        frozenset()
    """

    record_id: str
    patient_id: str | None = None
    split: str = "train"
    labels: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    possible: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unknown: Mapping[str, frozenset[str]] = field(default_factory=dict)
    measurements: Mapping[str, float | None] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    path: str | None = None
    root: Path | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    signal: ECGRecord | None = None
    fold: int | None = None
    age: float | None = None
    sex: str | None = None
    height: float | None = None
    weight: float | None = None
    device: str | None = None
    time: str | None = None
    complete: bool = False

    @property
    def patient(self) -> str:
        """Whose it is; a record of an unknown patient is a patient of its own."""
        return f"record {self.record_id}" if self.patient_id is None else self.patient_id

    def stated(self, kind: str) -> frozenset[str]:
        """The labels of a type; empty also where nobody looked."""
        return self.labels.get(kind) or frozenset()

    @property
    def codes(self) -> frozenset[str]:
        """All stated rhythms, forms and diagnoses."""
        return self.stated("rhythm") | self.stated("form") | self.stated("diagnosis")

    def says(self, kind: str, name: str) -> bool | None:
        """Whether the labels state an SCP code (of whichever type) or a superclass; None where they leave it open.

        >>> found = Record("1", labels={"rhythm": frozenset({"AFIB"}), "form": None})
        >>> found.says("rhythm", "AFIB"), found.says("rhythm", "SR"), found.says("form", "PVC")
        (True, False, None)
        """
        if name in (self.stated(kind) if kind == "superclass" else self.codes):
            return True
        if self.complete:
            return False
        open_ = self.labels.get(kind) is None or any(name in names for names in self.unknown.values())
        return None if open_ else False

    def read(self) -> ECGRecord:
        """The recording's signal, as `read_ecg` reads it.

        Raises:
            ECGError: if there is neither path nor signal, or it cannot be read.
        """
        if self.signal is not None:
            return self.signal
        if self.path is None:
            raise ECGError(f"record {self.record_id}: its source names no file of its signal")
        from ..ecg import read_ecg

        return read_ecg(self.path if self.root is None else self.root / self.path, **self.reading)

    @property
    def files(self) -> list[Path]:
        """The recording's files that are there; one of the two of WFDB is enough: without the other it is damaged."""
        if self.path is None:
            return []
        place = Path(self.root or "") / self.path
        found = [place.with_name(f"{place.name}{suffix}") for suffix in (".hea", ".dat", ".mat")]
        return [path for path in (place, *found) if path.is_file()]

    def __repr__(self) -> str:
        whose = "an unknown patient" if self.patient_id is None else f"patient {self.patient_id!r}"
        said = ", ".join(sorted(self.codes)) or "no statement"
        return f"Record {self.record_id!r} of {whose}, {self.split}: {said}"


def id_order(name: str) -> tuple[int, int, str]:
    """A key that sorts ids: those of digits as numbers, before all others.

    >>> sorted(["10", "9", "b"], key=id_order)
    ['9', '10', 'b']
    """
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)


def check_patients(records: Iterable[Record]) -> None:
    """See that no patient is in two parts of a collection, and no record_id occurs twice.

    Raises:
        ValueError: naming the patient or the record.
    """
    splits: dict[str, str] = {}
    seen: set[str] = set()
    for record in records:
        if record.record_id in seen:
            raise ValueError(f"record {record.record_id!r} occurs more than once")
        seen.add(record.record_id)
        if record.patient_id is None:
            continue
        other = splits.setdefault(record.patient_id, record.split)
        if other != record.split:
            raise ValueError(
                f"patient {record.patient_id!r} has records in both {other!r} and {record.split!r}; "
                "a patient must be in one part only"
            )
