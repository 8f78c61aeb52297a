"""Original and decoded recording over each other on ECG paper."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hf_heartllm.ecg import read_ecg
from hf_heartllm.evaluation.codec.picture import DECODED_COLOUR, plot_over
from hf_heartllm.models.notice import NOTICE


def test_the_decoded_recording_lies_over_the_original_at_its_time_and_height(tmp_path: Path) -> None:
    original = read_ecg("example:normal")
    decoded = replace(original.resample(100), signal=original.resample(100).signal + 0.2)  # 2 mm too high
    path = plot_over(original, decoded.crop(0, 9.8), tmp_path / "new" / "x.svg", "simulated: normal", "before")
    drawn = path.read_text()
    for text in ("simulated: normal", "before", "decoded", NOTICE):
        assert f">{text}</text>" in drawn
    curves: dict[str, list[np.ndarray]] = {}
    for points, colour in re.findall(r'<path d="([^"]+)" clip-path="[^"]+" style="fill: none; stroke: (#\w+)', drawn):
        pairs = np.array(re.findall(r"[ML] (\S+) (\S+)", points), dtype=float) * 25.4 / 72
        curves.setdefault(colour, []).append(pairs)
    over = curves.pop(DECODED_COLOUR)
    (under,) = curves.values()
    assert len(over) == len(under) == 13
    for one, other in zip(under, over):
        assert other[[0, -1], 0] == pytest.approx(one[[0, -1], 0], abs=0.3)
        across = np.linspace(one[0, 0] + 1, one[-1, 0] - 1, 300)
        apart = np.interp(across, *one.T) - np.interp(across, *other.T)
        assert np.median(apart) == pytest.approx(2, abs=0.1)
