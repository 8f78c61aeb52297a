"""Dialogues and chats as examples of stage 3: the assistant's turns alone are learned, behind an ECG or without one."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch

from hf_heartllm import checkpoint
from hf_heartllm.data.question import Question
from hf_heartllm.data.record import Record
from hf_heartllm.models.processing_ecg_lm import ECGLMProcessor
from hf_heartllm.models.prompts import IGNORE_INDEX
from hf_heartllm.training.dialogues.drawing import DialogueTurns, cases_of_records, cases_of_rows
from hf_heartllm.training.dialogues.words import wordings
from hf_heartllm.training.examples import QuestionDataset
from hf_heartllm.training.packing import QuestionPrompts
from hf_heartllm.training.question_material import Material, question_material, say_chats, show_every_turn
from hf_heartllm.training.settings import ChatSettings, DialogueSettings, QuestionData
from hf_heartllm.training.soft_examples import SoftCollator, SoftQuestionDataset
from hf_heartllm.training.turns.turn import Turn
from tests.tiny import tiny_ecg_lm, tiny_model_and_tokenizer

CODES = {"1": np.arange(32, dtype=np.uint16)}
ROWS = [
    {
        "record_id": "1",
        "questions": [
            Question("Is it fibrillation?", ("yes",), ("yes", "no"), "verify", "rhythm", "AFIB", ("1",)),
        ],
        "report": "atrial fibrillation.",
    }
]  # fmt: skip
DIALOGUES = DialogueTurns(cases_of_rows(ROWS))
END = "<|endoftext|>"


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = tiny_model_and_tokenizer()[1]
    tokenizer.ecg_chat = "ecgs first"
    return tokenizer


def learned(example, tokenizer) -> str:
    ids = [token for token, label in zip(example["input_ids"], example["labels"]) if label != IGNORE_INDEX]
    assert ids == [label for label in example["labels"] if label != IGNORE_INDEX]
    return str(tokenizer.decode(ids))


def test_a_dialogue_stands_behind_the_ecg_before_its_questions(tokenizer):
    settings = {"dialogues": DIALOGUES.draw, "dialogue_share": 1.0, "report_share": 0.0, "max_length": 4000}
    dataset = QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer), **settings)
    example = dataset[0]
    assert max(example["segment_ids"]) == 2
    said = learned(example, tokenizer).split(END)
    assert said[-2:] == ["yes", ""]
    assert "atrial fibrillation" in said[0]
    assert len(said) >= 4, "several answers of the dialogue, the question's, nothing"
    asked = tokenizer.decode(example["input_ids"])
    assert any(line in asked and line not in learned(example, tokenizer) for line in wordings()["ask"])
    assert dataset[0] == example
    dataset.epoch = 1
    assert dataset[0] != example, "drawn anew"


def test_a_long_dialogue_is_cut_at_a_turn_and_one_that_never_fits_is_counted(tokenizer):
    prompts = QuestionPrompts(tokenizer)
    whole = Turn("a", "b", then=(("c", "d"), ("e " * 200, "f")))
    options = {"dialogues": lambda *_: whole, "dialogue_share": 1.0, "report_share": 0.0, "max_length": 160}
    assert learned(QuestionDataset(ROWS, CODES, prompts, **options)[0], tokenizer) == f"b{END}d{END}yes{END}"
    options["dialogues"] = lambda *_: whole._replace(question="a " * 400)
    dataset = QuestionDataset(ROWS, CODES, prompts, **options)
    assert learned(dataset[0], tokenizer) == f"yes{END}"
    assert (dataset.num_turns, dataset.num_cut) == (2, 1)


def test_without_dialogues_every_draw_is_as_before(tokenizer):
    prompts = QuestionPrompts(tokenizer)
    plain = QuestionDataset(ROWS, CODES, prompts)
    silent = QuestionDataset(ROWS, CODES, prompts, dialogues=lambda *_: None, dialogue_share=1.0)
    assert plain[0] == QuestionDataset(ROWS, CODES, prompts, dialogues=None, chats=())[0]
    assert silent[0].keys() == plain[0].keys()


def test_chats_stand_without_an_ecg(tokenizer):
    chats = [Turn("Hello?", "Yes?", then=(("Fine.", "Good."),)), Turn("x " * 900, "never")]
    options = {"chats": chats, "chat_share": 1.0, "statements": ["AFIB"]}
    dataset = QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer), **options)
    example = dataset[0]
    assert tokenizer.ecg_end_token_id not in example["input_ids"]
    assert learned(example, tokenizer) == f"Yes?{END}Good.{END}"
    assert np.isnan(example["statement_labels"]).all()
    dataset.chats = chats[1:]
    assert tokenizer.ecg_end_token_id in dataset[0]["input_ids"], "no chat fits, so it is of the record"


@pytest.mark.filterwarnings("ignore:this model answers each question by itself")
def test_a_template_that_shows_one_question_is_refused_before_training():
    tokenizer = tiny_model_and_tokenizer()[1]
    tokenizer.ecg_chat = "one question"
    with pytest.raises(ValueError, match="does not keep what was said"):
        QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer), dialogues=DIALOGUES.draw, dialogue_share=1.0)
    QuestionDataset(ROWS, CODES, QuestionPrompts(tokenizer), chats=[Turn("a", "b")], chat_share=1.0)


@pytest.mark.filterwarnings("ignore:this model answers each question by itself")
def test_a_model_that_was_shown_one_question_is_shown_what_a_dialogue_said(tmp_path, capsys):
    tokenizer = tiny_model_and_tokenizer()[1]
    tokenizer.ecg_chat = "one question"
    shipped = ECGLMProcessor.from_pretrained(checkpoint("ecg-lm-tiny"))
    said = [Turn("What is it?", "Fibrillation.", then=(("Is it new?", "I cannot know."),))]
    for one in (tokenizer, shipped):
        show_every_turn(Material({"chats": [Turn("a", "b")]}, []), one)
        assert capsys.readouterr().out == "", "a single question is shown as before"
        show_every_turn(Material({"chats": said}, []), one)
        assert capsys.readouterr().out.count("earlier turns are shown too") == 1
        one.save_pretrained(tmp_path)
        again = type(one).from_pretrained(tmp_path)
        ids = QuestionPrompts(again).turn("What is it?", "Fibrillation.", then=said[0].then).ids
        told = again.decode(ids).replace(" ", "")
        assert all(word in told for word in ("Fibrillation", "new", "cannotknow"))
        show_every_turn(Material({"dialogue_share": 0.5}, []), again)
        assert capsys.readouterr().out == "", "it is shown already"


def test_soft_tokens_before_a_dialogue():
    _, processor = tiny_ecg_lm()
    features = {"1": np.zeros((12, 1000), dtype=np.float32)}
    options = {"dialogues": DIALOGUES.draw, "dialogue_share": 1.0, "max_length": 4000}
    example = SoftQuestionDataset(ROWS, features, QuestionPrompts(processor), **options)[0]
    assert example["input_features"].shape == (12, 1000)
    assert example["input_ids"].count(processor.ecg_token_id) == processor.num_ecg_tokens
    assert "atrial fibrillation" in learned(example, processor.tokenizer)


def test_a_batch_of_dialogues_and_chats_has_a_loss():
    model, processor = tiny_ecg_lm()
    features = {"1": np.zeros((12, 1000), dtype=np.float32)}
    options = {"dialogues": DIALOGUES.draw, "dialogue_share": 1.0, "chats": [Turn("a", "b")], "max_length": 500}
    examples = [
        SoftQuestionDataset(ROWS, features, QuestionPrompts(processor), chat_share=share, **options)[0]
        for share in (0.0, 1.0)
    ]
    assert "input_features" not in examples[1]
    batch = SoftCollator(processor.tokenizer.pad_token_id)(examples)
    assert bool(torch.isfinite(model(**batch).loss))


def test_the_recipe_draws_dialogues_and_chats(tmp_path, capsys):
    path = tmp_path / "chats.jsonl"
    rows = [{"instruction": "", "input": "Hello?", "output": "Yes?"}, {"output": "Yes?"}, {"input": "?"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    data = QuestionData("1-8", 4, 0.5, 640, dialogues=DialogueSettings(0.5), chats=ChatSettings(0.1))
    material = question_material(ROWS, data, None, 0, chats=path)
    assert material.options["chats"] == [Turn("Hello?", "Yes?")]
    assert material.options["dialogues"]("1", random.Random(0)).then
    assert (
        capsys.readouterr().out == f"left out: 2 of 3 rows of {path} are no conversation of a user and an assistant\n"
    )
    with pytest.raises(ValueError, match=r"data\.chats needs --chats"):
        question_material(ROWS, data, None, 0)
    with pytest.raises(ValueError, match=r"data\.chats is null"):
        question_material(ROWS, QuestionData("1-8", 4, 0.5, 640), None, 0, chats=path)


def test_cases_of_records_have_age_and_sex_and_those_without_statements_have_none():
    records = [Record("a", labels={"rhythm": frozenset({"AFIB"})}, age=70, sex="male"), Record("b")]
    found = cases_of_records(records)
    assert {*found} == {"a"}
    assert (found["a"].age, found["a"].sex, found["a"].codes) == (70, "male", ("AFIB",))
    assert DialogueTurns(found).draw("b", random.Random(0)) is None


def test_conversations_that_are_too_long_are_counted_and_refused_where_all_are(tokenizer, capsys):
    prompts, long = QuestionPrompts(tokenizer), Turn("word " * 400, "yes")

    def dataset(*chats):
        return QuestionDataset(ROWS, CODES, prompts, max_length=300, chats=chats, chat_share=1.0)

    say_chats(dataset(Turn("Hello?", "Yes?"), long))
    assert (
        "left out: 1 of 2 conversations of --chats that were tried longer than data.max_length 300"
        in capsys.readouterr().out
    )
    with pytest.raises(
        ValueError, match=r"none of 1 conversations of --chats that were tried fits into data\.max_length"
    ):
        say_chats(dataset(long))
