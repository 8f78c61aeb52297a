"""What a pipeline may be given: one recording or many, by name or in memory, alone or in rows with their questions."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .ecg_placeholders import as_record, is_recording
from .ecg_record import ECGError, ECGRecord
from .record_from_array import record_from_array

RECORD_COLUMNS = ("record", "ecg")
"""Names of a row's recording; a row may hold a recording's own fields instead (`signal`, `sampling_rate`, `leads`)."""

ABOUT_THE_RECORD = ("sampling_rate", "units", "leads")
"""What a row may say about a recording that does not say it itself: an array, a CSV or NPY file."""


@dataclass(frozen=True)
class Row:
    """A recording, and what stands beside it.

    Attributes:
        record: the recording.
        columns: the other columns of its row; empty for a recording alone.
    """

    record: ECGRecord
    columns: Mapping[str, Any] = field(default_factory=dict)


def is_many(value: Any) -> bool:
    """Whether a value holds several recordings or rows: a list, a tuple, a generator, a data set, a column of one.

    Raises:
        ECGError: for a set, which has no order.
    """
    if isinstance(value, str | bytes | os.PathLike | Mapping) or is_recording(value) or _is_numbers(value):
        return False
    if isinstance(value, set | frozenset):
        raise ECGError("a set of recordings has no order, and answers come in order: give a list")
    return isinstance(value, Iterable) or (hasattr(value, "__len__") and hasattr(value, "__getitem__"))


def each(values: Any) -> Iterable[Any]:
    """The items of what `is_many`; a data set of torch (`KeyDataset`) is read by its indices."""
    if isinstance(values, Iterable):
        return values
    return (values[place] for place in range(len(values)))


def _is_numbers(value: Any) -> bool:
    """Whether a value is an array, a tensor, a table or a column of numbers."""
    if hasattr(value, "iloc"):
        return hasattr(value, "columns") or value.dtype.kind not in "OUT"
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind is not None:
        return kind not in "OUST"
    tensor = hasattr(value, "detach") and hasattr(value, "dtype")
    return tensor or (hasattr(value, "columns") and hasattr(value, "to_pandas"))


def read_row(value: Any, where: str = "") -> Row:
    """One recording, or a row with one.

    Args:
        value: a path or another name that `hf_heartllm.read_ecg` knows, an `ECGRecord`, a mapping with its fields, or a
            row: a mapping with a recording under `record` or `ecg`.
        where: which item it is, for messages.

    Raises:
        ECGError: if it is none of these, or the recording cannot be read.
    """
    where = f"{where}: " if where else ""
    if not isinstance(value, Mapping):
        return Row(_record(value, {}, where))
    named = [name for name in RECORD_COLUMNS if value.get(name) is not None]
    if len(named) > 1:
        raise ECGError(f"{where}a row holds a record and an ecg: leave one out")
    about = {name: value[name] for name in ABOUT_THE_RECORD if value.get(name) is not None}
    if named:
        rest = {name: item for name, item in value.items() if name not in (*RECORD_COLUMNS, *ABOUT_THE_RECORD)}
        return Row(_record(value[named[0]], about, where), rest)
    if not is_recording(value):
        there = ", ".join(str(name) for name in list(value)[:8]) or "nothing"
        raise ECGError(f"{where}a row needs a recording under 'record' or 'ecg', this one holds {there[:100]}")
    return Row(_of_fields(value), {name: item for name, item in value.items() if name not in ABOUT_THE_RECORD})


def _of_fields(fields: Mapping[str, Any]) -> ECGRecord:
    """A recording from a mapping with the fields of `ECGRecord`, in whatever unit of a voltage."""
    if fields.get("units") in (None, "mV", "z-score"):
        return as_record(fields)
    known = {name: fields.get(name) for name in ("age", "sex", "height", "weight", "source")}
    stated = {name: fields[name] for name in ABOUT_THE_RECORD}
    return record_from_array(fields["signal"], **stated, **known)


def _record(value: Any, about: Mapping[str, Any], where: str) -> ECGRecord:
    """One recording; `about` is what its row says about numbers or a file."""
    if isinstance(value, str | os.PathLike):
        return _read(os.fspath(value), about)
    if isinstance(value, Mapping) and is_recording(value):
        return _of_fields(value)
    if is_recording(value):
        return as_record(value)
    if _is_numbers(value) or (about and isinstance(value, list | tuple | Mapping)):
        package = _package()
        if about:
            make = record_from_array if package is None else package.ecg_record
            record: ECGRecord = make(value, **about)
            return record
        how = "pipe.ecg_record" if package is None else "hl.ecg_record"
        raise ECGError(
            f"{where}numbers say neither their sampling rate, nor their units, nor their leads: give "
            f"{how}(…, sampling_rate=…, units=…, leads=…)"
        )
    raise ECGError(
        f"{where}a recording is a path, an ECGRecord, or what ecg_record makes of numbers; this is "
        f"{'None' if value is None else f'of the type {type(value).__name__}'}"
    )


def _package() -> Any:
    """The part of the package that reads recordings, or None where only the checkpoint's own code is there."""
    try:  # no import statement: a checkpoint's code must load where the package is not installed
        return importlib.import_module("hf_heartllm.ecg")
    except ModuleNotFoundError:
        return None


def _read(name: str, about: Mapping[str, Any]) -> ECGRecord:
    package = _package()
    if package is None:
        raise ECGError(
            f"{name[-120:]}: files are read by the package hf_heartllm, which is not installed here; arrays need none: "
            "pipe.ecg_record(…, sampling_rate=…, units=…, leads=…)"
        )
    return package.read_ecg(name, **about)  # type: ignore[no-any-return]
