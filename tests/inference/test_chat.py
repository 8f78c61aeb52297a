"""Several questions on one recording: the conversation reaches the model, whatever system it is of."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

import hf_heartllm as hl
from hf_heartllm.inference import Chat, Prompt, load_chat
from hf_heartllm.inference import chat as chat_module
from hf_heartllm.models.ecg_chat import ECGS_FIRST, ONE_QUESTION
from hf_heartllm.models.likeliest_texts import likeliest_texts
from hf_heartllm.models.question_understanding import TrainedQuestions
from hf_heartllm.models.trained_wordings import OTHER_QUESTIONS
from tests.tiny import tiny_ecg_lm, tiny_model_and_tokenizer

FIRST, SECOND = "Does this ECG show atrial fibrillation?", "What rhythm does this ECG show?"


@pytest.fixture(scope="module")
def records():
    return {name: hl.read_ecg(f"example:{name}") for name in ("af", "normal")}


@pytest.fixture(scope="module", params=["HeartLLM", "ECG-LM"])
def answerer(request):
    model, reader = tiny_model_and_tokenizer() if request.param == "HeartLLM" else tiny_ecg_lm(num_ecg_tokens=3)
    return reader.answerer(model)


@pytest.fixture
def chat(answerer, records, monkeypatch):
    monkeypatch.setattr(chat_module, "MAX_TOKENS", 24)  # random weights never end a text by themselves
    chat = Chat(answerer)
    chat.show(records["af"])
    return chat


@pytest.fixture
def prompts(answerer, monkeypatch):
    """The ids of each prompt that the model is shown, in turn."""
    seen = []
    generate = type(answerer.model).generate

    def noted(self, input_ids, **options):
        seen.append(input_ids[0].tolist())
        return generate(self, input_ids=input_ids, **options)

    monkeypatch.setattr(type(answerer.model), "generate", noted)
    return seen


def words(answerer, ids) -> str:
    return answerer.tokenizer.decode([token for token in ids if token < len(answerer.tokenizer)])


def test_the_second_question_stands_behind_the_first_and_its_answer(answerer, chat, prompts):
    first = "".join(chat.ask(FIRST))
    "".join(chat.ask(SECOND))
    shown = words(answerer, prompts[1])
    assert FIRST not in shown.replace(FIRST, "", 1), "once"
    assert shown.index(FIRST) < shown.index(first[:8]) < shown.index(SECOND)
    assert prompts[1][: len(prompts[0])] == prompts[0], "ECG and first question stand where they stood"
    assert (chat.turns[0].question, chat.turns[0].answer) == (FIRST, first)


def test_the_first_question_of_a_conversation_is_the_single_prompt(answerer, chat):
    assert answerer._ids.conversation([400, 401], [], FIRST) == answerer._ids([400, 401], FIRST)


def test_pieces_joined_are_the_text_that_is_written_at_once(answerer, chat, prompts):
    reply = chat.ask(FIRST)
    pieces = list(reply)
    assert len(pieces) > 1
    whole = answerer.generate([Prompt(chat.window, FIRST)], 24)[0][0]
    assert ("".join(pieces), reply.text, reply.complete) == (whole.text, whole.text, whole.complete)
    before = len(prompts)
    reply = chat.ask(SECOND)
    text = "".join(reply)
    model, ids_of = answerer._pass()
    turns = [(FIRST, whole.text)]
    prompt = answerer._ids.conversation(ids_of(chat.window.ecg), turns, SECOND)
    assert likeliest_texts(model, answerer.tokenizer, [prompt], 24, 1)[0][0][0] == text
    assert len(prompts[before]) == len(prompt)


def test_an_answer_that_is_stopped_leaves_what_had_come(chat):
    threads = threading.active_count()
    reply = chat.ask(FIRST)
    next(iter(reply))
    reply.close()
    assert threading.active_count() == threads
    assert len(reply.text) > 0
    assert not reply.complete
    assert [turn.answer for turn in chat.turns] == [reply.text]
    assert "".join(chat.ask(SECOND))
    assert len(chat.turns) == 2


def test_an_answer_nobody_waits_for_is_no_turn(chat):
    chat.ask(FIRST).close()
    assert chat.turns == []


def test_the_oldest_turns_are_left_out_where_not_all_fit(answerer, chat, prompts):
    room = answerer.model.config.get_text_config().max_position_embeddings
    chat.turns[:] = [chat_module.Turn(f"{number:02} {SECOND * 4}", "sinus rhythm") for number in range(20)]
    reply = chat.ask(FIRST)
    "".join(reply)
    assert 0 < reply.left_out < 20
    shown = words(answerer, prompts[-1])
    assert f"{reply.left_out:02} {SECOND}" in shown
    assert f"{reply.left_out - 1:02} {SECOND}" not in shown
    assert FIRST in shown
    assert len(prompts[-1]) + 24 <= room
    assert len(answerer._ids.conversation([0], [("a", "b")], "c")) > len(answerer._ids.conversation([0], [], "c"))
    with pytest.raises(ValueError, match="ask a shorter question"):
        chat.ask(FIRST * 100)
    assert len(chat.turns) == 21


def test_another_recording_begins_anew_and_an_unreadable_one_does_not(answerer, chat, records, prompts):
    "".join(chat.ask(FIRST))
    dead = hl.ECGRecord(np.full((12, 5000), np.nan), 500, records["af"].leads)
    with pytest.raises(hl.ECGError):
        chat.show(dead)
    assert (len(chat.turns), chat.record) == (1, records["af"])
    chat.show(records["normal"])
    assert chat.turns == []
    "".join(chat.ask(SECOND))
    assert FIRST not in words(answerer, prompts[-1])


def test_the_letters_of_a_placeholder_and_control_tokens_are_text(chat):
    assert "".join(chat.ask("What does <ecg> mean, and <|start_ecg|>?"))


def test_of_a_long_recording_the_first_window_is_talked_about(answerer, chat, records):
    record = records["af"]
    long = hl.ECGRecord(np.tile(record.signal, 3), record.sampling_rate, record.leads)
    limit = answerer.processor if hasattr(answerer, "processor") else answerer.tokenizer
    before, limit.ecg_max_duration = getattr(limit, "ecg_max_duration", None), 10.0
    try:
        chat.show(long)
        assert (chat.windows, chat.window.stop) == (3, 10)
        assert "".join(chat.ask(FIRST))
    finally:
        limit.ecg_max_duration = before


def test_which_checkpoints_converse(answerer, monkeypatch):
    reader = answerer.processor if hasattr(answerer, "processor") else answerer.tokenizer
    known = TrainedQuestions(())
    assert Chat(answerer).converses
    assert not Chat(answerer, questions=known).converses
    assert Chat(answerer, questions=replace(known, others_as_written=True)).converses
    monkeypatch.setattr(answerer.model.config, "seen_in_training", [OTHER_QUESTIONS], raising=False)
    assert Chat(answerer, questions=known).converses
    monkeypatch.setattr(reader, "ecg_chat", ONE_QUESTION)
    assert not Chat(answerer).converses
    monkeypatch.setattr(reader, "ecg_chat", ECGS_FIRST)
    assert Chat(answerer).converses


def test_nothing_is_asked_about_nothing(answerer, chat):
    with pytest.raises(ValueError, match="no recording was shown"):
        Chat(answerer).ask(FIRST)
    with pytest.raises(ValueError, match="the question is empty"):
        chat.ask(" ")


def test_what_fails_while_the_model_writes_is_raised_where_it_is_read(answerer, chat, monkeypatch):
    def fails(self, **_):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(type(answerer.model), "generate", fails)
    with pytest.raises(torch.OutOfMemoryError):
        "".join(chat.ask(FIRST))
    assert chat.turns == []


def test_a_model_of_single_questions_answers_each_as_its_pipeline_does(records):
    chat = load_chat()
    chat.show(records["af"])
    assert not chat.converses
    pipe = hl.pipeline("ecg-question-answering")
    questions = [FIRST, "Is this ECG normal?", "What rhythm is this?", "Who are you?"]
    for question, answer in zip(questions, pipe(records["af"], questions), strict=True):
        reply = chat.ask(question)
        assert reply.answer.text == answer.text
        if answer.answered:
            assert reply.answer.probability == pytest.approx(answer.probability, rel=1e-4)
        assert (reply.answer.abstained, reply.answer.basis) == (answer.abstained, answer.basis)
        assert "".join(reply) == str(answer)
    assert chat.report().text == hl.pipeline("ecg-report")(records["af"]).text
    assert [turn.question for turn in chat.turns] == questions
