"""The table of formats: what it says of a reader is so, and help, folders and the docs follow it."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

import hf_heartllm as hl
from hf_heartllm.cli.recordings import find_recordings
from hf_heartllm.ecg.readers import formats
from hf_heartllm.ecg.readers.formats import FORMATS, STATED, Format, format_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
OPENING, CLOSING = "<!-- formats: rendered from hf_heartllm/ecg/readers/formats.py -->\n", "\n<!-- /formats -->"


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.module)
def test_a_reader_takes_what_the_table_says(kind: Format) -> None:
    read = getattr(importlib.import_module(f"hf_heartllm.ecg.readers.{kind.module}"), kind.reader)
    taken = inspect.signature(read).parameters
    assert set(kind.arguments) == set(taken) & set(inspect.signature(hl.read_ecg).parameters) - {"source"}
    assert bool(kind.suffixes) != bool(kind.prefix)


def test_no_name_belongs_to_two_formats() -> None:
    names = [*formats.SUFFIXES, *formats.PREFIXES]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() for name in names)
    for kind in FORMATS:
        spelt = [f"a b/ecg{suffix}" for suffix in kind.suffixes] + [kind.prefix + "x.csv"] * bool(kind.prefix)
        assert {format_of(name) for name in [*spelt, *(name.upper() for name in spelt if not kind.prefix)]} == {kind}
    assert format_of("00152_lr") is format_of("notes.txt") is format_of("") is formats.WFDB


def test_a_folder_finds_one_recording_a_deciding_file(tmp_path: Path) -> None:
    for suffix in formats.SUFFIXES:
        (tmp_path / f"ecg{suffix}").touch()
    found = find_recordings([str(tmp_path)]).names
    assert len(found) == len(formats.DECIDING)


@pytest.mark.parametrize("argument", ["sampling_rate", "units"])
def test_what_a_recording_states_itself_is_refused(argument: str) -> None:
    with pytest.raises(
        hl.ECGError, match=rf"{argument} \(--[a-z-]+\) is for CSV and NPY; this recording states its own"
    ):
        hl.read_ecg("example:af", **{argument: "mV"})


def test_the_page_shows_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(OPENING)
    _, _, tail = rest.partition(CLOSING[1:])
    assert rest
    assert tail
    assert text == head + OPENING + formats.formats_table() + CLOSING + tail, "render it: formats.formats_table()"
    assert all(name in formats.recording_help() for name in (*formats.SUFFIXES, *formats.PREFIXES))
    assert set(STATED) < set(inspect.signature(hl.read_ecg).parameters)
