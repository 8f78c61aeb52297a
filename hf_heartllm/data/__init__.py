"""The nouns of data: a `Record` and a `Question`. Every source yields them; everything after reads them.

from hf_heartllm.data import open_records

for record in open_records("labels.csv"):
    print(record, record.read().duration)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .question import Question, question_features
    from .record import Record, Report
    from .sources import RecordSource, open_records

__all__ = ["Question", "Record", "RecordSource", "Report", "open_records", "question_features"]

_MODULES = {
    **dict.fromkeys(("Question", "question_features"), "question"),
    **dict.fromkeys(("Record", "Report"), "record"),
    **dict.fromkeys(("RecordSource", "open_records"), "sources"),
}


def __getattr__(name: str) -> Any:
    # The sources import readers and tables, which those who need one of the nouns alone need not wait for.
    if name in _MODULES:
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
