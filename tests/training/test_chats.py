"""Conversations from a user's own file: which formats, what is left out, and that each is said in one line."""

from __future__ import annotations

import json
import os
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_heartllm.training.dialogues.chats import BROKEN, DRUGS, MARKED, read_chats
from hf_heartllm.training.turns.turn import Turn

MESSAGES = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Is walking good for me?"},
    {"role": "assistant", "content": "For most people it is."},
    {"role": "user", "content": "How far?"},
    {"role": "assistant", "content": "As far as you feel well."},
    {"role": "user", "content": "Thanks."},
]
WALKING = Turn("Is walking good for me?", "For most people it is.", then=(("How far?", "As far as you feel well."),))
ALPACA = [
    {"instruction": "Answer the patient.", "input": "I sleep badly.", "output": "Since when is that so?"},
    {"instruction": "Answer the patient.", "input": "My back aches.", "output": "Take 400 mg of ibuprofen."},
    {"instruction": "Answer the patient.", "input": "Hello?", "output": None},
]
SLEEP = Turn("Answer the patient.\n\nI sleep badly.", "Since when is that so?")


def test_a_list_of_instructions_inputs_and_outputs(tmp_path):
    path = tmp_path / "HealthCareMagic 100k.json"
    path.write_text(json.dumps(ALPACA), encoding="utf-8-sig")
    found = read_chats(path)
    assert found.turns == [SLEEP]
    assert found.left_out == {DRUGS: 1, BROKEN: 1}


def test_json_lines_of_messages(tmp_path):
    shared = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "A"}]}, {"role": "assistant", "content": "B"}]
    picture = [{"role": "user", "content": [{"type": "image"}]}, {"role": "assistant", "content": "B"}]
    rows = [{"messages": MESSAGES}, {"conversations": shared}, {"messages": parts}, {"messages": picture}]
    rows += [{"messages": MESSAGES[2:]}, {"messages": []}, {"messages": "no"}, {"messages": [1]}, [], 3, {}]
    path = tmp_path / "chats.txt"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n{broken\n", encoding="utf-8")
    found = read_chats(path)
    assert found.turns == [WALKING, Turn("Hi", "Hello."), Turn("A", "B")]
    assert found.left_out == {BROKEN: 9}


def test_parquet_of_messages(tmp_path):
    path = tmp_path / "chats.parquet"
    marked = [{"role": "user", "content": "What is <ecg>?"}, {"role": "assistant", "content": "x"}]
    ended = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b<|im_end|>"}]
    pq.write_table(pa.Table.from_pylist([{"messages": one} for one in (MESSAGES, marked, ended)]), path)
    found = read_chats(path)
    assert found.turns == [WALKING]
    assert found.left_out == {MARKED: 2}
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="this Parquet file is damaged"):
        read_chats(path)


def test_a_pipe_is_read_as_a_file_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(json.dumps({"messages": MESSAGES}),))
    writer.start()
    assert read_chats(pipe).turns == [WALKING]
    writer.join()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no conversation to train on: it is empty"),
        (b"\n \n", "no conversation to train on: it is empty"),
        (b"[]", "no conversation to train on: it is empty"),
        (b"[{", "begins as a list of JSON, but"),
        (b"\xff\xfe\x00", "neither text in UTF-8 nor Parquet"),
        (b"a,b\n1,2\n", f"2 {BROKEN}; wanted are rows of"),
        (json.dumps(ALPACA[1:2]).encode(), f"1 {DRUGS}; wanted"),
    ],
)
def test_what_holds_no_conversation_is_one_line(data, words, tmp_path):
    path = tmp_path / "chats.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"^.+chats\.json: .+") as error:
        read_chats(path)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_and_nothing_are_os_errors(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(OSError, match=str(path.name)):
            read_chats(path)
