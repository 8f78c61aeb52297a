"""The guides in docs run as they stand: a language model of one's own, and conversations with a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import hf_heartllm as hl
from hf_heartllm import cli

ROOT = Path(__file__).resolve().parents[1]
SMOLLM2 = Path(os.environ.get("HEARTLLM_BASE") or ROOT / "build" / "smollm2-135m-instruct")
QUESTION = "Does this ECG show atrial fibrillation?"
EXAMPLES = (
    "normal",
    "af",
    "tachycardia",
    "bradycardia",
    "premature_ventricular",
    "lbbb",
    "rbbb",
    "st_elevation_inferior",
    "low_voltage",
    "noisy",
)


def python_of(page: str) -> str:
    """All Python blocks of a page, as one program."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    return "\n".join(blocks)


def run_guide(base: Path, records: int, steps: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    code = python_of("your-own-language-model.md")
    for line, here in (
        ('BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"', f"BASE = {str(base)!r}"),
        ("RECORDS, STEPS = 48, 40", f"RECORDS, STEPS = {records}, {steps}"),
    ):
        assert code.count(line) == 1, line
        code = code.replace(line, here)
    monkeypatch.chdir(folder)
    space: dict[str, Any] = {"__name__": "guide"}
    exec(compile(code, "your-own-language-model.md", "exec"), space)
    return space


def tiny_base(folder: Path) -> Path:
    """A random Llama of one layer with a chat template that takes strings alone, as many bases have."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from hf_heartllm.training.vocabulary import train_text_tokenizer

    text = train_text_tokenizer([QUESTION, "yes", "no"] * 3, 300)
    text.chat_template = (
        "{% for message in messages %}"
        "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    text.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(text),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=True,
        bos_token_id=text.bos_token_id,
        eos_token_id=text.eos_token_id,
        pad_token_id=text.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def check_what_the_guide_made(space: dict[str, Any], folder: Path) -> None:
    """The merged and the plain folder give the same, and questions of a conversation are split as the page says."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    messages = [*space["rows"][1]["prompt"], *space["rows"][1]["completion"]]
    batch = space["single_questions"]({"messages": [messages + messages[:1] + messages[1:]]})
    assert [len(prompt[0]["content"]) for prompt in batch["prompt"]] == [2, 2], "each question has its ECG"
    ids = space["tokenizer"].apply_chat_template(space["ask"](space["record"]), add_generation_prompt=True)["input_ids"]
    plain_tokenizer = AutoTokenizer.from_pretrained(folder / "plain")
    form = space["tokenizer"].decode(ids)
    assert plain_tokenizer(form, add_special_tokens=False)["input_ids"] == ids
    with torch.no_grad():
        expected = space["model"](input_ids=torch.tensor([ids])).logits
        for name in ("merged", "plain"):
            loaded = AutoModelForCausalLM.from_pretrained(folder / name).eval()
            assert torch.equal(loaded(input_ids=torch.tensor([ids])).logits, expected), name


@pytest.mark.filterwarnings("ignore")
def test_a_language_model_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("trl")
    base = tiny_base(tmp_path / "base")
    space = run_guide(base, records=2, steps=2, folder=tmp_path, monkeypatch=monkeypatch)
    assert space["trainer"].state.global_step == 2
    check_what_the_guide_made(space, tmp_path)
    assert "truth: yes answer: " in capsys.readouterr().out  # of the row that the page holds out
    assert "{% generation %}" in space["tokenizer"].chat_template  # the block of answers alone has run
    assert space["told"].state.log_history[-1]["held_out_ecg_perplexity"] > 1
    assert cli.main(["tokenize", "example:af", "--text", "--model", "merged"]) == 0
    assert capsys.readouterr().out.startswith("<|start_ecg|><ecg_")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not SMOLLM2.is_dir(), reason=f"no base model in {SMOLLM2}: run `make base` or set HEARTLLM_BASE")
def test_a_language_model_of_ones_own_on_smollm2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        space = run_guide(SMOLLM2, records=8, steps=10, folder=tmp_path, monkeypatch=monkeypatch)
        losses = [entry["loss"] for entry in space["trainer"].state.log_history if "loss" in entry]
        assert losses[-1] < losses[0]
        said = re.findall(r"-> (.*)", capsys.readouterr().out)
        assert set(said) <= {"yes", "no"}, "the form of the answers is learned"
        check_what_the_guide_made(space, tmp_path)
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)  # half a gigabyte a model


