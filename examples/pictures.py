"""The ten pictures of docs/pictures.md, all of simulated ECGs, made anew: `python examples/pictures.py [FOLDER]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import hf_heartllm as hl

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
COLOURS = 128  # of the palette; more cannot be told apart on ECG paper


@dataclass(frozen=True)
class Picture:
    """A recording and how it is drawn."""

    record: Callable[[], hl.ECGRecord]
    options: dict[str, Any] = field(default_factory=dict)


def example(name: str) -> hl.ECGRecord:
    """One of the simulated examples that the package ships."""
    return hl.read_ecg(f"example:{name}")


def patient() -> hl.ECGRecord:
    """A normal ECG of someone whose age and sex are known."""
    return replace(example("normal"), age=46, sex="female")


def high_voltage() -> hl.ECGRecord:
    """So high that rows overlap."""
    return hl.simulate_ecg(voltage=3.0, seed=14, name="high voltage")[0]


def one_lead() -> hl.ECGRecord:
    """Thirty seconds of a watch."""
    record, _ = hl.simulate_ecg(duration=30, heart_rate=64, premature="supraventricular", seed=21)
    return replace(record.select(["I"]), source="simulated: one lead, 30 s")


def holter() -> hl.ECGRecord:
    """Ten minutes of two leads."""
    record, _ = hl.simulate_ecg(duration=600, sampling_rate=250, premature="ventricular", seed=22)
    signal = np.stack([record.lead("II"), record.lead("V1")])
    return hl.ECGRecord(signal, 250, ("MLII", "V1"), source="simulated: Holter, 10 minutes")


def fifteen_leads() -> hl.ECGRecord:
    """With three leads on the back, made from the leads before them."""
    record = example("st_elevation_inferior")
    noise = np.random.default_rng(0).normal(0, 0.006, (3, record.signal.shape[1]))
    weights = ((0.75, -0.08), (0.6, -0.12), (0.45, -0.15))
    back = np.stack([share * record.lead("V6") + other * record.lead("V2") for share, other in weights]) + noise
    return replace(
        record,
        signal=np.concatenate([record.signal, back]),
        leads=(*record.leads, "V7", "V8", "V9"),
        source="simulated: 15 leads",
    )


def noise() -> hl.ECGRecord:
    """Muscle noise, mains, wander, and a lead that fell off."""
    record, _ = hl.simulate_ecg(noise=0.1, wander=0.8, mains=0.05, seed=15, name="noise")
    signal = record.signal.copy()
    signal[record.leads.index("V2")] = 0.0
    return replace(record, signal=signal)


PICTURES: dict[str, Picture] = {
    "normal": Picture(patient),
    "af": Picture(lambda: example("af")),
    "lbbb": Picture(lambda: example("lbbb"), {"layout": "3x4+3"}),
    "high-voltage": Picture(high_voltage, {"layout": "12x1"}),
    "one-lead": Picture(one_lead),
    "holter": Picture(holter, {"start": 300}),
    "15-leads": Picture(fifteen_leads),
    "5-seconds": Picture(lambda: replace(example("rbbb").crop(0, 5), source="simulated: rbbb, 5 s")),
    "missing-leads": Picture(lambda: example("normal").select(["I", "II", "V1", "V3", "V5"])),
    "noise": Picture(noise),
}


def main() -> int:
    """Draw them. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="default: docs/images")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        path = folder / f"example-{name}.png"
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            drawn, small = Path(scratch) / "drawn.png", Path(scratch) / "small.png"
            hl.plot_ecg(picture.record(), drawn, **picture.options)
            with Image.open(drawn) as image:
                dots = image.info["dpi"]
                palette = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            palette.save(small, optimize=True, dpi=dots)
            small.replace(path)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
