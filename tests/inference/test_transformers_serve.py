"""`transformers serve` with the plain export answers as the model does in process, whoever asks it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hf_heartllm as hl
from hf_heartllm.inference.served_answers import connect

pytestmark = pytest.mark.slow

QUESTIONS = (
    "Does this ECG show atrial fibrillation?",
    "Any sign of LBBB?",
    "Is there no atrial fibrillation?",
)
FREE = "What rhythm does this ECG show?"
SERVE = "from transformers.cli.transformers import main; main()"


@pytest.fixture(scope="module")
def ours() -> Any:
    return hl.pipeline("ecg-question-answering")


@pytest.fixture(scope="module")
def served(ours: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and model of a server with the plain export of heartllm-tiny."""
    for needed in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(needed)
    folder: Path = ours.model.save_language_model(tmp_path_factory.mktemp("served") / "plain", ours.tokenizer)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    log = folder.parent / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()[-2000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}", str(folder)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_ask_gives_the_answers_of_the_pipeline(served: tuple[str, str], ours: Any) -> None:
    address, _ = served
    there = connect(address)
    for name in ("example:af", "example:lbbb"):
        record = hl.read_ecg(name)
        for found, expected in zip(there(record, QUESTIONS), ours(record, list(QUESTIONS)), strict=True):
            assert (found.text, found.asked, found.negated) == (expected.text, expected.asked, expected.negated)
            assert dict(found.alternatives) == pytest.approx(dict(expected.alternatives), abs=1e-3)
            assert found.operating_point == expected.operating_point
        assert (
            there(record, ["Is the patient a smoker?"])[0].abstained
            == ours(record, "Is the patient a smoker?").abstained
        )


def test_ask_reads_a_long_recording_in_windows(served: tuple[str, str], ours: Any) -> None:
    address, _ = served
    record = hl.read_ecg("example:af")
    longer = hl.ECGRecord(
        signal=record.signal.repeat(2, axis=1)[:, : 3 * record.signal.shape[1] // 2],
        sampling_rate=record.sampling_rate,
        leads=record.leads,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        [found], expected = connect(address)(longer, QUESTIONS[:1]), ours(longer, QUESTIONS[0])
    assert found.text == expected.text
    assert [one.text for one in found.windows] == [one.text for one in expected.windows]


def test_the_openai_client_gets_what_generate_gives(served: tuple[str, str], ours: Any) -> None:
    import openai

    address, model = served
    tokenizer, record = ours.tokenizer, hl.read_ecg("example:af")
    ids = [tokenizer.ecg_start_token_id, *tokenizer.encode_ecg(record), tokenizer.ecg_end_token_id]
    content = f"{tokenizer.ecg_ids_to_text(ids)} {FREE}"
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none")
    messages: Any = [{"role": "user", "content": content}]
    chat = client.chat.completions.create(model=model, messages=messages, max_tokens=20)
    parts = [{"type": "ecg", "ecg": record}, {"type": "text", "text": FREE}]
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    written = ours.model.generate(**inputs, max_new_tokens=20, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert chat.choices[0].message.content == tokenizer.decode(written, skip_special_tokens=True)
    assert chat.usage is not None
    assert chat.usage.prompt_tokens == inputs["input_ids"].shape[1]
