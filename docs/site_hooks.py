"""What the site holds beside docs/: README as its first page, the card, the log and the changes, with their links.

mkdocs calls these functions by their names (`hooks` in mkdocs.yml). A link to a file that the site does not hold
becomes its words.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = "hf_heartllm/checkpoints/heartllm-tiny"
PAGES = {
    "index.md": "README.md",
    "card.md": f"{CHECKPOINT}/README.md",
    "EVALUATION.md": f"{CHECKPOINT}/EVALUATION.md",
    "log.md": "training/LOG.md",
    "changes.md": "CHANGELOG.md",
}
"""Page of the site → file of the project."""
PICTURES = {name: f"{CHECKPOINT}/{name}" for name in ("codec.png", "reliability.png", "risk-coverage.png")}

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")
_FENCED = re.compile(r"(^```.*?^```[^\S\n]*$)", re.DOTALL | re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and pictures from elsewhere in the project."""
    from mkdocs.structure.files import File

    for page, source in {**PAGES, **PICTURES}.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page without its marks, and with links that hold within the site."""
    return for_site(markdown, page.file.src_uri)


def for_site(markdown: str, page: str) -> str:
    """What the site shows of a page: see `on_page_markdown`; code stays as it is.

    Args:
        markdown: of the page's file.
        page: its place on the site, such as `"results/index.md"`.
    """
    parts = _FENCED.split(markdown)
    return "".join(part if number % 2 else _prose(part, page) for number, part in enumerate(parts))


def _prose(text: str, page: str) -> str:
    source = PAGES.get(page, f"docs/{page}")
    on_site = {file: place for place, file in {**PAGES, **PICTURES}.items()}

    def link(match: re.Match[str]) -> str:
        picture, words, target, anchor = match.groups(default="")
        if not target:
            return match[0]
        file = os.path.normpath(os.path.join(os.path.dirname(source), target))
        place = on_site.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else None)
        if place is None:
            return words
        return f"{picture}[{_prose(words, page)}]({os.path.relpath(place, os.path.dirname(page) or '.')}{anchor})"

    return _LINK.sub(link, re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
