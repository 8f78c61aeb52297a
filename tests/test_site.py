"""The site of the documentation: every page has its place, every link holds there, every public name is described."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import hf_heartllm as hl

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def _hooks() -> Any:
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "site_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = _hooks()
OWN = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}


def _placed(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _placed(part)


def test_every_page_stands_once_in_the_navigation_and_nothing_else_does():
    placed = list(_placed(SETTINGS["nav"]))
    assert sorted(placed) == sorted(OWN | set(HOOKS.PAGES))
    assert placed[0] == "index.md"
    assert not OWN & set(HOOKS.PAGES), "a page of docs would hide one from elsewhere"
    for source in {**HOOKS.PAGES, **HOOKS.PICTURES}.values():
        assert (ROOT / source).is_file(), source
    for asset in (*SETTINGS["hooks"], *(f"docs/{css}" for css in SETTINGS["extra_css"])):
        assert (ROOT / asset).is_file(), asset


def _source(page: str) -> str:
    return (ROOT / HOOKS.PAGES.get(page, f"docs/{page}")).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(OWN | set(HOOKS.PAGES)))
def test_links_hold_on_the_site_and_marks_are_gone(page):
    shown = re.sub(r"```.*?```", "", HOOKS.for_site(_source(page), page), flags=re.DOTALL)
    assert "<!--" not in shown
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", shown):
        place = os.path.normpath(os.path.join(os.path.dirname(page), target))
        assert place in HOOKS.PAGES or place in HOOKS.PICTURES or (DOCS / place).is_file(), target


def test_links_out_of_the_site_become_words_and_code_stays():
    text = "[the log](../training/LOG.md#x), [own](#here), [code](../setup.cfg), [site](https://a.b) <!-- a\nb -->\n"
    assert HOOKS.for_site(text, "codec.md") == "[the log](log.md#x), [own](#here), code, [site](https://a.b) \n"
    assert HOOKS.for_site("![a](docs/images/a.svg) [b](docs/results/index.md)", "index.md") == (
        "![a](images/a.svg) [b](results/index.md)"
    )
    assert HOOKS.for_site("[a](../../training/LOG.md)", "results/codec.md") == "[a](../log.md)"
    code = "```\n[a](../setup.cfg) <!-- b -->\n```\n"
    assert HOOKS.for_site(code, "codec.md") == code


def test_the_reference_describes_every_public_name_and_none_that_is_not_there():
    described = {
        name
        for path in (DOCS / "reference").glob("*.md")
        for name in re.findall(r"^::: ([\w.]+)$", path.read_text(), re.M)
    }
    assert {f"hf_heartllm.{name}" for name in hl.__all__} - described == {"hf_heartllm.__version__"}
    for name in described:
        module, _, attribute = name.rpartition(".")
        assert getattr(importlib.import_module(module), attribute).__doc__, name


def test_lists_and_tables_begin_after_a_blank_line():
    """Else a server of Markdown shows them and mkdocs does not."""
    for page in sorted(OWN | set(HOOKS.PAGES)):
        shown = re.sub(r"\A---.*?^---$|^```.*?^```$", "", _source(page), flags=re.DOTALL | re.MULTILINE)
        before = ""
        for line in HOOKS.for_site(shown, page).splitlines():
            begun = re.match(r"[*-] |\d+\. |\|", line)
            if begun and before.strip():
                assert re.match(r" +|[*-] |\d+\. |\|", before), f"{page}: {line[:60]!r} follows {before[:60]!r}"
            before = line


def test_the_log_begins_with_a_line_for_each_experiment_that_leads_to_its_entry():
    text = (ROOT / "training" / "LOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\d{4}-\d\d-\d\d .*)$", text, re.MULTILINE)
    assert len(headings) == text.count("\n## ")
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-"): heading[:10] for heading in headings}
    lines = re.findall(r"^\| (\d{4}-\d\d-\d\d) \| \[[^]]+\]\(#([^)]+)\) \|(.*)\|$", text, re.MULTILINE)
    assert set(anchors) == {anchor for _, anchor, _ in lines}
    for date, anchor, rest in lines:
        assert date == anchors[anchor]
        assert all(cell.strip() for cell in rest.split(" | ")), anchor
        assert rest.count(" | ") == 2, anchor
    assert [date for date, *_ in lines] == sorted((date for date, *_ in lines), reverse=True)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed: make docs")
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in OWN | set(HOOKS.PAGES):
        assert (tmp_path / "site" / page).with_suffix(".html").is_file()
