"""Which lead stands where on the page, and which seconds of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...models.ecg_leads import STANDARD_LEADS, derive_limb_leads
from ...models.ecg_record import ECGError, ECGRecord

LAYOUTS: tuple[str, ...] = ("3x4+1", "3x4+3", "6x2", "12x1", "strips")
ROW_SECONDS = 10.0  # what a row of the page holds at 25 mm/s
SAME_TIME = 5.0  # s; a recording this short stands whole in both columns of 6x2
FEW_LEADS = 6  # of the twelve standard leads; with no more, a page for twelve would be half empty
SHORT = 8.0  # s; below it a column of 3x4 would be shorter than 2 s
STRIP_ROWS, MAX_STRIP_LEADS = 8, 15
# First choices for the rhythm strips: the first ones that hold samples.
_RHYTHM_LEADS = ("II", "V1", "V5", *(name for name in STANDARD_LEADS if name not in ("II", "V1", "V5")))
# Layout → columns, rhythm strips, rows that leads beyond the twelve may add.
_GRIDS = {"3x4+1": (4, 1, 1), "3x4+3": (4, 3, 1), "6x2": (2, 0, 2), "12x1": (1, 0, 3)}


@dataclass(frozen=True, eq=False)
class Panel:
    """A stretch of one lead on the page.

    Attributes:
        lead: its name.
        remark: what is special about it: `derived`, `missing`, `no samples`, or nothing.
        row: counted from the top.
        place: seconds from the left end of the row to the start of the stretch.
        start: where the stretch starts in the recording, in seconds.
        stop: where it ends.
        times: float64 (samples,), seconds from the start of the stretch.
        values: float64 (samples,), mV; NaN where samples are missing. Empty for a missing lead.
    """

    lead: str
    remark: str
    row: int
    place: float
    start: float
    stop: float
    times: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What the page shows.

    Attributes:
        layout: one of `LAYOUTS`.
        rows: how many.
        panels: from the top, each row from the left.
        start: the first second that is shown.
        stop: the last one.
        notes: what is missing, derived or not shown, in few words each.
    """

    layout: str
    rows: int
    panels: tuple[Panel, ...]
    start: float
    stop: float
    notes: tuple[str, ...]


def layout_name(text: str) -> str:
    """A layout as it is called here, or `"auto"`: `3×4+1` and `3X4 + 1` are `3x4+1`.

    Raises:
        ECGError: for any other.
    """
    name = "".join(str(text).lower().replace("×", "x").split())
    if name not in (*LAYOUTS, "auto"):
        raise ECGError(f"no layout {str(text)[:40]!r}; there are auto, {', '.join(LAYOUTS)}")
    return name


def arrange(record: ECGRecord, layout: str = "auto", start: float = 0.0) -> Arrangement:
    """Lay a recording out.

    Args:
        record: in mV.
        layout: one of `LAYOUTS`, or `"auto"`: strips for six standard leads or fewer (derived ones counted), else
            6x2 where less than 8 s are left, else 3x4+1.
        start: the first second to show.

    Raises:
        ECGError: if there is no such layout, or no sample behind `start`.
    """
    layout = layout_name(layout)
    where = record.source or "record"
    if not (isinstance(start, int | float | np.number) and math.isfinite(start) and start >= 0):
        raise ECGError(f"{where}: the start must be a number of seconds of 0 or more, got {start!r:.40}")
    start = float(start)
    left = record.duration - start
    if left * record.sampling_rate < 1:
        raise ECGError(f"{where}: cannot start at {start:g} s: the recording lasts {record.duration:g} s")
    derived = derive_limb_leads(record.signal, record.leads)
    standard = [name for name in STANDARD_LEADS if name in record.leads or name in derived]
    if layout == "auto":
        layout = "strips" if len(standard) <= FEW_LEADS else "3x4+1" if left >= SHORT else "6x2"
    rows = {name: record.lead(name).astype(np.float64) for name in record.leads}
    source = _Leads(record, {**rows, **derived}, derived)
    if layout == "strips":
        return _strips(source, start, len(standard) > FEW_LEADS)
    return _columns(source, layout, start)


