"""Messages in parts and messages written as one string are the same prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.models.ecg_placeholders import flatten_conversation


def flat(*parts, literal=False):
    """The one message's content, and its ECGs."""
    ((message,), ecgs) = flatten_conversation([{"role": "user", "content": list(parts)}], "<{}>".format, literal)
    assert message["role"] == "user"
    return message["content"], ecgs


def ecg(number):
    return {"type": "ecg", "codes": [number]}


def text(words):
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([ecg(1), text("Is this AF?")], "<0> Is this AF?"),
        ([ecg(1), text(" Is this AF?")], "<0> Is this AF?"),
        ([ecg(1), text("\nIs this AF?")], "<0>\nIs this AF?"),
        ([text("Is this AF?"), ecg(1)], "Is this AF? <0>"),
        ([text("Is this AF? "), ecg(1)], "Is this AF? <0>"),
        ([text("Before:"), ecg(1), text("and after:"), ecg(2)], "Before: <0> and after: <1>"),
        ([ecg(1), text(""), text("Is this AF?")], "<0> Is this AF?"),
        ([text("Is this"), text(" AF?")], "Is this AF?"),
        ([ecg(1), ecg(2)], "<0><1>"),
        ([ecg(1)], "<0>"),
    ],
)
def test_an_ecg_and_a_text_beside_it_are_parted_by_one_blank(parts, content):
    assert flat(*parts)[0] == content


@given(st.lists(st.one_of(st.text("ab ", max_size=4).map(text), st.integers(0, 9).map(ecg)), max_size=8))
def test_ecgs_come_in_the_order_of_their_parts_and_words_stay(parts):
    content, ecgs = flat(*parts)
    assert [list(one.codes) for one in ecgs] == [part["codes"] for part in parts if part["type"] == "ecg"]
    said = "".join(part["text"] for part in parts if part["type"] == "text")
    left = content
    for number in range(len(ecgs)):
        assert left.count(f"<{number}>") == 1
        left = left.replace(f"<{number}>", "")
    assert left.replace(" ", "") == said.replace(" ", "")


def test_absent_keys_that_a_table_adds_are_nothing():
    part = {"type": "ecg", "ecg": None, "codes": [1], "text": None}
    content, ecgs = flat(part, {"type": "text", "text": "x", "ecg": None, "codes": None})
    assert (content, len(ecgs)) == ("<0> x", 1)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "image": 1},
        {"type": "ecg"},
        {"type": "ecg", "ecg": None},
        {"type": "text"},
        "words",
        text("<ecg>"),
    ],
)
def test_what_is_no_part_is_refused(part):
    with pytest.raises(ValueError, match=r"ecg|part|type"):
        flat(ecg(1), part)


def test_a_placeholder_in_a_plain_message_is_refused_unless_it_is_meant_literally():
    messages = [{"role": "user", "content": "what is <ecg>?"}]
    with pytest.raises(ValueError, match="<ecg>"):
        flatten_conversation(messages, str)
    assert flatten_conversation(messages, str, literal=True) == (messages, [])
    assert flat(text("<ecg>"), literal=True) == ("<ecg>", [])
