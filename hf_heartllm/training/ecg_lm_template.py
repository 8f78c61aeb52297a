"""ECG-LM's text of a recording for the joint training, and how leads are dropped from text and signal.

Source: ECG-LM, Yang et al. The template is the paper's, word for word; what it leaves open (words for height and
weight, the distribution of the number of leads) is decided here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.prompts import ECG_PLACEHOLDER

FEWEST_DROPPED, MOST_DROPPED = 4, 6
NOTHING = "none"
"""What stands for a sentence where the rules are silent."""


@dataclass(frozen=True)
class Described:
    """A recording in words.

    Attributes:
        age: years; 90 and above becomes 90. None: unknown.
        sex: male or female. None: unknown.
        height: cm. None: unknown.
        weight: kg. None: unknown.
        report: of the ECG.
        general: what is above or below its usual range in the whole recording; empty: nothing.
        leads: name → the same of one lead; empty or absent: nothing.
    """

    age: float | None = None
    sex: str | None = None
    height: float | None = None
    weight: float | None = None
    report: str = ""
    general: str = ""
    leads: Mapping[str, str] = field(default_factory=dict)

    def described_leads(self) -> list[str]:
        """The leads that something is said of."""
        return [lead for lead in STANDARD_LEADS if self.leads.get(lead)]


class Piece(NamedTuple):
    """A part of the text.

    Attributes:
        text: that is shown.
        learned: whether the loss counts its tokens.
    """

    text: str
    learned: bool


def body_words(height: float | None, weight: float | None) -> str:
    """`sub_template`: height and weight, none, one or both of them.

    >>> body_words(178, None)
    'with a height of 178 cm'
    """
    known = [
        f"a {name} of {value:.0f} {unit}"
        for name, value, unit in (("height", height, "cm"), ("weight", weight, "kg"))
        if value is not None and not math.isnan(value)
    ]
    return f"with {' and '.join(known)}" if known else ""


def person_sentence(described: Described) -> str:
    """Who was recorded, as the template begins.

    >>> person_sentence(Described(age=56, sex="female", weight=70))
    'This person is a 56-year-old female with a weight of 70 kg.'
    """
    age = None if described.age is None or math.isnan(described.age) else min(90, math.floor(described.age))
    words = ["This person is a", "" if age is None else f"{age}-year-old", described.sex or "person"]
    return " ".join([*filter(None, [*words, body_words(described.height, described.weight)])]) + "."


def aligned_text(
    described: Described, leads: Sequence[str] = STANDARD_LEADS, learn_general: bool = True
) -> list[Piece]:
    """The text of a recording, with `<ecg>` where its soft tokens stand.

    Args:
        described: the recording in words.
        leads: that are shown; of the others neither name nor text stands there.
        learn_general: whether the loss counts the sentence on the whole recording, which the paper does not say.
    """
    pieces = [
        Piece(f"{person_sentence(described)} The ECG signal is {ECG_PLACEHOLDER}. The ECG report indicates ", False),
        Piece(described.report.strip().rstrip("."), True),
        Piece(". The anomalies in general: ", False),
        Piece(described.general or NOTHING, learn_general),
    ]
    for lead in (name for name in STANDARD_LEADS if name in leads):
        pieces += [Piece(f", lead {lead}: ", False), Piece(described.leads.get(lead) or NOTHING, True)]
    return [*pieces, Piece(".", True)]


def dropped_leads(described: Sequence[str], leads: Sequence[str], rng: random.Random) -> list[str]:
    """The leads that are dropped from text and signal of one copy of a recording.

    Four to six of them, those with a description first, but never all that have one, unless none had; and of a
    recording of few leads so many that one is left.

    Args:
        described: leads that something is said of.
        leads: of the recording.
        rng: of the draws; the number is uniform.
    """
    count = min(rng.randint(FEWEST_DROPPED, MOST_DROPPED), len(leads) - 1)
    with_text = [lead for lead in leads if lead in described]
    without = [lead for lead in leads if lead not in described]
    first = rng.sample(with_text, min(count, max(0, len(with_text) - 1)))
    gone = {*first, *rng.sample(without, min(count - len(first), len(without)))}
    return [lead for lead in leads if lead in gone]
