from __future__ import annotations

import functools
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataset_builders import download
from dataset_builders.download import ARCHIVE_URL, SUMS_NAME, SUMS_URL, download_ptb_xl, read_sums

FILES = {
    "ptbxl_database.csv": b"ecg_id\n1\n",
    "records100/00000/00001_lr.dat": bytes(range(256)) * 40,
    "records500/00000/00001_hr.dat": b"\x01" * 500,
}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with byte ranges; breaks off after `stop_after` bytes of an archive, once a request, while that is set."""

    stop_after: int | None = None
    ranges: list[str | None] = []  # noqa: RUF012 - what was asked for, over all requests

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        content = path.read_bytes()
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.headers["If-Range"] == etag else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = type(self).stop_after if self.path.endswith(".zip") else None
        self.wfile.write(content[start:] if stop is None else content[start : start + stop])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an archive and its list in PhysioNet's form."""
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    folder = tmp_path / "site"
    folder.mkdir()
    write_site(folder, FILES)
    return folder


def write_site(folder: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(folder / "ptb-xl-1.0.3.zip", "w") as packed:
        for name, content in files.items():
            packed.writestr(f"ptb-xl-1.0.3/{name}", content)
    lines = [f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in FILES.items()]
    (folder / SUMS_NAME).write_text("".join(lines))


@pytest.fixture
def server(site: Path) -> Iterator[str]:
    Handler.stop_after, Handler.ranges = None, []
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()


def fetch(base: str, folder: Path, **settings: object) -> int:
    urls = {"archive_url": f"{base}/ptb-xl-1.0.3.zip", "sums_url": f"{base}/{SUMS_NAME}"}
    return download_ptb_xl(folder, progress=False, timeout=5, **urls, **settings)  # type: ignore[arg-type]


def test_the_addresses_are_those_of_version_1_0_3_on_physionet() -> None:
    assert ARCHIVE_URL.startswith("https://physionet.org/static/published-projects/ptb-xl/")
    assert ARCHIVE_URL.endswith("-1.0.3.zip")
    assert SUMS_URL == "https://physionet.org/files/ptb-xl/1.0.3/SHA256SUMS.txt"


def test_a_folder_in_the_official_layout_from_a_file_url(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ptb-xl"
    assert fetch(site.as_uri(), folder, rates=(100,)) == 2
    assert (folder / "records100/00000/00001_lr.dat").read_bytes() == FILES["records100/00000/00001_lr.dat"]
    assert not (folder / "records500").exists()
    assert not list(folder.glob("*.zip"))
    assert fetch(site.as_uri(), folder, rates=(100,)) == 0, "what is there is not fetched again"
    assert fetch(site.as_uri(), folder) == 1


def test_a_broken_download_goes_on_where_it_stopped(server: str, tmp_path: Path) -> None:
    folder = tmp_path / "ptb-xl"
    Handler.stop_after = 1000
    with pytest.raises(OSError, match=r"ptb-xl-1\.0\.3\.zip: cannot be fetched .*run again"):
        fetch(server, folder, tries=2)
    assert (folder / ".ptb-xl-1.0.3.zip.part").stat().st_size == 2000
    Handler.stop_after = None
    assert fetch(server, folder) == 3
    assert Handler.ranges[-2:] == ["bytes=1000-", "bytes=2000-"]
    assert not list(folder.glob(".*"))


def test_a_part_of_another_archive_is_not_continued(server: str, site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ptb-xl"
    Handler.stop_after = 1000
    with pytest.raises(OSError, match="cannot be fetched"):
        fetch(server, folder, tries=1)
    Handler.stop_after = None
    write_site(site, {**FILES, "LICENSE.txt": b"other bytes in front"})
    assert fetch(server, folder) == 3


def test_a_wrong_file_is_refused_and_never_in_place(site: Path, tmp_path: Path) -> None:
    write_site(site, {**FILES, "records100/00000/00001_lr.dat": b"changed"})
    with pytest.raises(ValueError, match=r"00001_lr\.dat: its SHA-256 is not that of SHA256SUMS"):
        fetch(site.as_uri(), tmp_path / "ptb-xl")
    assert not (tmp_path / "ptb-xl/records100/00000/00001_lr.dat").exists()
    (site / "ptb-xl-1.0.3.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="not a whole zip archive"):
        fetch(site.as_uri(), tmp_path / "other")


def test_a_list_cannot_lead_out_of_the_folder(tmp_path: Path, server: str) -> None:
    (tmp_path / SUMS_NAME).write_text(f"{'0' * 64} ../outside.txt\n")
    with pytest.raises(ValueError, match="line 1 is no SHA-256 and path"):
        read_sums(tmp_path / SUMS_NAME)
    with pytest.raises(OSError, match="404"):
        download.fetch(f"{server}/absent", tmp_path / "absent")
