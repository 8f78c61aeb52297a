"""The probe beside stage 3: it sees the end of the ECG, it is trained, and it leaves no trace in the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hf_heartllm.data.question import Question
from hf_heartllm.training.examples import (
    PackedCollator,
    QuestionDataset,
    QuestionPrompts,
    as_hub_dataset,
    frequent_statements,
    stated,
)
from tests.tiny import tiny_model_and_tokenizer

CODES = {"1": np.arange(32, dtype=np.uint16), "2": np.arange(32, dtype=np.uint16) + 20}


def row(ecg_id: int, *holding: str) -> dict:
    questions = [
        Question(f"Does this ECG show {name}?", ("yes" if name in holding else "no",), (), "verify", "rhythm", name)
        for name in ("AFIB", "PVC")
    ]
    return {"record_id": str(ecg_id), "questions": questions, "report": None}


ROWS = [row(1, "AFIB", "PVC"), row(2, "AFIB")]


def test_statements_are_those_that_questions_affirm():
    assert [stated(one) for one in ROWS] == [{"AFIB", "PVC"}, {"AFIB"}]
    assert frequent_statements(ROWS, 1) == ["AFIB", "PVC"]
    assert frequent_statements(ROWS, 2) == ["AFIB"]


def test_examples_point_at_the_end_of_the_ecg():
    _, tokenizer = tiny_model_and_tokenizer()
    dataset = QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer), statements=["AFIB", "PVC"])
    batch = PackedCollator(tokenizer.pad_token_id)([dataset[0], dataset[1]])
    ends = batch["input_ids"][torch.arange(2), batch["probe_position"]]
    assert ends.tolist() == [tokenizer.ecg_end_token_id] * 2
    assert batch["statement_labels"].tolist() == [[1, 1], [1, 0]]


def test_the_probe_is_trained_and_taken_off(tmp_path):
    pytest.importorskip("trl")
    from trl import SFTConfig

    from hf_heartllm.training.statement_probe import SFTTrainerWithProbe, remove_probe

    model, tokenizer = tiny_model_and_tokenizer()
    names = set(model.state_dict())
    before = model.get_input_embeddings().weight.detach().clone()
    dataset = QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer), statements=["AFIB", "PVC"])
    trainer = SFTTrainerWithProbe(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path),
            max_steps=12,
            learning_rate=0.02,
            logging_steps=1,
            per_device_train_batch_size=2,
            save_strategy="no",
            use_cpu=True,
            bf16=False,
            report_to=[],
            max_length=None,
            remove_unused_columns=False,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=as_hub_dataset(dataset),
        data_collator=PackedCollator(tokenizer.pad_token_id),
        processing_class=tokenizer,
        statements=2,
        probe_weight=1.0,
    )
    trainer.train()
    losses = [entry["probe_loss"] for entry in trainer.state.log_history if "probe_loss" in entry]
    assert losses[-1] < 0.7 * losses[0]
    assert not torch.equal(before, model.get_input_embeddings().weight)
    remove_probe(model)
    assert set(model.state_dict()) == names
