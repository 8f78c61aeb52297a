"""ECG paper: where the rows stand, how high they are, and what is written around them. All lengths are in mm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...models.notice import NOTICE
from .drawing import WIDTH, Page, Stroke, Words, shorten, text_width
from .header import Header
from .layouts import Arrangement, Panel, clock

SPEED = 25.0  # mm a second
GAINS = (10.0, 5.0, 2.5)  # mm a millivolt: the first that fits
INK = "#101820"
_MINOR, _MAJOR, _EDGE = "#f6d3cd", "#e59f95", "#d9877b"
_LEFT, _BOTTOM, _ACROSS, _HIGH = 18.0, 20.0, 270.0, 160.0  # the grid, where it fills the page
_RIGHT, _TOP = _LEFT + _ACROSS, _BOTTOM + _HIGH
_BEFORE = 15.0  # between the left edge of the grid and the first sample: the calibration pulse
_TRACE = 0.3  # width of a curve
_ABOVE, _BELOW = 8.0, 4.0  # what a row takes at least above and below its line
_APART = 1.0  # between one row's lowest point and the next row's highest
_SPREAD, _SPREAD_OF_STRIPS = 30.0, 10.0  # more than this a gap between rows does not grow where there is room
_SQUEEZED = 0.55  # rows may come this close: less of the room that they need is hopeless
_NAME = 3.2  # size of a lead's name
_MARGIN = 12.5  # room for it on the left of the grid


def compose(
    arrangement: Arrangement, header: Header, over: Arrangement | None = None, colours: tuple[str, str] = (INK, INK)
) -> Page:
    """The page of an arrangement.

    Every stretch is moved up or down so that its median lies on its line, since an ECG has no absolute zero.

    Args:
        arrangement: what stands where.
        header: what is written around it.
        over: another version of the same recording, arranged alike, drawn over it and moved as it is.
        colours: of the recording, and of the other version.
    """
    levels = [_level(panel) for panel in arrangement.panels]
    curves = [(panel, panel.values - level, colours[0]) for panel, level in zip(arrangement.panels, levels)]
    if over is not None:
        level_of = {(panel.row, panel.lead): level for panel, level in zip(arrangement.panels, levels)}
        curves += [(one, one.values - level_of.get((one.row, one.lead), 0.0), colours[1]) for one in over.panels]
    above, below = _needs(arrangement.rows, [(panel, values) for panel, values, _ in curves])
    strips = arrangement.layout == "strips"
    gain, lines, bottom = _fit(above, below, _SPREAD_OF_STRIPS if strips else _SPREAD)
    words = _times(arrangement, bottom)
    strokes = [_pulse(line, gain) for line in lines]
    strokes += [_change(panel, lines[panel.row]) for panel in arrangement.panels if panel.place > 0]
    paper = (_LEFT, bottom, _RIGHT, _TOP)
    beside = strips or arrangement.layout == "12x1"
    cut = []
    for number, (panel, values, colour) in enumerate(curves):
        x = _LEFT + _BEFORE + (panel.place + panel.times) * SPEED
        y = lines[panel.row] + values * gain
        if np.isfinite(y).any():
            strokes.append(Stroke(np.column_stack([x, y]), colour, _TRACE, paper))
            if np.nanmax(y) > _TOP or np.nanmin(y) < bottom:
                cut.append(panel.lead)
        if number < len(arrangement.panels):
            words += _beside(panel, lines[panel.row], strips) if beside else [_name(panel, x, y, lines)]
    notes = [*header.notes, *arrangement.notes]
    if cut:
        notes.insert(0, f"higher than the paper, cut: {', '.join(dict.fromkeys(cut))}")
    if gain != GAINS[0]:
        notes.insert(0, f"amplitudes are drawn at {gain:g} mm/mV, not {GAINS[0]:g}")
    title, on_top = _above(header, notes)
    return Page(title, _grid(bottom), (*words, *on_top, *_below(arrangement, gain, header.filters)), tuple(strokes))


def _level(panel: Panel) -> float:
    return float(np.nanmedian(panel.values)) if np.isfinite(panel.values).any() else 0.0


def _needs(rows: int, curves: Sequence[tuple[Panel, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """How far each row reaches above and below its line in each tenth of a second: two float64 (rows, tenths), mV."""
    bins = 101
    above = np.zeros((rows, bins))
    below = np.zeros((rows, bins))
    for panel, values in curves:
        good = np.isfinite(values)
        place = np.clip(((panel.place + panel.times[good]) * 10).astype(int), 0, bins - 1)
        np.maximum.at(above[panel.row], place, values[good])
        np.maximum.at(below[panel.row], place, -values[good])
    return above, below


def _fit(above: np.ndarray, below: np.ndarray, spread: float) -> tuple[float, list[float], float]:
    """The gain, the heights of the rows' lines on the page (on lines of the grid), and the lower edge of the grid."""
    for gain in GAINS:
        up, down = above * gain, below * gain
        first = max(up[0].max(), _ABOVE, gain) + _APART
        last = max(down[-1].max(), _BELOW) + _APART
        # Rows touch where one is low and the next is high at the same time, so each place counts for itself.
        between = np.array([max(gap.max(), _ABOVE + _BELOW) for gap in down[:-1] + up[1:]]) + _APART
        room = _HIGH - first - last
        if gain == GAINS[-1] or room >= _SQUEEZED * between.sum():
            break
    if room <= 0:  # not even the outer rows fit: they are cut at the edges of the paper
        first, last = _HIGH * 0.3, _HIGH * (0.2 if len(up) > 1 else 0.7)
        room = _HIGH - first - last
    spare = room - between.sum()
    if spare < 0:
        between *= room / between.sum()
    else:
        share = min(spare / len(up), spread)
        between += share
        first, last = first + share / 2, last + share / 2
    places = first + np.concatenate([[0.0], np.cumsum(between)])
    high = min(np.ceil((places[-1] + last - 1e-6) / 5) * 5, _HIGH)
    return gain, [float(_TOP - round(place)) for place in places], float(_TOP - high)


