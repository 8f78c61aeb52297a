"""What is known of a recording, in words, for a language model that learns to look answers up before it sees an ECG."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from hf_heartllm.data.question import MEASURED
from hf_heartllm.training.examples import listed, stated
from hf_heartllm.training.turns.wordings import statement_names


def describe(row: Mapping[str, Any], rng: random.Random) -> str:
    """The statements that hold and what was counted on the beats, in an order that is drawn.

    Args:
        row: of `token_file.load_rows`.
        rng: of the order.

    Returns:
        Such as "sinus rhythm, heart rate 70 to 79, normal ecg, regularity very regular"; empty where nothing is known.
    """
    names = statement_names()
    holding = {names[code]["english"][0] for code in stated(row) if code in names} | listed(row)
    counted = [one for one in row["questions"] if one.question_type == "query" and one.source == MEASURED]
    known = [*sorted(holding), *(f"{one.attribute} {one.answer}" for one in counted)]
    rng.shuffle(known)
    return ", ".join(known)
