"""Run as a program: the blocks of a page, those that need a network too, with the Hub that HF_ENDPOINT names.

python page.py PAGE    in an empty folder
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.documents import blocks_of, check_output
from tests.test_docs import ROOT, run


def main(page: str) -> None:
    """Run them in their order."""
    space: dict[str, Any] = {"__name__": "__main__"}
    said = ""
    for block in blocks_of(page, (ROOT / page).read_text(encoding="utf-8")):
        print(block.place, flush=True)
        if block.kind == "text":
            check_output(block.place, block.text, said)
        else:
            said = run(replace(block, needs=()), Path(), space)


if __name__ == "__main__":
    main(sys.argv[1])
