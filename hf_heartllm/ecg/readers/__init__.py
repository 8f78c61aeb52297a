"""Reading recordings: one file a format, chosen by the recording's name."""

from __future__ import annotations

import os
from pathlib import Path

from ...models.ecg_record import ECGError, ECGRecord
from .lead_choice import Leads, chosen_record
from .messages import one_line

__all__ = ["read_ecg"]


def read_ecg(
    source: str | os.PathLike[str],
    *,
    sampling_rate: float | str | None = None,
    units: str | None = None,
    leads: Leads | None = None,
    timeout: float | None = None,
) -> ECGRecord:
    """Read a recording by its name.

    Args:
        source: a WFDB record (`…/00152_lr`, `.hea`, `.dat`, `.mat`), a `.csv` or `.npy` file, a simulated example
            (`example:af`), or a record on PhysioNet (`physionet:ptb-xl/1.0.3/records500/00000/00152_hr`).
        sampling_rate: Hz, a number or its text; CSV and NPY need it, the others state it themselves.
        units: mV, uV, nV or V; CSV and NPY need them, but for a CSV whose columns state theirs (`I (mV)`).
        leads: lead names, a sequence or one string with commas; NPY and a CSV without a header row need them, in the
            file's order. Elsewhere the leads to read, in this order; names that the file does not hold, as many as it
            has leads, name them in its order. Pairs select and rename: `{"MLII": "II"}`, or in a string `MLII=II,V5`.
        timeout: seconds, for PhysioNet (8 when None).

    Returns:
        The record in mV, float32 (leads, samples). Leads that are not standard keep their own names; missing samples
        are NaN. Channels that are no leads (respiration, pressure, time, an index) are left out, with a warning that
        names them.

    Raises:
        ECGError: one clear line, at most 300 characters, for whatever is wrong.
    """
    try:
        return _read(os.fspath(source), sampling_rate, units, leads, timeout)
    except ECGError as error:
        raise ECGError(one_line(str(error))) from None


def _read(
    name: str,
    sampling_rate: float | str | None,
    units: str | None,
    leads: Leads | None,
    timeout: float | None,
) -> ECGRecord:
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".npy") and not name.startswith(("example:", "physionet:")):
        if suffix == ".csv":
            from .tables import read_csv

            return read_csv(name, sampling_rate=sampling_rate, units=units, leads=leads)
        from .arrays import read_npy

        return read_npy(name, sampling_rate=sampling_rate, units=units, leads=leads)
    for argument, value in (("sampling_rate", sampling_rate), ("units", units)):
        if value is not None:
            flag = "--" + argument.replace("_", "-")
            raise ECGError(f"{name}: {argument} ({flag}) is for CSV and NPY; this recording states its own")
    if name.startswith("example:"):
        from ..simulate import read_example

        return chosen_record(read_example(name), leads)
    if name.startswith("physionet:"):
        from .physionet import read_physionet

        return read_physionet(name, timeout=timeout, leads=leads)
    from .wfdb_format import read_wfdb

    return read_wfdb(name, leads=leads)
