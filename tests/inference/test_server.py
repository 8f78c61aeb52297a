"""`heartllm ask --server`: the ECG is tokenised here, and whatever is wrong with the server is one line."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import hf_heartllm as hl
from hf_heartllm.cli import main
from hf_heartllm.inference.served_answers import ServedQuestionAnswering, connect
from hf_heartllm.server import KEY_VARIABLE, Server, ServerError, is_loopback, server_address

QUESTION = "Does this ECG show atrial fibrillation?"
Reply = tuple[int, str, bytes]


@contextmanager
def serving(answer: Callable[[str, Any, Any], Reply]) -> Iterator[tuple[str, list[Any]]]:
    """A server on loopback; `answer` gets path, body and headers. Yields its address and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            asked.append((self.path, body))
            status, kind, text = answer(self.path, body, self.headers)
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                if 300 <= status < 400:
                    self.send_header("Location", "http://elsewhere.example/v1")
                self.end_headers()
                self.wfile.write(text)
            except OSError:  # the client has gone
                pass

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def as_json(found: Any, status: int = 200) -> Reply:
    return status, "application/json", json.dumps(found).encode()


@pytest.fixture(scope="module")
def asks() -> ServedQuestionAnswering:
    return connect("http://localhost:1")


@pytest.fixture(scope="module")
def record() -> Any:
    return hl.read_ecg("example:af")


def at(asks: ServedQuestionAnswering, address: str, **options: Any) -> ServedQuestionAnswering:
    """The same checkpoint on another server, nothing known of it yet."""
    from dataclasses import replace

    from hf_heartllm.inference.served_answers import ServedModel

    server = Server(server_address(address), **options)
    served = ServedModel(server, asks.served.tokenizer)
    return ServedQuestionAnswering(served, replace(asks.questioner, answerer=served))


def chat(asks: ServedQuestionAnswering, text: str, tokens: Any = None, **extra: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, **extra}], "usage": {"prompt_tokens": tokens}}


def test_the_address() -> None:
    assert server_address("http://localhost:8000/v1/chat/completions") == "http://localhost:8000/v1"
    assert server_address(" https://[::1]:443/ ") == "https://[::1]:443/v1"
    for wrong in (
        "",
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://me:key@host",
        "/a/file",
        "http://a b",
        "http://a\nb",
    ):
        with pytest.raises(ServerError) as refused:
            server_address(wrong)
        assert "key@host" not in str(refused.value)
        assert "\n" not in str(refused.value)
    stays = ("http://localhost", "http://127.3.2.1:80", "http://[::1]/v1", "http://a.localhost")
    leaves = ("http://10.0.0.7", "https://ecg.example", "http://0.0.0.0:8000", "http://localhost.example")
    assert all(map(is_loopback, stays))
    assert not any(map(is_loopback, leaves))


def test_nothing_but_the_text_form_is_sent(asks: ServedQuestionAnswering, record: Any) -> None:
    def answer(path: str, body: Any, headers: Any) -> Reply:
        if path != "/v1/chat/completions":
            return as_json({"detail": "Not Found"}, 404)
        return as_json(chat(asks, "sinus rhythm"))

    with serving(answer) as (address, asked):
        [found] = at(asks, address)(record, ["What rhythm does this ECG show?"])
    assert (found.text, found.probability, found.calibrated) == ("sinus rhythm", None, False)
    tokenizer = asks.served.tokenizer
    ids = [tokenizer.ecg_start_token_id, *tokenizer.encode_ecg(record), tokenizer.ecg_end_token_id]
    [(_, body)] = asked
    content = f"{tokenizer.ecg_ids_to_text(ids)} What rhythm does this ECG show?"
    assert body == {
        "messages": [{"role": "user", "content": content}],
        "temperature": 0,
        "max_tokens": 64,
    }


def test_log_probabilities_are_calibrated_as_in_process(asks: ServedQuestionAnswering, record: Any) -> None:
    rows = [{"token": " no", "logprob": math.log(0.3)}, {"token": "yes", "logprob": math.log(0.6)}]

    def answer(path: str, body: Any, headers: Any) -> Reply:
        if path != "/v1/chat/completions":
            return as_json({"detail": "Not Found"}, 404)
        return as_json(chat(asks, "yes", logprobs={"content": [{"top_logprobs": rows}]}))

    with serving(answer) as (address, _):
        [found] = at(asks, address)(record, [QUESTION])
    assert dict(found.uncalibrated) == pytest.approx({"yes": 2 / 3, "no": 1 / 3})
    assert found.calibrated
    assert found.operating_point is not None


def test_without_probabilities_it_is_what_the_server_writes(asks: ServedQuestionAnswering, record: Any) -> None:
    def answer(path: str, body: Any, headers: Any) -> Reply:
        if path != "/v1/chat/completions":
            return as_json({"detail": "Not Found"}, 404)
        return as_json(chat(asks, " Yes."))

    with serving(answer) as (address, _):
        served = at(asks, address)
        [found] = served(record, [QUESTION])
        assert (found.text, found.probability) == ("yes", None)
        [found] = served(record, ["What rhythm is this?"], ["atrial flutter", "bigeminy"])
        assert found.text is None
        assert "none of the answers" in str(found.abstained)
        [found] = served(record, [QUESTION], abstain_below=0.9)
        assert "does not say how likely" in str(found.abstained)
        with pytest.raises(ServerError, match="no prevalence can be assumed"):
            served(record, [QUESTION], prevalence=0.1)


