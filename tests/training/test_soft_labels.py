"""Probabilities of statements: from networks that have not seen the recording, mixed with what was stated."""

from __future__ import annotations

import numpy as np
import pytest

from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.training.recordings import Recording, RecordingDataset
from hf_heartllm.training.soft_labels import cross_fitted, read_soft_labels, write_soft_labels


def test_a_part_is_predicted_from_the_others_alone() -> None:
    """Labels that say nothing of the signal: who has seen them can learn them by heart, who has not says one in two."""
    rng = np.random.default_rng(0)
    signals = rng.standard_normal((96, 2, 128)).astype(np.float32)
    shown = rng.integers(0, 2, 96)
    signals[shown == 1] *= 3
    labels = np.stack([shown, rng.integers(0, 2, 96)], axis=1).astype(np.float32)
    parts = np.arange(96) % 3
    found = cross_fitted(signals, labels, parts, 1, seeds=[0, 1], passes=12)
    assert found.shape == (32, 2)
    assert found.min() >= 0
    assert found.max() <= 1
    inside = labels[parts == 1]
    assert ((found[:, 0] > 0.5) == inside[:, 0]).mean() > 0.9
    others = labels.copy()
    others[parts == 1] = 1 - others[parts == 1]
    again = cross_fitted(signals, others, parts, 1, seeds=[0, 1], passes=12)
    np.testing.assert_array_equal(found, again)  # its own labels have no part in it


def test_a_part_must_leave_something_to_learn_from() -> None:
    with pytest.raises(ValueError, match="part 0 has 4 of 4 recordings"):
        cross_fitted(np.zeros((4, 2, 64)), np.zeros((4, 1)), np.zeros(4, int), 0, seeds=[0], passes=1)


def test_the_file_gives_them_back_in_the_order_asked_for(tmp_path) -> None:
    path = tmp_path / "probabilities.parquet"
    write_soft_labels(path, [3, 1], ["AFIB", "superclass MI"], np.array([[0.25, 0.5], [0.75, 1]], np.float32))
    found = read_soft_labels(path, ["superclass MI", "AFIB"], [1, 3])
    assert {key: value.tolist() for key, value in found.items()} == {3: [0.5, 0.25], 1: [1, 0.75]}
    assert [one.name for one in tmp_path.iterdir()] == ["probabilities.parquet"]
    with pytest.raises(ValueError, match="no probabilities of PVC"):
        read_soft_labels(path, ["PVC"], [1])
    with pytest.raises(ValueError, match=r"no probabilities of record 2 \(2 such\)"):
        read_soft_labels(path, ["AFIB"], [1, 2, 7])
    with pytest.raises(ValueError, match="no such file"):
        read_soft_labels(tmp_path / "none.parquet", ["AFIB"], [1])


def test_recordings_mix_them_with_what_was_stated(tmp_path, monkeypatch) -> None:
    recording = Recording(tmp_path / "1", 1, frozenset({"AFIB"}))
    monkeypatch.setattr(RecordingDataset, "_features", lambda self, index: np.zeros((8, 1000), np.float32))
    probabilities = {1: np.array([0.5, 0.25], np.float32)}
    make = lambda share: RecordingDataset(  # noqa: E731
        [recording], ECGFeatureExtractor(), ["AFIB", "PVC"], probabilities=probabilities, soft_label_share=share
    )
    assert make(0.0)[0]["statement_labels"].tolist() == [1, 0]
    assert make(0.5)[0]["statement_labels"].tolist() == [0.75, 0.125]
    assert make(1.0)[0]["statement_labels"].tolist() == [0.5, 0.25]
