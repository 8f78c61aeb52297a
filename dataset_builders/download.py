"""PTB-XL 1.0.3 from PhysioNet: the archive, resumed where it broke off, and every file compared with its SHA-256."""

from __future__ import annotations

import errno
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from hf_heartllm.hashes import file_sha256
from hf_heartllm.models.whole_files import written_whole

ARCHIVE_URL = (
    "https://physionet.org/static/published-projects/ptb-xl/"
    "ptb-xl-a-large-publicly-available-electrocardiography-dataset-1.0.3.zip"
)
"""About 1.7 GB; its files lie below one folder with the archive's name."""

SUMS_URL = "https://physionet.org/files/ptb-xl/1.0.3/SHA256SUMS.txt"
"""Lines of a SHA-256, two characters, and a path below PTB-XL's folder."""

SUMS_NAME = "SHA256SUMS.txt"
_CHUNK = 1 << 20
_PAUSE = 2.0  # seconds before the second try; doubled each time


def download_ptb_xl(
    folder: str | Path,
    *,
    rates: Iterable[int] = (100, 500),
    archive_url: str = ARCHIVE_URL,
    sums_url: str = SUMS_URL,
    tries: int = 5,
    timeout: float = 30.0,
    progress: bool = True,
) -> int:
    """Fetch PTB-XL into a folder in its official layout.

    Files that are there with the right SHA-256 are kept; where none is missing the archive is not fetched. The archive
    lies in the folder until all is unpacked, and its download goes on where it broke off.

    Args:
        folder: where PTB-XL goes.
        rates: which of records100 and records500; the tables always.
        archive_url: zip file; http, https or file.
        sums_url: its SHA256SUMS.txt; fetched on its own, so that a damaged archive is noticed.
        tries: of the download before giving up, each going on from the last.
        timeout: seconds without any data.
        progress: show progress bars.

    Returns:
        Number of files that were unpacked.

    Raises:
        OSError: What cannot be fetched or written; the message names the address.
        ValueError: A file that the archive lacks, or whose SHA-256 is another one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sums_path = folder / SUMS_NAME
    if not sums_path.is_file():
        fetch(sums_url, sums_path, tries=tries, timeout=timeout, progress=False)
    wanted = {
        name: digest
        for name, digest in read_sums(sums_path).items()
        if not name.startswith("records") or any(name.startswith(f"records{rate}/") for rate in rates)
    }
    missing = {name: digest for name, digest in wanted.items() if not _is_whole(folder / name, digest)}
    if not missing:
        return 0
    archive = folder / PurePosixPath(archive_url).name
    if not archive.is_file():
        fetch(archive_url, archive, tries=tries, timeout=timeout, progress=progress)
    try:
        _unpack(archive, missing, folder, progress)
    except zipfile.BadZipFile as error:
        archive.unlink()  # fetched whole and yet no archive: the next run must not start from it
        raise ValueError(f"{archive_url}: not a whole zip archive ({error}); run again to fetch it anew") from None
    archive.unlink()
    return len(missing)


def read_sums(path: Path) -> dict[str, str]:
    """SHA-256 by path from a SHA256SUMS.txt; the list's own entry is left out.

    Raises:
        ValueError: If a line is no such entry, or its path leads out of the folder.
    """
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        digest, _, name = line.partition(" ")
        name = name[1:] if name[:1] in (" ", "*") else name
        parts = PurePosixPath(name).parts
        if len(digest) != 64 or not parts or ".." in parts or name.startswith("/") or "\\" in name:
            raise ValueError(f"{path}: line {number} is no SHA-256 and path; delete the file and run again")
        if name != SUMS_NAME:
            sums["/".join(parts)] = digest.lower()
    if not sums:
        raise ValueError(f"{path}: lists no files; delete it and run again")
    return sums


def fetch(url: str, path: Path, *, tries: int = 5, timeout: float = 30.0, progress: bool = True) -> None:
    """Download a file, going on from `.NAME.part` beside it, and rename it when it is whole.

    A partial file is continued only while the server says that it still has the same file (ETag or Last-Modified).

    Raises:
        OSError: If it cannot be had; what was fetched is kept for the next run.
    """
    part = path.with_name(f".{path.name}.part")
    for attempt in range(1, tries + 1):
        try:
            _continue(url, part, timeout, progress)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise OSError(f"{url}: the server answers {error.code} {error.reason}") from None
            reason: Exception = error
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise OSError(f"{part}: {error.strerror}") from None
            reason = error
        if attempt == tries:
            raise OSError(f"{url}: cannot be fetched ({reason}); run again to go on from what is there") from None
        time.sleep(_PAUSE * 2 ** (attempt - 1))
    os.replace(part, path)
    _validator_path(part).unlink(missing_ok=True)


def _validator_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _continue(url: str, part: Path, timeout: float, progress: bool) -> None:
    from tqdm import tqdm

    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    there = part.stat().st_size if part.is_file() else 0
    validator = json.loads(_validator_path(part).read_text()) if there and _validator_path(part).is_file() else None
    if there and validator:
        request.add_header("Range", f"bytes={there}-")
        request.add_header("If-Range", validator)
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # the part is no beginning of this file, or all of it: start over
            raise
        part.unlink()
        return _continue(url, part, timeout, progress)
    with response:
        if getattr(response, "status", None) != 206:
            there = 0
        etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
        strong = etag if etag and not etag.startswith("W/") else modified
        _validator_path(part).write_text(json.dumps(strong))
        length = response.headers.get("Content-Length")
        total = there + int(length) if length else None
        if total is not None and total - there > (free := shutil.disk_usage(part.parent).free):
            raise OSError(errno.ENOSPC, f"{total - there:,} bytes are needed and {free:,} are free")
        bar = tqdm(total=total, initial=there, unit="B", unit_scale=True, desc=part.name[1:40], disable=not progress)
        with bar, part.open("ab" if there else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size != total:
        raise ConnectionError(f"it broke off after {part.stat().st_size:,} of {total:,} bytes")


def _unpack(archive: Path, wanted: dict[str, str], folder: Path, progress: bool) -> None:
    """Unpack files whose SHA-256 is right; raises ValueError for the first that is wrong or not in the archive."""
    from tqdm import tqdm

    with zipfile.ZipFile(archive) as packed:
        members = dict(_members(packed))
        absent = next((name for name in wanted if name not in members), None)
        if absent is not None:
            raise ValueError(f"{archive}: {absent} is in {SUMS_NAME} and not in the archive")
        for name, digest in tqdm(wanted.items(), unit="file", desc="unpacking", disable=not progress):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(target) as temporary:
                with packed.open(members[name]) as source, temporary.open("wb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
                if not _is_whole(temporary, digest):
                    raise ValueError(f"{name}: its SHA-256 is not that of {SUMS_NAME}; delete {archive} and run again")


def _members(packed: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """The archive's files by their path below its one top folder, where it has one."""
    files = [info for info in packed.infolist() if not info.is_dir()]
    tops = {info.filename.partition("/")[0] for info in files}
    cut = len(tops.pop()) + 1 if len(tops) == 1 and all("/" in info.filename for info in files) else 0
    return ((info.filename[cut:], info) for info in files)


def _is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and file_sha256(path) == digest
