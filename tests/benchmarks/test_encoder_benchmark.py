"""The encoder's own figures: the columns of its logits that belong to a class, and few leads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.encoder import LEADS, figures, logits_of, main
from hf_heartllm.data.record import Record
from hf_heartllm.ecg.simulate import simulate_ecg
from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_ecg_encoder import ECGEncoderForSequenceClassification
from hf_heartllm.training.recordings import RecordingDataset
from tests.simulated_ptbxl import ptbxl_of_simulated


def untrained(*statements: str) -> ECGEncoderForSequenceClassification:
    config = ECGEncoderConfig(hidden_sizes=(8, 16), depths=(1, 1), num_labels=len(statements))
    config.label2id = {name: place for place, name in enumerate(statements)}
    config.id2label = dict(enumerate(statements))
    torch.manual_seed(0)
    return ECGEncoderForSequenceClassification(config).eval()


def recordings() -> RecordingDataset:
    extractor = ECGFeatureExtractor(100, None, required_leads=[], min_duration=2.0)
    labels = [{"rhythm": frozenset({"AFIB"})}, {"rhythm": frozenset({"SR"})}] * 4
    records = [
        Record(str(i), patient_id=str(i), labels=one, signal=simulate_ecg(seed=i, duration=3.0)[0], complete=True)
        for i, one in enumerate(labels)
    ]
    return RecordingDataset(records, extractor)


def test_a_class_is_ranked_by_its_own_logit(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.array([1.0, 0.0] * 4)
    logits = np.column_stack([np.zeros(8), truth, 1 - truth])
    monkeypatch.setattr("benchmarks.encoder.logits_of", lambda *_: logits)
    found = {row.name: row for row in figures(untrained("superclass MI", "AFIB", "SR"), recordings(), "here")}
    assert found["encoder, twelve leads: rhythm, AFIB, real ECG"].value == 1.0
    assert found["encoder, II: rhythm, real ECG"].value == 1.0
    assert found["encoder, II: rhythm, another patient's ECG"].value < 1.0
    assert "2 classes" in found["encoder, II: rhythm, real ECG"].data
    assert not any("superclass" in name or "form" in name for name in found)  # nobody has one here


def test_the_leads_that_are_left_out_are_not_read() -> None:
    model, given = untrained("AFIB"), recordings()
    alone = logits_of(model, given, LEADS["II"])
    features = np.stack([given.features_of(place) for place in range(len(given))])
    features[:, [place for place in range(12) if place != 1]] = np.nan
    with torch.no_grad():
        assert np.allclose(alone, model(torch.from_numpy(features)).logits.numpy(), atol=1e-6)
    assert not np.allclose(alone, logits_of(model, given, LEADS["twelve leads"]))


def test_the_command_writes_figures_or_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    untrained("AFIB", "SR", "superclass NORM").save_pretrained(tmp_path / "model")
    ptbxl_of_simulated(tmp_path / "records", 12)
    given = ["--model", str(tmp_path / "model"), "--results", str(tmp_path / "results.json")]
    assert main([*given, "--ptbxl", str(tmp_path / "records"), "--folds", "1-10"]) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "results.json").read_text())}
    assert rows["encoder, twelve leads: superclass, real ECG"]["command"].endswith("--folds 1-10")
    capsys.readouterr()
    assert main([*given, "--ptbxl", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
