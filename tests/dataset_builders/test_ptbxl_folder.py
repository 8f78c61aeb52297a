"""`make data`: whether a folder is PTB-XL, whole; one line says what is missing and what to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dataset_builders.ptbxl_folder import FolderError, link, look_into, main, provide
from tests.simulated_ptbxl import ptbxl_of_simulated

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    return ptbxl_of_simulated(tmp_path / "set", 4)


def refused(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    assert main([str(one) for one in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_whole_folder_is_linked_and_nothing_is_copied(folder, tmp_path, capsys):
    target = tmp_path / "build" / "ptb-xl"
    for _ in range(2):
        assert main(["--ptbxl", str(folder), "--link", str(target)]) == 0
        first, second = capsys.readouterr().out.splitlines()
        assert "4 records, folds 1, 9" in first
        assert "a part of PTB-XL" in first
        assert "records500: 0 of 4" in second
        assert target.is_symlink()
        assert target.resolve() == folder.resolve()


def test_missing_and_cut_files_are_named_with_what_to_do(folder, tmp_path, capsys):
    (folder / "records100/00000/00002_lr.hea").unlink()
    os.truncate(folder / "records100/00000/00003_lr.dat", 1000)
    line = refused(capsys, "--ptbxl", folder, "--link", tmp_path / "link")
    assert "2 of 8 files at 100 Hz are missing or cut off" in line
    assert "00002_lr.hea, records100/00000/00003_lr.dat" in line
    assert "--download" in line
    assert not (tmp_path / "link").exists()
    assert line == refused(capsys, folder)


def test_what_is_no_ptbxl_is_one_line(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "ptb xl.zip").write_bytes(b"PK")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ptbxl_database.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "ptbxl_database.csv").write_text(
        "ecg_id,patient_id,scp_codes,strat_fold,filename_lr,filename_hr\n"
    )
    for name, words in (
        ("nowhere", "no such folder"),
        ("empty", "no ptbxl_database.csv in it"),
        ("ptb xl.zip", "unpack it first"),
        ("other", "no column ecg_id"),
        ("bare", "holds no records"),
    ):
        assert words in refused(capsys, "--ptbxl", tmp_path / name, "--link", tmp_path / "link")
    assert "make data PTBXL=DIR" in refused(capsys, "--packed", tmp_path / "empty", "--link", tmp_path / "link")


def test_a_folder_within_the_archives_folder_is_found(folder, tmp_path):
    outer = tmp_path / "downloaded"
    outer.mkdir()
    folder.rename(outer / "ptb-xl-1.0.3")
    assert provide(str(outer), tmp_path, tmp_path / "link").folder == outer / "ptb-xl-1.0.3"


def test_a_folder_of_ones_own_is_never_replaced(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(FolderError, match="move it away"):
        link(folder, tmp_path / "mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    link(folder, tmp_path / "link")
    assert (tmp_path / "link").resolve() == folder.resolve()


PACKED = """
import argparse, pathlib, shutil
parser = argparse.ArgumentParser()
parser.add_argument("--output", type=pathlib.Path)
here = pathlib.Path(__file__).parent
shutil.copytree(here / "set", parser.parse_args().output, dirs_exist_ok=True)
with open(here / "calls", "a") as file:
    file.write("x")
"""


def test_a_part_that_was_unpacked_before_is_filled_up_and_a_whole_one_kept(folder, tmp_path):
    (tmp_path / "unpack.py").write_text(PACKED)
    target = tmp_path / "build" / "ptb-xl"
    target.mkdir(parents=True)
    (target / "ptbxl_database.csv").write_bytes((folder / "ptbxl_database.csv").read_bytes())  # as the demo left it
    assert provide(None, tmp_path, target).records == 4
    assert (tmp_path / "calls").read_text() == "x"
    (tmp_path / "unpack.py").unlink()
    assert provide(None, tmp_path, target).records == 4
    os.remove(target / "records100/00000/00001_lr.dat")
    with pytest.raises(FolderError, match="1 of 8 files"):
        provide(None, tmp_path, target)


def test_make_data_hands_on_a_folder_with_a_blank_in_its_name():
    command = ["make", "-n", "-C", str(ROOT), "data", "PTBXL=/data/PTB XL"]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "MAKEFLAGS": ""}
    ).stdout
    assert '--ptbxl "/data/PTB XL"' in said


def test_the_simulated_set_is_looked_into(folder):
    facts = look_into(folder)
    assert (facts.records, facts.folds, facts.missing_100, facts.named_500) == (4, (1, 9), (), 0)
