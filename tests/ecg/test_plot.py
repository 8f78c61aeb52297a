"""Standard ECG paper: what every picture must say and show, and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hf_heartllm.ecg import STANDARD_LEADS, ECGError, ECGRecord, plot_ecg, read_ecg, simulate_ecg
from hf_heartllm.models.notice import NOTICE

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def record() -> ECGRecord:
    return read_ecg("example:normal")


def texts(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")]


def traces(path: Path) -> list[np.ndarray]:
    """The drawn curves in mm, calibration pulses aside."""
    curves = []
    for element in ElementTree.parse(path).iter(f"{SVG}path"):
        points = np.array([pair.split(",") for pair in element.get("d", "").replace("M", "").split(" L")], dtype=float)
        if len(points) > 10:
            curves.append(points)
    return curves


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".PDF", b"%PDF")])
def test_formats_are_written_whole_and_alike(record: ECGRecord, tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    assert plot_ecg(record, path) == path
    first = path.read_bytes()
    assert first.startswith(magic)
    assert len(first) > 10_000
    plot_ecg(record, path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_every_picture_says(record: ECGRecord, tmp_path: Path) -> None:
    assert NOTICE == "Research and education only. Not for diagnosis, treatment or monitoring."
    written = texts(plot_ecg(record, tmp_path / "x.svg"))
    assert NOTICE in written
    assert any("25 mm/s" in text and "10 mm/mV" in text for text in written)
    assert sorted(text for text in written if text in STANDARD_LEADS) == sorted((*STANDARD_LEADS, "II"))
    assert any("simulated" in text for text in written)
    assert "A title (simulated)" in texts(plot_ecg(record, tmp_path / "x.svg", title="A title"))
    real = replace(record, source="somewhere/x_lr")
    assert not any("simulated" in text for text in texts(plot_ecg(real, tmp_path / "x.svg")))


def test_scale_is_25_mm_per_second_and_10_mm_per_millivolt(tmp_path: Path) -> None:
    triangle = 1 - np.abs(np.linspace(-1, 1, 5000))  # 0 … 1 mV … 0
    record = ECGRecord(np.tile(triangle, (12, 1)), 500, STANDARD_LEADS)
    widest = max(traces(plot_ecg(record, tmp_path / "x.svg")), key=lambda curve: np.ptp(curve[:, 0]))
    assert np.ptp(widest[:, 0]) == pytest.approx(250, abs=0.2)
    assert np.ptp(widest[:, 1]) == pytest.approx(10, abs=0.01)


def test_a_missing_lead_is_blank_and_named(record: ECGRecord, tmp_path: Path) -> None:
    path = plot_ecg(record.select(["I", "II", "V1"]), tmp_path / "x.svg")
    written = texts(path)
    assert {"V2 (missing)", "V6 (missing)", "III (derived)", "aVF (derived)"} <= set(written)
    assert any("missing: V2, V3, V4, V5, V6" in text for text in written)
    assert len(traces(path)) == 8  # six limb leads, V1 and the rhythm strip; no flat lines


def test_a_lead_without_samples_is_blank_and_named(record: ECGRecord, tmp_path: Path) -> None:
    signal = record.signal.copy()
    signal[8] = np.nan
    path = plot_ecg(replace(record, signal=signal), tmp_path / "x.svg")
    assert "V3 (no samples)" in texts(path)
    assert len(traces(path)) == 12


@pytest.mark.parametrize("leads", [("V5",), ("aVF", "V2"), STANDARD_LEADS[6:]])
def test_the_rhythm_strip_without_lead_two(record: ECGRecord, tmp_path: Path, leads: tuple[str, ...]) -> None:
    path = plot_ecg(record.select(leads), tmp_path / "x.svg")
    assert len(traces(path)) == len(leads) + 1


def test_other_leads_and_other_lengths(record: ECGRecord, tmp_path: Path) -> None:
    other = ECGRecord(record.signal[:2, :2000], 500, ("MLII", "ECG 1"), source="x")
    assert {"MLII", "ECG 1"} <= set(texts(plot_ecg(other, tmp_path / "x.svg")))
    long, _ = simulate_ecg(duration=15)
    assert any("first 10 s of 15 s" in text for text in texts(plot_ecg(long, tmp_path / "x.svg")))
    mixed = ECGRecord(record.signal[:3], 500, ("I", "II", "ABC"))
    assert any("not drawn: ABC" in text for text in texts(plot_ecg(mixed, tmp_path / "x.svg")))


def test_huge_amplitudes_are_marked_not_hidden(record: ECGRecord, tmp_path: Path) -> None:
    huge = replace(record, signal=record.signal * 20)
    assert "OUT OF RANGE" in texts(plot_ecg(huge, tmp_path / "x.svg"))


def test_what_cannot_be_drawn_is_refused(record: ECGRecord, tmp_path: Path) -> None:
    with pytest.raises(ECGError, match="z-score, not mV"):
        plot_ecg(replace(record, units="z-score"), tmp_path / "x.png")
    with pytest.raises(ECGError, match=r"svg, \.png or \.pdf"):
        plot_ecg(record, tmp_path / "x.jpg")
    with pytest.raises(ECGError, match="cannot write"):
        plot_ecg(record, tmp_path / "nowhere" / "x.png")
    with pytest.raises(ECGError, match="no lead holds a sample"):
        plot_ecg(replace(record, signal=np.full((12, 5000), np.nan)), tmp_path / "x.svg")


def test_a_hostile_title_stays_text(record: ECGRecord, tmp_path: Path) -> None:
    title = "<script>&\x00\n" + "$x^{" + "a" * 500
    for suffix in (".svg", ".png"):
        plot_ecg(replace(record, source=title), tmp_path / f"x{suffix}")
    assert not list(ElementTree.parse(tmp_path / "x.svg").iter(f"{SVG}script"))
