"""ECG-LM's joint training: what is shown and learned of a recording."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm.data.record import Record
from hf_heartllm.ecg.measurements import COLUMNS
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.training.alignment import AlignedDataset, describe
from hf_heartllm.training.ecg_lm_template import Described
from tests.tiny import tiny_ecg_lm


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "measurements.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, ["record_id", *COLUMNS])
        writer.writeheader()
        for name, example in (("1", "example:lbbb"), ("2", "example:normal"), ("4", "example:normal")):
            writer.writerow({"record_id": name, **hl.measure(hl.read_ecg(example)).as_columns()})
        writer.writerow({"record_id": "3"})
    return path


def test_recordings_with_a_report_and_measurements_are_described(table):
    records = [
        Record("1", labels={"diagnosis": frozenset({"CLBBB"}), "rhythm": frozenset({"SR"})}, sex="male", age=70),
        Record("2", sex="female", age=40, height=170),
        Record("3"),
        Record("4"),
    ]
    found = describe(records, {"1": "left bundle branch block", "2": "normal ecg", "3": "not measured"}, table)
    assert set(found) == {"1", "2"}
    assert "QRS" in found["1"].general
    assert not any("ST" in text or "T wave" in text for text in found["1"].leads.values()), "not judged: wide QRS"
    assert found["2"].height == 170
    (broken := table.with_name("broken.csv")).write_text("record_id,heart_rate\n1,60\n")
    with pytest.raises(ValueError, match="no column II_r_mv"):
        describe(records, {"1": "report"}, broken)


def test_report_and_leads_are_learned_and_a_dropped_lead_is_nowhere():
    _, processor = tiny_ecg_lm(projector="time", num_ecg_tokens=4)
    described = {"a": Described(50, "male", report="sinus rhythm", leads={"V1": "no", "V2": "yes", "V3": "none"})}
    features = {"a": np.ones((12, 300), dtype=np.float32)}
    whole = AlignedDataset(described, features, processor, dropped_share=0.0)[0]
    assert whole["input_ids"].count(processor.ecg_token_id) == 4
    learned = processor.decode([token for token in whole["labels"] if token != -100])
    assert learned.startswith("sinus rhythm")
    assert "50" not in learned
    dataset = AlignedDataset(described, features, processor, dropped_share=1.0)
    for epoch in range(20):
        dataset.epoch = epoch
        example = dataset[0]
        text = processor.decode(example["input_ids"])
        for lead, row in zip(STANDARD_LEADS, example["input_features"], strict=True):
            assert (f"lead {lead}:" in text) == (not np.isnan(row).any())
        assert any(f"lead {lead}: {word}" in text for lead, word in described["a"].leads.items())
    assert dataset.num_cut == 0
    short = AlignedDataset(described, features, processor, dropped_share=0.0, max_length=40)
    assert (len(short[0]["input_ids"]), short.num_cut, short.num_read) == (40, 1, 1)
    with pytest.raises(ValueError, match=r"data\.max_length 5: an ECG and what stands before it take 36"):
        AlignedDataset(described, features, processor, max_length=5)
    assert not np.isnan(features["a"]).any(), "what is kept in memory is not changed"
