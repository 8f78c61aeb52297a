"""Writing recordings: WFDB, CSV and NPY."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import numpy as np

from ..models.ecg_record import ECGError, ECGRecord


def write_ecg(record: ECGRecord, output: str | os.PathLike[str]) -> list[Path]:
    """Write a recording in mV as CSV (a header row of lead names), NPY (leads, samples) or WFDB (16 bits of 1 µV).

    Every file is written whole; a WFDB header follows its signal file.

    Args:
        record: what to write.
        output: a `.csv` or `.npy` file, or the name of a WFDB record, with `.hea` or without.

    Returns:
        The files written.

    Raises:
        ECGError: if WFDB does not allow the record's name.
    """
    path = Path(output)
    kind = path.suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing.") as scratch:
        if kind == ".npy":
            names = [path.name]
            np.save(Path(scratch) / path.name, record.signal)
        elif kind == ".csv":
            names = [path.name]
            header = ",".join(record.leads)
            np.savetxt(
                Path(scratch) / path.name, record.signal.T, fmt="%.6f", delimiter=",", header=header, comments=""
            )
        else:
            bare = path.name.removesuffix(".hea").removesuffix(".dat")
            if not re.fullmatch(r"[A-Za-z0-9_-]+", bare):
                raise ECGError(
                    f"{output}: a WFDB record's name has letters, digits, - and _ only (or end in .csv, .npy)"
                )
            import wfdb

            count = len(record.leads)
            rate = int(record.sampling_rate) if record.sampling_rate.is_integer() else record.sampling_rate
            wfdb.wrsamp(
                bare,
                fs=rate,
                units=["mV"] * count,
                sig_name=list(record.leads),
                p_signal=record.signal.T.astype(np.float64),
                fmt=["16"] * count,
                adc_gain=[1000.0] * count,
                baseline=[0] * count,
                comments=[record.source or "simulated"],
                write_dir=scratch,
            )
            names = [f"{bare}.dat", f"{bare}.hea"]
        for name in names:
            os.replace(Path(scratch) / name, path.parent / name)
    return [path.parent / name for name in names]
