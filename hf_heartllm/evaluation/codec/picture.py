"""Original and decoded recording in one picture, on ECG paper."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...ecg import ECGRecord, simulate_ecg
from ...ecg.plot import write_picture
from ...ecg.plot.drawing import draw
from ...ecg.plot.header import Header
from ...ecg.plot.layouts import arrange
from ...ecg.plot.paper import INK, compose
from ...ecg.simulate import EXAMPLES
from ...models.feature_extraction_ecg import slow_baseline
from ..confidence_plots import new_axes, save_figure
from .coder import Coder
from .parts import Part

PICTURED = ("normal", "af", "premature_ventricular", "lbbb", "st_elevation_inferior")
DECODED_COLOUR = "#c2410c"
SECONDS = 10.0


def plot_over(
    original: ECGRecord, decoded: ECGRecord, path: str | os.PathLike[str], title: str, label: str = "original"
) -> Path:
    """Draw two versions of a recording over each other on ECG paper, 3 × 4 leads over lead II.

    Args:
        original: in mV, dark. The first 10 s are drawn.
        decoded: in mV, in colour, over it.
        path: `.png`, `.svg` or `.pdf`; written whole.
        title: the line on top.
        label: of the original.

    Returns:
        The path.
    """
    path = Path(path)
    seconds = min(SECONDS, original.duration, decoded.duration)
    below, over = (arrange(one.crop(0, seconds), "3x4+1") for one in (original, decoded))
    header = Header(title, colours=((label, INK), ("decoded", DECODED_COLOUR)), filters="")  # the label says it
    page = compose(below, header, over, (INK, DECODED_COLOUR))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(draw(page, path.suffix.lower().removeprefix(".")), path)
    return path


def plot_rates(parts: Mapping[str, Part], coders: Sequence[Coder], path: str | os.PathLike[str]) -> Path:
    """Distortion over rate, the rate counted at fixed length and entropy-coded (order 1).

    Args:
        parts: codec's name → its part `rate-distortion`.
        coders: the codecs.
        path: `.png`, `.svg` or `.pdf`; written whole.
    """
    figure, axes = new_axes(size=(7, 4.5))
    for colour, coder in zip(("#c2410c", "#1d4ed8"), coders, strict=False):
        part = parts[coder.name]
        errors = [float(part.arrays[f"relative_error {n}"].mean()) for n in range(1, coder.num_codebooks + 1)]
        for words, style in (("fixed length", "o-"), ("entropy-coded, order 1", "s--")):
            rates = [found.value for found in part.figures if found.name.endswith(f"rate, {words}")]
            axes.plot(rates, errors, style, color=colour, markersize=4, label=f"{coder.name}, {words}")
    axes.set(xlabel="bit/s, all leads together", ylabel="squared error over variance, 0.5–40 Hz", xscale="log")
    rates = [100, 150, 200, 300, 500, 700, 1000, 1500]
    axes.set_xticks(rates, [str(rate) for rate in rates])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    return save_figure(figure, path)


def write_pictures(coder: Coder, folder: str | os.PathLike[str], names: Sequence[str] = PICTURED) -> list[Path]:
    """A picture of each simulated example, `NAME-CODEBOOKS.png`, decoded from the first codebook and from all."""
    written = []
    for name in names:
        record = simulate_ecg(name=name, **EXAMPLES[name])[0]
        codes = coder.encode(record)
        shown, label = record, "original"
        if not coder.reads_baseline:  # beside it the offset is all one sees
            baseline = slow_baseline(
                record.signal.astype(np.float64), record.sampling_rate, coder.config.baseline_seconds
            )
            shown, label = replace(record, signal=record.signal - baseline), "original, slow baseline taken off"
        for count in sorted({1, coder.num_codebooks}):
            rate = coder.config.bits_per_second_of(count)
            title = f"simulated: {name.replace('_', ' ')}; {count} of {coder.num_codebooks} codebooks, {rate:.0f} bit/s"
            path = Path(folder) / f"{name}-{count}.png"
            written.append(plot_over(shown, coder.decode(codes[:, :count], record), path, title, label))
    return written
