"""The teacher beside stage 3: soft answers have the loss of a mixture; the probe is trained and leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hf_heartllm.data.question import Question
from hf_heartllm.training.examples import QuestionDataset, as_hub_dataset, frequent_statements, stated
from hf_heartllm.training.packing import PackedCollator, QuestionPrompts, pack_turns
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


def trainer_of(model, tokenizer, dataset, tmp_path, steps=1, **teacher):
    from trl import SFTConfig

    from hf_heartllm.training.teacher import SFTTrainerWithTeacher

    return SFTTrainerWithTeacher(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path),
            max_steps=steps,
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
        **teacher,
    )


def test_the_probe_is_trained_and_taken_off(tmp_path):
    pytest.importorskip("trl")
    from hf_heartllm.training.teacher import remove_probe

    model, tokenizer = tiny_model_and_tokenizer()
    names = set(model.state_dict())
    before = model.get_input_embeddings().weight.detach().clone()
    dataset = QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer), statements=["AFIB", "PVC"])
    trainer = trainer_of(model, tokenizer, dataset, tmp_path, steps=12, statements=2, probe_weight=1.0)
    trainer.train()
    losses = [entry["probe_loss"] for entry in trainer.state.log_history if "probe_loss" in entry]
    assert losses[-1] < 0.7 * losses[0]
    assert not torch.equal(before, model.get_input_embeddings().weight)
    remove_probe(model)
    assert set(model.state_dict()) == names


def test_logits_of_labelled_tokens_alone_give_the_loss_of_trl(tmp_path):
    pytest.importorskip("trl")
    from trl import SFTTrainer

    model, tokenizer = tiny_model_and_tokenizer()
    dataset = QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer))
    trainer = trainer_of(model, tokenizer, dataset, tmp_path)
    batch = PackedCollator(tokenizer.pad_token_id)([dataset[0], dataset[1]])
    losses = []
    for of_labels_alone, trl in ((True, False), (False, False), (True, True)):
        trainer._of_labels_alone = of_labels_alone
        model.zero_grad()
        kind = SFTTrainer if trl else type(trainer)
        loss = kind.compute_loss(trainer, model, dict(batch), num_items_in_batch=7)
        loss.backward()
        losses.append((loss.item(), model.get_input_embeddings().weight.grad.clone()))
    for other in losses[1:]:
        assert losses[0][0] == pytest.approx(other[0], rel=1e-5)
        torch.testing.assert_close(losses[0][1], other[1], atol=1e-5, rtol=1e-4)


def test_packed_questions_stay_apart_whichever_attention_computes(tmp_path):
    pytest.importorskip("trl")
    losses = []
    for attention in ("sdpa", "eager"):
        model, tokenizer = tiny_model_and_tokenizer()
        model.set_attn_implementation({"text_config": attention})
        assert model.config.get_text_config()._attn_implementation == attention
        dataset = QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer))
        trainer = trainer_of(model, tokenizer, dataset, tmp_path)
        batch = PackedCollator(tokenizer.pad_token_id)([dataset[0], dataset[1]])
        loss = trainer.compute_loss(model, dict(batch), num_items_in_batch=7)
        loss.backward()
        losses.append((loss.item(), model.get_input_embeddings().weight.grad.clone()))
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-5)
    torch.testing.assert_close(losses[0][1], losses[1][1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("lora", [False, True])
def test_a_soft_answer_has_the_loss_and_gradient_of_a_mixture_of_both(tmp_path, lora):
    pytest.importorskip("trl")
    from hf_heartllm.training.lora import add_lora

    model, tokenizer = tiny_model_and_tokenizer()
    trained = add_lora(model, r=2, lora_dropout=0.0) if lora else model
    prompts, share = QuestionPrompts(tokenizer), 0.3
    prefix = prompts.prefix(tokenizer.codes_to_ids(CODES["1"].tolist()))

    def example(*turn):
        return pack_turns(prefix, [prompts.turn("Does this ECG show PVC?", *turn)], 256)

    dataset = QuestionDataset(ROWS, CODES, prompts)
    trainer = trainer_of(trained, tokenizer, dataset, tmp_path)

    def loss_of(*examples):
        trained.zero_grad()
        batch = PackedCollator(tokenizer.pad_token_id)(examples)
        loss = trainer.compute_loss(trained, batch)
        loss.backward()
        return loss.item(), [one.grad.clone() for one in trained.parameters() if one.grad is not None]

    # "yes" and "no" may be several tokens here, and the first of them is what is mixed
    yes, no = (prompts.turn("Does this ECG show PVC?", one) for one in ("yes", "no"))
    mixed = prompts.turn("Does this ECG show PVC?", "yes", "no", share)
    assert mixed.ids == yes.ids
    assert mixed.instead == no.ids[mixed.soft_place] != yes.ids[mixed.soft_place]
    soft, gradient = loss_of(example("yes", "no", share))
    hard, of_yes = loss_of(example("yes"))
    other = example("yes")
    other["labels"] = list(other["labels"])
    other["labels"][len(prefix) + mixed.soft_place] = mixed.instead
    of_other, of_no = loss_of(other)
    assert soft == pytest.approx((1 - share) * hard + share * of_other, abs=1e-5)
    for got, one, two in zip(gradient, of_yes, of_no, strict=True):
        torch.testing.assert_close(got, (1 - share) * one + share * two, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("scale", [{"logits_scaling": 8.0}, {"final_logit_softcapping": 2.0}, {"unnamed": 0.2}])
def test_a_soft_answer_of_scaled_or_capped_logits_is_the_mixture_too(tmp_path, scale):
    pytest.importorskip("trl")
    model, tokenizer = tiny_model_and_tokenizer()
    head = model.get_output_embeddings()
    [(name, by)] = scale.items()
    if name != "unnamed":
        setattr(model.config.get_text_config(), name, by)

    def change(_, __, logits):
        return by * torch.tanh(logits / by) if name == "final_logit_softcapping" else logits * by

    head.register_forward_hook(change)
    prompts, share = QuestionPrompts(tokenizer), 0.3
    prefix = prompts.prefix(tokenizer.codes_to_ids(CODES["1"].tolist()))
    trainer = trainer_of(model, tokenizer, QuestionDataset(ROWS, CODES, prompts), tmp_path)
    assert not trainer._of_labels_alone
    mixed = prompts.turn("Does this ECG show PVC?", "yes", "no", share)

    def loss_of(*turn, instead=None):
        example = pack_turns(prefix, [prompts.turn("Does this ECG show PVC?", *turn)], 256)
        if instead is not None:
            example["labels"] = list(example["labels"])
            example["labels"][len(prefix) + mixed.soft_place] = instead
        return trainer.compute_loss(model, PackedCollator(tokenizer.pad_token_id)([example])).item()

    soft, hard, other = loss_of("yes", "no", share), loss_of("yes"), loss_of("yes", instead=mixed.instead)
    assert soft == pytest.approx((1 - share) * hard + share * other, abs=1e-5)