def _grid(bottom: float) -> tuple[Stroke, ...]:
    """Lines of 1 mm, of 5 mm, and the edge."""
    high = _TOP - bottom

    def lines(every: float, not_every: float | None) -> np.ndarray:
        across = np.arange(0, _ACROSS + 1e-6, every)
        along = np.arange(0, high + 1e-6, every)
        if not_every is not None:
            across = across[np.arange(len(across)) % round(not_every / every) != 0]
            along = along[np.arange(len(along)) % round(not_every / every) != 0]
        upright = [[(_LEFT + x, bottom), (_LEFT + x, _TOP)] for x in across]
        level = [[(_LEFT, bottom + y), (_RIGHT, bottom + y)] for y in along]
        return np.array(upright + level)

    edge = np.array([[_LEFT, bottom], [_RIGHT, bottom], [_RIGHT, _TOP], [_LEFT, _TOP], [_LEFT, bottom]])
    return Stroke(lines(1, 5), _MINOR, 0.1), Stroke(lines(5, None), _MAJOR, 0.15), Stroke(edge, _EDGE, 0.25)


def _pulse(line: float, gain: float) -> Stroke:
    """The calibration pulse: 1 mV for 0.2 s."""
    x = _LEFT + 4.0
    points = [(x, line), (x + 2, line), (x + 2, line + gain), (x + 7, line + gain), (x + 7, line), (x + 9, line)]
    return Stroke(np.array(points), INK, _TRACE)


def _change(panel: Panel, line: float) -> Stroke:
    """The mark where one lead ends and the next begins."""
    x = _LEFT + _BEFORE + panel.place * SPEED
    return Stroke(np.array([[x, line - 2.5], [x, line + 2.5]]), INK, 0.2)


def _name(panel: Panel, x: np.ndarray, y: np.ndarray, lines: Sequence[float]) -> Words:
    """The lead's name over the beginning of its curve, but not so high that it could be the name of the row above."""
    left = _LEFT + _BEFORE + panel.place * SPEED + 1.0
    label = f"{panel.lead} ({panel.remark})" if panel.remark else panel.lead
    width = text_width(label, _NAME, bold=True)
    line = lines[panel.row]
    there = (x <= left + width + 1) & np.isfinite(y)
    free = float(y[there].max()) - line + 1.2 if there.any() else 0.0
    gap = lines[panel.row - 1] - line if panel.row else _TOP - line
    highest = max(2.0, min(15.0, gap * 0.6 - _NAME))
    return Words(label, left, line + min(max(free, 4.0), highest), _NAME, bold=True, colour=INK, backed=True)


