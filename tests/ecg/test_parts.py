"""Recordings read one part after the other: the parts joined are the recording, and memory is that of one part."""

from __future__ import annotations

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz_files import RECORDINGS, wfdb_recordings
from hf_heartllm.ecg import ECGError, read_ecg, read_ecg_parts
from hf_heartllm.ecg.readers.statements import part_bounds

pytestmark = pytest.mark.filterwarnings("ignore::hf_heartllm.ECGWarning")


def written(folder: Path, files: dict[str, bytes], name: str) -> str:
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return str(folder / name)


@pytest.mark.parametrize("place", range(len(wfdb_recordings())))
def test_parts_joined_are_the_record(tmp_path: Path, place: int) -> None:
    recording = wfdb_recordings()[place]  # every format, several samples a frame, signals that lie late
    name = written(tmp_path, recording.files, recording.name)
    whole = read_ecg(name)
    for seconds in (0.37, 1.0, 100):
        parts = list(read_ecg_parts(name, seconds))
        assert all(part.leads == whole.leads and part.source == whole.source for part in parts)
        assert max(part.duration for part in parts) <= seconds
        joined = np.concatenate([part.signal for part in parts], axis=1)
        np.testing.assert_array_equal(joined, whole.signal)


@pytest.mark.parametrize("kind", ["CSV", "NPY", "simulated"])
def test_other_formats_are_cut(tmp_path: Path, kind: str) -> None:
    recording = RECORDINGS[kind]()[1]
    name = written(tmp_path, recording.files, recording.name) if recording.files else recording.name
    whole = read_ecg(name, **recording.stated)
    parts = list(read_ecg_parts(name, 0.7, **recording.stated))
    np.testing.assert_array_equal(np.concatenate([part.signal for part in parts], axis=1), whole.signal)


def test_parts_are_equally_long() -> None:
    assert part_bounds(10, 2.0, 2.0) == [(0, 3), (3, 6), (6, 10)]
    assert part_bounds(10, 2.0, 5.0) == [(0, 10)]
    assert part_bounds(3, 1.0, 0.001) == [(0, 1), (1, 2), (2, 3)]


def test_leads_are_chosen_in_every_part(tmp_path: Path) -> None:
    recording = wfdb_recordings()[0]
    name = written(tmp_path, recording.files, recording.name)
    assert [part.leads for part in read_ecg_parts(name, 1.5, leads="V1=V2,I")] == [("V2", "I")] * 2


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_lengths_that_are_none(seconds: float) -> None:
    with pytest.raises(ECGError, match="length in seconds"):
        next(read_ecg_parts("example:af", seconds))


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ECGError, match="no header file"):
        next(read_ecg_parts(tmp_path / "x"))
    with pytest.raises(ECGError, match="units"):
        next(read_ecg_parts(tmp_path / "x", 10, units="mV"))


def test_a_day_takes_the_memory_of_a_part(tmp_path: Path) -> None:
    samples = 24 * 3600 * 100
    lines = [f"r.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in ("I", "II", "V1")]
    (tmp_path / "r.hea").write_text("\n".join([f"r 3 100 {samples}", *lines]) + "\n")
    with (tmp_path / "r.dat").open("wb") as file:
        file.truncate(samples * 6)
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = read_ecg_parts(tmp_path / "r", 600)
        durations = [part.duration for _, part in zip(range(3), parts)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert durations == [600, 600, 600]
    assert peak < 10 << 20  # of 52 MB on the disk
