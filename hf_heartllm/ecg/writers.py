"""Writing recordings: WFDB, CSV and NPY."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from pathlib import Path

import numpy as np

from ..models.ecg_record import ECGError, ECGRecord, ECGWarning

_GAIN = 1000.0  # stored numbers a mV: steps of 1 µV
_LARGEST = 32767  # in 16 bits; the number below the smallest marks missing samples
_COMMENTS = {"age": "Age: {:g}", "sex": "Sex: {}", "height": "Height: {:g}", "weight": "Weight: {:g}"}


def written_files(output: str | os.PathLike[str]) -> list[Path]:
    """The files that `write_ecg` writes for a name.

    Raises:
        ECGError: if no recording can be written by that name.
    """
    path = Path(output)
    if path.is_dir():
        raise ECGError(f"{output}: a folder; name a file in it")
    if path.suffix.lower() in (".csv", ".npy"):
        return [path]
    bare = path.name.removesuffix(".hea").removesuffix(".dat")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", bare):
        raise ECGError(
            f"{output}: ends in .csv or .npy, or is a WFDB record, whose name has letters, digits, - and _ only"
        )
    return [path.with_name(f"{bare}.dat"), path.with_name(f"{bare}.hea")]


def write_ecg(record: ECGRecord, output: str | os.PathLike[str]) -> list[Path]:
    """Write a recording in mV as CSV, NPY or WFDB.

    A CSV file has the time in seconds and one column a lead, `time (s),I (mV),…`, so that it states rate, units and
    leads itself. An NPY file holds the numbers alone, float32 (leads, samples). A WFDB record holds 16 bits of 1 µV
    (coarser where a recording ranges over more than 65 mV, with a warning), and what is known of the patient.

    Every file is written whole; a WFDB header follows its signal file.

    Args:
        record: what to write.
        output: a `.csv` or `.npy` file, or the name of a WFDB record, with `.hea` or without.

    Returns:
        The files written.

    Raises:
        ECGError: if the record is not in mV, or WFDB does not allow its name.
    """
    files = written_files(output)
    if record.units != "mV":
        raise ECGError(f"{record.source or 'record'}: in {record.units}, not mV: it has no amplitude to write")
    if files[0].suffix == ".dat":
        import wfdb  # noqa: F401  (takes a while, so before anything is written)
    folder = files[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing.") as scratch:
        if files[0].suffix.lower() == ".npy":
            np.save(Path(scratch) / "signal.npy", record.signal)  # whose own name may end in .NPY
            os.replace(Path(scratch) / "signal.npy", Path(scratch) / files[0].name)
        elif files[0].suffix.lower() == ".csv":
            _write_csv(record, Path(scratch) / files[0].name)
        else:
            _write_wfdb(record, Path(scratch), files[0].stem)
        for file in files:
            os.replace(Path(scratch) / file.name, file)
    return files


def _write_csv(record: ECGRecord, path: Path) -> None:
    times = np.arange(record.signal.shape[1]) / record.sampling_rate
    names = [f'"{name}"' if re.search('[,;\t"]', name) else name for name in (f"{lead} (mV)" for lead in record.leads)]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(["time (s)", *names]) + "\n")
        for time, row in zip(times, record.signal.T):
            file.write(f"{time:.10g}," + ",".join(f"{value:.6f}" for value in row) + "\n")


def _write_wfdb(record: ECGRecord, folder: Path, name: str) -> None:
    import wfdb

    count = len(record.leads)
    signal = record.signal.T.astype(np.float64)
    largest = float(np.nanmax(np.abs(signal), initial=0.0))
    gain = min(_GAIN, np.floor(_LARGEST / largest)) if largest * _GAIN > _LARGEST else _GAIN
    if gain < 1:
        raise ECGError(f"{record.source or 'record'}: ranges to {largest:.3g} mV, which 16 bits do not hold")
    if gain < _GAIN:
        where = " ".join((record.source or "record").split())
        message = f"{where}: ranges to {largest:.3g} mV, so it is written in steps of {1000 / gain:.3g} µV"
        warnings.warn(message, ECGWarning, stacklevel=3)
    known = {key: getattr(record, key) for key in _COMMENTS}
    comments = [_COMMENTS[key].format(value) for key, value in known.items() if value is not None]
    source = " ".join((record.source or "").split())
    wfdb.wrsamp(
        name,
        fs=int(record.sampling_rate) if record.sampling_rate.is_integer() else record.sampling_rate,
        units=["mV"] * count,
        sig_name=list(record.leads),
        p_signal=signal,
        fmt=["16"] * count,
        adc_gain=[float(gain)] * count,
        baseline=[0] * count,
        comments=[source or "simulated", *comments],
        write_dir=str(folder),
    )
