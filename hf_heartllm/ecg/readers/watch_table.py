"""The CSV that watches export: a head of named values in the watch's language, below it the samples of one lead.

    Name,Jane Roe
    Sample Rate,512 hertz
    Lead,Lead I
    Unit,µV

    -11.944
    …

The names are translated, so the values alone are read: `512 hertz`, `Lead I` (its last word), `µV`.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from ...models.ecg_leads import STANDARD_LEADS
from ...models.ecg_record import ECGError
from .channels import lead_name
from .table_text import Grid
from .units import is_voltage

_LINE_END = re.compile(r"\r\n|\r|\n")
_MOST_LINES = 40  # of a head
_LAST = 3  # lines of a head, one of which names the lead, one perhaps its unit
_FEWEST_SAMPLES = 10
_NUMBER = re.compile(r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?")
_HERTZ = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:hz|h\w*rt\w*|hercios?|гц|герц\w*|赫兹?|赫茲|ヘルツ|헤르츠)", re.IGNORECASE)


def read_watch_table(path: Path, text: str) -> tuple[Grid, float | None] | None:
    """Such a table as one with the lead's name and unit on top.

    Args:
        path: for messages.
        text: of the file.

    Returns:
        The table and the sampling rate, Hz, where the head states it; None: the text is another table.

    Raises:
        ECGError: for a sample that is no number.
    """
    above = [line.strip() for line in _LINE_END.split(text, maxsplit=_MOST_LINES)[:_MOST_LINES]]
    first = next((place for place, line in enumerate(above) if _sample(line) is not None), 0)
    try:
        head = [cells for cells in csv.reader(above[:first], skipinitialspace=True) if cells]
    except csv.Error:  # a cell of 100,000 characters
        return None
    if any(len(cells) < 2 or not cells[0] for cells in head):
        return None
    values = [cells[1].strip() for cells in head]
    last = [value for value in reversed(values[-_LAST:]) if value]  # above them stands the person's name
    lead = next((name for value in last if (name := lead_name(value.split()[-1])) in STANDARD_LEADS), None)
    if lead is None:
        return None
    every = enumerate(_LINE_END.split(text), 1)
    numbered = [(number, line) for number, line in every if number > first and line.strip()]
    if len(numbered) < _FEWEST_SAMPLES:
        return None
    unit = next((value for value in last if is_voltage(value)), None)
    rate = next((found[1] for value in values if (found := _HERTZ.fullmatch(value))), None)
    rows = []
    for number, line in numbered:
        sample = _sample(line)
        if sample is None:
            raise ECGError(f"{path}: row {number}: {line[:40]!r} is not a number")
        rows.append([sample])
    lines = [first, *(number for number, _ in numbered)]
    title = lead if unit is None else f"{lead} ({unit})"
    return Grid([[title], *rows], lines, None, False), None if rate is None else float(rate.replace(",", "."))


def _sample(line: str) -> str | None:
    """A line that is one number, with a point; `"-11,944"` is one, in languages with decimal commas."""
    bare = line.strip("\"' \t;,")
    return bare.replace(",", ".") if _NUMBER.fullmatch(bare) else None
