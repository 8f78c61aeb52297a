"""Standard ECG paper: 25 mm/s, 10 mm/mV, 3 × 4 leads of 2.5 s over a rhythm strip; drawn by the library ecg_plot."""

from __future__ import annotations

import io
import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from ..models.ecg_checks import Finding, check_record, warn_of
from ..models.ecg_leads import STANDARD_LEADS, derive_limb_leads
from ..models.ecg_record import ECGError, ECGRecord
from ..models.locks import process_lock
from ..models.notice import NOTICE

PICTURE_SUFFIXES = (".svg", ".png", ".pdf")
PAPER_SECONDS = 10.0
_RHYTHM_LEADS = ("II", "V1", "I", "V5", *STANDARD_LEADS)  # the first that is there is the rhythm strip
_HIGHEST = 6.0  # mV; beyond this the paper does not grow and ecg_plot writes "OUT OF RANGE" into the panel
_TITLE_LENGTH = 100
_DOTS_PER_INCH = 160
_POINTS_PER_MM = 72 / 25.4
_FOOTER = 13.0  # mm below the leads, for the lines that are added here
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MATPLOTLIB = process_lock()  # its settings and fonts are the process's


@dataclass(frozen=True)
class _Line:
    """A line of text on the paper: distance from the lower edge and size in mm."""

    text: str
    above_edge: float
    size: float
    bold: bool = False


