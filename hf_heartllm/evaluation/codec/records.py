"""The recordings that a codec is judged on: some folds of a data set in PTB-XL's layout."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...ecg import ECGRecord, read_ecg
from ...labels.ptbxl import SEX, read_ptbxl_table

NOISE_NOTES = ("baseline_drift", "static_noise", "burst_noise", "electrodes_problems")


@dataclass(frozen=True)
class LabelledRecord:
    """One recording with what the table says of it.

    Attributes:
        ecg_id: its number in the data set.
        patient_id: whose it is; where the table does not say, a negative number of the recording's own.
        path: the WFDB record.
        statements: its SCP codes, whatever their likelihood.
        sex: `"male"`, `"female"` or None.
        noise_noted: whether the table notes drift, noise or electrode problems.
    """

    ecg_id: int
    patient_id: int
    path: Path
    statements: frozenset[str]
    sex: str | None
    noise_noted: bool

    def read(self) -> ECGRecord:
        """The recording, in mV."""
        return read_ecg(self.path)


def labelled_records(folder: str | Path, folds: Sequence[int], sampling_rate: int = 100) -> list[LabelledRecord]:
    """The recordings of some folds that are on disk, by `ecg_id`; warns of those whose patient is not named.

    Args:
        folder: in PTB-XL's official layout.
        folds: of the table's column `strat_fold`.
        sampling_rate: 100 or 500 Hz.
    """
    from pandas import isna

    folder = Path(folder)
    table = read_ptbxl_table(folder)
    table = table[table["strat_fold"].isin(list(folds))]
    if unnamed := int(table["patient_id"].isna().sum()):
        warnings.warn(
            f"{folder}: {unnamed} of {len(table)} records of folds {list(folds)} name no patient: patients cannot be "
            "checked for them, and each counts as a patient of its own, so intervals are too narrow",
            stacklevel=2,
        )
    column = {100: "filename_lr", 500: "filename_hr"}[sampling_rate]
    notes = table[[name for name in NOISE_NOTES if name in table.columns]].notna().any(axis=1)
    return [
        LabelledRecord(
            ecg_id=int(row["ecg_id"]),
            patient_id=-int(row["ecg_id"]) if isna(row["patient_id"]) else int(row["patient_id"]),
            path=folder / row[column],
            statements=frozenset(row["scp_codes"]),
            sex=None if isna(row["sex"]) else SEX.get(int(row["sex"])),
            noise_noted=bool(noted),
        )
        for (_, row), noted in zip(table.iterrows(), notes, strict=True)
        if isinstance(row[column], str) and (folder / f"{row[column]}.hea").is_file()
    ]


def spread(records: Sequence[LabelledRecord], count: int | None) -> list[LabelledRecord]:
    """At most `count` of the records, evenly spaced, so that a part stands for the whole."""
    if count is None or count >= len(records):
        return list(records)
    return [records[i * len(records) // count] for i in range(count)]
