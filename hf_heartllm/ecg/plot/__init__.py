"""A recording on ECG paper: one A4 page in landscape at 25 mm/s and 10 mm/mV."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from ...models.ecg_checks import check_record, warn_of
from ...models.ecg_record import ECGError, ECGRecord, ECGWarning, check_is_record
from ...models.whole_files import written_whole
from ..measurements import measure
from .drawing import draw, drawable, printable
from .header import Header, finding_notes, is_simulated, measured_words, patient_of, title_of
from .layouts import LAYOUTS, Arrangement, arrange, layout_name
from .paper import compose

__all__ = ["LAYOUTS", "PICTURE_SUFFIXES", "layout_name", "plot_ecg", "write_picture"]

PICTURE_SUFFIXES = (".svg", ".png", ".pdf")


def plot_ecg(
    record: ECGRecord,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    layout: str = "auto",
    start: float = 0.0,
    measurements: bool = True,
) -> Path:
    """Draw a recording on ECG paper: A4 in landscape, 25 mm/s, 10 mm/mV, as it is, without any filter.

    Time runs on from column to column, and each column stands over its own seconds of the rhythm strip. Limb leads that
    follow from two others are drawn and marked as derived; any other missing lead stays blank and is named as missing.
    Rows may overlap as on paper; where that is hopeless the page is drawn at 5 mm/mV (or 2.5) and says so.
    docs/pictures.md shows the layouts and says what each note means.

    Args:
        record: in mV.
        path: `.svg`, `.png` or `.pdf`; written whole.
        title: the line on top; the name of the recording's file when None.
        layout: `3x4+1` and `3x4+3` (columns of 2.5 s over one or three rhythm strips), `6x2`, `12x1`, `strips` (lines
            of 10 s, for few leads and long recordings), or `auto`: strips for six standard leads or fewer, else 6x2 for
            less than 8 s, else 3x4+1.
        start: the first second to draw.
        measurements: whether rate, intervals and axis of what is drawn stand on top.

    What the checks of the recording find (`models.ecg_checks`) is noted in short and warned of.

    Returns:
        The path.

    Raises:
        ECGError: if the record is not in mV, the suffix or the layout is another, `start` is not within the recording,
            or the file cannot be written.
    """
    check_is_record(record)
    path = Path(path)
    suffix = path.suffix.lower()
    where = record.source or "record"
    if suffix not in PICTURE_SUFFIXES:
        raise ECGError(f"{path}: a picture is .svg, .png or .pdf")
    if record.units != "mV":
        raise ECGError(f"{where}: in {record.units}, not mV: it has no amplitude that ECG paper could show")
    arrangement = arrange(record, layout, start)
    shown = _shown(record, arrangement)
    if not any(np.isfinite(panel.values).any() for panel in arrangement.panels):
        seconds = f"{arrangement.start:g} and {arrangement.stop:g} s"
        raise ECGError(f"{where}: no lead holds a sample to draw between {seconds}")
    findings = check_record(shown).findings
    measured: tuple[str, ...] = ()
    notes = []
    try:
        if measurements:
            measured = measured_words(measure(shown))  # which warns of what the checks find
    except ECGError as error:  # too short, or sampled too slowly
        notes = [f"not measured: {str(error).removeprefix(f'{where}: ')}"]
    if not measured:
        warn_of(findings, where)
    notes = [*finding_notes(findings), *notes, *_cut_off(record, arrangement)]
    header = Header(title_of(record, title), is_simulated(record), patient_of(record), measured, tuple(notes))
    page = compose(arrangement, header)
    if suffix != ".svg" and any(drawable(words.text) != printable(words.text) for words in page.words):
        warnings.warn(f"{where}: boxes stand for letters that the font lacks; a .svg shows them", ECGWarning, 2)
    write_picture(draw(page, suffix[1:]), path)
    return path


def _shown(record: ECGRecord, arrangement: Arrangement) -> ECGRecord:
    """The stretch that is drawn, all leads."""
    if arrangement.stop - arrangement.start >= record.duration - 0.5 / record.sampling_rate:
        return record
    return record.crop(arrangement.start, arrangement.stop)


def _cut_off(record: ECGRecord, arrangement: Arrangement) -> list[str]:
    seconds = arrangement.stop - arrangement.start
    if seconds >= record.duration - 0.5 / record.sampling_rate:
        return []
    where = "first" if arrangement.start == 0 else f"from {arrangement.start:g} s:"
    return [f"{where} {seconds:g} s of {record.duration:g} s"]


def write_picture(content: bytes, path: Path) -> None:
    """Write a file whole: under a temporary name first, then renamed.

    Raises:
        ECGError: if it cannot be written.
    """
    try:
        with written_whole(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise ECGError(f"{path}: cannot write the picture: {error.strerror or error}") from None
