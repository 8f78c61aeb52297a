"""A file is whole or as it was before, whatever happens while it is written and whatever its name stands for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from hf_heartllm.models.whole_files import write_whole, written_whole

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["a.json", ".hidden", "two words.tar.gz", "ünïcode", "x" * 250])
def test_what_is_there_stays_until_the_new_content_is_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_whole(path, "before")
    with suppress(KeyboardInterrupt), written_whole(path) as temporary:
        temporary.write_text("half of it")
        assert temporary.name.startswith(".")
        assert temporary.suffix == path.suffix or path.suffix == ""
        raise KeyboardInterrupt
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, "before")]
    write_whole(path, "naïve\n")
    assert path.read_bytes() == b"na\xc3\xafve\n"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_killed_writer_leaves_what_was_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "kept.txt", "before")
    code = f"""
import os, signal
from hf_heartllm.models.whole_files import written_whole
with written_whole({str(tmp_path / "kept.txt")!r}) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -signal.SIGKILL
    assert (tmp_path / "kept.txt").read_text() == "before"


def test_folders_links_and_pipes(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "deep" / "file", b"\0\1")
    assert (tmp_path / "new" / "deep" / "file").read_bytes() == b"\0\1"
    with pytest.raises(FileNotFoundError) as missing, written_whole(tmp_path / "no" / "file.txt") as temporary:
        temporary.write_text("x")
    assert missing.value.filename == str(tmp_path / "no" / "file.txt")
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "new", "x")
    (tmp_path / "link").symlink_to(tmp_path / "new" / "target")
    write_whole(tmp_path / "link", "through")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new" / "target").read_text() == "through"
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", "flows")
    reader.join(10)
    assert got == [b"flows"]
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link", "new", "pipe"]
