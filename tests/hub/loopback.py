"""A Hub on 127.0.0.1: what the installed Hugging Face clients ask the Hub's HTTP API for, answered from memory.

    with serve() as hub:
        subprocess.run([...], env=hub.environment(tmp_path / "home"))
        assert hub.files("user/model")["config.json"]

The clients read `HF_ENDPOINT` when they are imported, and this test suite is offline, so they run in other processes.
Every commit keeps a whole table of files, as git does; a commit is there or it is not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.validation import problems

TOKENS = {"hf_of_user": "user", "hf_of_other": "other"}
"""Access tokens and whose they are."""

_KINDS = ("models", "datasets", "spaces")
_LFS_ENDINGS = (".safetensors", ".parquet", ".png", ".bin")


@dataclass
class Commit:
    """One revision: its files, path → content, and which of them are LFS files."""

    sha: str
    files: dict[str, bytes]
    title: str
    lfs: frozenset[str] = frozenset()


@dataclass
class Repository:
    """A repository; `commits` by sha in their order, `branches` by name."""

    name: str
    kind: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def add(self, branch: str, files: dict[str, bytes], title: str, lfs: frozenset[str] = frozenset()) -> Commit:
        """A new commit at the head of a branch."""
        said = f"{self.name} {len(self.commits)} {title} {sorted(files)}"
        commit = Commit(hashlib.sha1(said.encode()).hexdigest(), files, title, lfs)
        self.commits[commit.sha] = commit
        self.branches[branch] = commit.sha
        return commit

    def at(self, revision: str) -> Commit | None:
        """The commit of a branch or a sha."""
        return self.commits.get(self.branches.get(revision, revision))


class Hub:
    """What the server holds and has been asked.

    Attributes:
        url: of the server.
        repositories: by (kind, name).
        requests: method and path of each request, in their order.
        bodies: what was sent to it, for a test that reads every byte.
        hold: a method, and a part of a path, at which a client is kept waiting before it is answered.
        held: set when one waits.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.hold: tuple[str, str] | None = None
        self.held, self.release = threading.Event(), threading.Event()
        self.lock = threading.Lock()

    def repository(self, name: str, kind: str = "models") -> Repository:
        """The repository of a name."""
        return self.repositories[kind, name]

    def files(self, name: str, kind: str = "models", revision: str = "main") -> dict[str, bytes]:
        """Its files at a revision, without what the Hub puts into each new one."""
        commit = self.repository(name, kind).at(revision)
        assert commit is not None, f"no revision {revision}"
        return {path: content for path, content in commit.files.items() if path != ".gitattributes"}

    def commits(self, name: str, kind: str = "models") -> list[Commit]:
        """Its commits, the first one, which the Hub makes, left out."""
        return list(self.repository(name, kind).commits.values())[1:]

    def environment(self, home: Path, token: str | None = "hf_of_user", **more: str) -> dict[str, str]:
        """Variables for a client: this server, its own empty home, nobody else's token."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        made = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_ETAG_TIMEOUT": "30"}
        return kept | made | ({"HF_TOKEN": token} if token else {}) | more


@contextmanager
def serve() -> Iterator[Hub]:
    """A running server with no repository."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.hub = Hub(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.hub  # type: ignore[attr-defined]
    finally:
        server.hub.release.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()


