"""Reading recordings: one file a format, chosen by the recording's name (`formats`).

Nothing heavy is imported before a recording is read, since the command line shows the formats in its help.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .formats import FORMATS, WFDB, either, format_of

if TYPE_CHECKING:
    from ...models.ecg_record import ECGRecord
    from .lead_choice import Leads

__all__ = ["read_ecg", "read_ecg_parts"]


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
    from ...models.ecg_record import ECGError

    name = os.fspath(source)
    stated = {"sampling_rate": sampling_rate, "units": units, "leads": leads, "timeout": timeout}
    with _one_line_errors(name):
        kind = format_of(name)
        for argument in ("sampling_rate", "units"):
            if stated[argument] is not None and argument not in kind.arguments:
                readers = either((one.name for one in FORMATS if argument in one.arguments), " and ")
                flag = "--" + argument.replace("_", "-")
                raise ECGError(f"{name}: {argument} ({flag}) is for {readers}; this recording states its own")
        read = getattr(importlib.import_module(f".{kind.module}", __name__), kind.reader)
        record: ECGRecord = read(name, **{argument: stated[argument] for argument in kind.arguments})
        return record


def read_ecg_parts(source: str | os.PathLike[str], seconds: float = 3600.0, **stated: Any) -> Iterator[ECGRecord]:
    """Read a long recording one part after the other, for what cannot or need not be in memory as a whole.

    Of a WFDB record each part is read alone, so that a day takes no more memory than an hour; its checksums, which are
    sums over all of it, are then not compared. Of other formats the whole is read and cut.

    Args:
        source: as `read_ecg`.
        seconds: the longest part. All are equally long, but for one sample.
        **stated: as `read_ecg`.

    Yields:
        The parts in time, each as `read_ecg` gives a recording; joined they are the recording.

    Raises:
        ECGError: as `read_ecg`, when the part is read.

    Examples:
        >>> [part.duration for part in read_ecg_parts("example:af", 4)]
        [3.332, 3.334, 3.334]
    """
    from ...models.ecg_record import ECGError
    from .statements import part_bounds

    name = os.fspath(source)
    if not 0 < seconds < float("inf"):
        raise ECGError(f"{name}: parts have a length in seconds, got {seconds!r:.40}")
    if format_of(name) is WFDB and set(stated) <= {"leads"}:
        from .wfdb_format import read_wfdb_parts

        with _one_line_errors(name):
            yield from read_wfdb_parts(name, seconds, **stated)
        return
    record = read_ecg(name, **stated)
    rate = record.sampling_rate
    for first, last in part_bounds(record.signal.shape[1], rate, seconds):
        yield record.crop(first / rate, last / rate)


@contextmanager
def _one_line_errors(name: str) -> Iterator[None]:
    """Whatever is wrong with a recording, or with reading it, as an `ECGError` of one short line."""
    from ...models.ecg_record import ECGError
    from .messages import one_line

    try:
        yield
    except ECGError as error:
        raise ECGError(one_line(str(error))) from None
    except OSError as error:
        raise ECGError(one_line(f"{name}: cannot be read: {error.strerror or error}")) from None
    except MemoryError:
        raise ECGError(one_line(f"{name}: too large for the memory that there is")) from None
