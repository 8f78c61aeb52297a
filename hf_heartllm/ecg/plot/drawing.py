"""From lines and words in millimetres to a picture: PNG, SVG or PDF, drawn by matplotlib.

Matplotlib's settings and fonts belong to the whole process, so one thread draws at a time and puts the settings back.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np

from ...models.locks import process_lock
from ...models.notice import NOTICE

WIDTH, HEIGHT = 297.0, 210.0  # mm, A4 in landscape
PIXELS_PER_MM = 8  # a whole number, so that every line of the grid is as broad as the next
_INCH = 25.4  # mm
_POINTS_PER_MM = 72 / _INCH
_FONT = "DejaVu Sans"  # comes with matplotlib, so that the same page is the same file everywhere
_NO_GLYPH = "□"
_MATPLOTLIB = process_lock()
# What a page depends on; a user's own settings change nothing about it.
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "hf_heartllm",
    "svg.id": None,
    "pdf.fonttype": 42,  # TrueType, embedded
    "pdf.use14corefonts": False,
    "pdf.compression": 6,
    "path.simplify": True,
    "path.simplify_threshold": 1 / 9,
    "path.sketch": None,
    "path.effects": [],
    "text.usetex": False,
    "text.hinting": "force_autohint",
    "text.antialiased": True,
    "patch.antialiased": True,
    "savefig.transparent": False,
    "savefig.bbox": None,
}


@dataclass(frozen=True, eq=False)
class Stroke:
    """Straight lines on the page.

    Attributes:
        points: float64 (points, 2), mm from the left and from the lower edge; NaN parts one line from the next. Or
            float64 (lines, 2, 2) for lines with two ends.
        colour: as `#rrggbb`.
        width: mm.
        clip: left, bottom, right and top in mm, beyond which nothing is drawn.
    """

    points: np.ndarray
    colour: str
    width: float
    clip: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Words:
    """A line of text on the page.

    Attributes:
        text: drawn as it is.
        x: mm from the left edge.
        y: mm from the lower edge to the line that the letters stand on.
        size: of the font, in mm.
        bold: whether it is.
        colour: as `#rrggbb`.
        align: which end of the text stands at `x`: `left`, `center` or `right`.
        backed: whether the paper's lines end before the letters.
    """

    text: str
    x: float
    y: float
    size: float
    bold: bool = False
    colour: str = "#000000"
    align: Literal["left", "center", "right"] = "left"
    backed: bool = False


@dataclass(frozen=True, eq=False)
class Page:
    """A page.

    Attributes:
        title: for those who search or cannot see.
        paper: the grid, under all else.
        words: over the paper.
        curves: over the words.
    """

    title: str
    paper: tuple[Stroke, ...]
    words: tuple[Words, ...]
    curves: tuple[Stroke, ...]


def draw(page: Page, kind: str) -> bytes:
    """The picture of a page, A4 in landscape at true scale; equal pages give equal bytes.

    Args:
        page: what to draw.
        kind: `png` (203.2 dots an inch), `svg` or `pdf`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    title = printable(page.title)
    described = {"Title": title, "Description": NOTICE, "Software": None}
    if kind == "svg":
        described = {"Title": title, "Description": NOTICE, "Creator": None, "Date": None}
    elif kind == "pdf":
        described = {"Title": title, "Subject": NOTICE, "Creator": None, "Producer": None, "CreationDate": None}
    with _matplotlib():
        # A little more than A4, since sizes are cut to whole pixels.
        figure = Figure((WIDTH / _INCH + 1e-9, HEIGHT / _INCH + 1e-9), facecolor="white", edgecolor="white")
        FigureCanvasAgg(figure)  # never a window
        millimetres = Affine2D().scale(1 / _INCH) + figure.dpi_scale_trans
        for order, strokes in ((0, page.paper), (2, page.curves)):
            for stroke in strokes:
                figure.add_artist(_patch(stroke, millimetres, order), clip=False)
        for words in page.words:
            figure.add_artist(_text(words, millimetres), clip=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=PIXELS_PER_MM * _INCH, metadata=described)
    return _finished_svg(buffer.getvalue().decode(), page) if kind == "svg" else buffer.getvalue()


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a line of text is, in mm; size is the font's in mm."""
    from matplotlib.textpath import text_to_path

    with _matplotlib():
        shown = drawable(text)
        width, _, _ = text_to_path.get_text_width_height_descent(shown, _font(size, bold), ismath=False)
    return float(width) / _POINTS_PER_MM


