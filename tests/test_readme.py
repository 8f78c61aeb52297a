"""The first screen of the README, and that all who state a size state the same; `test_docs` runs what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import hf_heartllm as hl
from hf_heartllm.cli import info
from hf_heartllm.hub.cards import checkpoint_facts

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_screen_names_both_commands_and_the_picture_is_there():
    first = README[: README.index("## In numbers")]
    assert "make demo" in first
    assert "make test" in first
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).is_file(), picture


def test_readme_codec_page_card_and_info_agree_about_sizes():
    facts = checkpoint_facts(hl.checkpoint())
    told = info.checkpoint_facts(hl.checkpoint())
    assert f"{told['checkpoint']['parameters']:,}" == facts["parameters"]
    assert f"{told['codec']['parameters']:,}" == facts["codec_parameters"]
    card = (Path(hl.checkpoint()) / "README.md").read_text(encoding="utf-8")
    for text in ((ROOT / "docs" / "codec.md").read_text(encoding="utf-8"), card):
        assert facts["codec_parameters"] in text
        assert facts["codec_numbers"] in text
    assert facts["parameters"] in card
    assert f"{int(facts['parameters'].replace(',', '')) / 1e6:.1f} million parameters" in README
