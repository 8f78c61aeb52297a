"""SmolLM2-135M-Instruct for the tests of the checkpoints that stand on it: `make base` fetches it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BASE = Path(os.environ.get("HEARTLLM_BASE") or Path(__file__).parents[1] / "build" / "smollm2-135m-instruct")

MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(not BASE.is_dir(), reason=f"no base model in {BASE}: run `make base` or set HEARTLLM_BASE"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module", autouse=True)
def where_the_base_is() -> Iterator[None]:
    """Of the modules that import it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEARTLLM_BASE", str(BASE))
        yield


def p_yes(ask: Any, record: Any, question: str) -> float:
    """How probable "yes" is to a pipeline."""
    answer = ask(record, question)
    return float(answer.probability if answer.text == "yes" else 1 - answer.probability)