def shorten(text: str, width: float, size: float, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than `width` mm."""
    text = text[:1000]  # no page is wider
    if text_width(text, size, bold) <= width:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if text_width(f"{text[:middle].rstrip()}…", size, bold) <= width:
            fits = middle
        else:
            too_long = middle
    return f"{text[:fits].rstrip()}…"


def printable(text: str) -> str:
    """The text on one line: blanks for line breaks and whatever else cannot be printed, which an SVG must not hold."""
    return "".join(character if character.isprintable() else " " for character in text)


def drawable(text: str) -> str:
    """The text on one line, with a box for every character that the font lacks."""
    with _matplotlib():
        known = _glyphs()
    return "".join(character if ord(character) in known else _NO_GLYPH for character in printable(text))


def _patch(stroke: Stroke, transform: Any, order: int) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.transforms import Bbox, TransformedBbox

    if stroke.points.ndim == 3:
        codes = np.tile(np.array([Path.MOVETO, Path.LINETO], np.uint8), len(stroke.points))
        path = Path(stroke.points.reshape(-1, 2), codes)
    else:
        path = Path(stroke.points)
    patch = PathPatch(
        path,
        fill=False,
        edgecolor=stroke.colour,
        linewidth=stroke.width * _POINTS_PER_MM,
        linestyle="solid",
        joinstyle="round",
        capstyle="butt",
        transform=transform,
        zorder=order,
        snap=stroke.points.ndim == 3,  # lines of the grid lie on whole pixels
    )
    if stroke.clip is not None:
        left, bottom, right, top = stroke.clip
        patch.set_clip_box(TransformedBbox(Bbox([[left, bottom], [right, top]]), transform))
    return patch


def _text(words: Words, transform: Any) -> Any:
    from matplotlib.text import Text

    artist = Text(
        words.x,
        words.y,
        drawable(words.text),
        color=words.colour,
        fontproperties=_font(words.size, words.bold),
        horizontalalignment=words.align,
        verticalalignment="baseline",
        parse_math=False,  # a dollar sign is a dollar sign
        transform=transform,
        zorder=1,
    )
    if words.backed:
        artist.set_bbox({"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.6})
    return artist


def _font(size: float, bold: bool) -> Any:
    from matplotlib.font_manager import FontProperties

    weight = "bold" if bold else "normal"
    return FontProperties(family=[_FONT], style="normal", weight=weight, size=size * _POINTS_PER_MM)


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(_font(3, False))).get_charmap())


@contextmanager
def _matplotlib() -> Iterator[None]:
    """Matplotlib for this thread alone, with our settings."""
    import matplotlib

    with _MATPLOTLIB:
        settings: Any = matplotlib.rcParams
        usual = {name: settings[name] for name in _SETTINGS if name in settings}
        settings.update({name: _SETTINGS[name] for name in usual})
        try:
            yield
        finally:
            settings.update(usual)


def _finished_svg(content: str, page: Page) -> bytes:
    """An SVG that refers to nothing outside, names a font that every viewer has, and has all its letters."""
    first = content.find("<!DOCTYPE")
    if first >= 0:
        content = content[:first] + content[content.index(">", first) + 1 :].lstrip()
    content = content.replace(f"font-family: '{_FONT}'", f"font-family: '{_FONT}', sans-serif")
    place = 0
    for words in page.words:  # which stand in the file in this order
        text, shown = escape(printable(words.text)), escape(drawable(words.text))
        if shown != text:
            place = content.index(f">{shown}</text>", place) + 1
            content = content[:place] + text + content[place + len(shown) :]
    return content.encode()