def plot_ecg(record: ECGRecord, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
    """Draw a recording on standard ECG paper.

    The first 10 s: three rows of four leads, 2.5 s each, one after the other in time, over a rhythm strip of lead II;
    calibration pulse, 25 mm/s, 10 mm/mV. Limb leads that follow from two others are drawn and marked as derived; any
    other missing lead stays blank and is named as missing. A record without a standard lead is drawn one lead a row.

    Args:
        record: in mV.
        path: `.svg`, `.png` or `.pdf`; written whole.
        title: the line on top; the record's source when None.

    What the checks of the recording find (`models.ecg_checks`) is noted in short and warned of; it is drawn as it is.

    Returns:
        The path.

    Raises:
        ECGError: if the record is not in mV, the suffix is another, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    where = record.source or "record"
    if suffix not in PICTURE_SUFFIXES:
        raise ECGError(f"{path}: a picture is .svg, .png or .pdf")
    if record.units != "mV":
        raise ECGError(f"{where}: in {record.units}, not mV: it has no amplitude that ECG paper could show")
    if not np.isfinite(record.signal).any():
        raise ECGError(f"{where}: no lead holds a sample to draw")
    findings = check_record(record).findings
    warn_of(findings, where)
    chart, notes = _chart(record, _title(record, title))
    notes = [*_short(findings), *notes]
    lines = [_Line(NOTICE, 9.0, 3.2, bold=True)]
    if notes:
        lines.append(_Line("; ".join(notes)[:200], 14.5, 2.8))
    if suffix == ".svg":
        content = _svg(chart, lines)
    else:
        with _MATPLOTLIB:
            content = _matplotlib(chart, lines, suffix[1:])
    _write(path, content)
    return path


def _short(findings: tuple[Finding, ...]) -> list[str]:
    """What the checks found, in few words: which check, and its leads unless they are many."""
    words = [
        finding.check.replace("_", " ") + (f" {', '.join(finding.leads)}" if 0 < len(finding.leads) <= 3 else "")
        for finding in findings
    ]
    return [f"doubtful: {', '.join(words)}"] if words else []


def _title(record: ECGRecord, title: str | None) -> str:
    text = "".join(c if c.isprintable() else " " for c in (title if title is not None else record.source or "ECG"))
    if len(text) > _TITLE_LENGTH:
        text = "…" + text[1 - _TITLE_LENGTH :]
    simulated = "simulated" in (record.source or "")
    return text if not simulated or "simulated" in text.lower() else f"{text} (simulated)"


def _chart(record: ECGRecord, title: str) -> tuple[Any, list[str]]:
    """ecg_plot's chart and the notes about what it does not show."""
    import ecg_plot

    notes = []
    if record.duration > PAPER_SECONDS:
        notes.append(f"first {PAPER_SECONDS:g} s of {record.duration:g} s")
        record = record.crop(0, PAPER_SECONDS)
    rows = {name: record.lead(name).astype(np.float64) for name in record.leads}
    standard = [name for name in STANDARD_LEADS if name in rows]
    options: dict[str, Any] = {"layout": "stacked"}
    labels = {name: name for name in rows}
    if standard:
        derived = derive_limb_leads(record.signal, record.leads)
        extra = [name for name in rows if name not in STANDARD_LEADS]
        missing = [name for name in STANDARD_LEADS if name not in rows and name not in derived]
        blank = np.full(record.signal.shape[1], np.nan)
        rows = {name: rows.get(name, derived.get(name, blank)) for name in STANDARD_LEADS}
        labels = {name: name for name in rows} | {name: f"{name} (derived)" for name in derived}
        labels |= {name: f"{name} (missing)" for name in missing}
        notes += [f"missing: {', '.join(missing)}"] if missing else []
        notes += [f"derived from two other limb leads: {', '.join(derived)}"] if derived else []
        notes += [f"not drawn: {', '.join(extra)}"] if extra else []
        rhythm = next(name for name in _RHYTHM_LEADS if name in standard or name in derived)
        options = {"layout": "12lead", "time_mode": "sequential", "rhythm_lead": rhythm}
    empty = [name for name in standard if not np.isfinite(rows[name]).any()]
    labels |= {name: f"{name} (no samples)" for name in empty}
    values = np.where(np.isinf(np.stack(list(rows.values()))), np.nan, np.stack(list(rows.values())))
    chart = ecg_plot.plot(
        values,
        lead_names=list(rows),
        sample_rate=record.sampling_rate,
        units="mV",
        title=title,
        amplitude_range=_range(values),
        **options,
    )
    # The panels are laid out by now: this changes what is written above them only.
    chart.record = replace(chart.record, names=tuple(labels[name] for name in rows))
    chart.height_mm += _FOOTER
    return chart, notes


def _range(values: np.ndarray) -> tuple[float, float]:
    """The mV that a row shows: all there is, in whole large squares (0.5 mV), at least -1 to 1.5."""
    low = np.floor((np.nanmin(values) - 0.1) * 2) / 2
    high = np.ceil((np.nanmax(values) + 0.1) * 2) / 2
    return float(np.clip(low, -_HIGHEST, -1.0)), float(np.clip(high, 1.5, _HIGHEST))


def _svg(chart: Any, lines: list[_Line]) -> bytes:
    drawing = chart.to_svg().removesuffix("</svg>")
    for line in lines:
        place = f'x="12" y="{chart.height_mm - line.above_edge:g}" font-size="{line.size:g}" font-family="sans-serif"'
        weight = ' font-weight="bold"' if line.bold else ""
        drawing += f"<text {place}{weight}>{escape(line.text)}</text>"
    return f"<?xml version='1.0' encoding='utf-8'?>\n{_NOT_IN_XML.sub(' ', drawing)}</svg>".encode()


def _grid(panel: Any, spacing: float) -> list[list[tuple[float, float]]]:
    """The lines of one panel's grid in mm, counted from its left edge and its baseline."""
    left, right, top, bottom = panel.x, panel.x + panel.width, panel.y, panel.y + panel.height
    across = np.arange(0, panel.width + 1e-7, spacing) + left
    first = np.ceil((top - panel.baseline) / spacing - 1e-7) * spacing
    down = np.arange(first, bottom - panel.baseline + 1e-7, spacing) + panel.baseline
    return [[(x, top), (x, bottom)] for x in across] + [[(left, y), (right, y)] for y in down]


def _matplotlib(chart: Any, lines: list[_Line], kind: str) -> bytes:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection

    # ecg_plot makes an artist of every grid line, which takes most of the time; here each grid is one artist.
    grid, chart.style = chart.style, replace(chart.style, grid=False)
    figure, axes = chart.to_matplotlib()
    for spacing, color, width in ((1.0, grid.minor_color, 0.06), (5.0, grid.major_color, 0.12)):  # mm, as in its SVG
        lines_of_grid = [line for panel in chart.panels for line in _grid(panel, spacing)]
        axes.add_collection(
            LineCollection(lines_of_grid, colors=color, linewidths=width * _POINTS_PER_MM, zorder=0.5), autolim=False
        )
    FigureCanvasAgg(figure)  # never a window
    for line in lines:
        weight = "bold" if line.bold else "normal"
        axes.text(12, chart.height_mm - line.above_edge, line.text, fontsize=line.size * _POINTS_PER_MM, weight=weight)
    buffer = io.BytesIO()
    dated = {"CreationDate": None} if kind == "pdf" else {"Description": NOTICE}  # equal input, equal file
    usual = matplotlib.rcParams["pdf.fonttype"]
    matplotlib.rcParams["pdf.fonttype"] = 42
    try:
        figure.savefig(buffer, format=kind, dpi=_DOTS_PER_INCH, metadata=dated)
    finally:
        matplotlib.rcParams["pdf.fonttype"] = usual
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise ECGError(f"{path}: cannot write the picture: {error.strerror or error}") from None