class _Refused(Exception):
    """An answer that ends a request: status, the Hub's error code, words."""

    def __init__(self, status: int, code: str = "", message: str = "", **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Nothing on stderr."""

    # ------------------------------------------------------------------ one request

    def _answer(self) -> None:
        split = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(split.query).items()}
        parts = [unquote(part) for part in split.path.strip("/").split("/")]
        self.hub: Hub = self.server.hub  # type: ignore[attr-defined]
        self.hub.requests.append(f"{self.command} {unquote(split.path)}")
        wanted = int(self.headers.get("Content-Length") or 0)
        self.body = self._chunks() if self.headers.get("Transfer-Encoding") == "chunked" else self.rfile.read(wanted)
        if len(self.body) < wanted:  # the client is gone
            self.close_connection = True
            return
        if self.hub.hold and self.command == self.hub.hold[0] and self.hub.hold[1] in split.path:
            self.hub.held.set()
            self.hub.release.wait(60)
            self.close_connection = True
            return
        self.hub.bodies.append(self.body)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self.user = TOKENS.get(token)
        try:
            if token and self.user is None:
                raise _Refused(401, "", "Invalid credentials in Authorization header")
            with self.hub.lock:
                self._route(parts)
        except _Refused as error:
            headers = {"X-Error-Code": error.code, "X-Error-Message": error.message}
            self._json({"error": error.message, **error.more}, error.status, headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline() or b"0", 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _route(self, parts: list[str]) -> None:
        match (self.command, *parts):
            case ("GET", "api", "whoami-v2"):
                if self.user is None:
                    raise _Refused(401, "", "Invalid username or password.")
                self._json({"name": self.user, "type": "user", "orgs": [], "auth": {"type": "access_token"}})
            case ("POST", "api", "repos", "create"):
                self._create(json.loads(self.body))
            case ("POST", "api", "validate-yaml"):
                asked = json.loads(self.body)
                headed = asked["content"].startswith("---")  # the Hub takes a card without a head, with a warning
                found = problems(asked["content"], asked["repoType"]) if headed else []
                warnings = [] if headed else [{"message": "empty or missing yaml metadata in repo card"}]
                said = {"errors": [{"message": one} for one in found], "warnings": warnings}
                self._json({**said, "error": "; ".join(found)} if found else said, 400 if found else 200)
            case ("PUT", "lfs", oid):
                if hashlib.sha256(self.body).hexdigest() != oid:
                    raise _Refused(400, "", "not the content that was announced")
                self.hub.blobs[oid] = self.body
                self._json({})
            case ("POST", *path, "info", "lfs", "objects", "batch"):
                self._lfs(path, json.loads(self.body))
            case (_, "api", kind, owner, name, *rest) if kind in _KINDS:
                self._api(self._found(kind, f"{owner}/{name}"), rest)
            case ("GET" | "HEAD", "datasets" as kind, owner, name, "resolve", revision, *path):
                self._resolve(self._found(kind, f"{owner}/{name}"), revision, "/".join(path))
            case ("GET" | "HEAD", owner, name, "resolve", revision, *path):
                self._resolve(self._found("models", f"{owner}/{name}"), revision, "/".join(path))
            case _:
                raise _Refused(404, "", f"nothing here: {self.path}")

    def _json(self, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(document).encode(), status, {"Content-Type": "application/json"} | (headers or {}))

    def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # ------------------------------------------------------------------ repositories

    def _found(self, kind: str, name: str) -> Repository:
        found = self.hub.repositories.get((kind, name))
        if found is None or (found.private and self.user != name.partition("/")[0]):
            raise _Refused(401 if self.user is None else 404, "RepoNotFound", "Repository not found")
        return found

    def _may_write(self, repository: Repository) -> None:
        if self.user != repository.name.partition("/")[0]:
            raise _Refused(403, "", "Forbidden: you don't have the rights to write to this repository")

    def _commit_at(self, repository: Repository, revision: str) -> Commit:
        found = repository.at(revision)
        if found is None:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def _create(self, asked: dict[str, Any]) -> None:
        if self.user is None:
            raise _Refused(401, "", "Invalid username or password.")
        owner, kind = asked.get("organization") or self.user, f"{asked.get('type') or 'model'}s"
        name = f"{owner}/{asked['name'].rpartition('/')[2]}"
        url = f"{self.hub.url}/{'' if kind == 'models' else kind + '/'}{name}"
        if (kind, name) in self.hub.repositories:
            raise _Refused(409, "", "You already created this repository", url=url)
        if owner != self.user:
            raise _Refused(403, "", f'You don\'t have the rights to create a {kind[:-1]} under the namespace "{owner}"')
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        made = Repository(name, kind, private)
        made.add("main", {".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit")
        self.hub.repositories[kind, name] = made
        self._json({"url": url, "name": name, "id": name})

    def _api(self, repository: Repository, rest: list[str]) -> None:
        match (self.command, *rest):
            case ("GET",) | ("GET", "revision", _):
                commit = self._commit_at(repository, rest[1] if rest else "main")
                self._json(
                    {
                        "id": repository.name,
                        "modelId": repository.name,
                        "sha": commit.sha,
                        "private": repository.private,
                        "tags": [],
                        "downloads": 0,
                        "likes": 0,
                        "siblings": [{"rfilename": path} for path in sorted(commit.files)],
                    }
                )
            case ("GET", "refs"):
                refs = [
                    {"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in repository.branches.items()
                ]
                self._json({"branches": refs, "tags": [], "converts": []})
            case ("GET", "tree", revision, *path):
                self._tree(self._commit_at(repository, revision), "/".join(path))
            case ("POST", "paths-info", revision):
                commit = self._commit_at(repository, revision)
                asked = json.loads(self.body) if self.body[:1] == b"{" else parse_qs(self.body.decode())
                self._json([entry for path in asked["paths"] for entry in _entries(commit, path)])
            case ("POST", "branch", name):
                self._may_write(repository)
                if name in repository.branches:
                    raise _Refused(409, "", "Reference already exists")
                start = json.loads(self.body or b"{}").get("startingPoint") or "main"
                repository.branches[name] = self._commit_at(repository, start).sha
                self._json({})
            case ("POST", "preupload", _):
                self._may_write(repository)
                asked = json.loads(self.body)["files"]
                modes = [(one["path"], "lfs" if one["path"].endswith(_LFS_ENDINGS) else "regular") for one in asked]
                self._json({"files": [{"path": p, "uploadMode": mode, "shouldIgnore": False} for p, mode in modes]})
            case ("POST", "commit", branch):
                self._may_write(repository)
                self._commit(repository, branch)
            case _:
                raise _Refused(404, "", f"nothing here: {self.path}")

    def _lfs(self, path: list[str], asked: dict[str, Any]) -> None:
        kind = path[0] if path[0] in _KINDS else "models"
        repository = self._found(kind, f"{path[-2]}/{path[-1].removesuffix('.git')}")
        self._may_write(repository)
        objects = []
        for one in asked["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}
            there = one["oid"] in self.hub.blobs
            objects.append({"oid": one["oid"], "size": one["size"], **({} if there else {"actions": upload})})
        self._json({"transfer": "basic", "objects": objects})

    def _commit(self, repository: Repository, branch: str) -> None:
        before = self._commit_at(repository, branch)
        files, lfs, title = dict(before.files), set(before.lfs), ""
        for line in self.body.splitlines():
            value = (entry := json.loads(line))["value"]
            match entry["key"]:
                case "header":
                    title = value["summary"]
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                    lfs.discard(value["path"])
                case "lfsFile":
                    if value["oid"] not in self.hub.blobs:
                        raise _Refused(400, "", f"{value['path']}: its content was not uploaded")
                    files[value["path"]] = self.hub.blobs[value["oid"]]
                    lfs.add(value["path"])
                case "deletedFile":
                    files.pop(value["path"], None)
                case other:
                    raise _Refused(400, "", f"unknown operation {other}")
        made = repository.add(branch, files, title, frozenset(lfs))
        url = f"{self.hub.url}/{repository.name}/commit/{made.sha}"
        self._json({"success": True, "commitUrl": url, "commitOid": made.sha, "hookOutput": ""})

    def _tree(self, commit: Commit, folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        inside = sorted(path for path in commit.files if path.startswith(prefix))
        if folder and not inside:
            raise _Refused(404, "EntryNotFound", f"{folder} does not exist")
        names = dict.fromkeys(prefix + path.removeprefix(prefix).partition("/")[0] for path in inside)
        if self.query.get("recursive", "false").lower() == "true":
            below = {os.path.dirname(path) for path in inside} - {"", folder}
            names = dict.fromkeys(sorted([*inside, *below]))
        self._json([entry for name in names for entry in _entries(commit, name)])

    def _resolve(self, repository: Repository, revision: str, path: str) -> None:
        commit = self._commit_at(repository, revision)
        content = commit.files.get(path)
        if content is None:
            said = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found", "X-Repo-Commit": commit.sha}
            self._json({"error": "Entry not found"}, 404, said)  # with the commit, so that its absence is cached
            return
        headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{_oid(content)}"', "Accept-Ranges": "bytes"}
        if path in commit.lfs:
            headers |= {"X-Linked-Etag": f'"{_sha256(content)}"', "X-Linked-Size": str(len(content))}
        status, asked = 200, self.headers.get("Range", "")
        if asked.startswith("bytes=") and self.command == "GET":
            first, _, last = asked.removeprefix("bytes=").partition("-")
            stop = min(int(last) + 1 if last else len(content), len(content))
            headers["Content-Range"] = f"bytes {first}-{stop - 1}/{len(content)}"
            content, status = content[int(first) : stop], 206
        self._send(content, status, headers)


def _entries(commit: Commit, path: str) -> list[dict[str, Any]]:
    """A file, or a folder, as the Hub lists it; nothing where there is neither."""
    if path in commit.files:
        content = commit.files[path]
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": _oid(content)}
        if path in commit.lfs:
            entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 130}
        return [entry]
    there = any(name.startswith(f"{path}/") for name in commit.files)
    return [{"type": "directory", "path": path, "size": 0, "oid": _oid(path.encode())}] if there else []


def _oid(content: bytes) -> str:
    """Git's name for a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
