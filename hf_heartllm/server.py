"""A server of language models, asked over HTTP in OpenAI's protocol. What is wrong with it is one line.

The standard library sends the requests: nothing is followed to another address, and nothing on this machine's own
addresses goes through a proxy, so a patient's ECG reaches the server that was named and no other.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

KEY_VARIABLE = "HEARTLLM_SERVER_KEY"
"""Environment variable with the key that a server asks for."""

MOST_BYTES = 16 * 2**20  # of an answer


class ServerError(ValueError):
    """The server cannot be asked, or does not hold the model; the message is one line."""


class Refused(ServerError):
    """The server understood the request and refuses it, or knows no such address.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def server_address(text: str) -> str:
    """What a user calls a server → the address that its endpoints stand below, without a slash at the end.

    >>> server_address("http://localhost:8000")
    'http://localhost:8000/v1'
    >>> server_address("https://ecg.example/models/v1/")
    'https://ecg.example/models/v1'

    Raises:
        ServerError: if it is no address of a server.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ServerError(f"{text!r} is no address of a server: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or len(text.split()) != 1 or not text.isprintable():
        raise ServerError(f"{text!r} is no address of a server: it looks like http://localhost:8000")
    if parts.username is not None or parts.query or parts.fragment:
        raise ServerError(
            f"the address of the server holds more than host, port and path; a key stands in {KEY_VARIABLE}"
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, place, path or "/v1", "", ""))


def is_loopback(address: str) -> bool:
    """Whether what is sent to an address stays on this machine.

    >>> is_loopback("http://localhost:8000/v1"), is_loopback("http://10.0.0.7:8000/v1")
    (True, False)
    """
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What redirects is refused: an ECG goes to the address that was named."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass(frozen=True)
class Server:
    """A server that speaks OpenAI's protocol.

    Attributes:
        address: as `server_address` gives it.
        timeout: seconds to wait for an answer.
        key: sent as a bearer token; None: none.
    """

    address: str
    timeout: float = 120.0
    key: str | None = None

    def get(self, path: str) -> Any:
        """The JSON at a path below the address.

        Raises:
            ServerError: if there is none.
        """
        return self._ask(path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON that answers a request.

        Raises:
            Refused: if the server refuses it, or knows no such path.
            ServerError: if nothing, or no such server, answers.
        """
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path: str, body: bytes | None) -> Any:
        headers = {"Accept": "application/json", "User-Agent": "hf_heartllm"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.key:
            if not (self.key.isascii() and self.key.isprintable()):  # whose error would show it
                raise ServerError(f"{KEY_VARIABLE} holds what no key holds: signs that are not printed, or not ASCII")
            headers["Authorization"] = f"Bearer {self.key}"
        handlers: list[Any] = [_NoRedirect]
        if is_loopback(self.address):
            handlers.append(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"{self.address}{path}", body, headers)
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=self.timeout) as answer:
                text = answer.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            self._refused(path, error)
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise ServerError(f"{self.address}: {self._why(error)}") from None
        return self._json(text)

    def _json(self, text: bytes) -> Any:
        if len(text) > MOST_BYTES:
            raise ServerError(f"{self.address}: an answer of more than {MOST_BYTES >> 20} MB")
        try:
            return json.loads(text)
        except ValueError:
            what = "a web page" if text.lstrip()[:1] == b"<" else "something else"
            raise ServerError(
                f"{self.address}: answers with {what} where JSON is due: no server of OpenAI's protocol has this "
                "address"
            ) from None

    def _refused(self, path: str, error: urllib.error.HTTPError) -> NoReturn:
        code = error.code
        if code in (401, 403):
            why = f"refuses the key in {KEY_VARIABLE}" if self.key else f"asks for a key: put it into {KEY_VARIABLE}"
        elif 300 <= code < 400:
            why = f"redirects to {error.headers.get('Location', 'another address')}: give that address if it is meant"
        else:
            try:
                told = _detail(error.read(MOST_BYTES))
            except (OSError, http.client.HTTPException):
                told = ""
            why = f"answers {path} with {code} ({told or error.reason or 'no reason given'})"
        raise Refused(" ".join(f"{self.address}: {why}".split()), code) from None

    def _why(self, error: Exception) -> str:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            return f"no answer within {self.timeout:g} s"
        if isinstance(reason, ConnectionRefusedError):
            return "no server answers there"
        if isinstance(reason, socket.gaierror):
            return "there is no such host"
        if isinstance(reason, ssl.SSLError):
            return f"no secure connection: {getattr(reason, 'reason', None) or reason}"
        if isinstance(reason, http.client.HTTPException | ConnectionError):
            return "the connection ended without an answer"
        return " ".join(str(reason).split()) or type(reason).__name__


def _detail(text: bytes) -> str:
    """What a server says of an error, in at most 200 characters; empty where it is no JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    for name in ("error", "detail", "message", "msg"):
        if isinstance(found, list):
            found = found[0] if found else ""
        if isinstance(found, dict) and name in found:
            found = found[name]
    line = " ".join(found.split()) if isinstance(found, str) else ""
    return line if len(line) <= 200 else f"{line[:199]}…"
