"""What the README shows runs as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import hf_heartllm as hl
from hf_heartllm import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("#")[0] for line in re.findall(r"^heartllm .*$", README, re.MULTILINE)]


def test_the_first_screen_names_both_commands_and_the_picture_is_there():
    first = README[: README.index("## In numbers")]
    assert "make demo" in first
    assert "make test" in first
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).is_file(), picture


def test_the_first_snippet_answers(capsys):
    space: dict = {}
    exec(PYTHON[0], space)
    said = capsys.readouterr().out.splitlines()
    assert said[0] in ("yes", "no")
    assert isinstance(space["again"], hl.ECGRecord)
    assert space["again"].units == "mV"


def test_the_second_snippet_gives_any_base_ecg_tokens(tmp_path, monkeypatch):
    from transformers import GPT2Config, GPT2LMHeadModel

    from hf_heartllm.training.vocabulary import train_text_tokenizer

    monkeypatch.chdir(tmp_path)
    text = train_text_tokenizer(["What rhythm does this ECG show?"] * 3, 300)
    base = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=len(text)))
    exec(PYTHON[1], {"hl": hl, "base_tokenizer": text, "base_model": base})
    assert (tmp_path / "plain" / "config.json").is_file()


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_understood(line, tmp_path, monkeypatch, request):
    words = shlex.split(line)[1:]
    if words[0] == "evaluate":  # on data sets, for minutes: tests/cli run them on small ones
        cli.build_parser().parse_args(words)
        return
    if any(word.startswith("records100/") for word in words):
        monkeypatch.chdir(request.getfixturevalue("ptbxl_dir"))
    else:
        monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 0


def test_no_link_is_broken():
    for text, target in re.findall(r"\[([^\]]+)\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), f"{text}: {target}"
