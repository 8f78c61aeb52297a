"""Which recordings a training can read, by their headers, and what is said of the others."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
import wfdb

from hf_heartllm.ecg import simulate_ecg, write_ecg
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.training.recordings import (
    HeaderFacts,
    Recording,
    RecordingDataset,
    header_facts,
    list_recordings,
    long_enough,
)
from tests.simulated_ptbxl import ptbxl_of_simulated

OURS, PAPER = ECGCodecConfig(), PaperCodecConfig()


def recording(folder: Path, name: str, seconds: float, leads=STANDARD_LEADS) -> Recording:
    signal = np.random.default_rng(0).normal(size=(round(100 * seconds), len(leads))) / 10
    formats = ["16"] * len(leads)
    wfdb.wrsamp(name, 100, ["mV"] * len(leads), list(leads), signal, fmt=formats, write_dir=str(folder))
    return Recording(folder / name, len(name), frozenset())


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> list[Recording]:
    folder = tmp_path_factory.mktemp("recordings")
    more = (*STANDARD_LEADS, "V7", "vx")
    lengths = (("a", 10, STANDARD_LEADS), ("bb", 1.5, STANDARD_LEADS), ("ccc", 10, more), ("dddd", 30, more[:13]))
    return [recording(folder, name, seconds, leads) for name, seconds, leads in lengths]


def test_a_header_tells_duration_and_leads(recordings, tmp_path):
    assert header_facts(recordings[0].path) == HeaderFacts(10, STANDARD_LEADS)
    assert header_facts(recordings[2].path).leads[12:] == ("V7", "vx")
    assert header_facts(tmp_path / "absent") is None
    for text, facts in (
        ("r 1 500/250(0) 1000\nr.dat 16 1000/mV 16 0 0 0 0 aVR\n", HeaderFacts(2, ("aVR",))),
        ("# a comment\nr 1 5e2 1000\nr.dat 16 1000/mV 16 0 0 0 0 lead v1\n", HeaderFacts(2, ("V1",))),
        ("r 1 500\nr.dat 16 1000/mV 16 0 0 0 0 I\n", HeaderFacts(None, ("I",))),
        ("r 1 500 0\nr.dat 16 1000/mV 16 0 0 0 0 I\n", HeaderFacts(None, ("I",))),
        ("r one 500 10\n", None),
        ("", None),
    ):
        (tmp_path / "r.hea").write_text(text)
        assert header_facts(tmp_path / "r") == facts


def test_short_recordings_and_unread_leads_are_counted(recordings):
    kept, lost, unread = long_enough(recordings, ECGFeatureExtractor.from_codec(OURS))
    assert [one.ecg_id for one in kept] == [1, 3, 4]
    assert lost == {"shorter than the 2 s that the training reads": 1}
    assert unread == {"V7": 2, "vx": 1}
    kept, lost, _ = long_enough(recordings, ECGFeatureExtractor.from_codec(OURS), crop_samples=1500)
    assert [one.ecg_id for one in kept] == [4]
    assert lost == {"shorter than the 15 s that the training reads": 3}
    kept, lost, _ = long_enough(recordings, ECGFeatureExtractor.from_codec(PAPER))
    assert [one.ecg_id for one in kept] == [1, 3, 4]
    assert lost == {"shorter than the 10 s that the training reads": 1, "but for their first 10 s": 1}


def test_recordings_that_are_not_on_disk_and_rows_without_a_fold_are_told(tmp_path):
    folder = ptbxl_of_simulated(tmp_path, 4)
    (folder / "records100/00000/00001_lr.hea").unlink()
    path = folder / "ptbxl_database.csv"
    rows = list(csv.DictReader(path.open()))
    rows[3]["strat_fold"] = ""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = list_recordings(folder, [1, 9])
    assert [one.ecg_id for one in found] == [2, 3]
    messages = [str(one.message) for one in said]
    assert any(
        "1 of 3 recordings of folds [1, 9] are left out, since they are not on disk at 100 Hz" in m for m in messages
    )
    assert any("1 of 4 rows have no strat_fold" in m for m in messages)


def test_refinements_cannot_begin_without_a_complete_recording(tmp_path):
    record = simulate_ecg(sampling_rate=100, seed=1)[0]
    write_ecg(record.select(STANDARD_LEADS[:7]), tmp_path / "a")
    dataset = RecordingDataset([Recording(tmp_path / "a", 1, frozenset())], ECGFeatureExtractor.from_codec(OURS))
    with (
        pytest.warns(UserWarning, match="missing"),
        pytest.raises(ValueError, match="none of 1 recordings has all leads"),
    ):
        dataset.complete_features([0])
