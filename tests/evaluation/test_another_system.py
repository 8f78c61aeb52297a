"""A second system without ECG tokens: evaluation needs of it what `Answerer` says, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from hf_heartllm.ecg.beats import beat_times
from hf_heartllm.evaluation.checkpoint.questions import QASettings, evaluate_qa
from hf_heartllm.evaluation.classification.run import ClassifySettings, evaluate_classification
from hf_heartllm.evaluation.provenance import Checkpoint
from hf_heartllm.models.answer_scores import summarise
from hf_heartllm.models.ecg_answerer import WrittenText
from hf_heartllm.models.ecg_reading import Reading, ReadWindow
from tests.simulated_ptbxl import ptbxl_of_simulated

QUESTION = "Does this ECG show atrial fibrillation?"


class RhythmReader:
    """One number of an ECG, how irregular its beats are, is all that this system sees."""

    max_duration = None

    def __init__(self) -> None:
        self.reads = {"feature": "irregularity of the RR intervals"}
        self.model = torch.nn.Linear(1, 1)
        self.model.dtype, self.model.config = torch.float32, SimpleNamespace()

    def read(self, record):
        return Reading((ReadWindow(0.0, record.duration, float(np.std(np.diff(beat_times(record))))),))

    def score(self, prompts, answer_sets):
        found = []
        for prompt, answers in zip(prompts, answer_sets, strict=True):
            blind = prompt.record is None or not prompt.text
            irregular = 0.0 if blind else 50 * (prompt.record.readable[0].ecg - 0.06)
            sign = [irregular if answer == "yes" else -irregular if answer == "no" else 0.0 for answer in answers]
            found.append(summarise(answers, sign))
        return found

    def generate(self, prompts, max_new_tokens, beams=1):
        return [[WrittenText("no", -1.0, 1, True)] for _ in prompts]


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory):
    """16 recordings of as many patients, half of them in fold 9, every other one in atrial fibrillation."""
    folder = ptbxl_of_simulated(tmp_path_factory.mktemp("ptbxl"), 16)
    table = (folder / "ptbxl_database.csv").read_text().splitlines()
    place = table[0].split(",").index("patient_id")
    rows = [line.split(",") for line in table[1:]]
    lines = [",".join([*row[:place], f"9{row[0]}", *row[place + 1 :]]) for row in rows]
    (folder / "ptbxl_database.csv").write_text("\n".join([table[0], *lines]) + "\n")
    return folder


def test_questions_are_answered_and_controlled(ptbxl, tmp_path):
    from hf_heartllm.data.sources import open_records

    rows = [
        {
            "record_ids": [record.record_id],
            "question": QUESTION,
            "answers": ["yes" if "AFIB" in record.codes else "no"],
            "answer_set": ["no", "yes"],
            "question_type": "verify",
            "attribute_type": "rhythm",
            "attribute": "AFIB",
        }
        for record in open_records(ptbxl, sampling_rate=100)
        if record.fold == 9
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "fold9.parquet")
    settings = QASettings(records=ptbxl, questions=tmp_path / "fold9.parquet", generate=8, resamples=20, progress=False)
    found = evaluate_qa(Checkpoint(RhythmReader(), "irregular"), settings, tmp_path / "parts")
    exact = next(row for row in found.tables["Answers from the closed set"] if row.figure == "exact match")
    assert exact.real.value == 1.0
    assert all(exact.values[name].value < 1.0 for name in exact.values if exact.values[name] and name != "real")
    written = found.tables["Free text beside the closed set"]
    assert any(row.real.value == pytest.approx(0.5) for row in written), "it always writes no"
    assert found.document["model"]["feature"] == "irregularity of the RR intervals"


def test_rhythms_are_classified(ptbxl, tmp_path):
    settings = ClassifySettings(records=ptbxl, folds=(9,), tasks=("rhythm",), resamples=20, progress=False)
    found = evaluate_classification(Checkpoint(RhythmReader(), "irregular"), settings, tmp_path / "parts")
    assert found.tables["Rhythm"]
    assert "irregular" in found.markdown()