def _beside(panel: Panel, line: float, with_time: bool) -> list[Words]:
    """The lead's name on the left of the paper, below it what is special about it, and when the line starts."""
    size = max(1.8, min(_NAME, _NAME * _MARGIN / text_width(panel.lead, _NAME, bold=True)))
    x = _LEFT - 1.2
    words = [Words(shorten(panel.lead, _MARGIN, size, bold=True), x, line, size, bold=True, colour=INK, align="right")]
    for text in (panel.remark, clock(panel.start) if with_time else ""):
        if text:
            words.append(Words(text, x, line - 3.2 * len(words), 2.3, colour=INK, align="right"))
    return words


def _times(arrangement: Arrangement, bottom: float) -> list[Words]:
    """Seconds below the grid, as the first row counts them."""
    words = []
    taken: set[int] = set()
    for panel in arrangement.panels:
        if panel.row:
            continue
        zero = panel.start if arrangement.layout == "strips" else 0.0  # lines say themselves when they start
        for second in range(int(np.ceil(panel.start - zero - 1e-6)), int(panel.stop - zero + 1e-6) + 1):
            x = _LEFT + _BEFORE + (panel.place + second + zero - panel.start) * SPEED
            if round(x) not in taken:
                taken.add(round(x))
                words.append(Words(f"{second} s", x, bottom - 3.0, 2.2, colour="#555555", align="center"))
    return words


def _above(header: Header, notes: Sequence[str]) -> tuple[str, list[Words]]:
    """The title as it is shown, and the lines above the grid."""
    words = []
    right = _RIGHT
    for word, colour in reversed(header.colours):
        words.append(Words(word, right, 200.5, 3.4, bold=True, colour=colour, align="right"))
        right -= text_width(word, 3.4, bold=True) + 4
    if header.patient:
        patient = shorten(header.patient, _ACROSS / 3, 3.6)
        words.append(Words(patient, right, 200.5, 3.6, align="right"))
        right -= text_width(patient, 3.6) + 4
    room = right - _LEFT
    title = shorten(header.title, room, 4.4, bold=True)
    if header.simulated and "simulated" not in title.lower():
        title = shorten(header.title, room - text_width(" (simulated)", 4.4, bold=True), 4.4, bold=True)
        title += " (simulated)"
    words.append(Words(title, _LEFT, 200.5, 4.4, bold=True))
    if header.measured:
        words.append(Words(shorten("    ".join(header.measured), _ACROSS, 3.6), _LEFT, 193.5, 3.6))
    for place, line in enumerate(_broken("; ".join(notes), _ACROSS, 2.8, 2)):
        words.append(Words(line, _LEFT, 187.8 - 4.2 * place, 2.8))
    return title, words


def _broken(text: str, width: float, size: float, lines: int) -> list[str]:
    """The text in at most so many lines; the last one ends in an ellipsis where more was to say."""
    out: list[str] = []
    rest = text
    while rest and len(out) < lines - 1 and text_width(rest[:1000], size) > width:
        first = shorten(rest, width, size).removesuffix("…")
        first = first[: first.rindex(" ")] if " " in first else first
        out.append(first)
        rest = rest[len(first) :].strip()
    return [*out, shorten(rest, width, size)] if rest else out


def _below(arrangement: Arrangement, gain: float, filters: str) -> list[Words]:
    """Speed, gain, filter and time; and the notice."""
    drawn = f"{arrangement.start:g}–{arrangement.stop:g} s"
    if arrangement.layout == "strips":
        drawn = f"{clock(arrangement.start)}–{clock(arrangement.stop)}"
    how = [f"{SPEED:g} mm/s", f"{gain:g} mm/mV", filters, drawn]
    return [
        Words("    ".join(filter(None, how)), _LEFT, 12.6, 3.0),
        Words("pulse: 1 mV, 0.2 s", _RIGHT, 12.6, 3.0, align="right"),
        Words(NOTICE, WIDTH / 2, 7.0, 3.4, bold=True, align="center"),
    ]
