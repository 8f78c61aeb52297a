"""Which recordings a training can read, and what is said of the others."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import wfdb

from hf_heartllm.data import Record
from hf_heartllm.ecg import read_ecg, simulate_ecg, write_ecg
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_codec import ECGCodec
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.training.recordings import (
    HeaderFacts,
    RecordingDataset,
    header_facts,
    statements_of,
    training_records,
    usable_records,
)
from hf_heartllm.training.stages import read_usable
from tests.forked import run_forked
from tests.simulated_ptbxl import ptbxl_of_simulated

OURS, PAPER = ECGCodecConfig(), PaperCodecConfig()


def recording(folder: Path, name: str, seconds: float, leads=STANDARD_LEADS) -> Record:
    signal = np.random.default_rng(0).normal(size=(round(100 * seconds), len(leads))) / 10
    formats = ["16"] * len(leads)
    wfdb.wrsamp(name, 100, ["mV"] * len(leads), list(leads), signal, fmt=formats, write_dir=str(folder))
    return Record(name, path=name, root=folder, fold=1)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> list[Record]:
    folder = tmp_path_factory.mktemp("recordings")
    more = (*STANDARD_LEADS, "V7", "vx")
    lengths = (("a", 10, STANDARD_LEADS), ("bb", 1.5, STANDARD_LEADS), ("ccc", 10, more), ("dddd", 30, more[:13]))
    return [recording(folder, name, seconds, leads) for name, seconds, leads in lengths]


def test_a_header_tells_duration_and_leads(recordings, tmp_path):
    assert header_facts(recordings[0].root / "a") == HeaderFacts(10, STANDARD_LEADS)
    assert header_facts(recordings[2].root / "ccc").leads[12:] == ("V7", "vx")
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


@pytest.mark.parametrize("fold", [1, None])  # by their headers, and read
def test_short_recordings_and_unread_leads_are_counted(recordings, fold):
    recordings = [replace(one, fold=fold) for one in recordings]
    found = usable_records(recordings, ECGFeatureExtractor.from_codec(OURS))
    assert [one.record_id for one in found.records] == ["a", "ccc", "dddd"]
    assert found.lost == {"shorter than the 2 s that the training reads": 1}
    assert found.unread == {"V7": 2, "vx": 1}
    assert found.seconds == {10, 30}
    assert [one.shape for one in found.features.values()] == ([] if fold else [(8, 1000), (8, 1000), (8, 3000)])
    found = usable_records(recordings, ECGFeatureExtractor.from_codec(OURS), crop_samples=1500)
    assert [one.record_id for one in found.records] == ["dddd"]
    assert found.lost == {"shorter than the 15 s that the training reads": 3}
    found = usable_records(recordings, ECGFeatureExtractor.from_codec(PAPER))
    assert [one.record_id for one in found.records] == ["a", "ccc", "dddd"]
    assert found.lost == {"shorter than the 10 s that the training reads": 1, "but for their first 10 s": 1}
    found = usable_records(recordings, ECGFeatureExtractor.from_codec(OURS), max_records=1)
    assert [one.record_id for one in found.records] == ["a"]
    assert found.lost == {"beyond data.max_records": 3}


def test_recordings_that_are_not_on_disk_and_rows_without_a_fold_are_told(tmp_path):
    folder = ptbxl_of_simulated(tmp_path, 4)
    for suffix in ("hea", "dat"):
        (folder / f"records100/00000/00001_lr.{suffix}").unlink()
    (folder / "records100/00000/00002_lr.hea").unlink()
    path = folder / "ptbxl_database.csv"
    rows = list(csv.DictReader(path.open()))
    rows[3]["strat_fold"] = ""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found, notes = training_records(folder, [1, 9])
    assert [one.record_id for one in found] == ["2", "3"]
    assert any(
        "1 of 3 recordings of folds [1, 9] at 100 Hz are left out, since they are not on" in one for one in notes
    )
    assert any("1 rows of the table have no strat_fold" in one for one in notes)


def test_every_recording_of_a_hospital_is_read_or_counted_with_its_reason(hospital):
    records, notes = training_records(hospital, range(1, 9))
    assert [one.record_id for one in records] == [name for name in NAMES if name not in ("ward 3/gone", "ward 3/test")]
    assert any("1 of 9 recordings are of other splits than train" in one for one in notes)
    assert any("1 of 8 recordings of the split train are left out, since they are not on disk" in one for one in notes)
    found = usable_records(records, ECGFeatureExtractor.from_codec(OURS), crop_samples=960)
    assert [one.record_id for one in found.records] == ["ward 3/afib", "ward 3/normal.csv", "ward 3/limb-only", "open"]
    reasons = sorted(found.lost)
    assert sum(found.lost.values()) == 3
    assert "cannot be read, such as ward 3/chest-only: missing leads I, II" in reasons[0]
    assert reasons[1].startswith("cannot be read, such as ward 3/damaged.csv: ")
    assert reasons[2] == "shorter than the 9.6 s that the training reads"
    assert found.remarks == {"leads V1, V2, V3, V4, V5, V6 are missing and encoded as missing": 1}
    dataset = RecordingDataset(found.records, ECGFeatureExtractor.from_codec(OURS), ["AFIB", "MI", "superclass MI"])
    stated = np.array([row["statement_labels"].numpy() for row in (dataset[i] for i in range(4))])
    # "MI" in words is a superclass; of a record without labels nothing is known
    assert statements_of(found.records[1]) == ["NORM", "SR", "superclass NORM"]
    np.testing.assert_array_equal(stated[:2, [0, 2]], [[1, 0], [0, 0]])
    assert np.isnan(stated[3]).all()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory) -> Path:
    """A folder of a hospital's own recordings in two formats, some of which no training can read."""
    folder = tmp_path_factory.mktemp("a hospital's")
    rows = [["path", "patient", "labels", "split"]]
    whole = simulate_ecg(sampling_rate=250, seed=1)[0]
    kinds = {
        "ward 3/gone": whole,
        "ward 3/short": whole.crop(0, 4),
        "ward 3/chest-only": whole.select(STANDARD_LEADS[6:]),
        "ward 3/limb-only": whole.select(STANDARD_LEADS[:6]),
    }
    for name in NAMES:
        write_ecg(kinds.get(name, whole), folder / name)
        label = {"ward 3/afib": "AFIB", "open": ""}.get(name, "sinus rhythm; normal ecg")
        rows.append([name, f"patient of {name}", label, "test" if name == "ward 3/test" else "train"])
    for path in folder.glob("ward 3/gone.*"):
        path.unlink()
    (folder / "ward 3" / "damaged.csv").write_text("nonsense")
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


