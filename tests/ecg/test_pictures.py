"""The pictures of docs/pictures.md: all there, at true scale, small, and made by one command."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from hf_heartllm.ecg.plot.layouts import LAYOUTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"!\[[^\]]+\]\((images/example-[\w-]+\.png)\)", PAGE)


def test_the_page_shows_what_the_command_makes_and_names_every_layout() -> None:
    names = runpy.run_path(str(ROOT / "examples" / "pictures.py"))["PICTURES"]
    assert [f"images/example-{name}.png" for name in names] == SHOWN
    for layout in LAYOUTS:
        assert f"`{layout}`" in PAGE


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_a_page_at_true_scale_and_small(name: str) -> None:
    path = ROOT / "docs" / name
    assert path.stat().st_size < 400_000
    with Image.open(path) as image:
        size = [pixels / dots * 25.4 for pixels, dots in zip(image.size, image.info["dpi"], strict=True)]
    assert size == pytest.approx([297, 210], abs=0.1)


@pytest.mark.slow
def test_the_command_makes_them_all(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "examples" / "pictures.py"), str(tmp_path)], check=True, cwd=ROOT)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(Path(name).name for name in SHOWN)
