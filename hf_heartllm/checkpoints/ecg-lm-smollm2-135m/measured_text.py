"""What was measured on a recording, in a few words that a language model reads behind the ECG's soft tokens."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from .ecg_record import ECGError, ECGRecord

_WORDS = {
    "heart_rate": "heart rate {:.0f}/min",
    "rr_irregularity": "RR irregularity {:.2f}",
    "premature_beats": "premature beats {:.0f}",
    "p_share": "P waves before {:.0f} % of beats",
    "pr_ms": "PR {:.0f} ms",
    "qrs_ms": "QRS {:.0f} ms",
    "qtc_fridericia_ms": "QTc {:.0f} ms",
    "axis_deg": "axis {:.0f} degrees",
}
"""Column of `dataset_builders.measurements` → how it is told, in this order."""

MEASURED = tuple(_WORDS)
"""The columns that are told."""


def measured_text(columns: Mapping[str, Any]) -> str:
    """Measurements in words, in brackets; what could not be measured is left out.

    Args:
        columns: of `Measurements.as_columns`, or a row of a table of it; empty cells and None are not known.

    Raises:
        ValueError: if a cell is no number.

    Examples:
        >>> measured_text({"heart_rate": 71.6, "pr_ms": None, "qrs_ms": "98"})
        ' (measured: heart rate 72/min, QRS 98 ms)'
        >>> measured_text({})
        ' (nothing was measured)'
    """
    known = {name: columns.get(name) for name in MEASURED}
    told = [_WORDS[name].format(float(value)) for name, value in known.items() if value is not None and value != ""]
    return f" (measured: {', '.join(told)})" if told else " (nothing was measured)"


def measured_text_of(record: ECGRecord) -> str:
    """Measure a recording and tell it in words; one that cannot be measured has nothing to tell.

    Raises:
        ImportError: without the package `hf_heartllm`, which measures; a checkpoint's own code does not.
    """
    try:
        ecg = importlib.import_module("hf_heartllm.ecg")
    except ImportError:
        raise ImportError(
            "this checkpoint reads measured numbers beside the ECG, and hf_heartllm measures them: "
            "pip install hf_heartllm"
        ) from None
    try:
        return measured_text(ecg.measure(record).as_columns())
    except (ECGError, ecg.ECGError):  # a checkpoint's own code has a class of its own
        return measured_text({})
