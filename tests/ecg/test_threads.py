"""Eight threads that read, simulate, measure and draw at once get what one thread gets, and change no setting."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from hf_heartllm.ecg import ECGRecord, measure, plot_ecg, read_ecg, simulate_ecg, write_ecg
from hf_heartllm.ecg.measurements import wave_network
from tests.threads import at_once

THREADS = 8


def same(one: ECGRecord, other: ECGRecord) -> bool:
    return one.leads == other.leads and np.array_equal(one.signal, other.signal)


def test_recordings_and_measurements(tmp_path: Path) -> None:
    records = [simulate_ecg(seed=seed)[0] for seed in range(THREADS)]
    files = [tmp_path / f"{seed}{('.csv', '.npy', '.hea')[seed % 3]}" for seed in range(THREADS)]
    for one, file in zip(records, files, strict=True):
        write_ecg(one, file)
    stated = {".csv": {"sampling_rate": 500, "units": "mV"}, ".hea": {}}
    stated[".npy"] = stated[".csv"] | {"leads": records[0].leads}

    def work(seed: int) -> tuple[ECGRecord, ECGRecord, Any]:
        simulated, _ = simulate_ecg(seed=seed)
        read = read_ecg(files[seed], **stated[files[seed].suffix])
        return simulated, read, measure(read.select(["I", "II", "V2"]))

    expected = [work(seed) for seed in range(THREADS)]
    wave_network._network.cache_clear()  # as before the first call
    filters = list(warnings.filters)
    for got, wanted in zip(at_once([partial(work, seed) for seed in range(THREADS)]), expected, strict=True):
        assert same(got[0], wanted[0])
        assert same(got[1], wanted[1])
        assert got[2].as_columns() == wanted[2].as_columns()
    assert warnings.filters == filters


def test_pictures(tmp_path: Path) -> None:
    records = [simulate_ecg(seed=seed, duration=2)[0] for seed in range(THREADS)]
    settings = dict(matplotlib.rcParams)
    (tmp_path / "alone").mkdir()

    def draw(seed: int, folder: Path) -> list[bytes]:
        suffixes = (".svg", ".pdf" if seed < 2 else ".png" if seed == 2 else ".svg")
        measured = {"measurements": seed == 3}  # which takes most of the time, and has a test of its own
        return [plot_ecg(records[seed], folder / f"{seed}{suffix}", **measured).read_bytes() for suffix in suffixes]

    expected = [draw(seed, tmp_path / "alone") for seed in range(THREADS)]
    assert at_once([partial(draw, seed, tmp_path) for seed in range(THREADS)]) == expected
    assert dict(matplotlib.rcParams) == settings