@dataclass(frozen=True, eq=False)
class _Leads:
    """All that can be drawn: mV by name; which of them are derived."""

    record: ECGRecord
    values: dict[str, np.ndarray]
    derived: dict[str, np.ndarray]

    def has_samples(self, name: str) -> bool:
        return name in self.values and bool(np.isfinite(self.values[name]).any())

    def remark(self, name: str) -> str:
        if name not in self.values:
            return "missing"
        if not self.has_samples(name):
            return "no samples"
        return "derived" if name in self.derived else ""

    def panel(self, name: str, row: int, place: float, start: float, stop: float) -> Panel:
        rate = self.record.sampling_rate
        values = times = np.empty(0)
        remark = self.remark(name)
        if self.has_samples(name):
            # The sample at `stop` too: the lead goes on up to where the next column starts.
            first, last = math.ceil(start * rate - 1e-6), math.floor(stop * rate + 1e-6)
            values = self.values[name][first : last + 1]
            values = np.where(np.isfinite(values), values, np.nan)
            times = (first + np.arange(len(values))) / rate - start
            remark = remark if np.isfinite(values).any() else "no samples"  # in this stretch
        return Panel(name, remark, row, place, start, stop, times, values)

    def rhythm(self, count: int) -> list[str]:
        found = [name for name in _RHYTHM_LEADS if self.has_samples(name)]
        return (found or [name for name in self.values if self.has_samples(name)])[:count]


def _columns(leads: _Leads, layout: str, start: float) -> Arrangement:
    """Leads below each other in columns, one column after the other in time, over the rhythm strips."""
    columns, strips, room = _GRIDS[layout]
    height = len(STANDARD_LEADS) // columns
    extra = [name for name in leads.record.leads if name not in STANDARD_LEADS]
    shown = extra[: room * columns]
    left = leads.record.duration - start
    stop = min(start + ROW_SECONDS, leads.record.duration)
    together = layout == "6x2" and left <= SAME_TIME
    width = left if together else (stop - start) / columns

    def of_column(name: str, row: int, column: int) -> Panel:
        first = start if together else start + column * width
        return leads.panel(name, row, column * (SAME_TIME if together else width), first, first + width)

    panels = [of_column(STANDARD_LEADS[c * height + r], r, c) for r in range(height) for c in range(columns)]
    panels += [of_column(name, height + i // columns, i % columns) for i, name in enumerate(shown)]
    rows = height + -(-len(shown) // columns)
    for name in leads.rhythm(strips):
        panels.append(leads.panel(name, rows, 0.0, start, stop))
        rows += 1
    missing = [name for name in STANDARD_LEADS if name not in leads.values]
    notes = [f"missing: {', '.join(missing)}"] if missing else []
    notes += [f"derived from two other limb leads: {', '.join(leads.derived)}"] if leads.derived else []
    notes += [f"both columns show the same {width:g} s"] if together else []
    notes += _not_drawn(extra[len(shown) :])
    return Arrangement(layout, rows, tuple(panels), start, stop, tuple(notes))


def _strips(leads: _Leads, start: float, many: bool) -> Arrangement:
    """Lines of 10 s, one after the other in time; of several leads, the same 10 s below each other."""
    names = leads.rhythm(1) if many else list(leads.record.leads[:MAX_STRIP_LEADS])
    duration = leads.record.duration
    fits = max(1, STRIP_ROWS // len(names))
    lines = min(fits, math.ceil(round((duration - start) / ROW_SECONDS, 6)))
    stop = min(start + lines * ROW_SECONDS, duration)
    panels = []
    for line in range(lines):
        first = start + line * ROW_SECONDS
        for number, name in enumerate(names):
            panels.append(leads.panel(name, line * len(names) + number, 0.0, first, min(first + ROW_SECONDS, stop)))
    notes = _not_drawn([name for name in leads.record.leads if name not in names])
    return Arrangement("strips", len(panels), tuple(panels), start, stop, tuple(notes))


def clock(seconds: float) -> str:
    """A time as minutes and seconds, with hours where there are any: `1:20`, `2:00:05`, `0:02.5`."""
    whole, rest = divmod(round(seconds, 3), 1)
    minutes, second = divmod(int(whole), 60)
    tail = f"{rest:.3f}".strip("0").rstrip(".")
    hours, minute = divmod(minutes, 60)
    return (f"{hours}:{minute:02}" if hours else f"{minute}") + f":{second:02}{tail}"


def _not_drawn(names: list[str]) -> list[str]:
    return [f"not drawn: {', '.join(names)}"] if names else []
