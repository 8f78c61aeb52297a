"""A model does not learn from what a trainer has left of an ECG, and learns from whatever else it did before."""

from __future__ import annotations

import copy
import pickle
from itertools import combinations
from typing import Any

import pytest
import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

import hf_heartllm as hl
from hf_heartllm.models.whole_ecgs import holds_parts_of_ecgs
from tests.tiny import tiny_model_and_tokenizer

START, END, FIRST, CODES = 10, 11, 12, 4  # ids 0 to 9 are text
ECG = [START, 12, 15, 13, END]


def cut(*rows: list[int]) -> bool:
    return bool(holds_parts_of_ecgs(torch.tensor(rows), START, END, FIRST, CODES))


def test_every_stretch_of_a_row_is_refused_if_it_parts_an_ecg_and_no_other() -> None:
    row = [1, *ECG, 2, 3, *ECG, *ECG, 4]
    inside = {
        at for at, token in enumerate(row) if at and token > START and row[at - 1] != END
    }  # a cut before it parts
    for first, last in combinations(range(len(row) + 1), 2):
        assert cut(row[first:last]) == (bool({first, last} & inside)), row[first:last]
    assert not cut([1, START, END, 2])
    assert not cut([1, 2, 3])


def test_padding_packing_and_neighbours_do_not_hide_a_part() -> None:
    assert not cut([0, *ECG, 1], [*ECG, 1, 0])
    assert cut([*ECG, 1, 0], [*ECG[:-1], 0, 0, 0])
    assert cut([1, *ECG[:3], *ECG])
    assert cut([*ECG, *ECG[1:]])


@pytest.fixture(scope="module")
def tiny() -> Any:
    return tiny_model_and_tokenizer()


@pytest.fixture(scope="module")
def rows(tiny) -> Dataset:
    _, tokenizer = tiny
    ecg = hl.simulate_ecg(seed=1, sampling_rate=100)[0]
    codes = [one - tokenizer.ecg_token_offset for one in tokenizer.encode_ecg(ecg)]
    asked = [{"type": "ecg", "codes": codes}, {"type": "text", "text": "What rhythm does this ECG show?"}]
    said = [{"type": "text", "text": "sinus rhythm"}]
    chat = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    # parts of one message have other columns, which data sets of Arrow fill up
    return Dataset.from_list([{"messages": chat}] * 2)


def trainer(tiny, rows: Dataset, folder: Any, **settings: Any) -> SFTTrainer:
    model, tokenizer = copy.deepcopy(tiny[0]), tiny[1]
    quick = {"max_steps": 1, "per_device_train_batch_size": 2, "use_cpu": True, "bf16": False, "report_to": "none"}
    quick |= {"gradient_checkpointing": False, "save_strategy": "no", "disable_tqdm": True, "output_dir": str(folder)}
    return SFTTrainer(model=model, args=SFTConfig(**quick | settings), train_dataset=rows, processing_class=tokenizer)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "settings",
    [
        {"max_length": 20},
        {"max_length": 20, "truncation_mode": "keep_end"},
        {"max_length": 30, "packing": True, "packing_strategy": "wrapped"},
    ],
)
def test_trl_cuts_no_ecg_in_silence(tiny, rows, tmp_path, settings: dict[str, Any]) -> None:
    with pytest.raises(hl.ECGError, match=r"lacks its start or end.*max_length=None") as raised:
        trainer(tiny, rows, tmp_path, **settings).train()
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [{"max_length": None}, {"max_length": 200, "packing": True}])
def test_whole_ecgs_are_learned_from(tiny, rows, tmp_path, settings: dict[str, Any]) -> None:
    trained = trainer(tiny, rows, tmp_path, **settings)
    trained.train()
    assert trained.state.global_step == 1


def test_what_is_not_learned_from_may_hold_a_part(tiny) -> None:
    model, tokenizer = copy.deepcopy(tiny[0]), tiny[1]
    part = torch.tensor([[tokenizer.ecg_start_token_id, tokenizer.ecg_token_offset]])
    model(input_ids=part)  # evaluation mode
    model.train()
    with torch.no_grad():
        model(input_ids=part)
    for copied in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with pytest.raises(hl.ECGError, match="lacks its start or end"):
            copied(input_ids=part, labels=part)
        with pytest.raises(hl.ECGError, match="lacks its start or end"):
            copied.backbone(input_ids=part)  # trl goes around the model's own forward
    other = copy.deepcopy(model)
    other.resize_token_embeddings(model.config.vocab_size + 8, mean_resizing=False)
    assert len(other.backbone._forward_pre_hooks) == len(model.backbone._forward_pre_hooks)
    other.allow_parts_of_ecgs()
    other(input_ids=part, labels=part).loss.backward()
    with pytest.raises(hl.ECGError, match="lacks its start or end"):
        model(input_ids=part, labels=part)
