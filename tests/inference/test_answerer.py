"""Prompts are asked and answered without a token id in sight; what shares a recording shares the work on it."""

from __future__ import annotations

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm.inference import Prompt, load_answerer
from hf_heartllm.models.answer_scores import score_answers
from hf_heartllm.models.ecg_windows import ANY

YES_NO = ("yes", "no")
QUESTION, OTHER = "Does this ECG show atrial fibrillation?", "Is this ECG normal?"


@pytest.fixture(scope="module")
def answerer():
    return load_answerer()


@pytest.fixture(scope="module")
def record():
    return hl.read_ecg("example:af")


def test_scores_are_those_of_the_prompt_that_a_chat_makes(answerer, record):
    tokenizer = answerer.tokenizer
    content = [{"type": "ecg", "ecg": record}, {"type": "text", "text": QUESTION}]
    chat = [{"role": "user", "content": content}]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
    alone = score_answers(answerer.model, tokenizer, ids, YES_NO)
    reading = answerer.read(record)
    found = answerer.score([Prompt(reading, QUESTION), Prompt(reading, OTHER), Prompt(None, QUESTION)], [YES_NO] * 3)
    np.testing.assert_allclose(found[0].log_likelihoods, alone.log_likelihoods, atol=1e-4)
    assert found[0].best == "yes"
    assert not np.allclose(found[0].log_likelihoods, found[2].log_likelihoods, atol=1e-2)


def test_a_recording_may_be_given_unread(answerer, record):
    read, unread = answerer.read(record), record
    one, other = (answerer.score([Prompt(what, QUESTION)], [YES_NO])[0] for what in (read, unread))
    np.testing.assert_array_equal(one.log_likelihoods, other.log_likelihoods)


def test_a_long_recording_is_put_together_by_the_rule(answerer, record):
    normal = hl.read_ecg("example:normal")
    signal = np.concatenate([normal.signal, record.signal], axis=1)
    reading = answerer.read(hl.ecg_record(signal, sampling_rate=record.sampling_rate, units="mV", leads=record.leads))
    assert len(reading.windows) == 2
    whole, *parts = answerer.score(
        [Prompt(reading, QUESTION, rule=ANY), *(Prompt(window, QUESTION) for window in reading.windows)], [YES_NO] * 3
    )
    margins = [one.log_likelihoods[0] - one.log_likelihoods[1] for one in parts]
    assert whole.log_likelihoods[0] - whole.log_likelihoods[1] == pytest.approx(max(margins), abs=1e-4)
    with pytest.raises(ValueError, match="2 windows"):
        answerer.generate([Prompt(reading, "Write the report.")], 8)


def test_codes_at_hand_are_the_recording(answerer, record):
    tokenizer = answerer.tokenizer
    codes = np.asarray(tokenizer.ids_to_codes(tokenizer.encode_ecg(record))).ravel()
    read, stored = answerer.read(record), answerer.reading_of_codes(codes)
    assert list(stored.windows[0].ecg) == list(read.windows[0].ecg)


def test_codes_of_a_long_recording_lie_in_the_windows_of_its_signal(answerer, record):
    signal = np.concatenate([record.signal] * 3, axis=1)[:, : int(24 * record.sampling_rate)]
    long = hl.ecg_record(signal, sampling_rate=record.sampling_rate, units="mV", leads=record.leads)
    tokenizer = answerer.tokenizer
    stored = answerer.reading_of_codes(np.asarray(tokenizer.ids_to_codes(tokenizer.encode_ecg(long))).ravel())
    times = [(window.start, window.stop) for window in answerer.read(long).windows]
    np.testing.assert_allclose([(window.start, window.stop) for window in stored.windows], times, atol=0.1)


def test_a_text_ends_or_says_that_it_was_cut(answerer, record):
    whole, cut = (answerer.generate([Prompt(record, "Write the report.")], most)[0][0] for most in (128, 2))
    assert whole.complete
    assert whole.text.startswith(cut.text)
    assert (cut.complete, cut.tokens) == (False, 2)
    assert 0 < whole.probability < 1


def test_what_reads_no_ecgs_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="type 'gpt2' reads no ECGs"):
        load_answerer(tmp_path)
