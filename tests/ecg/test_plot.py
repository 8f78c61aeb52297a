"""ECG paper: what every picture must say and show, where everything stands, and what is refused."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from hf_heartllm.ecg import STANDARD_LEADS, ECGError, ECGRecord, plot_ecg, read_ecg, simulate_ecg
from hf_heartllm.ecg.plot import drawing, header
from hf_heartllm.ecg.plot.drawing import text_width
from hf_heartllm.ecg.plot.layouts import LAYOUTS, arrange, clock
from hf_heartllm.models.ecg_record import ECGWarning
from hf_heartllm.models.notice import NOTICE

SVG = "{http://www.w3.org/2000/svg}"
MM = 25.4 / 72  # of a point
STRIP = 250.0  # mm of 10 s


@pytest.fixture(scope="module")
def record() -> ECGRecord:
    return read_ecg("example:normal")


@pytest.fixture
def draw(tmp_path: Path):
    """Draws an SVG without measuring."""
    return partial(plot_ecg, path=tmp_path / "x.svg", measurements=False)


def texts(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")]


def lines(path: Path, clipped: bool) -> list[np.ndarray]:
    """The drawn lines, mm from the left and upper edge: the curves, or what is not clipped to the paper."""
    found = []
    for element in ElementTree.parse(path).iter(f"{SVG}path"):
        if (element.get("clip-path") is not None) == clipped and "fill: none" in element.get("style", ""):
            pairs = re.findall(r"[ML] (\S+) (\S+)", element.get("d", ""))
            found.append(np.array(pairs, dtype=float) * MM)
    return found


def curves(path: Path) -> list[np.ndarray]:
    return lines(path, clipped=True)


def pulses(path: Path) -> list[np.ndarray]:
    return [line for line in lines(path, clipped=False) if len(line) == 6]


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".PDF", b"%PDF")])
def test_formats_are_written_whole_and_alike(record: ECGRecord, tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    assert plot_ecg(record, path, measurements=False) == path
    first = path.read_bytes()
    assert first.startswith(magic)
    assert len(first) > 10_000
    with matplotlib.rc_context({"font.family": "serif", "text.usetex": True, "path.simplify": False, "svg.id": "x"}):
        plot_ecg(record, path, measurements=False)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_every_picture_says(record: ECGRecord, draw, tmp_path: Path) -> None:
    assert NOTICE == "Research and education only. Not for diagnosis, treatment or monitoring."
    path = plot_ecg(record, tmp_path / "x.svg")
    written = texts(path)
    assert NOTICE in written
    assert any(all(word in text for word in ("25 mm/s", "10 mm/mV", "no filter", "0–10 s")) for text in written)
    assert sorted(text for text in written if text in STANDARD_LEADS) == sorted((*STANDARD_LEADS, "II"))
    (measured,) = (text for text in written if text.startswith("HR 70/min"))
    for word in ("PR 161 ms", "QRS 98 ms", "QT/QTc 397/418 ms (Fridericia)", "axis 62°"):
        assert word in measured
    assert any("simulated" in text for text in written)
    assert "A title (simulated)" in texts(draw(record, title="A title"))
    real = replace(record, source=r"simulated\x_lr", age=300, sex="female")
    written = texts(draw(real))
    assert {"x_lr", "over 89 years, female"} <= set(written)
    assert not any("HR" in text or "simulated" in text for text in written)
    assert "http" not in re.sub(r'(xmlns(:\w+)?|rdf:resource)="[^"]*"', "", path.read_text())


def test_what_cannot_be_measured_is_a_dash_and_what_no_library_measures_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.svg"
    (measured,) = (text for text in texts(plot_ecg(read_ecg("example:af"), path)) if text.startswith("HR"))
    assert "PR –" in measured
    monkeypatch.setattr(header, "network_available", lambda: False)
    (measured,) = (text for text in texts(plot_ecg(read_ecg("example:af"), path)) if text.startswith("HR"))
    assert "PR" not in measured
    assert "QRS" in measured
    short = replace(read_ecg("example:af").crop(0, 1.5), source="x")
    assert any("not measured: measurements need at least 2 s" in text for text in texts(plot_ecg(short, path)))


def test_scale_in_svg_pdf_and_png(tmp_path: Path) -> None:
    step = np.zeros(5000)
    step[1000:3000] = 1.0  # 1 mV for 4 s
    record = ECGRecord(step[None], 500, ("MLII",), source="x")
    for suffix in (".svg", ".pdf", ".png"):
        with pytest.warns(ECGWarning):
            plot_ecg(record, tmp_path / f"x{suffix}", measurements=False)

    root = ElementTree.parse(tmp_path / "x.svg").getroot()
    assert float(root.get("width", "").removesuffix("pt")) * MM == pytest.approx(297, abs=0.01)
    assert float(root.get("height", "").removesuffix("pt")) * MM == pytest.approx(210, abs=0.01)
    (curve,) = curves(tmp_path / "x.svg")
    (pulse,) = pulses(tmp_path / "x.svg")
    assert np.ptp(curve, axis=0) == pytest.approx([STRIP, 10], abs=0.1)
    assert np.ptp(curve[curve[:, 1] < curve[:, 1].min() + 0.1, 0]) == pytest.approx(100, abs=0.1)
    assert np.ptp(pulse, axis=0) == pytest.approx([9, 10], abs=0.01)

    content = (tmp_path / "x.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[\s*0 0 (\S+) (\S+)\s*\]", content)
    assert box is not None
    assert [float(side) * MM for side in box.groups()] == pytest.approx([297, 210], abs=0.01)
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    page = max((zlib.decompress(one) for one in streams if one[:1] == b"x"), key=lambda one: one.count(b" l\n"))
    subpaths = [np.array(re.findall(rb"(\S+) (\S+) [ml]\n", one), dtype=float) * MM for one in page.split(b"S\n")]
    assert any(np.ptp(one, axis=0) == pytest.approx([STRIP, 10], abs=0.1) for one in subpaths if len(one))
    assert b"/FontFile2" in content

    with Image.open(tmp_path / "x.png") as image:
        per_mm = image.info["dpi"][0] / 25.4
        dark = np.asarray(image.convert("L")) < 60
    assert (dark.shape[1] / per_mm, dark.shape[0] / per_mm) == pytest.approx((297, 210), abs=0.1)
    dark = dark[:, round(30 * per_mm) :]  # without name and pulse
    level, top = dark.sum(axis=1).argsort()[::-1], np.flatnonzero(dark.sum(axis=1) > 90 * per_mm)[0]
    assert (level[0] - top) / per_mm == pytest.approx(10, abs=0.3)
    assert dark[top + 1].sum() / per_mm == pytest.approx(100, abs=0.8)


@pytest.mark.filterwarnings("ignore::hf_heartllm.models.ecg_record.ECGWarning")
@pytest.mark.parametrize(("layout", "start"), [("3x4+1", 0.0), ("3x4+1", 3.21), ("3x4+3", 2.0)])
def test_time_runs_on_and_every_column_stands_over_its_seconds_of_the_strip(draw, layout: str, start: float) -> None:
    times = np.arange(7500) / 500
    wave = np.sin(2 * np.pi * 0.37 * times) + 0.4 * np.sin(2 * np.pi * 0.9 * times)
    record = ECGRecord(np.tile(wave, (12, 1)), 500, STANDARD_LEADS, source="x")
    drawn = curves(draw(record, layout=layout, start=start))
    strips = [one for one in drawn if np.ptp(one[:, 0]) > 100]
    columns = [one for one in drawn if np.ptp(one[:, 0]) < 100]
    assert len(strips) == int(layout[-1])
    assert len(columns) == 12
    left = strips[0][0, 0]
    starts = sorted({round(one[0, 0] - left, 1) for one in columns})
    assert starts == pytest.approx([0, 62.5, 125, 187.5], abs=0.1)
    for column in columns:
        across = np.linspace(column[0, 0], column[-1, 0], 200)
        apart = np.interp(across, *column.T) - np.interp(across, *strips[0].T)
        assert np.ptp(apart) < 0.2


def test_columns_are_standard_leads_in_their_own_order_and_mark_each_change(record: ECGRecord) -> None:
    first = [panel.lead for panel in arrange(record, "3×4 + 1").panels if panel.row == 0]
    assert first == ["I", "aVR", "V1", "V4"]
    assert [panel.lead for panel in arrange(record, "6X2").panels if panel.row == 2] == ["III", "V3"]
    assert tuple(panel.lead for panel in arrange(record, "12x1").panels) == STANDARD_LEADS
    for layout in LAYOUTS:
        for panel in arrange(record, layout).panels:
            assert panel.place == pytest.approx(panel.start)


@pytest.mark.parametrize(
    ("leads", "seconds", "layout", "stop"),
    [
        (STANDARD_LEADS, 10, "3x4+1", 10),
        (STANDARD_LEADS, 15, "3x4+1", 10),
        (STANDARD_LEADS, 7, "6x2", 7),
        (STANDARD_LEADS, 5, "6x2", 5),
        (("I", "II", *STANDARD_LEADS[6:]), 10, "3x4+1", 10),
        (("I", "II", "V1"), 10, "3x4+1", 10),
        (("I", "II"), 30, "strips", 30),
        (STANDARD_LEADS[6:], 30, "strips", 10),
        (("MLII",), 600, "strips", 80),
        (("MLII", "V5"), 600, "strips", 40),
    ],
)
def test_the_layout_that_is_chosen(leads: tuple[str, ...], seconds: float, layout: str, stop: float) -> None:
    signal = np.random.default_rng(0).normal(size=(len(leads), round(100 * seconds)))
    found = arrange(ECGRecord(signal, 100, leads))
    assert (found.layout, found.stop) == (layout, stop)
    if seconds == 5:
        assert found.notes == ("both columns show the same 5 s",)
        assert {panel.start for panel in found.panels} == {0.0}


def test_a_missing_lead_is_blank_and_named(record: ECGRecord, draw) -> None:
    path = draw(record.select(["I", "II", "V1"]))
    written = texts(path)
    assert {"V2 (missing)", "V6 (missing)", "III (derived)", "aVF (derived)"} <= set(written)
    assert any("missing: V2, V3, V4, V5, V6" in text for text in written)
    assert len(curves(path)) == 8  # six limb leads, V1 and the rhythm strip; no flat lines


def test_a_lead_without_samples_is_blank_and_named(record: ECGRecord, draw) -> None:
    signal = record.signal.copy()
    signal[8] = np.nan
    signal[1, 2000:2500] = [np.inf, np.nan] * 250
    with pytest.warns(ECGWarning):
        path = draw(replace(record, signal=signal))
    assert "V3 (no samples)" in texts(path)
    assert len(curves(path)) == 12
    signal[:, 2400:3800] = np.nan  # all that would be drawn of V1 to V3
    with pytest.warns(ECGWarning):
        written = texts(draw(replace(record, signal=signal)))
    assert {"V1 (no samples)", "V2 (no samples)", "V4", "aVR"} <= set(written)


@pytest.mark.parametrize("leads", [("V5",), ("aVF", "V2"), STANDARD_LEADS[6:]])
def test_the_rhythm_strip_without_lead_two(record: ECGRecord, draw, leads: tuple[str, ...]) -> None:
    assert len(curves(draw(record.select(leads), layout="3x4+1"))) == len(leads) + 1


def test_leads_beyond_the_twelve_are_drawn_where_there_is_room_or_named(record: ECGRecord, draw) -> None:
    back = ("V7", "V8", "V9")
    many = ECGRecord(np.tile(record.signal, (2, 1))[:15], 500, (*STANDARD_LEADS, *back), source="x")
    for layout, count in (("3x4+1", 16), ("3x4+3", 18), ("6x2", 15), ("12x1", 15)):
        with pytest.warns(ECGWarning, match="one signal"):
            path = draw(many, layout=layout)
        assert set(back) <= set(texts(path))
        assert len(curves(path)) == count
    names = tuple(f"E{number}" for number in range(6))
    too_many = replace(many, signal=np.tile(record.signal, (2, 1))[:18], leads=(*STANDARD_LEADS, *names))
    with pytest.warns(ECGWarning, match="one signal"):
        assert any("not drawn: E4, E5" in text for text in texts(draw(too_many)))


def test_strips_run_on_from_line_to_line(draw) -> None:
    long, _ = simulate_ecg(duration=60, sampling_rate=250)
    holter = ECGRecord(long.signal[[1, 6]], 250, ("MLII", "V1"), source="folder/holter")
    path = draw(holter, start=12.5)
    written = texts(path)
    assert {"holter", "MLII", "0:12.5", "0:42.5"} <= set(written)
    assert any("from 12.5 s: 40 s of 60 s" in text for text in written)
    panels = [panel for panel in arrange(holter, start=12.5).panels if panel.lead == "V1"]
    assert [panel.start for panel in panels] == [12.5, 22.5, 32.5, 42.5]
    assert np.array_equal(panels[1].values[:2500], long.signal[6, 5625:8125].astype(float))
    twelve = texts(draw(long, layout="strips"))
    assert twelve.count("II") == 6
    assert any("not drawn: I, III" in text for text in twelve)
    assert [clock(seconds) for seconds in (0, 80, 7205.25, 59.9999)] == ["0:00", "1:20", "2:00:05.25", "1:00"]


@pytest.mark.filterwarnings("ignore::hf_heartllm.models.ecg_record.ECGWarning")
def test_rows_overlap_then_the_gain_falls_and_the_page_says_so(record: ECGRecord, draw) -> None:
    heights = []
    for factor in (1, 3, 5, 12):
        path = draw(replace(record, signal=record.signal * factor))
        heights.append(round(np.ptp(pulses(path)[0][:, 1]), 2))
        said = any(f"drawn at {heights[-1]:g} mm/mV, not 10" in text for text in texts(path))
        assert said == (heights[-1] != 10)
        assert any(f"{heights[-1]:g} mm/mV" in text and "25 mm/s" in text for text in texts(path))
        for curve in curves(path):
            assert 29 < curve[:, 1].min() < curve[:, 1].max() < 191
    assert heights == [10, 10, 5, 2.5]


def test_what_is_higher_than_the_paper_is_cut_and_named(record: ECGRecord, draw) -> None:
    with pytest.warns(ECGWarning, match="as no heart's does"):
        path = draw(replace(record, signal=record.signal * 1000))
    assert any("higher than the paper, cut: " in text for text in texts(path))


def test_a_large_offset_does_not_push_a_lead_off_the_paper(record: ECGRecord, draw) -> None:
    moved = record.signal + np.linspace(-40, 40, 12, dtype=np.float32)[:, None]
    found = curves(draw(replace(record, signal=moved)))
    for curve, plain in zip(found, curves(draw(record)), strict=True):
        assert curve == pytest.approx(plain, abs=0.05)


def test_what_cannot_be_drawn_is_refused(record: ECGRecord, tmp_path: Path) -> None:
    with pytest.raises(ECGError, match="z-score, not mV"):
        plot_ecg(replace(record, units="z-score"), tmp_path / "x.png")
    with pytest.raises(ECGError, match=r"svg, \.png or \.pdf"):
        plot_ecg(record, tmp_path / "x.jpg")
    with pytest.raises(ECGError, match="cannot write"):
        plot_ecg(record, tmp_path / "nowhere" / "x.svg", measurements=False)
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(ECGError, match="cannot write"):
        plot_ecg(record, tmp_path / "folder.svg", measurements=False)
    with pytest.raises(ECGError, match="no lead holds a sample"):
        plot_ecg(replace(record, signal=np.full((12, 5000), np.nan)), tmp_path / "x.svg")
    with pytest.raises(ECGError, match=r"no layout '4x3'; there are auto, 3x4\+1, 3x4\+3, 6x2, 12x1, strips"):
        plot_ecg(record, tmp_path / "x.svg", layout="4x3")
    for start in (10.0, 99, -1, float("nan"), "5"):
        with pytest.raises(ECGError, match="start"):
            plot_ecg(record, tmp_path / "x.svg", start=start)
    assert [one.name for one in tmp_path.iterdir()] == ["folder.svg"]


LONG = "<script>&\x00\n" + "$x^{" + "W" * 300


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_text_leaves_the_page_whatever_it_says(record: ECGRecord, draw, layout: str) -> None:
    names = ("I", "II", *(f"a name of a lead which nobody would give {number}" for number in range(10)))
    hostile = replace(record, leads=names, source=LONG, sex=LONG, age=1e9)
    path = draw(hostile, layout=layout)
    root = ElementTree.parse(path)
    assert not list(root.iter(f"{SVG}script"))
    for element in root.iter(f"{SVG}text"):
        style = element.get("style", "")
        size, anchor = re.search(r"font-size: ([\d.]+)px", style), re.search(r"text-anchor: (\w+)", style)
        assert size is not None
        assert anchor is not None
        width = text_width(element.text or "", float(size[1]) * MM, "font-weight: 700" in style)
        x = float(element.get("x", "")) * MM - {"start": 0.0, "middle": width / 2, "end": width}[anchor[1]]
        if not (element.text or "").startswith("a name"):  # over the paper, a name may run into the next column
            assert 3 < x < x + width < 294, element.text
    assert NOTICE in texts(path)
    simulated = texts(draw(replace(hostile, source="simulated: " + LONG), title=LONG))
    assert any(text.endswith("… (simulated)") for text in simulated)


def test_a_title_in_any_script(record: ECGRecord, tmp_path: Path) -> None:
    title = "心电图 ЭКГ <b>&amp;"
    assert f"{title} (simulated)" in texts(plot_ecg(record, tmp_path / "x.svg", title=title, measurements=False))
    with pytest.warns(ECGWarning, match="boxes stand for letters"):
        plot_ecg(record, tmp_path / "x.png", title=title, measurements=False)
    assert drawing.drawable(title) == "□□□ ЭКГ <b>&amp;"