NAMES = (
    *("ward 3/afib", "ward 3/normal.csv", "ward 3/short", "ward 3/chest-only", "ward 3/limb-only"),
    *("ward 3/damaged.csv", "ward 3/gone", "open", "ward 3/test"),
)


@pytest.mark.slow
def test_a_hospitals_recordings_train_a_codec_by_the_same_command(hospital, tmp_path):
    sizes = ("codec.hidden_sizes=[8,16]", "codec.decoder_channels=8", "probe.at_least=1", "data.crop_samples=480")
    training = (f"training.{one}" for one in ("max_steps=2", "per_device_train_batch_size=2", "warmup_steps=1"))
    options = [word for one in (*sizes, *training) for word in ("--set", one)]
    paths = ("--recipe", "codec", "--records", hospital, "--output", tmp_path / "codec")
    said = run_forked("-m", "hf_heartllm.scripts.train_codec", *paths, *options)
    assert "left out: 1 of 7 recordings shorter than the 4.8 s that the training reads" in said
    assert "4 recordings, " in said
    codec = ECGCodec.from_pretrained(tmp_path / "codec" / "codec")
    log = json.loads((tmp_path / "codec" / "log.json").read_text())
    assert np.isfinite(log[-1]["train_loss"])
    features = ECGFeatureExtractor.from_codec(codec.config).extract(read_ecg(hospital / "ward 3" / "afib"))
    assert codec.encode(torch.from_numpy(features)).shape == (1, 1, 125)


def test_refinements_cannot_begin_without_a_complete_recording(tmp_path):
    record = simulate_ecg(sampling_rate=100, seed=1)[0]
    write_ecg(record.select(STANDARD_LEADS[:7]), tmp_path / "a")
    dataset = RecordingDataset([Record("a", path="a", root=tmp_path)], ECGFeatureExtractor.from_codec(OURS))
    with (
        pytest.warns(UserWarning, match="missing"),
        pytest.raises(ValueError, match="none of 1 recordings has all leads"),
    ):
        dataset.complete_features([0])


def test_two_collections_that_share_an_id_are_refused_and_validation_is_another_split(hospital, tmp_path):
    extractor = ECGFeatureExtractor(100, None, STANDARD_LEADS, required_leads=[], min_duration=2.0)
    with pytest.raises(ValueError, match="is also in another of the collections"):
        read_usable([hospital, hospital], "1-8", extractor)
    held = read_usable([hospital], "8", extractor, split="validation").records
    trained = read_usable([hospital], "1-7", extractor).records
    assert trained
    assert not {one.record_id for one in held} & {one.record_id for one in trained}
