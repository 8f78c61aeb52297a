"""What is told on the way: perplexities of records in each split, and answers beside the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hf_heartllm.training.held_out import Asked, HeldOut, answer, draw_asked, perplexities
from hf_heartllm.training.packing import QuestionPrompts
from tests.tiny import tiny_model_and_tokenizer

QUESTION = "Does this ECG show sinus rhythm?"
CODES = np.arange(32)


@pytest.fixture(scope="module")
def tiny():
    return tiny_model_and_tokenizer()


def test_perplexities_are_those_of_the_codes_and_of_the_answer(tiny):
    model, tokenizer = tiny
    prompts = QuestionPrompts(tokenizer)
    found = perplexities(model, prompts, [Asked(CODES, QUESTION, "yes")])
    prefix = prompts.prefix(tokenizer.codes_to_ids(CODES.tolist()))
    turn = prompts.turn(QUESTION, "yes")
    ids = torch.tensor([[*prefix, *turn.ids]])

    def loss(places: list[int]) -> float:
        labels = torch.full_like(ids, -100)
        labels[0, places] = ids[0, places]
        with torch.no_grad():
            return model(input_ids=ids, labels=labels).loss.item()

    of_codes = [i for i, one in enumerate(ids[0].tolist()) if one >= tokenizer.ecg_token_offset]
    of_answer = [len(prefix) + i for i, one in enumerate(turn.labels) if one != -100]
    assert len(of_codes) == 32
    assert found["ecg_perplexity"] == pytest.approx(math.exp(loss(of_codes)), rel=1e-3)
    assert found["answer_loss"] == pytest.approx(loss(of_answer), abs=1e-3)
    assert found["answer_perplexity"] == pytest.approx(math.exp(loss(of_answer)), rel=1e-3)
    assert "ecg_perplexity" not in perplexities(model, prompts, [Asked(None, QUESTION, "yes")])


def test_an_answer_is_the_one_that_the_model_gives_when_asked(tiny):
    model, tokenizer = tiny
    prompts = QuestionPrompts(tokenizer)
    content = [{"type": "ecg", "codes": CODES.tolist()}, {"type": "text", "text": QUESTION}]
    messages = [{"role": "user", "content": content}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    tokens = model.generate(**ids, max_new_tokens=40, do_sample=False)[0, ids["input_ids"].shape[1] :]
    expected = " ".join(tokenizer.decode(tokens, skip_special_tokens=True).split())
    assert answer(model, prompts, Asked(CODES, QUESTION, "yes")) == expected


def test_it_is_told_every_so_often_and_at_the_end(tiny, tmp_path, capsys):
    from transformers import Trainer, TrainingArguments

    from hf_heartllm.training.examples import ForecastDataset
    from hf_heartllm.training.packing import PackedCollator

    model, tokenizer = tiny_model_and_tokenizer()
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=3, use_cpu=True, report_to=[], disable_tqdm=True, save_strategy="no"
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=ForecastDataset([CODES], tokenizer),
        data_collator=PackedCollator(tokenizer.pad_token_id),
    )
    asked = {"train": [Asked(CODES, QUESTION, "yes")], "held_out": [Asked(CODES[::-1].copy(), QUESTION, "no")]}
    trainer.add_callback(HeldOut(trainer, QuestionPrompts(tokenizer), asked, every=2))
    trainer.train()
    logged = [one for one in trainer.state.log_history if "held_out_ecg_perplexity" in one]
    assert [one["step"] for one in logged] == [2, 3]
    assert logged[1]["train_ecg_perplexity"] < logged[0]["train_ecg_perplexity"]
    said = capsys.readouterr().out
    assert "step 2\n" in said
    assert said.count(f"{QUESTION} truth: no answer: ") == 2


def test_the_same_questions_are_drawn_again():
    class Question:
        def __init__(self, text: str) -> None:
            self.text, self.answer = text, "yes"

    rows = [{"record_id": str(i), "questions": [Question(f"{i}a"), Question(f"{i}b")]} for i in range(9)]
    codes = {str(i): CODES for i in range(8)}
    first, again = (draw_asked(rows, codes, 5) for _ in range(2))
    assert [one.question for one in first] == [one.question for one in again]
    assert len(draw_asked(rows, codes, 50)) == 8
    assert all(one.codes is None for one in draw_asked(rows, codes, 3, with_ecg=False))


@pytest.mark.parametrize(
    ("tracker", "message"),
    [("neptun", "training.report_to: there is no neptun"), (["comet_ml"], "comet_ml is not installed")],
)
def test_a_tracker_that_is_not_there_is_one_line(tmp_path, capsys, tracker, message):
    from hf_heartllm.training.stages import training_arguments

    with pytest.raises(SystemExit) as ended:
        training_arguments({"report_to": tracker}, tmp_path)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert training_arguments({"report_to": "none"}, tmp_path)["report_to"] == "none"
    assert training_arguments({}, tmp_path)["report_to"] == []