# ---------------------------------------------------------------------- conversations and servers


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page's program leaves, in the folder that it ran in."""
    folder, before = tmp_path_factory.mktemp("chat"), Path.cwd()
    space: dict[str, Any] = {"folder": folder}
    try:
        os.chdir(folder)
        exec(compile(python_of("chat-and-servers.md"), "chat-and-servers.md", "exec"), space)
    finally:
        os.chdir(before)
    return space


def own_answer(chat: dict[str, Any], name: str, question: str) -> tuple[str, str]:
    """The text form of an example, and what `generate` says of it."""
    tokenizer, model = chat["tokenizer"], chat["model"]
    ids = tokenizer.encode_ecg(hl.read_ecg(f"example:{name}"))
    content = [{"type": "ecg", "ecg": ids}, {"type": "text", "text": question}]
    messages = [{"role": "user", "content": content}]
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    tokens = model.generate(**inputs, max_new_tokens=40, do_sample=False)
    answer = tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return tokenizer.ecg_ids_to_text([tokenizer.ecg_start_token_id, *ids, tokenizer.ecg_end_token_id]), answer


def conversations(ecg: str, question: str) -> dict[str, list[dict[str, Any]]]:
    """The same question in the forms that a client may send."""
    first = [{"role": "user", "content": f"{ecg} {question}"}]
    parts = [{"type": "text", "text": question}, {"type": "text", "text": ecg}]
    return {
        "ECG first": first,
        "no blank": [{"role": "user", "content": ecg + question}],
        "ECG last": [{"role": "user", "content": f"{question} {ecg}"}],
        "parts": [{"role": "user", "content": parts}],
        "system message": [{"role": "system", "content": "You are a cardiologist."}, *first],
        "second turn": [
            {"role": "user", "content": f"{ecg} Does this ECG show pacing?"},
            {"role": "assistant", "content": "no"},
            {"role": "user", "content": question},
        ],
    }


@pytest.mark.filterwarnings("ignore")
def test_the_plain_folder_answers_as_our_tokenizer_and_model(chat: dict[str, Any]) -> None:
    """What `transformers serve` does with a conversation, in this process."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(chat["folder"] / "plain")
    model = AutoModelForCausalLM.from_pretrained(chat["folder"] / "plain").eval()
    ecg, expected = own_answer(chat, "af", QUESTION)
    assert expected == "yes"
    for form, messages in conversations(ecg, QUESTION).items():
        texts = [
            {**one, "content": " ".join(part["text"] for part in one["content"])}  # a server joins parts so
            if isinstance(one["content"], list)
            else one
            for one in messages
        ]
        inputs = tokenizer.apply_chat_template(texts, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        tokens = model.generate(**inputs, max_new_tokens=40, do_sample=False)
        answer = tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert answer == expected, form


@pytest.fixture
def server(chat: dict[str, Any]) -> Iterator[Callable[..., str]]:
    """`transformers serve` on the plain folder, on a free port of this machine; asks it a conversation."""
    missing = [name for name in ("fastapi", "uvicorn", "openai") if find_spec(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: pip install 'transformers[serving]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", "plain", "--device", "cpu"]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=chat["folder"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def ask(messages: list[dict[str, Any]], **more: Any) -> str:
        request = {"model": "plain", "max_tokens": 40, "messages": messages, **more}
        if not more.get("stream"):
            return str(chat["post"](request, f"{url}/v1/chat/completions"))
        header = {"Content-Type": "application/json"}
        body = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(request).encode(), header)
        with urllib.request.urlopen(body) as answer:
            lines = [line[6:] for line in answer.read().decode().splitlines() if line.startswith("data: {")]
        return "".join(json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines)

    try:
        for _ in range(240):
            assert process.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(f"{url}/health").close()
                break
            except urllib.error.URLError:
                time.sleep(0.5)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_transformers_serve_answers_as_generate(chat: dict[str, Any], server: Callable[..., str]) -> None:
    for name in EXAMPLES:
        ecg, expected = own_answer(chat, name, QUESTION)
        for form, messages in conversations(ecg, QUESTION).items():
            assert server(messages) == expected, (name, form)
        assert server(conversations(ecg, QUESTION)["ECG first"], stream=True) == expected
        ecg, report = own_answer(chat, name, "Write the report.")
        assert server(conversations(ecg, "Write the report.")["ECG last"]) == report
