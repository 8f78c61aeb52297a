"""Eight threads that use one tokenizer, codec or pipeline at once get what one thread gets, from the first call on."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hf_heartllm as hl
from hf_heartllm.inference.ecg_stream import encode_stream
from hf_heartllm.models import pipeline_ecg
from hf_heartllm.models.ecg_placeholders import TOKENIZING
from hf_heartllm.models.ecg_record import ECGRecord
from hf_heartllm.models.locks import process_lock
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.one_core import on_one_core
from hf_heartllm.models.pipeline_ecg import pipeline
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
from tests.threads import at_once
from tests.tiny import tiny_checkpoint, tiny_codec, tiny_model_and_tokenizer

THREADS = 8
QUESTION = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def tiny() -> tuple[Any, Any]:
    return tiny_model_and_tokenizer()


@pytest.fixture
def two_cores():
    """As on a machine where torch uses two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def record(seed: int) -> ECGRecord:
    return hl.simulate_ecg(seed=seed, sampling_rate=100)[0]


def chat(*ecgs: Any) -> list[dict[str, Any]]:
    parts = [{"type": "ecg", "ecg": ecg} for ecg in ecgs]
    return [
        {"role": "user", "content": [*parts, {"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": "Yes, no, or none."},
    ]


def calls_of(tokenizer: Any, ids: list[list[int]], thread: int) -> list[Any]:
    """Calls of every kind, in an order and with lengths of the thread's own."""
    one, two, more = ids[thread], ids[thread - 1 : thread + 1] or ids[:2], ids[: 1 + thread % 5]
    text, length = QUESTION * (1 + thread), 6 + 5 * thread
    calls = [
        partial(tokenizer.apply_chat_template, chat(*more)),
        partial(tokenizer.apply_chat_template, chat(one), add_generation_prompt=True, truncation=True, max_length=60),
        partial(tokenizer.apply_chat_template, chat(one), return_assistant_tokens_mask=True),
        partial(tokenizer.apply_chat_template, chat(), return_assistant_tokens_mask=True),
        partial(tokenizer.apply_chat_template, chat(), truncation=True, max_length=length),
        partial(tokenizer, "<ecg> " * len(two) + text, ecgs=two),
        partial(tokenizer, "<ecg> " + text, ecgs=one, truncation=True, max_length=len(one) + length),
        partial(tokenizer, ["<ecg> " + text, text], ecgs=[one, None], padding=True),
        partial(tokenizer, text, truncation=True, max_length=length),
        partial(tokenizer, [text, QUESTION], padding="max_length", max_length=80 + length, truncation=True),
        partial(tokenizer, [text, QUESTION], padding=True, padding_side="right"),
        partial(tokenizer, "<|end|>" + text, split_special_tokens=True),
        partial(tokenizer, text),
        partial(tokenizer.encode, text),
        partial(tokenizer.tokenize, text),
        partial(tokenizer.decode, [*one, 5, 6, 7]),
    ]
    return calls[thread % len(calls) :] + calls[: thread % len(calls)]


def plain(result: Any) -> Any:
    return dict(result) if hasattr(result, "keys") else result


def test_a_fresh_tokenizer_gives_every_thread_what_one_thread_gets(tiny) -> None:
    _, tokenizer = tiny
    ids = [tokenizer.encode_ecg(record(seed)) for seed in range(THREADS)]

    def work(one: Any, thread: int) -> list[Any]:
        return [plain(call()) for call in calls_of(one, ids, thread)]

    alone = copy.deepcopy(tokenizer)
    expected = [work(alone, thread) for thread in range(THREADS)]
    for _ in range(4):
        fresh = copy.deepcopy(tokenizer)
        assert at_once([partial(work, fresh, thread) for thread in range(THREADS)]) == expected
        assert work(fresh, 3) == expected[3]  # and nothing is left broken


def test_a_change_of_the_tokenizer_is_seen_by_every_thread(tiny) -> None:
    _, tokenizer = tiny
    ids, changed = tokenizer.encode_ecg(record(0)), copy.deepcopy(tokenizer)
    expected = tokenizer("<ecg> " + QUESTION, ecgs=ids)["input_ids"]

    def work(thread: int) -> list[list[int]]:
        if thread == 0:
            return [changed.update_post_processor() or expected for _ in range(20)]
        return [changed("<ecg> " + QUESTION, ecgs=ids)["input_ids"] for _ in range(20)]

    assert at_once([partial(work, thread) for thread in range(THREADS)]) == [[expected] * 20] * THREADS


def test_the_codec_is_built_once_and_codes_are_those_of_one_thread(tiny, tmp_path: Path, two_cores) -> None:
    _, tokenizer = tiny
    tokenizer.save_pretrained(tmp_path)
    expected = [tokenizer.encode_ecg(record(seed)) for seed in range(THREADS)]
    loaded = ECGTokenizer.from_pretrained(tmp_path)

    def work(seed: int) -> tuple[Any, ...]:
        ids = loaded.encode_ecg(record(seed))
        return loaded.codec, ids, torch.get_num_threads()

    for seed, (codec, ids, threads) in enumerate(at_once([partial(work, seed) for seed in range(THREADS)])):
        assert codec is loaded.codec
        assert ids == expected[seed]
        assert threads == 2
    assert torch.get_num_threads() == 2
    assert at_once([torch.get_num_threads]) == [2]  # nor do later threads begin with another number


def test_streams_and_batches_of_one_codec_at_once() -> None:
    before = torch.get_num_threads()
    codec = tiny_codec(num_refinements=2)
    batch = torch.randn(5, 8, 240, generator=torch.Generator().manual_seed(1)) * 0.3
    pieces = [batch[0, :, :160].double().numpy(), batch[0, :, 160:].double().numpy()]

    def work(thread: int) -> list[torch.Tensor]:
        codes = codec.encode(batch[thread % 5 :], 3)
        stream = torch.cat([*encode_stream(codec, pieces, 1 + thread % 3)], dim=-1)
        return [codes, codec.decode(codes[:1]), stream]

    expected = [work(thread) for thread in range(THREADS)]
    codec._inference_encoder = None  # as before the first call
    for got, wanted in zip(at_once([partial(work, thread) for thread in range(THREADS)]), expected, strict=True):
        for one, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    assert torch.get_num_threads() == before


def test_decoded_recordings_are_those_of_one_thread(tiny) -> None:
    _, tokenizer = tiny
    ids = [tokenizer.encode_ecg(record(seed)) for seed in range(THREADS)]
    expected = [tokenizer.decode_ecg(one).signal for one in ids]
    for got, wanted in zip(at_once([partial(tokenizer.decode_ecg, one) for one in ids]), expected, strict=True):
        assert np.array_equal(got.signal, wanted)


def test_a_codec_in_training_encodes_in_several_threads_and_stays_as_it_is() -> None:
    codec = tiny_codec()
    features = torch.randn(3, 8, 240, generator=torch.Generator().manual_seed(1)) * 0.3
    expected = codec.encode(features, 2)
    codec.train()
    state = copy.deepcopy(codec.state_dict())
    for codes in at_once([partial(codec.encode, features, 2)] * THREADS):
        assert torch.equal(codes, expected)
    assert all(module.training for module in codec.modules())
    assert all(torch.equal(value, state[name]) for name, value in codec.state_dict().items())


def test_pipelines_answer_every_thread_as_they_answer_one(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_ecg, "MAX_ANSWER_TOKENS", 4)
    monkeypatch.setattr(pipeline_ecg, "MAX_REPORT_TOKENS", 8)
    model, tokenizer = tiny
    fresh = copy.deepcopy(tokenizer)
    ask, report = pipeline("ecg-question-answering", model, fresh), pipeline("ecg-report", model, fresh)

    def work(thread: int, asks: Any, reports: Any) -> list[Any]:
        closed = asks(record(thread), QUESTION)
        free = asks(record(thread), "What rhythm does this ECG show?", beams=1 + thread % 2)
        chosen = asks(record(thread), "Which?", ["sinus rhythm", "none", "both"][: 2 + thread % 2])
        written = reports(record(thread))
        return [closed.alternatives, free.alternatives, chosen.alternatives, (written.text, written.token_probability)]

    def flat(rows: Any) -> tuple[list[str], list[float]]:
        texts, numbers = [], []
        for row in rows:
            if isinstance(row, str):
                texts.append(row)
            elif isinstance(row, float):
                numbers.append(row)
            else:
                more = flat(row)
                texts += more[0]
                numbers += more[1]
        return texts, numbers

    alone = [pipeline(task, model, copy.deepcopy(tokenizer)) for task in ("ecg-question-answering", "ecg-report")]
    expected = [flat(work(thread, *alone)) for thread in range(THREADS)]
    for (texts, numbers), (words, values) in zip(
        map(flat, at_once([partial(work, thread, ask, report) for thread in range(THREADS)])), expected, strict=True
    ):
        assert texts == words
        assert numbers == pytest.approx(values, rel=1e-4)


def test_models_loaded_at_once_are_whole_and_leave_transformers_as_it_was(tmp_path: Path) -> None:
    from transformers import PreTrainedModel

    folder = tiny_checkpoint(tmp_path)
    untouched = [PreTrainedModel.tie_weights, PreTrainedModel.init_weights, torch.nn.init.normal_]
    expected = HeartLLMForCausalLM.from_pretrained(folder).state_dict()
    for model in at_once([partial(HeartLLMForCausalLM.from_pretrained, folder)] * THREADS):
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    assert [PreTrainedModel.tie_weights, PreTrainedModel.init_weights, torch.nn.init.normal_] == untouched
    assert torch.get_default_dtype() == torch.float32


def test_work_on_one_core_uses_one_and_hands_on_errors(two_cores) -> None:
    assert on_one_core(lambda _: torch.get_num_threads(), range(40)) == [1] * 40
    with pytest.raises(ZeroDivisionError):
        on_one_core(lambda x: 1 / x, [1, 0])
    assert torch.get_num_threads() == 2
    assert at_once([torch.get_num_threads]) == [2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("lock", [process_lock(), TOKENIZING])
def test_a_fork_waits_for_the_thread_that_holds_a_lock_and_the_child_finds_it_free(lock: Any) -> None:
    held, states = threading.Event(), ["whole"]

    def hold() -> None:
        with lock:
            states.append("half made")
            held.set()
            time.sleep(0.1)
            states.append("whole")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # ends a child that waits
        with lock:
            os._exit(int(states[-1] != "whole"))
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert at_once([lambda: lock.acquire(timeout=5) and lock.release()]) == [None]  # nor does the parent hold it


FORKED = """
import os, signal, sys
import numpy as np
import torch
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
torch.set_num_threads(2)
leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
ecg = {"signal": np.random.default_rng(0).normal(size=(12, 1000)), "sampling_rate": 100.0, "leads": leads}
tokenizer = ECGTokenizer.from_pretrained(sys.argv[1])
expected = tokenizer("<ecg> What?", ecgs=ecg)["input_ids"]
torch.randn(600, 600) @ torch.randn(600, 600)  # the caller's own work, on two cores
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(int(tokenizer("<ecg> What?", ecgs=ecg)["input_ids"] != expected))
assert os.waitpid(child, 0)[1] == 0
print("same")
"""

FIRST_IMPORTS = """
import sys, threading
start, errors = threading.Barrier(8), []

def first_use(thread):
    start.wait()
    try:
        import hf_heartllm as hl
        if sys.argv[2] == "names":
            names = sorted(name for name in hl.__all__ if name != "__version__")
            for index in range(len(names)):
                getattr(hl, names[(2 * thread + index) % len(names)])
        else:
            from transformers import AutoModelForCausalLM, AutoTokenizer
        start.wait()
        from transformers import AutoTokenizer
        assert isinstance(AutoTokenizer.from_pretrained(sys.argv[1]), hl.ECGTokenizer)
    except BaseException as error:
        errors.append(error)
        start.abort()

threads = [threading.Thread(target=first_use, args=(thread,)) for thread in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if errors:
    raise errors[0]
from transformers import AutoModelForCausalLM
import hf_heartllm as hl
assert isinstance(AutoModelForCausalLM.from_pretrained(sys.argv[1]), hl.HeartLLMForCausalLM)
print("same")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("code", "of"), [(FORKED, ""), (FIRST_IMPORTS, "names"), (FIRST_IMPORTS, "transformers")])
def test_in_a_process_of_its_own(code: str, of: str, tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", code, str(tmp_path), of]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "same", done.stderr[-3000:]
