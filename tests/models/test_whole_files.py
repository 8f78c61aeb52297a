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

from hf_heartllm.models.whole_files import folder_written_whole, in_the_way, write_whole, written_whole

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


def test_a_folder_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    with suppress(KeyboardInterrupt), folder_written_whole(tmp_path / "model") as new:
        assert not new.exists()
        new.mkdir()
        (new / "half").write_text("2")
        raise KeyboardInterrupt
    assert [file.name for file in (tmp_path / "model").iterdir()] == ["old"]
    with pytest.raises(FileNotFoundError), folder_written_whole(tmp_path / "model"):
        pass  # nothing was written
    assert [file.name for file in (tmp_path / "model").iterdir()] == ["old"]
    for path in (tmp_path / "deep" / "in" / "there", tmp_path / "link"):
        with folder_written_whole(path) as new:
            new.mkdir()
            (new / "whole").write_text("3")
        assert [file.name for file in path.iterdir()] == ["whole"]
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "model" / "whole").read_text() == "3"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["deep", "link", "model"]


def test_what_is_in_the_way_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "full" / "inside").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "full" / "inside")
    assert in_the_way(tmp_path / "new") is None
    assert "a file is in the way" in str(in_the_way(tmp_path / "file"))
    for path in (Path("."), tmp_path / "full", tmp_path):
        assert "the working folder cannot be replaced" in str(in_the_way(path, force=True))
    monkeypatch.chdir(tmp_path)
    assert "is not empty" in str(in_the_way(Path("full")))
    assert in_the_way(Path("full"), force=True) is None


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
