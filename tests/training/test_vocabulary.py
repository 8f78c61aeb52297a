from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from hf_heartllm.training.vocabulary import SPECIAL_TOKENS, train_text_tokenizer

TEXTS = ["Does this ECG show atrial fibrillation?", "yes", "no", "sinus rhythm. normal ecg."] * 3
TOKENIZER: Any = train_text_tokenizer(TEXTS, vocab_size=300)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))))
@settings(max_examples=200)
def test_any_text_is_decoded_to_itself(text: str) -> None:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    if not any(token in text for token in SPECIAL_TOKENS):
        assert TOKENIZER.decode(ids) == text


def test_special_tokens_come_first_and_the_vocabulary_has_its_size() -> None:
    assert TOKENIZER.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == [0, 1, 2]
    assert (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id) == (0, 0, 1)
    assert len(TOKENIZER) == 300
    with pytest.raises(ValueError, match="vocab_size 200"):
        train_text_tokenizer(TEXTS, vocab_size=200)


def test_words_seen_once_are_not_learned() -> None:
    once = train_text_tokenizer([*TEXTS, "xylophone"], vocab_size=1500)
    assert len(once(" atrial")["input_ids"]) == 1
    assert len(once("xylophone")["input_ids"]) > 3


def test_the_same_texts_give_the_same_tokenizer_also_after_saving(tmp_path: Path) -> None:
    again = train_text_tokenizer(iter(TEXTS), vocab_size=300)
    assert again.backend_tokenizer.to_str() == TOKENIZER.backend_tokenizer.to_str()
    again.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.chat_template == TOKENIZER.chat_template
    text = "Does it show  sinus\nrhythm? ä"
    assert loaded(text)["input_ids"] == TOKENIZER(text)["input_ids"]


def test_the_chat_template_marks_what_the_assistant_says() -> None:
    messages = [{"role": "user", "content": "normal?"}, {"role": "assistant", "content": "yes"}]
    text = TOKENIZER.apply_chat_template(messages, tokenize=False)
    assert text == "normal?<|assistant|>yes<|endoftext|>"
    parts = [{"role": "user", "content": [{"type": "text", "text": "nor"}, {"type": "text", "text": "mal?"}]}]
    prompt = TOKENIZER.apply_chat_template(parts, tokenize=False, add_generation_prompt=True)
    assert prompt == "normal?<|assistant|>"
    encoded = TOKENIZER.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    ids, mask = encoded["input_ids"], encoded["assistant_masks"]
    said = [token for token, marked in zip(ids, mask, strict=True) if marked]
    assert TOKENIZER.decode(said) == "yes<|endoftext|>"


def test_the_chat_template_refuses_what_it_cannot_render() -> None:
    with pytest.raises(Exception, match="text parts only, not ecg"):
        TOKENIZER.apply_chat_template([{"role": "user", "content": [{"type": "ecg"}]}], tokenize=False)
    with pytest.raises(Exception, match="not system"):
        TOKENIZER.apply_chat_template([{"role": "system", "content": "x"}], tokenize=False)
