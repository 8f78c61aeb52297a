"""Turns that are not a question and its label: what is not about ECGs, reasons, and several turns of a conversation."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

from hf_heartllm.labels.scp import STATEMENTS, SUPERCLASSES
from hf_heartllm.models.prompts import IGNORE_INDEX
from hf_heartllm.training.examples import QuestionDataset
from hf_heartllm.training.packing import QuestionPrompts
from hf_heartllm.training.turns.explanations import CRITERIA, explanation
from hf_heartllm.training.turns.others import (
    OtherTurns,
    general_questions,
    read_general_turns,
    unanswerable_questions,
)
from hf_heartllm.training.turns.statements import StatementTurns
from hf_heartllm.training.turns.turn import Turn
from tests.tiny import tiny_model_and_tokenizer

QUESTIONS = Path(__file__).resolve().parents[2] / "benchmarks" / "questions"
CODES = {"1": np.arange(32, dtype=np.uint16)}
OTHERS = OtherTurns([Turn("What is the capital of France?", "Paris.")], ["What is the patient's name?"])


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = tiny_model_and_tokenizer()[1]
    tokenizer.ecg_chat = "ecgs first"
    return tokenizer


def test_questions_that_are_measured_with_are_not_trained():
    general = (QUESTIONS / "general.txt").read_text(encoding="utf-8").splitlines()
    assert len(set(general)) == 50
    assert not {*general} & {*general_questions()}
    rows = list(
        csv.DictReader((QUESTIONS / "unanswerable.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t")
    )
    assert len({row["question"] for row in rows}) == 200
    assert not {row["question"] for row in rows} & {*unanswerable_questions()}


def test_a_second_turn_is_the_chat_that_the_tokenizer_renders(tokenizer):
    prompts = QuestionPrompts(tokenizer)
    ecg = [tokenizer.ecg_token_offset, tokenizer.ecg_token_offset + 3]
    turn = prompts.turn("Is there PVC?", "no", "yes", 0.2, (("Why?", "None is seen."), ("Thanks.", "Gladly.")))
    chat = [
        {"role": "user", "content": [{"type": "ecg", "ecg": ecg}, {"type": "text", "text": " Is there PVC?"}]},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "Why?"},
    ]
    chat += [{"role": "assistant", "content": "None is seen."}, {"role": "user", "content": "Thanks."}]
    asked = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
    written = [*asked, *tokenizer.encode("Gladly.", add_special_tokens=False), tokenizer.eos_token_id]
    assert tokenizer.decode([*prompts.prefix(ecg), *turn.ids]) == tokenizer.decode(written)
    learned = [token for token, label in zip(turn.ids, turn.labels) if label != IGNORE_INDEX]
    assert tokenizer.decode(learned) == "no<|endoftext|>None is seen.<|endoftext|>Gladly.<|endoftext|>"
    assert turn.ids[turn.soft_place] == tokenizer.encode("no", add_special_tokens=False)[0]


def test_text_without_an_ecg_is_asked_as_anyone_would_ask_it(tokenizer):
    prompts = QuestionPrompts(tokenizer)
    turn = prompts.turn("What is the capital of France?", "Paris.", with_ecg=False, goes_on=True)
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
    answer = [*tokenizer.encode("Paris.", add_special_tokens=False), tokenizer.eos_token_id]
    assert [*prompts.plain_prefix(), *turn.ids] == [*ids, *answer]
    assert turn.labels[-len(answer) :] == [*answer[:-1], IGNORE_INDEX]  # its end was cut off


def test_examples_with_and_without_an_ecg_stand_side_by_side(tokenizer):
    rows = [{"record_id": "1", "questions": [], "report": "sinus rhythm."}]
    settings = {"others": OTHERS, "others_share": 1.0, "text_share": 0.5, "report_share": 1.0, "statements": ["AFIB"]}
    dataset = QuestionDataset(rows, CODES, QuestionPrompts(tokenizer), **settings)
    seen = set()
    for dataset.epoch in range(12):
        example = dataset[0]
        with_ecg = tokenizer.ecg_end_token_id in example["input_ids"]
        text = tokenizer.decode(example["input_ids"])
        seen.add((with_ecg, "patient's name" in text, "capital of France" in text))
        assert np.isnan(example["statement_labels"]).all() != with_ecg
    assert seen == {(False, False, True), (True, True, False), (True, False, True)}


def test_reasons_are_for_known_statements_and_say_what_is_not_seen():
    assert {*CRITERIA} <= {*STATEMENTS, *SUPERCLASSES}
    assert (
        explanation("AFIB", "atrial fibrillation", True) == "The RR intervals are irregular and there are no P waves."
    )
    assert explanation("no statement", "x", True) is None
    turns = StatementTurns(["AFIB", "LVH"], {"a": np.array([1.0, 0.0])}, explained_share=1.0)
    drawn = [turn for seed in range(30) for turn in turns.draw("a", 2, random.Random(seed))]
    assert {not turn.then for turn in drawn} == {True, False}
    for turn in drawn:
        said = turn.then[0][1] if turn.then else turn.answer
        assert turn.then or said.startswith(("Yes. ", "No. "))
        assert ("not seen here" in said) != ("RR intervals are irregular and there are no P waves." in said[:70])
    unsure = StatementTurns(["AFIB"], {"a": np.array([0.5])}, explained_share=1.0)
    assert unsure.draw("a", 1, random.Random(0))[0].then == ()


def test_the_bases_answers_are_read_and_nothing_else(tmp_path):
    path = tmp_path / "turns.jsonl"
    path.write_text(json.dumps({"question": "a?", "answer": "b", "finished": False}) + "\n")
    assert read_general_turns(path) == [Turn("a?", "b", goes_on=True)]
    for text in ("", "{}\n", "no json\n"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"no answers of training/general_turns\.py"):
            read_general_turns(path)