def test_a_server_of_several_models_is_asked_by_name(asks: ServedQuestionAnswering, record: Any) -> None:
    names = ["plain"]

    def answer(path: str, body: Any, headers: Any) -> Reply:
        if path == "/v1/models":
            return as_json({"data": [{"id": name} for name in names]})
        if path != "/v1/chat/completions":
            return as_json({"detail": "Not Found"}, 404)
        if "model" not in body:
            return as_json({"error": {"message": "you must provide a model"}}, 400)
        return as_json(chat(asks, "sinus rhythm"))

    with serving(answer) as (address, _):
        [found] = at(asks, address)(record, ["What rhythm does this ECG show?"])
        assert found.text == "sinus rhythm"
        names.append("other")
        with pytest.raises(ServerError, match=r"--server-model \(it has plain, other\)"):
            at(asks, address)(record, ["What rhythm does this ECG show?"])


def slow(path: str, body: Any, headers: Any) -> Reply:
    time.sleep(0.5)
    return as_json({})


WRONG: dict[str, tuple[Callable[[str, Any, Any], Reply], str]] = {
    "HTML": (lambda *_: (200, "text/html", b"<html>router</html>"), "a web page where JSON is due"),
    "text": (lambda *_: (200, "text/plain", b"hello"), "something else where JSON is due"),
    "empty": (lambda *_: (200, "application/json", b""), "something else where JSON is due"),
    "another JSON": (lambda *_: as_json([1, 2]), "answers without choices"),
    "a key": (lambda *_: as_json({"error": "unauthorized"}, 401), f"asks for a key: put it into {KEY_VARIABLE}"),
    "no path": (lambda *_: (404, "text/html", b"<html>"), "answers /chat/completions with 404"),
    "its own error": (lambda *_: as_json({"error": {"message": "too\nlong"}}, 413), "with 413 (too long)"),
    "overloaded": (lambda *_: as_json({"detail": "loading"}, 503), "with 503 (loading)"),
    "redirect": (lambda *_: (307, "text/html", b""), "redirects to http://elsewhere.example/v1"),
    "slow": (slow, "no answer within 0.2 s"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_server_that_is_none_is_one_line(kind: str, asks: ServedQuestionAnswering, record: Any) -> None:
    answer, why = WRONG[kind]
    with serving(answer) as (address, _), pytest.raises(ServerError) as refused:
        at(asks, address, timeout=0.2 if kind == "slow" else 10)(record, [QUESTION])
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_is_sent_and_never_shown(asks: ServedQuestionAnswering, record: Any) -> None:
    seen: list[str] = []

    def answer(path: str, body: Any, headers: Any) -> Reply:
        seen.append(headers["Authorization"])
        return as_json({"error": "no"}, 403)

    with serving(answer) as (address, _):
        with pytest.raises(ServerError, match=f"refuses the key in {KEY_VARIABLE}") as refused:
            at(asks, address, key="secret")(record, [QUESTION])
        assert seen == ["Bearer secret"]
        assert "secret" not in str(refused.value)
        with pytest.raises(ServerError, match="signs that are not printed") as refused:
            at(asks, address, key="secret\nX: y")(record, [QUESTION])
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("path", ["/v1/systemone", "/v1/chat/completions"])
def test_another_model_is_noticed_by_its_tokens(path: str, asks: ServedQuestionAnswering, record: Any) -> None:
    def answer(asked: str, body: Any, headers: Any) -> Reply:
        if asked != path:
            return as_json({"detail": "Not Found"}, 404)
        if asked == "/v1/systemone":
            return as_json({"answers": {"q0": {"noul": 0.9}}, "usage": {"input_tokens": 913}})
        return as_json(chat(asks, "yes", tokens=913))

    with serving(answer) as (address, _), pytest.raises(ServerError, match="serves another model: it reads 913 tokens"):
        at(asks, address)(record, [QUESTION])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--server", "localhost:8000"], "is no address of a server"),
        (["--server", ""], "is no address of a server"),
        (["--server-model", "plain"], "--server-model belongs to --server URL"),
        (["--server", "http://127.0.0.1:1", "--server-timeout", "0"], "0 is not above 0"),
        (["--server", "http://127.0.0.1:1", "--model", "no/such/folder"], "no such folder"),
        (["--server", "http://127.0.0.1:1"], "http://127.0.0.1:1/v1: no server answers there"),
    ],
)
def test_the_command_ends_with_2(options: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "example:af", QUESTION, "--quiet", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert why in err
    assert len(err.splitlines()) == 1
    assert "leaves this machine" not in err


def test_outside_loopback_it_warns_before_anything_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "no-such-file.npy", "-q", QUESTION, "--quiet", "--server", "http://ecg.invalid:8000"]) == 2
    first, *_ = capsys.readouterr().err.splitlines()
    assert "the patient's ECG leaves this machine for http://ecg.invalid:8000/v1, unencrypted" in first
