"""Probabilities of statements: from networks that have not seen the recording, mixed with what was stated."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from hf_heartllm.data import Record
from hf_heartllm.evaluation.codec.probes import cross_entropy_of_known
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.scripts.soft_labels import folds_of
from hf_heartllm.training.recordings import RecordingDataset
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
    write_soft_labels(path, ["3", "A 1"], ["AFIB", "superclass MI"], np.array([[0.25, 0.5], [0.75, 1]], np.float32))
    found = read_soft_labels(path, ["superclass MI", "AFIB"], ["A 1", "3"])
    assert {key: value.tolist() for key, value in found.items()} == {"3": [0.5, 0.25], "A 1": [1, 0.75]}
    assert [one.name for one in tmp_path.iterdir()] == ["probabilities.parquet"]
    with pytest.raises(ValueError, match="no probabilities of PVC"):
        read_soft_labels(path, ["PVC"], ["3"])
    with pytest.raises(ValueError, match=r"no probabilities of record 2 \(2 such\)"):
        read_soft_labels(path, ["AFIB"], ["3", "2", "7"])
    with pytest.raises(ValueError, match="1 are there twice, such as 3"):
        read_soft_labels(path, ["AFIB"], ["3", "3"])
    with pytest.raises(ValueError, match="no such file"):
        read_soft_labels(tmp_path / "none.parquet", ["AFIB"], ["3"])


def test_a_file_that_names_records_as_ptb_xl_does_is_read(tmp_path) -> None:
    columns = {"ecg_id": pa.array([3, 1], pa.int64()), "AFIB": pa.array([0.25, 0.75], pa.float32())}
    pq.write_table(pa.table(columns), tmp_path / "before.parquet")
    assert read_soft_labels(tmp_path / "before.parquet", ["AFIB"], ["1"]).keys() == {"3", "1"}


def test_patients_without_folds_are_dealt_out_whole() -> None:
    records = [Record(str(i), patient_id=f"p{i // 2}", fold=5 if i > 15 else None) for i in range(18)]
    found = folds_of(records, [1, 2, 5])
    assert all(found[str(i)] == found[str(i + 1)] for i in range(0, 16, 2))
    assert {found["16"], found["17"]} == {5}
    assert set(found.values()) == {1, 2, 5}
    assert folds_of(records[::-1], [1, 2, 5]) == found


def test_what_labels_leave_open_counts_neither_way() -> None:
    logits = torch.tensor([[0.3, -2.0], [1.0, 5.0]], requires_grad=True)
    loss = cross_entropy_of_known(logits, torch.tensor([[1.0, 0.0], [0.0, float("nan")]]))
    assert loss[1, 1] == 0
    loss.mean().backward()
    assert logits.grad is not None
    assert logits.grad[1, 1] == 0
    assert (logits.grad[0] != 0).all()


def test_recordings_mix_them_with_what_was_stated(tmp_path, monkeypatch) -> None:
    recording = Record("1", labels={"rhythm": frozenset({"AFIB"})}, path="1", root=tmp_path, fold=1)
    monkeypatch.setattr(RecordingDataset, "features_of", lambda self, index: np.zeros((8, 1000), np.float32))
    probabilities = {"1": np.array([0.5, 0.25], np.float32)}
    make = lambda share: RecordingDataset(  # noqa: E731
        [recording], ECGFeatureExtractor(), ["AFIB", "PVC"], probabilities=probabilities, soft_label_share=share
    )
    assert make(0.0)[0]["statement_labels"].tolist() == [1, 0]
    assert make(0.5)[0]["statement_labels"].tolist() == [0.75, 0.125]
    assert make(1.0)[0]["statement_labels"].tolist() == [0.5, 0.25]
