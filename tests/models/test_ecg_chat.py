"""Where ECGs stand in a conversation and which turns are shown, in our tokenizer and in the plain export alike."""

from __future__ import annotations

import itertools
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from hf_heartllm.checkpoints import checkpoint
from hf_heartllm.models.ecg_chat import AS_WRITTEN, ECG_CHATS, ECGS_FIRST, ONE_QUESTION, arranged_template
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
from tests.tiny import tiny_model_and_tokenizer

QUESTION = "Does this ECG show atrial fibrillation?"
TEMPLATE = (  # a base that knows only strings, and every role
    "{% for m in messages %}{{ '[' + m['role'] + ']' + m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


@cache
def shipped() -> ECGTokenizer:
    return ECGTokenizer.from_pretrained(checkpoint())


@cache
def tiny(ecg_chat: str) -> ECGTokenizer:
    _, tokenizer = tiny_model_and_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.ecg_chat = ecg_chat
    return tokenizer


@cache
def exported(ecg_chat: str | None) -> PreTrainedTokenizerFast:
    """The tokenizer of the plain export; None: of the shipped checkpoint."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (shipped() if ecg_chat is None else tiny(ecg_chat)).save_plain_tokenizer(folder)
        return AutoTokenizer.from_pretrained(folder)


def ecg(*codes: int) -> dict[str, Any]:
    return {"type": "ecg", "codes": list(codes)}


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def user(*parts: dict[str, Any] | str) -> dict[str, Any]:
    return {"role": "user", "content": [text(part) if isinstance(part, str) else part for part in parts]}


def system(said: str) -> dict[str, Any]:
    return {"role": "system", "content": said}


def assistant(said: str) -> dict[str, Any]:
    return {"role": "assistant", "content": said}


def prompt(tokenizer: ECGTokenizer, *messages: dict[str, Any]) -> list[int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(tokenizer.apply_chat_template(list(messages), add_generation_prompt=True)["input_ids"])


def shown(tokenizer: ECGTokenizer, *messages: dict[str, Any]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False))


@pytest.mark.parametrize(
    ("question", "stored"),
    [
        (QUESTION, [358, 269, 275, 297, 544, 559, 33, 2]),
        ("Write the report.", [886, 282, 885, 16, 2]),
    ],
)
def test_the_shipped_prompt_is_the_one_it_was_trained_on(question: str, stored: list[int]) -> None:
    tokenizer = shipped()
    block = [tokenizer.ecg_start_token_id, *tokenizer.codes_to_ids([5, 1199, 0]), tokenizer.ecg_end_token_id]
    assert prompt(tokenizer, user(ecg(5, 1199, 0), question)) == [*block, *stored]


@pytest.mark.parametrize(
    "message",
    [
        user(QUESTION, ecg(1, 2)),
        user(f"{QUESTION} ", ecg(1, 2), "\n"),
        user("Does this ECG", ecg(1, 2), "show atrial fibrillation?"),
        user("Does this ECG \n", ecg(1, 2), " show atrial fibrillation?"),
        user(" ", ecg(1, 2), QUESTION),
    ],
    ids=str,
)
def test_both_orders_give_the_same_ids(message: dict[str, Any]) -> None:
    assert prompt(shipped(), message) == prompt(shipped(), user(ecg(1, 2), QUESTION))
    assert shown(tiny(ECGS_FIRST), message) == f"[user]<ecg> {QUESTION}[assistant]"


def test_a_base_of_ones_own_keeps_the_order_that_was_written() -> None:
    tokenizer = tiny_model_and_tokenizer()[1]
    assert tokenizer.ecg_chat == AS_WRITTEN
    assert arranged_template(TEMPLATE, AS_WRITTEN) == TEMPLATE
    assert shown(tiny(AS_WRITTEN), user("a", ecg(1), "b", ecg(2))) == "[user]a <ecg> b <ecg>[assistant]"
    assert shown(tiny(ECGS_FIRST), user("a", ecg(1), "b", ecg(2))) == "[user]<ecg><ecg> a b[assistant]"
    made = ECGTokenizer.from_base(base_tokenizer(), tokenizer.codec, ecg_chat=ECGS_FIRST)
    assert made.ecg_chat == ECGS_FIRST


def base_tokenizer() -> PreTrainedTokenizerFast:
    from hf_heartllm.training.vocabulary import train_text_tokenizer

    return train_text_tokenizer([QUESTION] * 3, 300)


CONVERSATIONS = {
    "system message": ([system("You are brief."), user(ecg(1), QUESTION)], f"<ecg> {QUESTION}", [1]),
    "developer": ([{"role": "developer", "content": "Be brief."}, user(ecg(1), QUESTION)], f"<ecg> {QUESTION}", [1]),
    "second question": ([user(ecg(1), "a?"), assistant("no"), user(QUESTION)], f"<ecg> {QUESTION}", [1]),
    "question as a string": (
        [user(ecg(1), "a?"), assistant("no"), {"role": "user", "content": QUESTION}],
        f"<ecg> {QUESTION}",
        [1],
    ),
    "ECG shown again": ([user(ecg(1), "a?"), assistant("no"), user(ecg(1), QUESTION)], f"<ecg> {QUESTION}", [1]),
    "another ECG": ([user(ecg(1), "a?"), assistant("no"), user(QUESTION, ecg(2))], f"<ecg> {QUESTION}", [2]),
    "back to the latest": (
        [user(ecg(1), "a?"), assistant("no"), user("b?", ecg(2)), assistant("no"), user(QUESTION)],
        f"<ecg> {QUESTION}",
        [2],
    ),
    "two ECGs": ([user(ecg(1), "or", ecg(2), "?")], "<ecg><ecg> or ?", [1, 2]),
    "two ECGs and a second question": (
        [user(ecg(1), ecg(2), "a?"), assistant("no"), user(QUESTION)],
        f"<ecg><ecg> {QUESTION}",
        [1, 2],
    ),
    "the ECG alone, then the question": ([user(ecg(1)), user(QUESTION)], f"<ecg> {QUESTION}", [1]),
    "the ECG in the system message": (
        [{"role": "system", "content": [text("The ECG:"), ecg(1)]}, user(QUESTION)],
        f"<ecg> {QUESTION}",
        [1],
    ),
    "an ECG alone": ([user(ecg(1))], "<ecg>", [1]),
    "no ECG": ([user("a?"), assistant("no"), user(f" {QUESTION}")], f" {QUESTION}", []),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_one_question_shows_the_last_question_behind_its_ecgs(name: str) -> None:
    messages, expected, codes = CONVERSATIONS[name]
    tokenizer = shipped()
    assert tokenizer.ecg_chat == ONE_QUESTION
    assert shown(tokenizer, *messages) == f"{expected}<|assistant|>"
    ids = prompt(tokenizer, *messages)
    found = [i - tokenizer.ecg_token_offset for i in ids if i >= tokenizer.ecg_token_offset]
    assert found == codes, "the ECG that is meant"
    with_answer = [*messages, assistant("yes")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answered = tokenizer.apply_chat_template(with_answer)["input_ids"]
        batch = tokenizer.apply_chat_template([messages, with_answer], padding=True, return_assistant_tokens_mask=True)
    assert answered[: len(ids)] == ids, "an answer is learned behind the prompt that asks for it"
    learned = [i for i, mask in zip(batch["input_ids"][1], batch["assistant_masks"][1], strict=True) if mask]
    assert tokenizer.decode(learned) == "yes<|endoftext|>"


def test_what_is_left_out_is_said() -> None:
    with pytest.raises(ValueError, match="the conversation has none"):
        shipped().apply_chat_template([system("a")])
    for messages in ([system("a"), user(ecg(1), QUESTION)], [user(ecg(1), "a?"), assistant("b"), user(QUESTION)]):
        with pytest.warns(UserWarning, match="system messages and earlier turns are left out"):
            shipped().apply_chat_template(messages)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shipped().apply_chat_template([user(ecg(1), QUESTION), assistant("yes")])


def test_a_base_of_ones_own_shows_the_whole_conversation() -> None:
    messages = [system("s"), user("a?", ecg(1)), assistant("no"), user("b?")]
    for ecg_chat, turn in ((AS_WRITTEN, "a? <ecg>"), (ECGS_FIRST, "<ecg> a?")):
        assert shown(tiny(ecg_chat), *messages) == f"[system]s[user]{turn}[assistant]no[user]b?[assistant]"
        found = [i for i in prompt(tiny(ecg_chat), *messages) if i >= tiny(ecg_chat).ecg_token_offset]
        assert len(found) == 1


PIECES = st.sampled_from(
    ["a", " a", "a ", "a? ", "\n", " ", "", "a <|start_ecg|> b", "<|end_ecg|>", "{{ x }}", "é"]
) | st.integers(0, 9)
CONTENT = st.lists(PIECES, min_size=1, max_size=4)
MESSAGES = st.builds(
    lambda first, others, last: [*first, *others, ("user", last)],
    st.lists(st.tuples(st.just("system"), CONTENT), max_size=1),
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), CONTENT), max_size=3),
    CONTENT,
)


@pytest.mark.parametrize("ecg_chat", [None, *ECG_CHATS])
@settings(max_examples=60, deadline=None)
@given(drawn=MESSAGES, as_parts=st.booleans())
def test_the_plain_export_gives_the_ids_of_our_tokenizer(ecg_chat: str | None, drawn: Any, as_parts: bool) -> None:
    ours = shipped() if ecg_chat is None else tiny(ecg_chat)
    # the plain tokenizer reads the text form wherever it stands, so texts do not hold it
    drawn = [(role, [piece for piece in pieces if "_ecg" not in str(piece)] or ["a"]) for role, pieces in drawn]
    mine, theirs = [], []
    takes_parts = as_parts and ecg_chat is None  # the other base's own template takes strings only
    for role, pieces in drawn:
        parts = [text(piece) if isinstance(piece, str) else ecg(piece) for piece in pieces]
        mine.append({"role": role, "content": parts})
        said = written(ours, parts)
        theirs.append({"role": role, "content": [text(said)] if takes_parts else said})
    expected = exported(ecg_chat).apply_chat_template(theirs, add_generation_prompt=True)["input_ids"]
    assert prompt(ours, *mine) == expected


def written(tokenizer: ECGTokenizer, parts: list[dict[str, Any]]) -> str:
    """A content as one string: ECGs in their text form, a blank between an ECG and a text."""
    said = ""
    parts = [part for part in parts if part.get("text") != ""]
    for is_text, group in itertools.groupby(parts, key=lambda part: part["type"] == "text"):
        joined = "".join(part["text"] if is_text else form(tokenizer, part["codes"]) for part in group)
        parted = not said or not joined or said[-1].isspace() or joined[0].isspace()
        said += joined if parted else f" {joined}"
    return said


def form(tokenizer: ECGTokenizer, codes: list[int]) -> str:
    return f"<|start_ecg|>{tokenizer.ecg_ids_to_text(tokenizer.codes_to_ids(codes))}<|end_ecg|>"


def test_a_server_may_join_parts_by_a_blank_or_not() -> None:
    plain, tokenizer = exported(None), shipped()
    expected = prompt(tokenizer, user(ecg(1, 2), QUESTION))
    shape = form(tokenizer, [1, 2])
    contents = [
        f"{shape} {QUESTION}",
        f"{shape}{QUESTION}",
        f"{QUESTION} {shape}",
        f"{QUESTION}{shape}",
        f"{QUESTION}\n{shape}\n",
        [text(shape), text(QUESTION)],
        [text(QUESTION), text(shape)],
    ]
    for content in contents:
        for before in ([], [system("You are a cardiologist.")], [user("a?"), assistant("no")]):
            chat = [*before, {"role": "user", "content": content}]
            assert plain.apply_chat_template(chat, add_generation_prompt=True)["input_ids"] == expected, content
    chat = [{"role": "user", "content": f"{shape} a?"}, assistant("no"), {"role": "user", "content": QUESTION}]
    assert plain.apply_chat_template(chat, add_generation_prompt=True)["input_ids"] == expected


def test_a_text_with_the_mark_of_an_ecg_moves_nothing_here() -> None:
    said = "<|start_ecg|>x<|end_ecg|> a?"
    for ecg_chat in (ECGS_FIRST, ONE_QUESTION):
        assert shown(tiny(ecg_chat), user("first", said)) == f"[user]first{said}[assistant]"
        assert shown(tiny(ecg_chat), user(said, ecg(1))) == f"[user]<ecg> {said}[assistant]"


def test_the_form_is_saved_and_checked(tmp_path: Path) -> None:
    tokenizer = tiny(ECGS_FIRST)
    tokenizer.save_pretrained(tmp_path)
    assert ECGTokenizer.from_pretrained(tmp_path).ecg_chat == ECGS_FIRST
    with pytest.raises(ValueError, match="'as written', 'ecgs first', 'one question', not 'ecg first'"):
        tokenizer.ecg_chat = "ecg first"
    assert tokenizer.ecg_chat == ECGS_FIRST


def test_truncation_counts_the_ecgs_that_are_shown() -> None:
    tokenizer = shipped()
    messages = [user(ecg(*range(50)), "a?"), assistant("no"), user(ecg(1), QUESTION)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = tokenizer.apply_chat_template(messages)["input_ids"]
        cut = tokenizer.apply_chat_template(messages, truncation=True, max_length=len(whole) - 1)["input_ids"]
    assert cut == whole[:-1]


def test_rows_of_a_table_are_conversations() -> None:
    datasets = pytest.importorskip("datasets")
    messages = [user(QUESTION, ecg(3, 4)), {"role": "assistant", "content": [text("yes")]}]
    row = datasets.Dataset.from_list([{"messages": messages}])[0]["messages"]
    assert row[0]["content"][0]["codes"] is None, "a table gives every part the same keys"
    assert prompt(shipped(), *row) == prompt(shipped(), *messages)
    for wrong in (
        ecg(),
        {"type": "ecg", "codes": [1], "ecg": [1000]},
        {"type": "ecg"},
        {"type": "ecg", "ecg": "x.hea"},
    ):
        with pytest.raises(ValueError, match="an ECG part must hold"):
            prompt(shipped(), user(wrong))
    with pytest.raises(ValueError, match="codes must be integers from 0 to 1199"):
        prompt(shipped(), user(ecg(1200)))
